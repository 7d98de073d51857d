"""A subject as a Keras model on the backend of this process, with its inputs and weights."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import keras
import numpy as np

import keras_convkit
from keras_convkit.parity.embedded.expected import Case, weight_names
from keras_convkit.parity.embedded.models import MODELS, Layer
from keras_convkit.parity.subjects import EMBEDDED, FILE
from keras_convkit.parity.tasks import PEER
from keras_convkit.parity.worker import drawn, sums
from keras_convkit.workers import first_line

LIBRARIES: dict[str, ModuleType] = {"ours": keras_convkit.layers, "built-in": keras.layers}

Array = np.ndarray


class RefusedError(Exception):
    """A side cannot be built or compared; the message says why."""


class Built(NamedTuple):
    """A subject, ready to be run.

    Attributes:
        layer: What the user named.
        model: The same as a model with known inputs.
        names: A readable, unique name for each of the model's weights.
        weights: Their values.
        inputs: The data of each of the model's inputs, in order.
        keys: The name of each input.
    """

    layer: Any
    model: Any
    names: list[str]
    weights: list[Array]
    inputs: list[Array]
    keys: list[str]

    def reset(self) -> None:
        """Gives the model its weights and its state again."""
        for variable, value in zip(self.model.weights, self.weights, strict=True):
            variable.assign(value)
        for layer in sums.leaves(self.model):
            # What a stateful recurrent layer goes on from is none of the weights.
            if getattr(layer, "stateful", False) and hasattr(layer, "reset_state"):
                layer.reset_state()


def build(subject: dict[str, Any], side: str, dtype: str, case: Path, seed: int) -> Built:
    """Builds one side of a subject.

    Args:
        subject: What `Subject.for_worker` returned.
        side: `SUBJECT` or `PEER`.
        dtype: The dtype of layers that do not name their own.
        case: The file with the inputs; that of an embedded model has its weights as well.
        seed: Seed of the weights.

    Raises:
        RefusedError: A peer lacks an option, or the dtype can't be chosen.
    """
    keras.utils.clear_session(free_memory=False)
    if subject["kind"] == EMBEDDED:
        return embedded(subject["target"], "built-in" if side == PEER else "ours", case)
    if subject["kind"] == FILE and dtype != "float32":
        raise RefusedError("a saved model has its own dtype")
    with np.load(case, allow_pickle=False) as file:
        given = {name: drawn.rounded(file[name], dtype) for name in file.files}
    layer = _make_peer(subject) if side == PEER else make(subject)
    model, inputs, keys = _as_model(layer, given, seed)
    weights = drawn.weights(model, lambda: _remake(subject, side, given, seed), seed, dtype)
    if subject["kind"] == FILE and side != PEER:
        weights = [np.asarray(value) for value in model.get_weights()]
    names = [f"{index} {_short(weight)}" for index, weight in enumerate(model.weights)]
    built = Built(layer, model, names, weights, inputs, keys)
    built.reset()
    return built


def make(subject: dict[str, Any]) -> Any:
    """Makes what a subject's target names: a layer or a model."""
    if subject["kind"] == FILE:
        return keras.saving.load_model(subject["target"], compile=False, safe_mode=subject["safe"])
    found = load_object(subject["target"])
    if isinstance(found, keras.Layer):
        return found
    made = found(**{key: _deserialized(value) for key, value in subject["config"].items()})
    if not isinstance(made, keras.Layer):
        kind = type(made).__name__
        raise TypeError(f"{subject['target']} gives a {kind}, which is no Keras layer or model")
    return made


def load_object(target: str) -> Any:
    """Imports what `module:name` stands for."""
    module, _, path = target.partition(":")
    found = importlib.import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    return found


def embedded(name: str, library: str, case_file: Path) -> Built:
    """Builds one of the package's own models.

    Raises:
        RefusedError: The library lacks a layer or an option.
    """
    description, case = MODELS[name], Case.load(case_file)
    lacks = [reason for layer in description.layers if (reason := _lack(layer, library))]
    if lacks:
        raise RefusedError("; ".join(dict.fromkeys(lacks)))
    made = [_make_layer(layer, library) for layer in description.layers]
    model = keras.Sequential([keras.Input(case.x.shape[1:]), *made])
    model.set_weights(case.weights)
    names = weight_names(description)
    return Built(model, model, names, case.weights, [case.x], ["input"])


def _make_peer(subject: dict[str, Any]) -> Any:
    """The peer, with the subject's config; that it refuses is no fault."""
    peer = subject["peer"]
    kind = FILE if peer.endswith(".keras") else "object"
    try:
        return make(subject | {"kind": kind, "target": peer})
    except (TypeError, ValueError) as error:
        raise RefusedError(first_line(error)) from error


