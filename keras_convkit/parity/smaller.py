"""Smaller examples of the same kind: what a search tries once hypothesis can shrink no more.

Hypothesis shrinks what has been drawn, one choice at a time. A fault where two numbers meet (as
many filters as the output is wide) is lost when one of them changes, so two steps are tried at
once, too.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from keras_convkit.parity.inputs import Input

Config = dict[str, Any]
Inputs = tuple[Input, ...]
# Numbers of these mean something at 0; others count something.
_FROM_ZERO = ("padding", "cropping", "output_padding")


def smaller(
    config: Mapping[str, Any],
    inputs: Inputs,
    spare: Collection[str],
    allowed: Callable[[str, Any], bool],
) -> Iterator[tuple[Config, Inputs]]:
    """Yields what is one step smaller than an example, then what is two; large steps come first.

    A step leaves an argument out, simplifies its value, or shortens the input. Nothing tells
    whether what comes of it is valid.

    Args:
        config: The example's arguments.
        inputs: And its inputs.
        spare: The arguments that can be left out.
        allowed: Tells whether an argument may have a value.
    """
    configs = [{k: v for k, v in config.items() if k != name} for name in config if name in spare]
    configs += [
        {**config, name: value}
        for name, old in config.items()
        for value in _simpler(old, 0 if name in _FROM_ZERO else 1)
        if allowed(name, value)
    ]
    shorter = list(_shorter(inputs))
    yield from ((each, inputs) for each in configs)
    yield from ((dict(config), each) for each in shorter)
    yield from itertools.product(configs, shorter)
    twice = {each: None for one in shorter for each in _shorter(one)}
    yield from ((dict(config), each) for each in twice)


def with_shape(given: Input, shape: tuple[int, ...]) -> Input:
    """Random data of another shape, of the same kind."""
    _, colon, kind = given.text.partition(":")
    return replace(given, text=",".join(map(str, shape)) + colon + kind, shape=shape)


def _simpler(value: Any, least: int) -> Iterator[Any]:
    """Values that say less, or smaller numbers, of one kind with a value."""
    if value is True:
        yield False
    elif isinstance(value, int) and not isinstance(value, bool):
        yield from _fewer(value, least)
    elif isinstance(value, (tuple, list)) and value:
        flat = value[0][0] if isinstance(value[0], (tuple, list)) and value[0] else value[0]
        if all(each in (flat, (flat, flat), [flat, flat]) for each in value):
            yield flat
        for place, old in enumerate(value):
            for new in _simpler(old, least):
                yield type(value)([*value[:place], new, *value[place + 1 :]])


def _fewer(number: int, least: int) -> list[int]:
    """Numbers below one: the least, half, and one less."""
    return sorted({each for each in (least, number // 2, number - 1) if least <= each < number})


def _shorter(inputs: Inputs) -> Iterator[Inputs]:
    for place, each in enumerate(inputs):
        for axis, length in enumerate(each.shape):
            for less in _fewer(length, 1):
                shape = (*each.shape[:axis], less, *each.shape[axis + 1 :])
                yield (*inputs[:place], with_shape(each, shape), *inputs[place + 1 :])
