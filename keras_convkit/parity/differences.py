"""Two arrays held against each other: the largest error, where it lies, how errors spread."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

Array = np.ndarray

# Decades of the histogram: the first counts errors below 1e-9, the last those of 1 and more.
DECADES = range(-9, 1)
# An axis is shown in at most so many parts.
PROFILE = 24
# So many of the worst places are told.
PLACES = 5


@dataclass(frozen=True)
class Spot:
    """One place of two arrays: its index, and what stands there on the left and on the right."""

    index: tuple[int, ...]
    left: float
    right: float

    def __str__(self) -> str:
        place = ", ".join(map(str, self.index))
        return f"[{place}]: {self.left:.9g} against {self.right:.9g}"


@dataclass(frozen=True)
class Difference:
    """What two arrays of one shape differ by.

    Attributes:
        error: The largest error over the scale; infinity where one side is no finite number and
            the other isn't the same.
        shape: The shape of both arrays.
        places: Where the largest errors are, the largest one first, at most `PLACES`.
        first: The first place, in row-major order, whose error is over the bound.
        over: How many places are over the bound, of how many in all.
        histogram: How many errors lie in each decade of `DECADES`, over the scale, smaller ones
            and zeros first.
        profile: For each axis, the largest error at each of at most `PROFILE` parts of it.
    """

    error: float
    shape: tuple[int, ...]
    places: tuple[Spot, ...]
    first: Spot | None
    over: tuple[int, int]
    histogram: tuple[int, ...]
    profile: tuple[tuple[float, ...], ...]

    @property
    def worst(self) -> Spot | None:
        """Where the largest error is."""
        return self.places[0] if self.places else None


def difference(left: Array, right: Array, scale: float, bound: float) -> Difference:
    """Compares two arrays of the same shape.

    Args:
        left: What is judged.
        right: What it is judged by.
        scale: The magnitude that errors are given in units of.
        bound: The largest error allowed, in that unit.
    """
    errors = relative_errors(left, right, scale)
    if not errors.size:
        return Difference(0.0, errors.shape, (), None, (0, 0), (0,) * (len(DECADES) + 1), ())
    worst = _largest(errors)
    wrong = np.flatnonzero(errors > bound)

    def spot(place: int) -> Spot:
        index = tuple(int(i) for i in np.unravel_index(place, errors.shape))
        return Spot(index, float(left[index]), float(right[index]))

    edges = [-math.inf, *(10.0**power for power in DECADES), math.inf]
    return Difference(
        float(errors.flat[worst[0]]),
        errors.shape,
        tuple(spot(place) for place in worst),
        spot(int(wrong[0])) if wrong.size else None,
        (wrong.size, errors.size),
        tuple(int(count) for count in _counts(errors, edges)),
        tuple(_profile(errors, axis) for axis in range(errors.ndim)),
    )


def relative_errors(left: Array, right: Array, scale: float) -> Array:
    """Returns the errors over `scale`.

    That is infinity where a side is no finite number, unless both are NaN or the same infinity.
    """
    wide = [np.asarray(side).astype(np.float64) for side in (left, right)]
    with np.errstate(invalid="ignore"):  # Where infinities meet.
        errors = np.abs(wide[0] - wide[1]) / scale
    same = (wide[0] == wide[1]) | (np.isnan(wide[0]) & np.isnan(wide[1]))
    return np.where(same, 0.0, np.where(np.isfinite(errors), errors, np.inf))


def _largest(errors: Array) -> list[int]:
    """Returns where the largest errors are; of equal ones the first, and no place without any."""
    flat = errors.ravel()
    count = min(PLACES, flat.size)
    # Sorting all of a large array would take longer than comparing it.
    least = np.partition(flat, flat.size - count)[flat.size - count]
    over = np.flatnonzero(flat > least)
    places = [*over, *np.flatnonzero(flat == least)[: count - len(over)]]
    places.sort(key=lambda place: (-flat[place], place))
    return [int(place) for place in places if flat[place]] or [int(places[0])]


def _counts(errors: Array, edges: list[float]) -> list[int]:
    places = np.searchsorted(edges[1:-1], errors.ravel(), side="right")
    return np.bincount(places, minlength=len(edges) - 1).tolist()


def _profile(errors: Array, axis: int) -> tuple[float, ...]:
    others = tuple(other for other in range(errors.ndim) if other != axis)
    along = errors.max(axis=others)
    return tuple(float(part.max()) for part in np.array_split(along, min(len(along), PROFILE)))
