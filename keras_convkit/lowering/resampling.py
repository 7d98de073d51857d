"""How upsampling is carried out: repeats, the native resize, or the filters of each axis in turn.

The filters are `filters`'; here stand the ways to run them. They differ in what a step costs:
where each operation is a pass over memory, or where the compiler fuses them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import keras
from keras import ops

from keras_convkit.description import SpatialAxes, Upsampling
from keras_convkit.input_checks import static_shape
from keras_convkit.lowering.derivative import with_gradient
from keras_convkit.lowering.filters import (
    Tap,
    adjoint_reading,
    normalization,
    phase_filters,
    reading,
)
from keras_convkit.lowering.layout import (
    cut,
    fold_batch,
    reshaped,
    sliced,
    to_channels_first,
    to_channels_last,
)
from keras_convkit.lowering.limits import gathers_by_index
from keras_convkit.lowering.program import as_one_program

# XLA fuses the sum of so many slices into one loop, with 9 no more; and it takes three equal copies
# or more for a broadcast, which is faster forward than a concatenation.
FEW_COPIES = 8
Filter = tuple[Tap, ...]
# One axis by its filters: (x, axis, size, interpolation) -> y.
AlongAxis = Callable[[Any, int, int, str], Any]


def repeat(x: Any, description: Upsampling) -> Any:
    """Nearest neighbours, as broadcasts: their gradient is a plain sum over the copies.

    The last axis first, while the tensor is small and its copies lie together.
    """
    for axis, size in reversed(_scaled(description)):
        shape = list(ops.shape(x))
        position = len(shape) + axis
        copies = [*shape[: position + 1], size, *shape[position + 1 :]]
        shape[position] = shape[position] * size
        x = reshaped(ops.broadcast_to(ops.expand_dims(x, position + 1), copies), shape)
    return x


@as_one_program(tensors=1)
def stacked(x: Any, description: Upsampling) -> Any:
    """Nearest neighbours, as copies side by side: their gradient is a sum of slices."""
    if math.prod(description.sizes) > FEW_COPIES:
        for axis, size in reversed(_scaled(description)):
            x = _interleaved([x] * size, axis)
        return x
    # All copies behind the spatial axes, and from there each behind its own.
    shape, rank = list(ops.shape(x)), description.axes.rank
    behind = len(shape) + description.axes.spatial_axes[-1] + 1
    front = behind - rank
    y = ops.stack([x] * math.prod(description.sizes), axis=behind)
    y = reshaped(y, [*shape[:behind], *description.sizes, *shape[behind:]])
    order = [axis for i in range(rank) for axis in (front + i, behind + i)]
    y = ops.transpose(y, [*range(front), *order, *range(behind + rank, len(shape) + rank)])
    shape[front:behind] = [
        n * size for n, size in zip(shape[front:behind], description.sizes, strict=True)
    ]
    return reshaped(y, shape)


def repeat_channels_last(x: Any, description: Upsampling) -> Any:
    """Nearest neighbours, with whole rows of channels as what is copied."""
    axes = description.axes
    x, unfold = fold_batch(x, axes.rank)
    if not axes.channels_last:
        x = to_channels_last(x, axes.rank)
    for axis, size in enumerate(description.sizes, 1):
        x = ops.repeat(x, size, axis=axis) if size > 1 else x
    return unfold(x if axes.channels_last else to_channels_first(x, axes.rank))


def native(x: Any, description: Upsampling) -> Any:
    """Nearest or linear, by the backend's image resizing, of two axes at a time."""
    axes = description.axes
    x, unfold = fold_batch(x, axes.rank)
    resize = {1: _resize_line, 2: _resize_image, 3: _resize_volume}[axes.rank]
    return unfold(resize(x, description.sizes, axes.data_format, description.interpolation))


