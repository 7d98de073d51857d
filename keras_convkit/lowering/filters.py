"""The short filters that upsampling consists of, and the weights of their taps.

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
    taps = [Tap(j, kernel(shift - j)) for j in range(-radius, radius + 1)]
    return tuple([tap for tap in taps if tap.weight])


def phase_filters(interpolation: str, size: int) -> list[tuple[Tap, ...]]:
    return [phase_filter(interpolation, size, phase) for phase in range(size)]


class Reading(NamedTuple):
    """For each step that is computed, the steps that it reads and their weights.

    Both are `[computed, tap]`. A step that reads fewer names its last one several times, and
    shares that one's weight among them: no weight is zero, so that nothing is multiplied by zero.
    """

    steps: Any
    weights: Any


@lru_cache(maxsize=256)
def reading(interpolation: str, size: int, n: int) -> Reading:
    """What the output steps read of `n` input steps."""
    return _reading(_matrix(interpolation, size, n))


@lru_cache(maxsize=256)
def adjoint_reading(interpolation: str, size: int, n: int) -> Reading:
    """What the gradient of each of `n` input steps reads of the output's."""
    return _reading(_matrix(interpolation, size, n).T)


@lru_cache(maxsize=256)
def normalization(taps: tuple[Tap, ...], n: int) -> tuple[float, ...]:
    """One over the sum of the weights that fall inside, for each of `n` steps of a phase.

    In numbers of Python's: torch.compile, which traces this, takes no constant of NumPy's.
    """
    sums = [sum([weight for j, weight in taps if 0 <= i + j < n]) for i in range(n)]
    return tuple([1.0 / total for total in sums])


def _matrix(interpolation: str, size: int, n: int) -> Any:
    matrix = np.zeros((n, size, n))
    steps = np.arange(n)
    for phase, taps in enumerate(phase_filters(interpolation, size)):
        for offset, weight in taps:
            inside = steps[(steps + offset >= 0) & (steps + offset < n)]
            matrix[inside, phase, inside + offset] = weight
    return (matrix / matrix.sum(axis=-1, keepdims=True)).reshape(n * size, n)


def _reading(matrix: Any) -> Reading:
    rows = [np.flatnonzero(row) for row in matrix]
    taps = max(map(len, rows))
    steps = np.stack([np.pad(row, (0, taps - len(row)), mode="edge") for row in rows])
    shares = (steps[:, :, None] == steps[:, None, :]).sum(axis=2)
    return Reading(steps, np.take_along_axis(matrix, steps, axis=1) / shares)