def _remake(subject: dict[str, Any], side: str, given: dict[str, Array], seed: int) -> list[Array]:
    """The weights that the same layer gets when it is made once more."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(seed + 1)
    layer = _make_peer(subject) if side == PEER else make(subject)
    return _as_model(layer, given, seed)[0].get_weights()


def _deserialized(value: Any) -> Any:
    """Layers and other Keras objects within a config, as Keras writes them."""
    if isinstance(value, dict) and {"class_name", "config"} <= value.keys():
        return keras.saving.deserialize_keras_object(value)
    if isinstance(value, dict):
        return {key: _deserialized(each) for key, each in value.items()}
    return [_deserialized(each) for each in value] if isinstance(value, list) else value


def _as_model(layer: Any, given: dict[str, Array], seed: int) -> tuple[Any, list[Array], list[str]]:
    """A layer as a model; one that is a model with known inputs stays as it is."""
    if isinstance(layer, keras.Model) and getattr(layer, "inputs", None):
        return _flat(layer), *_fed(layer, given, seed)
    if not given:
        raise ValueError("its input is not known; say it, as --input 4,16,16,3")
    keys = list(given)
    placeholders = {
        key: keras.Input(batch_shape=(None, *x.shape[1:]), dtype=str(x.dtype))
        for key, x in given.items()
    }
    named = {key: value for key, value in placeholders.items() if not key.isdigit()}
    nameless = [value for key, value in placeholders.items() if key.isdigit()]
    if named and not nameless:
        # The first argument of a layer has to come without its name.
        first = next(iter(inspect.signature(layer.call).parameters))
        nameless = [named.pop(first)] if first in named else []
    arguments = [nameless[0] if len(nameless) == 1 else nameless] if nameless else []
    taken = inspect.signature(layer.call).parameters
    unknown = [name for name in named if name not in taken]
    if unknown and not any(each.kind is each.VAR_KEYWORD for each in taken.values()):
        names = ", ".join(taken)
        raise ValueError(f"its call has no argument {', '.join(unknown)}; it has {names}")
    outputs = layer(*arguments, **named)
    inputs = list(placeholders.values())
    model = keras.Model(inputs[0] if len(inputs) == 1 else inputs, outputs)
    return model, list(given.values()), [_spoken(key) for key in keys]


def _flat(model: Any) -> Any:
    """The model, or one around it that takes a list where it takes a dictionary or a nest."""
    structure = getattr(model, "input", None)  # Which a Sequential that is new hasn't.
    if not isinstance(structure, dict) and all(
        each is None or isinstance(each, keras.KerasTensor)
        for each in (structure if isinstance(structure, list | tuple) else [structure])
    ):
        return model
    inputs = [keras.Input(batch_shape=t.shape, dtype=t.dtype, name=t.name) for t in model.inputs]
    outputs = model(keras.tree.pack_sequence_as(structure, inputs))
    return keras.Model(inputs, keras.tree.flatten(outputs))


def _fed(model: Any, given: dict[str, Array], seed: int) -> tuple[list[Array], list[str]]:
    """The data for each input of a model, by its name or in order, drawn where not given."""
    names = [tensor.name for tensor in model.inputs]
    if not given:
        return [drawn.an_input(t, seed, i) for i, t in enumerate(model.inputs)], names
    unknown = [key for key in given if not key.isdigit() and key not in names]
    if unknown:
        raise ValueError(f"the model has no input {', '.join(unknown)}; it has {', '.join(names)}")
    if len(given) != len(names):
        raise ValueError(f"the model has {len(names)} inputs: {', '.join(names)}")
    in_order = iter([array for key, array in given.items() if key.isdigit()])
    return [given[name] if name in given else next(in_order) for name in names], names


def _spoken(key: str) -> str:
    return f"input {key}" if key.isdigit() else key


def _short(weight: Any) -> str:
    """A weight's path without the part that Keras numbers."""
    return "/".join(weight.path.split("/")[-2:][1:]) or weight.name


def _make_layer(layer: Layer, library: str) -> keras.Layer:
    constructor = getattr(LIBRARIES[library], layer.class_name)
    # The weights are set afterwards, and drawing them first would take half the time on JAX.
    initializers = {
        name: "zeros"
        for name in inspect.signature(constructor).parameters
        if name.endswith("_initializer")
    }
    return constructor(**layer.config, **initializers)


def _lack(layer: Layer, library: str) -> str | None:
    """Returns what keeps a library from making a layer, or None."""
    constructor = getattr(LIBRARIES[library], layer.class_name, None)
    if constructor is None:
        return f"no {layer.class_name}"
    unknown = layer.config.keys() - inspect.signature(constructor).parameters.keys()
    if unknown:
        return f"{layer.class_name} has no {', '.join(sorted(unknown))}"
    try:
        _make_layer(layer, library)
    except Exception as error:
        return f"{layer.class_name}: {first_line(error)}"
    return None


def custom_objects(*layers: Any) -> dict[str, Any]:
    """The classes of layers that Keras doesn't know by itself, so that their files can be read."""
    found: dict[str, Any] = {}
    for layer in layers:
        found |= custom_objects(*getattr(layer, "layers", ()))
        if not type(layer).__module__.startswith("keras."):
            found[type(layer).__name__] = type(layer)
    return found