def _resize_line(x: Any, sizes: Sequence[int], data_format: str, interpolation: str) -> Any:
    row = 1 if data_format == "channels_last" else 2
    y = _resize_image(ops.expand_dims(x, row), (1, *sizes), data_format, interpolation)
    return ops.squeeze(y, row)


def _resize_image(x: Any, sizes: Sequence[int], data_format: str, interpolation: str) -> Any:
    lengths = SpatialAxes(2, data_format).lengths(static_shape(x.shape))
    return ops.image.resize(
        x,
        tuple(n * size for n, size in zip(lengths, sizes, strict=True)),
        interpolation="nearest" if interpolation == "nearest" else "bilinear",
        data_format=data_format,
    )


def _resize_volume(x: Any, sizes: Sequence[int], data_format: str, interpolation: str) -> Any:
    """The first axis of images whose rows are planes, then the others of each plane."""
    if data_format == "channels_first":
        y = _resize_volume(to_channels_last(x, 3), sizes, "channels_last", interpolation)
        return to_channels_first(y, 3)
    _, depth, height, width, channels = static_shape(x.shape)
    deep, high, wide = sizes
    x = reshaped(x, (-1, depth, height * width, channels))
    x = _resize_image(x, (deep, 1), data_format, interpolation)
    x = reshaped(x, (-1, height, width, channels))
    x = _resize_image(x, (high, wide), data_format, interpolation)
    return reshaped(x, (-1, depth * deep, height * high, width * wide, channels))


def phases(x: Any, description: Upsampling) -> Any:
    """Each phase as a sum of shifted inputs."""
    return _each_axis(x, description, _phases_along)


def depthwise_phases(x: Any, description: Upsampling) -> Any:
    """Each phase as a depthwise convolution: one pass over memory, and not one a tap."""
    axes = description.axes
    if axes.channels_last:
        y = _each_axis(x, description, _depthwise_along)
        return _times(y, _normalization_of_all(x, description))
    x, unfold = fold_batch(x, axes.rank)
    channels_last = SpatialAxes(axes.rank, "channels_last")
    turned = Upsampling(channels_last, description.sizes, description.interpolation)
    y = depthwise_phases(to_channels_last(x, axes.rank), turned)
    return unfold(to_channels_first(y, axes.rank))


def phases_both_ways(x: Any, description: Upsampling) -> Any:
    """`phases`, with a gradient that slices the cotangent's phases, where plain ones pad them."""
    return _with_adjoint(x, description, (_phases_along, _adjoint_phases_along))


def gathers_both_ways(x: Any, description: Upsampling) -> Any:
    """Each step as a sum of gathered ones, in the gradient as well.

    A compiler that fuses gathers writes each step once, with no branch at the ends.
    """
    return _with_adjoint(x, description, (_gathers_along, _adjoint_gathers_along))


def one_gather_an_axis(x: Any, description: Upsampling) -> Any:
    """All steps that each step reads gathered at once, and summed: few operations, long ones."""
    return _each_axis(x, description, _one_gather_along)


def _scaled(description: Upsampling) -> list[tuple[int, int]]:
    """The axes that get longer, with their factors."""
    pairs = zip(description.axes.spatial_axes, description.sizes, strict=True)
    return [(axis, size) for axis, size in pairs if size > 1]


def _each_axis(x: Any, description: Upsampling, along_axis: AlongAxis, turn: int = 1) -> Any:
    for axis, size in _scaled(description)[::turn]:
        x = along_axis(x, axis, size, description.interpolation)
    return x


_all_axes = as_one_program(tensors=1)(_each_axis)


def _with_adjoint(x: Any, description: Upsampling, ways: tuple[AlongAxis, AlongAxis]) -> Any:
    """`x` upsampled by the first way, with the second for the gradient."""
    return _linear(description, ways, False)(x)


