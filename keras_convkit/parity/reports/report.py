"""The HTML report: one page without scripts, which loads nothing from elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from keras_convkit.extras import require
from keras_convkit.files import write_text
from keras_convkit.parity.differences import PROFILE
from keras_convkit.parity.outcome import Outcome
from keras_convkit.parity.reports import overview, shapes
from keras_convkit.parity.verdicts import Cell, Kind, Verdict

_KINDS = {
    Kind.REFERENCE: "Against the float64 reference",
    Kind.PEER: "Against the peer, same backend",
    Kind.BACKEND: "One backend against another",
    Kind.MODE: "One mode against another, same backend",
    Kind.ITSELF: "Against what it foretells and copies of itself",
    Kind.FILE: "Written under one backend, read under another",
}
# The colours of the picture: each step is one power of ten, from 1e-8 down to 1e-4 and up.
_FINEST, _COARSEST = -8, -4
# Columns that a picture has at most, so that a narrow window doesn't make it too small to read.
_COLUMNS = 4
# Of what is amiss in a subject, so many comparisons are unfolded from the start.
_UNFOLDED = 3


class Picture(NamedTuple):
    """A part of a subject's heat map.

    Attributes:
        title: What stands over it.
        heads: Two lines over each column.
        rows: What stands before each row, and its cells, or nothing where there is none.
    """

    title: str
    heads: Sequence[tuple[str, str]]
    rows: Sequence[tuple[str, Sequence[Cell | None]]]


def check_requirements() -> None:
    """Raises `extras.MissingExtraError` now if the report could not be written later."""
    _jinja2()


def write(path: Path, outcome: Outcome) -> None:
    """Writes the page, atomically."""
    write_text(path, as_html(outcome))


def as_html(outcome: Outcome) -> str:
    """Returns the page."""
    jinja2 = _jinja2()
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["step"] = _step
    environment.filters["power"] = _power
    template = Path(__file__).with_name("report.html.jinja").read_text(encoding="utf-8")
    numbers = {
        (cell.subject, cell.quantity, cell.column): number
        for number, cell in enumerate(outcome.cells)
    }
    own = {subject.name: outcome.of(subject.name) for subject in outcome.subjects}
    return environment.from_string(template).render(
        outcome=outcome,
        own=own,
        number=lambda cell: numbers[cell.subject, cell.quantity, cell.column],
        pictures={name: list(_pictures(cells)) for name, cells in own.items()},
        quantities=list(dict.fromkeys(cell.quantity for cell in outcome.cells)),
        wrong=overview.WRONG,
        worst=overview.worst,
        lost=overview.lost(outcome),
        telling={name: overview.telling(outcome, name) for name in own},
        unfolded=_UNFOLDED,
        steps=range(_COARSEST - _FINEST + 1),
        finest=_FINEST,
        shapes=shapes,
        PROFILE=PROFILE,
        Verdict=Verdict,
    )


def _pictures(cells: Sequence[Cell]) -> Iterator[Picture]:
    for kind, title in _KINDS.items():
        table = {_place(cell): cell for cell in cells if cell.column.kind is kind}
        rows = list(dict.fromkeys(row for row, _ in table))
        heads = list(dict.fromkeys(head for _, head in table))
        parts = math.ceil(len(heads) / _COLUMNS)
        for part in range(parts):
            own = heads[part::parts]
            behind = f" ({part + 1} of {parts})" if parts > 1 else ""
            cells_of = [(row, [table.get((row, head)) for head in own]) for row in rows]
            yield Picture(title + behind, own, cells_of)


def _place(cell: Cell) -> tuple[str, tuple[str, str]]:
    """Returns what stands before the row of a cell, and the two lines over its column."""
    left, right = cell.column.left, cell.column.right
    if cell.column.kind is Kind.FILE:
        return f"{left.backend} reads", (left.writer, "wrote")
    if cell.column.kind is Kind.BACKEND:
        return cell.quantity, (left.backend, f"vs {right.backend}")
    return cell.quantity, (left.backend, left.mode)


def _jinja2() -> ModuleType:
    return require("jinja2", "the HTML report")


def _step(cell: Cell) -> int:
    """Returns the colour of an error, from 0 for the finest."""
    if not cell.error:
        return 0
    return min(max(math.ceil(math.log10(cell.error)), _FINEST), _COARSEST) - _FINEST


def _power(cell: Cell) -> str:
    """Returns the power of ten of an error, as it is written into a cell."""
    if cell.error is None:
        return "∞"
    return f"{math.log10(cell.error):.1f}".replace("-", "\N{MINUS SIGN}") if cell.error else "0"
