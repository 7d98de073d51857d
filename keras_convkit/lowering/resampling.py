"""Upsampling by a whole factor, one spatial axis after the other.

Output step `o = i size + p` of phase `p` has its centre at input position `i + shift(p)`, so each
phase is one short filter over the input. At the ends the weights that fall outside are left out
and the others divided by their sum, as image libraries do for half-pixel centres.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from keras_convkit.description import Upsampling
from keras_convkit.input_checks import static_shape


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


def upsample(x: Any, description: Upsampling) -> Any:
    for axis, size in zip(description.axes.spatial_axes, description.sizes, strict=True):
        if size == 1:
            continue
        if description.interpolation == "nearest":
            x = repeat(x, axis, size)
        else:
            x = _interpolate(x, axis, size, description.interpolation)
    return x


def repeat(x: Any, axis: int, size: int) -> Any:
    """Each step `size` times, as a broadcast: its gradient is a plain sum over the copies."""
    shape = list(ops.shape(x))
    position = len(shape) + axis
    copies = [*shape[: position + 1], size, *shape[position + 1 :]]
    shape[position] = shape[position] * size
    return ops.reshape(ops.broadcast_to(ops.expand_dims(x, position + 1), copies), shape)


def _interpolate(x: Any, axis: int, size: int, interpolation: str) -> Any:
    """All phases of one axis, interleaved."""
    n = static_shape(x.shape)[axis]
    filters = [phase_filter(interpolation, size, phase) for phase in range(size)]
    before = max(-taps[0].offset for taps in filters)
    after = max(taps[-1].offset for taps in filters)
    padded = ops.pad(
        x, [(before, after) if i == len(x.shape) + axis else (0, 0) for i in range(len(x.shape))]
    )
    length = ops.shape(x)[axis]
    phases = []
    for taps in filters:
        total = None
        for offset, weight in taps:
            start = before + offset
            index = [slice(None)] * len(x.shape)
            index[axis] = slice(start, -(after - offset) or None)
            term = padded[tuple(index)] * weight
            total = term if total is None else total + term
        phases.append(total * _normalization(taps, n, length, axis, x.dtype))
    shape = list(ops.shape(x))
    position = len(shape) + axis
    shape[position] = shape[position] * size
    return ops.reshape(ops.stack(phases, axis=position + 1), shape)


def _normalization(taps: tuple[Tap, ...], n: int | None, length: Any, axis: int, dtype: Any) -> Any:
    """One over the sum of the weights that fall inside, a step of the input."""
    if n is not None:
        steps = np.arange(n)
        total = sum(w * ((steps + j >= 0) & (steps + j < n)) for j, w in taps)
        factors = ops.convert_to_tensor(1.0 / total, dtype=dtype)
    else:
        steps = ops.arange(length)
        total = sum(
            w * ops.cast(ops.logical_and(steps + j >= 0, steps + j < length), "float32")
            for j, w in taps
        )
        factors = ops.cast(1.0 / total, dtype)
    return ops.reshape(factors, (-1,) + (1,) * (-1 - axis))
