"""What several reports tell alike: the worst of several cells, and what is amiss in all."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from keras_convkit.parity.outcome import Outcome
from keras_convkit.parity.verdicts import Cell, Verdict

SIGNS = {Verdict.AGREES: "✓", Verdict.DISAGREES: "✗"}
WRONG = (Verdict.FAILED, Verdict.DISAGREES)
# A failure that many subjects have in common names so many of them.
_NAMED = 3
# From the one that is shown first, where there is room for one of several.
_SEVERITY = (*WRONG, Verdict.AGREES, Verdict.NOT_POSSIBLE)


class Failure(NamedTuple):
    """What has failed for one reason: subjects, and how many cells."""

    subjects: tuple[str, ...]
    reason: str
    cells: int

    @property
    def where(self) -> str:
        """The subjects in a few words."""
        more = len(self.subjects) - _NAMED
        return ", ".join(self.subjects[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def worst(cells: Iterable[Cell]) -> Cell | None:
    """Returns the cell that is shown for several: the worst verdict, then the largest error."""
    return min(cells, key=lambda cell: (_SEVERITY.index(cell.verdict), -_error(cell)), default=None)


def lost(outcome: Outcome) -> list[str]:
    """Returns the backends that could not be kept running."""
    return [run.backend for run in outcome.runs if run.status == "failed"]


def telling(outcome: Outcome, subject: str) -> list[Cell]:
    """Returns the cells of a subject that a summary of several backends is made of.

    What has failed with its backend is left out where it would hide what became of the others.
    """
    gone = {*lost(outcome)}
    cells = outcome.of(subject)
    own = [
        cell
        for cell in cells
        if cell.verdict is not Verdict.FAILED
        or not gone & {cell.column.left.backend, cell.column.right.backend}
    ]
    told = {cell.quantity for cell in own}
    return own + [cell for cell in cells if cell.quantity not in told]


def in_short(cell: Cell) -> str:
    """Returns what there is room for in a table: the error and a sign, or why there is none."""
    if cell.verdict is Verdict.FAILED:
        return "failed"
    if cell.verdict is Verdict.NOT_POSSIBLE:
        return "n/a"
    return f"{_error(cell):.1e} {SIGNS[cell.verdict]}"


def disagreements(outcome: Outcome) -> list[Cell]:
    """Returns the cells that disagree."""
    return [cell for cell in outcome.cells if cell.verdict is Verdict.DISAGREES]


def failures(outcome: Outcome) -> list[Failure]:
    """Returns what has failed: one failure takes many cells with it, and is told once."""
    found: dict[str, list[str]] = {}
    for cell in outcome.cells:
        if cell.verdict is Verdict.FAILED:
            found.setdefault(cell.reason, []).append(cell.subject)
    return [
        Failure(tuple(dict.fromkeys(names)), reason, len(names)) for reason, names in found.items()
    ]


def _error(cell: Cell) -> float:
    return math.inf if cell.error is None else cell.error
