"""Upsampling by a whole factor.

Output step `o = i size + p` of phase `p` has its centre at input position `i + shift(p)`, so each
phase is one short filter over the input. At the ends the weights that fall outside are left out
and the others divided by their sum, as image libraries do for half-pixel centres.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_convkit.description import SpatialAxes, Upsampling
from keras_convkit.input_checks import static_shape
from keras_convkit.lowering.layout import cut, fold_batch, sliced


def _triangle(t: float) -> float:
    return max(1.0 - abs(t), 0.0)


def _keys_cubic(t: float) -> float:
    """Keys's cubic convolution kernel with a = -0.5.

    Source: R. Keys, "Cubic convolution interpolation for digital image processing", 1981.
    """
    t = abs(t)
    if t < 1:
        return (1.5 * t - 2.5) * t * t + 1.0
    if t < 2:
        return ((-0.5 * t + 2.5) * t - 4.0) * t + 2.0
    return 0.0


def _lanczos(radius: int) -> Callable[[float], float]:
    """The sinc function, windowed by its own wider self.

    Source: C. Duchon, "Lanczos filtering in one and two dimensions", 1979.
    """

    def kernel(t: float) -> float:
        if t == 0:
            return 1.0
        if abs(t) >= radius or t == int(t):
            return 0.0
        angle = math.pi * t
        return radius * math.sin(angle) * math.sin(angle / radius) / (angle * angle)

    return kernel


# The interpolation kernel and how far it reaches to either side.
KERNELS: dict[str, tuple[Callable[[float], float], int]] = {
    "linear": (_triangle, 1),
    "cubic": (_keys_cubic, 2),
    "lanczos3": (_lanczos(3), 3),
    "lanczos5": (_lanczos(5), 5),
}


class Tap(NamedTuple):
    """A weight and the input step, relative to the phase's own, that it falls on."""

    offset: int
    weight: float


@lru_cache(maxsize=256)
def phase_filter(interpolation: str, size: int, phase: int) -> tuple[Tap, ...]:
    """The filter of the output steps `i size + phase`, without the taps of weight zero."""
    kernel, radius = KERNELS[interpolation]
    shift = (phase + 0.5) / size - 0.5
    taps = (Tap(j, kernel(shift - j)) for j in range(-radius, radius + 1))
    return tuple(tap for tap in taps if tap.weight)


def repeat(x: Any, description: Upsampling) -> Any:
    """Nearest neighbours, as broadcasts: their gradient is a plain sum over the copies.

    The last axis first, while the tensor is small and its copies lie together.
    """
    for axis, size in reversed(_scaled(description)):
        shape = list(ops.shape(x))
        position = len(shape) + axis
        copies = [*shape[: position + 1], size, *shape[position + 1 :]]
        shape[position] = shape[position] * size
        x = ops.reshape(ops.broadcast_to(ops.expand_dims(x, position + 1), copies), shape)
    return x


def native(x: Any, description: Upsampling) -> Any:
    """Linear, by the backend's image resizing of one or two axes."""
    axes = description.axes
    x, unfold = fold_batch(x, axes.rank)
    sizes = description.sizes
    row = 1 if axes.channels_last else 2
    if axes.rank == 1:
        x, sizes = ops.expand_dims(x, row), (1, *sizes)
    lengths = SpatialAxes(2, axes.data_format).lengths(static_shape(x.shape))
    y = ops.image.resize(
        x,
        tuple(n * size for n, size in zip(lengths, sizes, strict=True)),
        interpolation="bilinear",
        data_format=axes.data_format,
    )
    return unfold(ops.squeeze(y, row) if axes.rank == 1 else y)


def interpolate(x: Any, description: Upsampling) -> Any:
    """Each axis in turn as the phases of its short filters."""
    for axis, size in _scaled(description):
        x = _interpolate_axis(x, axis, size, description.interpolation)
    return x


def _scaled(description: Upsampling) -> list[tuple[int, int]]:
    """The axes that get longer, with their factors."""
    pairs = zip(description.axes.spatial_axes, description.sizes, strict=True)
    return [(axis, size) for axis, size in pairs if size > 1]


def _interpolate_axis(x: Any, axis: int, size: int, interpolation: str) -> Any:
    filters = [phase_filter(interpolation, size, phase) for phase in range(size)]
    before = max(-taps[0].offset for taps in filters)
    after = max(taps[-1].offset for taps in filters)
    widths = [(0, 0)] * len(x.shape)
    widths[axis] = (before, after)
    padded = ops.pad(x, widths)
    phases = []
    for taps in filters:
        total = None
        for offset, weight in taps:
            term = sliced(padded, {axis: cut(before + offset, after - offset)}) * weight
            total = term if total is None else total + term
        phases.append(total * _normalization(taps, x, axis))
    shape = list(ops.shape(x))
    position = len(shape) + axis
    shape[position] = shape[position] * size
    return ops.reshape(ops.stack(phases, axis=position + 1), shape)


def _normalization(taps: tuple[Tap, ...], x: Any, axis: int) -> Any:
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
        steps = np.arange(n)
        total = sum(w * ((steps + j >= 0) & (steps + j < n)) for j, w in taps)
        factors = ops.convert_to_tensor(1.0 / total, dtype=x.dtype)
    return ops.reshape(factors, (-1,) + (1,) * (-1 - axis))
