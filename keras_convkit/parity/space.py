"""What a search draws from: configurations and input shapes of a target, as hypothesis strategies.

Of this package's families, and of `keras.layers` classes of the same families, the strategies know
what is valid. Of others the constructor's signature tells; a user's dictionary says more.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import json
import math
import re
import sys
import typing
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import UnionType
from typing import Any, NamedTuple

from hypothesis import strategies as st

from keras_convkit.parity.cases import Case
from keras_convkit.parity.inputs import Input, parse_input
from keras_convkit.parity.smaller import with_shape
from keras_convkit.parity.strategies import ACTIVATIONS, case_of_rank
from keras_convkit.parity.subjects import OBJECT, Subject, SubjectError, has_family

# An int that nothing is known of but that it counts something.
_COUNT = st.integers(1, 4)
# How arguments that every layer has are left, and those whose values are objects.
_LEFT = re.compile(r"self|name|dtype|trainable|args|kwargs|.*_(initializer|regularizer|constraint)")
_COUNTS = re.compile(r"units|filters|groups|heads|num_\w+|\w*(size|dim|rate|multiplier|strides)")
# Whose constructors, down to the base class, say what they take.
_STRICT = ("keras.", "keras_convkit.")
# The words that built-in layers know.
_WORDS = ("valid", "same", "causal")
# And those that they have others for.
_INTERPOLATIONS = {"linear": "bilinear", "cubic": "bicubic"}


class Example(NamedTuple):
    """A configuration, and what the layer is called with."""

    config: dict[str, Any]
    inputs: tuple[Input, ...]

    def key(self) -> str:
        """The same for the same example."""
        return repr((sorted(self.config.items()), [str(each) for each in self.inputs]))


def examples(subject: Subject, space: Mapping[str, Any]) -> st.SearchStrategy[Example]:
    """Returns the strategy that draws examples of a subject.

    Args:
        subject: Its config is kept in every example. Its inputs, where it has any, are the largest
            ones; those of a family's class are drawn with its config.
        space: Values of arguments: two numbers are a range, any other list has the values to choose
            from, and everything else is the value.

    Raises:
        SubjectError: It is nothing that can be searched, or too little is known of it.
    """
    if subject.kind != OBJECT:
        raise SubjectError(f"a search takes a class or a function. Received: {subject.target}")
    _check(subject, space)
    kept = {name: _choice(name, value) for name, value in space.items()}
    kept |= {name: st.just(value) for name, value in subject.config.items()}
    if has_family(subject):
        return st.builds(
            lambda case, own: _example(subject, case, own), _cases(subject), _mapping(kept)
        )
    if not subject.inputs:
        raise SubjectError(f"say the largest input of {subject.target}, as --input 4,12,12,3")
    config = {**_of_signature(found(subject.target), kept), **kept}
    return st.builds(Example, _mapping(config), st.tuples(*map(_smaller, subject.inputs)))


def optional(subject: Subject, space: Mapping[str, Any]) -> set[str]:
    """The arguments that an example can do without: those whose default may be."""
    known = parameters(found(subject.target))
    return {
        name
        for name, parameter in known.items()
        if name not in subject.config
        and parameter.default is not parameter.empty
        and permits(subject, space, name, parameter.default)
    }


def permits(subject: Subject, space: Mapping[str, Any], name: str, value: Any) -> bool:
    """Whether what the user has said leaves it open that an argument has a value."""
    if name in subject.config:
        return value == subject.config[name]
    if name not in space:
        return True
    said = space[name]
    if not isinstance(said, list):
        return value == said
    if _is_range(said):
        return isinstance(value, (int, float)) and min(said) <= value <= max(said)
    return value in said


def found(target: str) -> Any:
    """Imports what `module:name` stands for, from the user's folder too."""
    module, _, path = target.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        thing = importlib.import_module(module)
        for name in path.split("."):
            thing = getattr(thing, name)
    except (ImportError, AttributeError) as error:
        raise SubjectError(f"{target} can't be imported: {error}") from error
    return thing


def parameters(thing: Any) -> Mapping[str, inspect.Parameter]:
    """The parameters of a class's constructor or of a function."""
    return inspect.signature(thing).parameters


def _cases(subject: Subject) -> st.SearchStrategy[Case]:
    name = subject.class_name
    return case_of_rank(re.sub(r"\dD", "", name), int(re.search(r"(\d)D", name)[1]))


def _example(subject: Subject, case: Case, own: Mapping[str, Any]) -> Example:
    config, shape = dict(case.config), case.shape
    if subject.target.startswith("keras.layers:"):
        config = _built_in(found(subject.target), config, case)
        shape = case.shape[len(case.batch) - 1 :]
    return Example(config | dict(own), (parse_input(",".join(map(str, shape))),))


