"""The names of what is compared with what, and the verdict on one comparison."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from keras_convkit.parity.differences import Difference, Spot


class Kind(StrEnum):
    """With what a backend is compared."""

    REFERENCE = "reference"
    PEER = "peer"
    BACKEND = "backend"
    MODE = "mode"
    ITSELF = "itself"
    FILE = "file"


class Verdict(StrEnum):
    """What came of a comparison."""

    AGREES = "agrees"
    DISAGREES = "disagrees"
    FAILED = "failed"
    NOT_POSSIBLE = "not possible"


class Source(NamedTuple):
    """Whose numbers: a side on a backend in a mode; `writer` wrote the file that it has read."""

    side: str
    backend: str = ""
    mode: str = ""
    writer: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.backend, self.mode))) or self.side


@dataclass(frozen=True)
class Column:
    """A comparison: `left` is judged by `right`."""

    kind: Kind
    left: Source
    right: Source

    def __str__(self) -> str:
        if self.kind is Kind.BACKEND:
            return f"{self.left.backend} vs {self.right.backend}"
        if self.kind is Kind.MODE:
            return f"{self.left} vs {self.right.mode}"
        if self.kind is Kind.FILE:
            return f"{self.left.backend} reads {self.left.writer}"
        if self.kind is Kind.ITSELF:
            return f"{self.left.backend} itself"
        return f"{self.left} vs {self.kind}"


@dataclass(frozen=True)
class Cell:
    """The verdict on one quantity of one subject in one column.

    Attributes:
        subject: The subject's name.
        quantity: One of `QUANTITIES`, with a dtype other than float32 behind it.
        column: The comparison.
        verdict: What came of it.
        bound: The largest error allowed.
        error: The largest error over the largest magnitude, of the worst array. None where nothing
            could be compared, or where the numbers are not finite.
        part: The worst array, as "2 Conv2D kernel".
        reason: Why there is no error, or none that is a number.
        details: How the worst array differs.
    """

    subject: str
    quantity: str
    column: Column
    verdict: Verdict
    bound: float = 0.0
    error: float | None = None
    part: str = ""
    reason: str = ""
    details: Difference | None = None

    def in_words(self) -> str:
        """Returns the error and its bound, or the reason why there is none."""
        where = f" in {self.part}" if self.part else ""
        if self.error is None:
            return f"{self.reason}{where}"
        sign = "≤" if self.error <= self.bound else ">"
        return f"error {self.error:.1e} {sign} bound {self.bound:.1e}{where}"

    @property
    def first(self) -> Spot | None:
        """The first place that differs by more than the bound."""
        return self.details.first if self.details else None
