"""The small pictures of a comparison as SVG paths, so that a page of thousands stays light."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

from keras_convkit.parity.differences import DECADES, Difference

# A bar of the histogram, in units of the picture; the highest reaches HIGHEST.
BAR, HIGHEST, BASE = 26, 40, 56
WIDTH = BAR * (len(DECADES) + 1)
# Steps of an axis' colours, up to the largest error of the array.
STEPS = 5


class Bar(NamedTuple):
    """A bar of a histogram: its path and number, and whether its errors are over the bound."""

    path: str
    count: str
    middle: int
    top: int
    over: bool


class Strip(NamedTuple):
    """An axis: its number, length and parts, and a line for each colour (or `over` the bound)."""

    axis: int
    length: int
    parts: int
    paths: tuple[tuple[str, str], ...]


def bars(found: Difference, bound: float) -> list[Bar]:
    """Returns the bars of a histogram; heights are logarithmic, so that a single error is seen."""
    most = math.log10(1 + max(found.histogram))
    result = []
    for place, count in enumerate(found.histogram):
        if count:
            # The decade that the bound lies in counts as within; the line says where it ends.
            over = place > 0 and 10.0 ** DECADES[place - 1] >= bound
            height = max(2, round(HIGHEST * math.log10(1 + count) / most))
            path = f"M{place * BAR + 2} {BASE}v-{height}h{BAR - 4}v{height}z"
            result.append(Bar(path, _short(count), place * BAR + BAR // 2, BASE - height - 3, over))
    return result


def where(bound: float) -> float:
    """Returns where the bound lies in a histogram."""
    if not bound:
        return 0.0
    place = BAR * (math.log10(bound) - DECADES[0] + 1)
    return round(min(max(place, 0.0), WIDTH), 1)


def strips(found: Difference, bound: float) -> Iterator[Strip]:
    """Yields the axes along which there is something to tell apart."""
    for axis, (length, errors) in enumerate(zip(found.shape, found.profile, strict=True)):
        if length > 1:
            yield Strip(axis, length, len(errors), _paths(errors, found.error, bound))


def _paths(errors: tuple[float, ...], largest: float, bound: float) -> tuple[tuple[str, str], ...]:
    colours = [_colour(error, largest, bound) for error in errors]
    paths: dict[str, str] = {}
    place = 0
    for colour, run in itertools.groupby(colours):
        width = len(list(run))
        paths[colour] = paths.get(colour, "") + f"M{place} 0h{width}"
        place += width
    return tuple(paths.items())


def _colour(error: float, largest: float, bound: float) -> str:
    if error > bound:
        return "over"
    return f"s{min(int(STEPS * error / largest), STEPS - 1) if error else 0}"


def _short(count: int) -> str:
    for power, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= power:
            return f"{count / power:.{0 if count >= 10 * power else 1}f}{letter}"
    return str(count)