def _built_in(cls: type, config: dict[str, Any], case: Case) -> dict[str, Any]:
    """A config within what a built-in class takes; the input's shape fits it as well."""
    config = {name: value for name, value in config.items() if name in parameters(cls)}
    if "filters" in parameters(cls) or "depth_multiplier" in parameters(cls):
        words = config.get("padding", "valid")
        causal = case.layer == "Conv1D"
        if words not in _WORDS[: 3 if causal else 2]:
            config["padding"] = "same"
        # It takes one or the other; the smaller reach fits as well.
        if set(case.each("strides")) != {1} and "dilation_rate" in config:
            config["dilation_rate"] = 1
        # The length was drawn to fit a padding and a reach; with others nothing may be left.
        changed = words != "same" or config.get("dilation_rate") != case.config.get("dilation_rate")
        if config.get("output_padding") is not None and changed:
            config["output_padding"] = None
    if words := config.get("interpolation"):
        config["interpolation"] = _INTERPOLATIONS.get(words, words)
    return config


def _check(subject: Subject, space: Mapping[str, Any]) -> None:
    """Refuses what can't be an argument, before anything is run."""
    thing = found(subject.target)
    known = _arguments(thing)
    for option, given in (("--space", space), ("--config", subject.config)):
        for name in given if known else ():
            if name not in known:
                close = difflib.get_close_matches(name, known, 1)
                own = ", ".join(name for name in parameters(thing) if name in known)
                hint = f"Did you mean {close[0]!r}?" if close else f"It has {own}."
                raise SubjectError(
                    f"{option}: {subject.target} has no argument {name!r}. {hint} "
                    f"Received: {json.dumps({name: given[name]})}"
                )
    for name in space:
        if name in subject.config:
            raise SubjectError(f"the argument {name!r} stands in --config and in --space")


def _arguments(thing: Any) -> set[str]:
    """The names of all arguments, where they can be told; nothing where any name may be taken."""
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    own = parameters(thing).values()
    names = {each.name for each in own if each.kind in named}
    if not any(each.kind is each.VAR_KEYWORD for each in own):
        return names
    # Keras's own constructors refuse what they don't know; another's may look into it.
    if not (inspect.isclass(thing) and thing.__module__.startswith(_STRICT)):
        return set()
    for base in inspect.getmro(thing):
        constructor = vars(base).get("__init__")
        if constructor and base.__module__.startswith(_STRICT):
            names |= {e.name for e in parameters(constructor).values() if e.kind in named}
    return names - {"self"}


def _is_range(values: list[Any]) -> bool:
    return len(values) == 2 and all(type(each) in (int, float) for each in values)


def _choice(name: str, value: Any) -> st.SearchStrategy[Any]:
    """A user's entry for an argument."""
    if not isinstance(value, list):
        return st.just(value)
    if not value or not all(map(_is_finite, value)):
        what = "has no values" if not value else "must have finite values"
        raise SubjectError(f"--space: the argument {name!r} {what}. Received: {json.dumps(value)}")
    if _is_range(value):
        low, high = sorted(value)
        whole = type(low) is type(high) is int
        return st.integers(low, high) if whole else st.floats(low, high)
    return st.sampled_from(value)


def _is_finite(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _mapping(choices: Mapping[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(dict(choices))


def _of_signature(thing: Any, known: Mapping[str, Any]) -> dict[str, st.SearchStrategy[Any]]:
    """What can be drawn for the arguments of a constructor or function."""
    drawn: dict[str, st.SearchStrategy[Any]] = {}
    hints = _hints(thing)
    for name, parameter in parameters(thing).items():
        variable = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if variable or name in known or _LEFT.fullmatch(name):
            continue
        values = _values(name, hints.get(name), parameter.default)
        if values is not None:
            drawn[name] = values
        elif parameter.default is parameter.empty:
            raise SubjectError(
                f"say what the argument {name} may be, as --space '{{\"{name}\": [1, 4]}}'"
            )
    return drawn


def _hints(thing: Any) -> dict[str, Any]:
    function = thing.__init__ if inspect.isclass(thing) else thing
    try:
        return typing.get_type_hints(function)
    except (NameError, TypeError):
        return {}


def _values(name: str, hint: Any, default: Any) -> st.SearchStrategy[Any] | None:
    """What an argument may be, by its annotation, its default and its name; None for the default.

    A float is left: what is right for one (a rate, an epsilon) is nonsense for another.
    """
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return st.sampled_from(options)
    if origin in (typing.Union, UnionType) and type(None) in options:
        inner = [each for each in options if each is not type(None)]
        values = _values(name, inner[0], inspect.Parameter.empty) if len(inner) == 1 else None
        return values if values is None else st.none() | values
    if name.endswith("activation"):
        return st.sampled_from((None, *ACTIVATIONS))
    if name == "data_format":
        return st.sampled_from(("channels_last", "channels_first"))
    if name == "padding" and default in _WORDS:
        return st.sampled_from(_WORDS[:2])
    if hint is bool or _is_bool(default):
        return st.booleans()
    if name in ("axis", "seed"):
        return None
    if hint is int or type(default) is int:
        return st.integers(1, max(4, default)) if type(default) is int else _COUNT
    if default is inspect.Parameter.empty and _COUNTS.fullmatch(name):
        return _COUNT
    return None


def _smaller(given: Input) -> st.SearchStrategy[Input]:
    """Inputs of the kind of `given` and of at most its shape; data stays what it is."""
    if not given.shape:
        return st.just(given)
    build: Callable[[tuple[int, ...]], Input] = partial(with_shape, given)
    return st.tuples(*(st.integers(1, length) for length in given.shape)).map(build)
