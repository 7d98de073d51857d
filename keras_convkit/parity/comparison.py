"""What is compared with what, how far apart it may lie, and what came of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_convkit.parity import quantities
from keras_convkit.parity.quantities import QUANTITIES, Results
from keras_convkit.parity.runner import BackendRun, Measurement

Array = np.ndarray

# The largest error allowed, in units of the largest magnitude, for float32 models of this depth.
BOUNDS = {
    "output": 1e-5,
    "input gradient": 1e-4,
    "weight gradients": 1e-4,
    "training step": 1e-4,
}


class Kind(StrEnum):
    """With what a backend is compared."""

    REFERENCE = "reference"
    BUILT_IN = "built-in"
    BACKEND = "backend"


class Verdict(StrEnum):
    """What came of a comparison."""

    AGREES = "agrees"
    DISAGREES = "disagrees"
    FAILED = "failed"
    NOT_POSSIBLE = "not possible"


class Source(NamedTuple):
    """Whose numbers: a library on a backend in a mode, or the reference."""

    library: str
    backend: str = ""
    mode: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.backend, self.mode))) or self.library


REFERENCE = Source("reference")


@dataclass(frozen=True)
class Column:
    """A comparison that is made for every model and quantity: `left` is judged by `right`."""

    kind: Kind
    left: Source
    right: Source

    def __str__(self) -> str:
        if self.kind is Kind.BACKEND:
            return f"{self.left.backend} vs {self.right.backend}"
        return f"{self.left} vs {self.kind}"


@dataclass(frozen=True)
class Cell:
    """The verdict on one quantity of one model in one column.

    Attributes:
        model: The model's name.
        quantity: One of `QUANTITIES`.
        column: The comparison.
        verdict: What came of it.
        bound: The largest error allowed.
        error: The largest error over the largest magnitude, of the worst array. None where nothing
            could be compared, or where the numbers are not finite.
        part: The worst array, as "2 Conv2D kernel".
        reason: Why there is no error, or none that is a number.
    """

    model: str
    quantity: str
    column: Column
    verdict: Verdict
    bound: float
    error: float | None = None
    part: str = ""
    reason: str = ""

    def in_words(self) -> str:
        """Returns the error and its bound, or the reason why there is none."""
        where = f" in {self.part}" if self.part else ""
        if self.error is None:
            return f"{self.reason}{where}"
        sign = "≤" if self.error <= self.bound else ">"
        return f"error {self.error:.1e} {sign} bound {self.bound:.0e}{where}"


class _Absent(NamedTuple):
    """Why a source has no numbers for a model."""

    verdict: Verdict
    reason: str


def columns(runs: Sequence[BackendRun]) -> list[Column]:
    """Returns the comparisons that the installed backends allow.

    Ours in every mode with the reference; ours with the built-in layers, and each two backends, in
    the mode in which Keras runs a backend by default.
    """
    runs = [run for run in runs if run.status != "missing"]
    ours = {run.backend: [Source("ours", run.backend, mode) for mode in run.modes] for run in runs}
    default = [sources[0] for sources in ours.values()]
    return [
        *(Column(Kind.REFERENCE, source, REFERENCE) for own in ours.values() for source in own),
        *(Column(Kind.BUILT_IN, source, source._replace(library="built-in")) for source in default),
        *(Column(Kind.BACKEND, left, right) for left, right in itertools.combinations(default, 2)),
    ]


def compare(runs: Sequence[BackendRun], expected: Mapping[str, Results]) -> list[Cell]:
    """Compares all results.

    Args:
        runs: The backends' runs.
        expected: The reference's results for each model.

    Returns:
        The cells, in the order of models, then quantities, then columns.
    """
    by_column = {
        (model, column): list(_compare_models(model, column, runs, expected[model]))
        for model in expected
        for column in columns(runs)
    }
    return [
        by_column[model, column][row]
        for model in expected
        for row in range(len(QUANTITIES))
        for column in columns(runs)
    ]


def error(actual: Array, expected: Array) -> float:
    """Returns the largest error over the largest magnitude; infinity where it is not a number."""
    if actual.shape != expected.shape:
        return np.inf
    if not actual.size:
        return 0.0
    actual, expected = actual.astype(np.float64), expected.astype(np.float64)
    with np.errstate(invalid="ignore"):  # Where infinities meet.
        largest = np.max(np.abs(actual - expected))
        magnitude = np.max(np.abs(expected))
        ratio = largest / magnitude if magnitude else largest
    return float(ratio) if np.isfinite(ratio) else np.inf


def _compare_models(
    model: str, column: Column, runs: Sequence[BackendRun], expected: Results
) -> Iterator[Cell]:
    sides = [
        expected if source is REFERENCE else _results(model, source, runs)
        for source in (column.left, column.right)
    ]
    absent = next((side for side in sides if isinstance(side, _Absent)), None)
    for quantity in QUANTITIES:
        if absent:
            verdict, reason = absent
            yield Cell(model, quantity, column, verdict, BOUNDS[quantity], reason=reason)
        else:
            left, right = (side[quantity] for side in sides)
            yield _judge(model, quantity, column, left, right)


def _judge(
    model: str,
    quantity: str,
    column: Column,
    left: Mapping[str, Array],
    right: Mapping[str, Array],
) -> Cell:
    bound = BOUNDS[quantity]
    errors = {part: error(left[part], right[part]) for part in right}
    part = max(errors, key=errors.__getitem__)
    worst = errors[part]
    verdict = Verdict.AGREES if worst <= bound else Verdict.DISAGREES
    if np.isfinite(worst):
        return Cell(model, quantity, column, verdict, bound, worst, part)
    if left[part].shape != right[part].shape:
        reason = f"shape {left[part].shape} against {right[part].shape}"
    else:
        reason = "numbers that are not finite"
    return Cell(model, quantity, column, verdict, bound, part=part, reason=reason)


def _results(model: str, source: Source, runs: Sequence[BackendRun]) -> Results | _Absent:
    """Reads what a backend's worker has left, or says why there is nothing."""
    (run,) = (run for run in runs if run.backend == source.backend)
    measurement = Measurement(model, source.library, source.mode)
    if measurement in run.results:
        return _read(run.results[measurement])
    if measurement in run.refused:
        # Our own layers have to do every model: a refusal of theirs is a fault.
        verdict = Verdict.FAILED if source.library == "ours" else Verdict.NOT_POSSIBLE
        return _Absent(verdict, run.refused[measurement])
    reason = run.failed.get(measurement, run.reason)
    return _Absent(Verdict.FAILED, f"{source.library} on {source}: {reason}")


def _read(path: Path) -> Results | _Absent:
    try:
        results = quantities.load(path)
    except Exception as error:  # A file that a dying worker has left can be broken in any way.
        return _Absent(Verdict.FAILED, f"unreadable results: {type(error).__name__}: {error}")
    lacking = [quantity for quantity in QUANTITIES if quantity not in results]
    return _Absent(Verdict.FAILED, f"results lack {', '.join(lacking)}") if lacking else results