@lru_cache(maxsize=1024)
def _linear(
    description: Upsampling, ways: tuple[AlongAxis, AlongAxis], back: bool
) -> Callable[[Any], Any]:
    """Each way is linear and the other's gradient, so derivatives of every order are defined."""

    def compute(x: Any) -> Any:
        return _all_axes(x, description, ways[back], -1 if back else 1)

    def gradient(x: Any, cotangent: Any) -> Any:
        return _linear(description, ways, not back)(cotangent)

    return with_gradient(compute, gradient)


def _phases_along(x: Any, axis: int, size: int, interpolation: str) -> Any:
    phases = []
    for taps, window, factors in _windows(x, axis, size, interpolation):
        terms = [
            sliced(window, {axis: cut(place, len(taps) - 1 - place)}) * tap.weight
            for place, tap in enumerate(taps)
        ]
        phases.append(_times(_sum(terms), factors))
    return _interleaved(phases, axis)


def _adjoint_phases_along(y: Any, axis: int, size: int, interpolation: str) -> Any:
    filters = phase_filters(interpolation, size)
    after, before = _reach(filters)
    terms = []
    for taps, phase in zip(filters, _phases_of(y, axis, size), strict=True):
        padded = _padded(phase * _normalization(taps, phase, axis), axis, before, after)
        for offset, weight in taps:
            window = sliced(padded, {axis: cut(before - offset, after + offset)})
            terms.append(window * weight)
    return _sum(terms)


def _depthwise_along(x: Any, axis: int, size: int, interpolation: str) -> Any:
    shape = list(ops.shape(x))
    position, channels = len(shape) + axis, shape[-1]
    # As images of two axes, of which the one that gets longer is `turned`.
    if axis == -2:
        images, turned = (shape[0], math.prod(shape[1:position]), *shape[position:]), -2
    else:
        front, behind = math.prod(shape[:position]), math.prod(shape[position + 1 : -1])
        images, turned = (front, shape[position], behind, channels), -3
    x = reshaped(x, images)
    phases = []
    for taps in phase_filters(interpolation, size):
        # Padded for each phase by itself: slices of what is padded for all are copies as well.
        before, after = -taps[0].offset, taps[-1].offset
        linear = interpolation == "linear"
        window = (_replicated if linear else _padded)(x, turned, before, after)
        weights = ops.convert_to_tensor([tap.weight for tap in taps], dtype=x.dtype)
        window_size = (1, len(taps)) if turned == -2 else (len(taps), 1)
        kernel = reshaped(weights, (*window_size, 1, 1))
        kernel = ops.broadcast_to(kernel, (*window_size, channels, 1))
        phases.append(
            ops.depthwise_conv(window, kernel, padding="valid", data_format="channels_last")
        )
    shape[position] = shape[position] * size
    return reshaped(_interleaved(phases, turned), shape)


def _windows(x: Any, axis: int, size: int, interpolation: str) -> Iterator[tuple[Filter, Any, Any]]:
    """For each phase its taps, the steps that they slide over, and what normalizes their sum."""
    filters = phase_filters(interpolation, size)
    before, after = _reach(filters)
    # A linear filter's outer step, repeated, is its weights divided by their sum: a pass less.
    replicated = interpolation == "linear"
    padded = (_replicated if replicated else _padded)(x, axis, before, after)
    for taps in filters:
        window = sliced(padded, {axis: cut(before + taps[0].offset, after - taps[-1].offset)})
        yield taps, window, None if replicated else _normalization(taps, x, axis)


def _gathers_along(x: Any, axis: int, size: int, interpolation: str) -> Any:
    return _gathered(x, axis, *reading(interpolation, size, x.shape[axis]))


