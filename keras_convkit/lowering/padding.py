"""How padding is carried out: native zeros, slices of the input, or gathered indices.

Slices serve wherever the input's length and the amounts are known. Where they are not (an unknown
length in a TensorFlow graph), each output step's source is computed as an index and gathered.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from keras import ops

from keras_convkit.description import Convolution, Padding, SpatialAxes
from keras_convkit.geometry import Length, Pair
from keras_convkit.input_checks import static_shape
from keras_convkit.lowering.layout import cut, sliced, spatial_slice

# Amounts are ints, or scalar tensors where they follow from a length that isn't known.
Amounts = tuple[Any, Any]


def pad_to_valid(x: Any, convolution: Convolution) -> tuple[Any, Convolution]:
    """`x` padded as `convolution` asks, and the 'valid' convolution that remains."""
    axes = convolution.axes
    known = convolution.padding_amounts(axes.lengths(static_shape(x.shape)))
    amounts = [
        pair if pair is not None else _same_amounts(ops.shape(x)[axis], s, e)
        for pair, axis, s, e in zip(
            known, axes.spatial_axes, convolution.strides, convolution.reach, strict=True
        )
    ]
    valid = convolution.replace(padding=("valid",) * axes.rank)
    return pad_spatial(x, axes, amounts, convolution.padding_modes), valid


def pad_to_zeros(x: Any, convolution: Convolution) -> tuple[Any, Convolution]:
    """`x` padded unless by zeros alone, and the convolution that remains, padded by zeros."""
    if set(convolution.padding_modes) == {"zeros"}:
        return x, convolution
    return pad_to_valid(x, convolution)


def pad_to_word(x: Any, convolution: Convolution) -> tuple[Any, Convolution]:
    """`pad_to_valid`, but with the padding left to a native operation where a word says it all."""
    in_a_word = _in_a_word(convolution, convolution.axes.lengths(static_shape(x.shape)))
    return pad_to_valid(x, convolution) if in_a_word is None else (x, in_a_word)


@lru_cache(maxsize=1024)
def _in_a_word(convolution: Convolution, lengths: tuple[Length, ...]) -> Convolution | None:
    """The same convolution with a word for its padding that native operations take, if any."""
    word = convolution.native_word(lengths)
    if word is None:
        return None
    return convolution.replace(padding=(word,) * convolution.rank)


def _same_amounts(n: Any, s: int, e: int) -> Amounts:
    """`geometry.same_amounts` of a length that is a tensor."""
    total = ops.maximum(((n + s - 1) // s - 1) * s + e - n, 0)
    return total // 2, total - total // 2


def pad(x: Any, description: Padding) -> Any:
    if set(description.modes) == {"zeros"}:
        return pad_around(x, description.axes, description.amounts, description.value)
    return pad_spatial(
        x, description.axes, description.amounts, description.modes, description.value
    )


def pad_spatial(
    x: Any, axes: SpatialAxes, amounts: Sequence[Amounts], modes: Sequence[str], value: float = 0.0
) -> Any:
    """`x` with `amounts` steps added around each spatial axis, each in its own mode."""
    lengths = axes.lengths(static_shape(x.shape))
    constant: list[Pair] = []
    for axis, pair, mode, length in zip(axes.spatial_axes, amounts, modes, lengths, strict=True):
        known = all(isinstance(amount, int) for amount in pair)
        constant.append(pair if known and mode == "zeros" else (0, 0))
        if known and (mode == "zeros" or not any(pair)):
            continue
        if not known or length is None or (mode == "circular" and max(pair) > length):
            x = _gather(x, axis, pair, mode, value)
        else:
            x = _concatenate(x, axis, pair, mode)
    return pad_around(x, axes, constant, value)


def pad_around(x: Any, axes: SpatialAxes, amounts: Sequence[Amounts], value: float = 0.0) -> Any:
    """`x` with `amounts` constant steps around each spatial axis."""
    if not any(map(any, amounts)):
        return x
    # By `ops.pad` Keras makes an operation each time, which takes longer than a small padding. The
    # other one asks for lengths, which would be nodes in a graph that doesn't know them. A line's
    # image has the batch as rows (`channels_first`: the channels), which stay as they are.
    if not value and axes.rank < 3 and len(x.shape) < 5 and None not in x.shape:
        (top, bottom), (left, right) = ((0, 0), *amounts)[-2:]
        return ops.image.pad_images(x, top, left, bottom, right, data_format=axes.data_format)
    widths: list[Amounts] = [(0, 0)] * len(x.shape)
    for axis, pair in zip(axes.spatial_axes, amounts, strict=True):
        widths[axis] = pair
    # `None` and not 0: boolean inputs take no number on TensorFlow.
    return ops.pad(x, widths, constant_values=value or None)


def extend(x: Any, axes: SpatialAxes, amounts: Sequence[tuple[int, int]]) -> Any:
    """`x` with zeros around each spatial axis; a negative amount cuts.

    Cut last: the input alone can be shorter than what is cut.
    """
    x = pad_around(x, axes, [(max(before, 0), max(after, 0)) for before, after in amounts])
    return spatial_slice(x, axes, [cut(max(-b, 0), max(-a, 0)) for b, a in amounts])


def _concatenate(x: Any, axis: int, pair: Pair, mode: str) -> Any:
    """The input between slices of itself; every slice is as long as its amount."""
    before, after = pair
    front, behind = _SIDES[mode](x, axis, before, after)
    pieces = ([front] if before else []) + [x] + ([behind] if after else [])
    return ops.concatenate(pieces, axis=axis)


def _reflect(x: Any, axis: int, before: int, after: int) -> tuple[Any, Any]:
    front = ops.flip(sliced(x, {axis: slice(1, before + 1)}), axis=axis)
    return front, ops.flip(sliced(x, {axis: slice(-1 - after, -1)}), axis=axis)


def _replicate(x: Any, axis: int, before: int, after: int) -> tuple[Any, Any]:
    first, last = sliced(x, {axis: slice(None, 1)}), sliced(x, {axis: slice(-1, None)})
    return ops.repeat(first, before, axis=axis), ops.repeat(last, after, axis=axis)


def _circular(x: Any, axis: int, before: int, after: int) -> tuple[Any, Any]:
    return sliced(x, {axis: slice(-before, None)}), sliced(x, {axis: slice(None, after)})


_SIDES = {"reflect": _reflect, "replicate": _replicate, "circular": _circular}


def _gather(x: Any, axis: int, pair: Amounts, mode: str, value: float) -> Any:
    """Each output step taken from the input step that its mode names."""
    before, after = pair
    n = ops.shape(x)[axis]
    position = ops.arange(n + before + after, dtype="int32") - before
    padded = ops.take(x, _source(position, n, mode), axis=axis)
    if mode != "zeros":
        return padded
    inside = ops.logical_and(position >= 0, position < n)
    inside = ops.reshape(inside, (-1,) + (1,) * (-1 - axis))
    return ops.where(inside, padded, ops.cast(value, x.dtype))


def _source(position: Any, n: Any, mode: str) -> Any:
    if mode == "circular":
        return ops.mod(position, n)
    if mode == "reflect":
        # No clipping: a position more than one reflection away must fail, not answer.
        return ops.subtract(n - 1, ops.abs(ops.subtract(n - 1, ops.abs(position))))
    return ops.clip(position, 0, n - 1)