def _adjoint_gathers_along(y: Any, axis: int, size: int, interpolation: str) -> Any:
    return _gathered(y, axis, *adjoint_reading(interpolation, size, y.shape[axis] // size))


def _one_gather_along(x: Any, axis: int, size: int, interpolation: str) -> Any:
    steps, weights = reading(interpolation, size, static_shape(x.shape)[axis])
    position = len(x.shape) + axis
    weights = weights.reshape(*steps.shape, *[1] * (-1 - axis))  # not a node more in the graph
    weights = ops.convert_to_tensor(weights, dtype=x.dtype)
    if gathers_by_index():
        gathered = x[(*[slice(None)] * position, ops.convert_to_tensor(steps))]
    else:
        gathered = ops.take(x, steps, axis=position)
    return ops.sum(gathered * weights, axis=position + 1)


def _gathered(x: Any, axis: int, steps: Any, weights: Any) -> Any:
    weights = ops.convert_to_tensor(weights, dtype=x.dtype)
    return _sum(
        [
            ops.take(x, steps[:, tap], axis=axis) * _along(weights[:, tap], axis)
            for tap in range(steps.shape[1])
        ]
    )


def _reach(filters: Sequence[Filter]) -> tuple[int, int]:
    """How many steps before and after its own a phase reads at most."""
    return max(-taps[0].offset for taps in filters), max(taps[-1].offset for taps in filters)


def _padded(x: Any, axis: int, before: int, after: int) -> Any:
    if not before and not after:
        return x
    widths = [(0, 0)] * len(x.shape)
    widths[axis] = (before, after)
    return ops.pad(x, widths)


def _replicated(x: Any, axis: int, before: int, after: int) -> Any:
    """`x` with its first and its last step so many times more."""
    if not before and not after:
        return x
    first, last = sliced(x, {axis: slice(None, 1)}), sliced(x, {axis: slice(-1, None)})
    return ops.concatenate([first] * before + [x] + [last] * after, axis=axis)


def _times(x: Any, factors: Any) -> Any:
    return x if factors is None else x * factors


def _phases_of(y: Any, axis: int, size: int) -> list[Any]:
    shape = list(ops.shape(y))
    position = len(shape) + axis
    shape[position : position + 1] = [shape[position] // size, size]
    return ops.unstack(reshaped(y, shape), num=size, axis=position + 1)


def _interleaved(phases: Sequence[Any], axis: int) -> Any:
    shape = list(ops.shape(phases[0]))
    position = len(shape) + axis
    shape[position] = shape[position] * len(phases)
    return reshaped(ops.stack(phases, axis=position + 1), shape)


def _sum(terms: Sequence[Any]) -> Any:
    total, *rest = terms
    for term in rest:
        total = total + term
    return total


def _normalization_of_all(x: Any, description: Upsampling) -> Any:
    """What normalizes the sums of all axes, a step of the output; `None` where nothing need to."""
    if description.interpolation == "linear":
        return None
    factors = None
    for axis, size in _scaled(description):
        n = static_shape(x.shape)[axis]
        phases = [normalization(taps, n) for taps in phase_filters(description.interpolation, size)]
        interleaved = [factor for step in zip(*phases, strict=True) for factor in step]
        own = _along(ops.convert_to_tensor(interleaved, dtype=x.dtype), axis)
        factors = own if factors is None else factors * own
    return factors


def _normalization(taps: Filter, x: Any, axis: int) -> Any:
    """One over the sum of the weights that fall inside, a step of the input."""
    n = static_shape(x.shape)[axis]
    if n is None:
        length = ops.shape(x)[axis]
        steps = ops.arange(length)
        inside = [ops.logical_and(steps + j >= 0, steps + j < length) for j, _ in taps]
        precise = keras.backend.result_type(x.dtype, "float32")
        total = sum(ops.cast(i, precise) * w for i, (_, w) in zip(inside, taps, strict=True))
        factors = ops.cast(1.0 / total, x.dtype)
    else:
        factors = ops.convert_to_tensor(normalization(taps, n), dtype=x.dtype)
    return _along(factors, axis)


def _along(vector: Any, axis: int) -> Any:
    """A vector as it is multiplied along an axis that is counted from the end."""
    return reshaped(vector, (-1,) + (1,) * (-1 - axis))
