"""Holds the answers of workers against each other, subject by subject."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from keras_convkit.parity import quantities, tolerance
from keras_convkit.parity.differences import Difference, difference
from keras_convkit.parity.quantities import LOSS, QUANTITIES, Results, named
from keras_convkit.parity.runner import BackendRun
from keras_convkit.parity.store import Answer, Store
from keras_convkit.parity.subjects import EMBEDDED, Subject
from keras_convkit.parity.tasks import (
    INSPECT,
    MEASURE,
    PEER,
    REFERENCE,
    SUBJECT,
    Plan,
    Task,
    measurements,
    readings,
)
from keras_convkit.parity.verdicts import Cell, Column, Kind, Source, Verdict

Array = np.ndarray

# A gradient that is smaller than a tenth of the largest one beside it has terms of that one's
# size, which cancel: their roundings, and not its own size, say how exact it can be.
CANCELLED = 0.1
# Of the embedded models, whose depth is known, never more than this.
BOUNDS = {
    "output": 1e-5,
    "input gradient": 1e-4,
    "weight gradients": 1e-4,
    "training step": 1e-4,
}
_STEPS = {"training step": 1, "ten steps": 10}


class Judgement(NamedTuple):
    """How two sets of arrays differ.

    Attributes:
        part: The worst array, measured by its bound.
        bound: Its bound.
        difference: How it differs; None where it can't be compared.
        reason: Why it can't, or why its error is no number.
        nothing: Whether all numbers are NaN or infinite on both sides: whatever the layer computes
            would look the same.
    """

    part: str
    bound: float
    difference: Difference | None
    reason: str
    nothing: bool = False

    @property
    def agrees(self) -> bool:
        """Whether no array is beyond its bound."""
        if self.difference is None:
            return not self.reason
        return self.difference.error <= self.bound

    @property
    def verdict(self) -> Verdict:
        """Agrees, disagrees, or not possible where there is nothing to compare."""
        if self.nothing:
            return Verdict.NOT_POSSIBLE
        return Verdict.AGREES if self.agrees else Verdict.DISAGREES


def judge(
    quantity: str,
    left: Mapping[str, Array],
    right: Mapping[str, Array],
    dtype: str,
    facts: Mapping,
    rounded_sides: int = 2,
    most: float = np.inf,
) -> Judgement:
    """Compares arrays of the same names, or as many of other names in the same order.

    Args:
        quantity: What they are.
        left: What is judged.
        right: What it is judged by.
        dtype: What was computed in.
        facts: `roundings` by quantity, and `weights`, the largest magnitude of each.
        rounded_sides: 1 where the right side is an exact reference.
        most: No bound is larger.
    """
    if len(left) != len(right):
        return Judgement("", 0.0, None, f"{len(left)} arrays against {len(right)}")
    names = dict(zip(right, left, strict=True))
    worst = Judgement("", 0.0, None, "")
    excess = -1.0
    finite = False
    for part, b in right.items():
        a = left[part] if part in left else left[names[part]]
        if a.shape != b.shape:
            return Judgement(part, 0.0, None, f"shape {a.shape} against {b.shape}")
        finite = finite or not b.size or not _nowhere_finite(a, b)
        computed = dtype if np.issubdtype(b.dtype, np.floating) else str(b.dtype)
        roundings = facts["roundings"].get(quantity, 1)
        bound = tolerance.bound(computed, roundings, b.size, rounded_sides)
        scale = _scale(part, right, quantity)
        if part.startswith("change of "):
            # Each step rounds the weight that it changes.
            weight = facts["weights"].get(part.removeprefix("change of "), 0.0)
            steps = rounded_sides * _STEPS.get(quantity, 0)
            bound += steps * tolerance.UNIT_ROUNDOFF.get(dtype, 0.0) * weight / scale
        bound = min(bound, most)
        found = difference(a, b, scale, bound)
        if (own := _excess(found.error, bound)) > excess:
            excess = own
            reason = "" if np.isfinite(found.error) else "numbers that are not finite"
            worst = Judgement(part, bound, found, reason)
    if right and not finite and worst.agrees:
        return Judgement(worst.part, 0.0, None, "only NaN and infinities on both sides", True)
    return worst


def compare(
    subjects: Sequence[Subject],
    runs: Sequence[BackendRun],
    plan: Plan,
    store: Store,
    expected: Mapping[str, Results],
) -> list[Cell]:
    """Compares all results.

    Args:
        subjects: What was looked at.
        runs: The backends' runs; the missing ones take no part.
        plan: What was asked.
        store: The answers.
        expected: What the reference gives for embedded models.

    Returns:
        The cells, in the order of subjects, then quantities, then columns.
    """
    present = [run for run in runs if run.status != "missing"]
    order = [named(name, dtype) for dtype in ("float32", *plan.dtypes) for name in QUANTITIES]
    cells: list[Cell] = []
    for subject in subjects:
        comparing = _Comparing(subject, present, plan, store, expected.get(subject.name))
        cells += sorted(comparing.cells(), key=lambda cell: order.index(cell.quantity))
    return cells


class _Side(NamedTuple):
    """What a source gave, or the verdict where it gave nothing."""

    results: Results
    answer: Answer
    verdict: Verdict | None = None

    def lacking(self, quantity: str) -> str:
        """Why a quantity could not be measured beside others, or nothing."""
        return self.answer.facts.get("lacking", {}).get(quantity, "")


class _Comparing:
    """The comparisons of one subject."""

    def __init__(
        self,
        subject: Subject,
        runs: Sequence[BackendRun],
        plan: Plan,
        store: Store,
        expected: Results | None,
    ) -> None:
        self._subject = subject
        self._runs = runs
        self._plan = plan
        self._store = store
        self._expected = expected
        self._sides: dict[tuple[str, Task], _Side] = {}

    def cells(self) -> Iterator[Cell]:
        """Yields the verdicts, column by column."""
        for run in self._runs:
            for task in measurements(self._subject, run.modes, self._plan):
                if task.do == INSPECT:
                    yield from self._itself(run, task)
                elif task.side == SUBJECT:
                    yield from self._beside(run, task)
        for left, right in itertools.combinations(self._runs, 2):
            for task in measurements(self._subject, left.modes[:1], self._plan):
                if task.side == SUBJECT and task.do == MEASURE:
                    other = task._replace(mode=right.modes[0])
                    sources = (
                        Source(SUBJECT, left.backend, task.mode),
                        Source(SUBJECT, right.backend, other.mode),
                    )
                    sides = self._side(left.backend, task), self._side(right.backend, other)
                    yield from self._all(task, Column(Kind.BACKEND, *sources), *sides)
        for run in self._runs:
            yield from self._files(run)

    def _beside(self, run: BackendRun, task: Task) -> Iterator[Cell]:
        """With the reference, the peer, and the backend's default mode."""
        backend, default = run.backend, run.modes[0]
        source = Source(SUBJECT, backend, task.mode)
        left = self._side(backend, task)
        judged = self._subject.reference and not task.training
        if judged:
            if self._subject.kind == EMBEDDED:
                right = _Side(self._expected, Answer("result"))
            else:
                asked = task._replace(side=REFERENCE, mode="")
                right = self._side(backend, asked)
            yield from self._all(
                task, Column(Kind.REFERENCE, source, Source(REFERENCE)), left, right, 1
            )
        if task.mode != default:
            if not judged:
                right = self._side(backend, task._replace(mode=default))
                column = Column(Kind.MODE, source, source._replace(mode=default))
                yield from self._all(task, column, left, right)
        elif self._subject.peer and not task.training and task.dtype == "float32":
            right = self._side(backend, task._replace(side=PEER))
            column = Column(Kind.PEER, source, source._replace(side=PEER))
            yield from self._all(task, column, left, right)

    def _itself(self, run: BackendRun, task: Task) -> Iterator[Cell]:
        """Symbolic shapes with real ones, and the copy that the config makes with the original."""
        source = Source(SUBJECT, run.backend, task.mode)
        column = Column(Kind.ITSELF, source, source)
        side = self._side(run.backend, task)
        for quantity in ("symbolic shape", "config"):
            if quantity not in self._plan.quantities:
                continue
            name = self._subject.name
            if side.verdict:
                reason = side.answer.reason
                yield Cell(name, quantity, column, side.verdict, reason=reason)
            elif finding := side.answer.facts.get("findings", {}).get(quantity, ""):
                yield Cell(name, quantity, column, Verdict.DISAGREES, reason=finding)
            elif quantity == "symbolic shape":
                yield Cell(name, quantity, column, Verdict.AGREES, error=0.0)
            else:
                pair = side.results.get("copy", {}), side.results.get("original", {})
                yield self._cell(quantity, column, *pair, side.answer.facts, 2)

    def _files(self, run: BackendRun) -> Iterator[Cell]:
        """What the model gives that was written under another backend, or under the same."""
        backends = [each.backend for each in self._runs]
        for task in readings(self._subject, run.modes, self._plan, backends):
            (writer,) = (each for each in self._runs if each.backend == task.writer)
            column = Column(
                Kind.FILE,
                Source(SUBJECT, run.backend, task.mode, task.writer),
                Source(SUBJECT, writer.backend, writer.modes[0]),
            )
            wrote = Task(self._subject.name, INSPECT, SUBJECT, writer.modes[0])
            sides = self._side(run.backend, task), self._side(writer.backend, wrote)
            lacking = next((side for side in sides[::-1] if side.verdict), None)
            if lacking:
                yield Cell(
                    self._subject.name,
                    "file",
                    column,
                    lacking.verdict,
                    reason=lacking.answer.reason,
                )
            else:
                pair = [side.results.get("original", {}) for side in sides]
                yield self._cell("file", column, pair[0], pair[1], sides[1].answer.facts, 2)

    def _all(
        self, task: Task, column: Column, left: _Side, right: _Side, rounded_sides: int = 2
    ) -> Iterator[Cell]:
        """Compares all quantities of a task."""
        wanted = self._plan.wanted(task)
        sides = ((left, column.left.backend), (right, column.right.backend))
        lacking = [(side, backend) for side, backend in sides if side.verdict]
        # What fails on one side is not hidden by what the other one refuses, and both are told;
        # but what took a whole backend away is told of the backend, where there is more to tell.
        failing = [each for each in lacking if each[0].verdict is Verdict.FAILED] or lacking
        lost = {run.backend for run in self._runs if run.status == "failed"}
        telling = [each for each in failing if each[1] not in lost] or failing
        why = "; ".join(dict.fromkeys(side.answer.reason for side, _ in telling))
        for quantity in wanted:
            name = named(quantity, task.dtype)
            if failing:
                verdict = failing[0][0].verdict
                yield Cell(self._subject.name, name, column, verdict, reason=why)
            elif reason := next(
                filter(None, (side.lacking(quantity) for side in (left, right))), ""
            ):
                yield Cell(self._subject.name, name, column, Verdict.NOT_POSSIBLE, reason=reason)
            elif quantity in left.results and quantity in right.results:
                facts = left.answer.facts
                pair = left.results[quantity], right.results[quantity]
                yield self._cell(quantity, column, *pair, facts, rounded_sides, task.dtype)

    def _cell(
        self,
        quantity: str,
        column: Column,
        left: Mapping[str, Array],
        right: Mapping[str, Array],
        facts: Mapping,
        rounded_sides: int,
        dtype: str = "float32",
    ) -> Cell:
        most = BOUNDS.get(quantity, np.inf) if self._subject.kind == EMBEDDED else np.inf
        found = judge(quantity, left, right, dtype, facts, rounded_sides, most)
        error = found.difference.error if found.difference else None
        return Cell(
            self._subject.name,
            named(quantity, dtype),
            column,
            found.verdict,
            found.bound,
            error if error is None or np.isfinite(error) else None,
            found.part,
            found.reason,
            found.difference,
        )

    def _side(self, backend: str, task: Task) -> _Side:
        key = backend, task
        if key not in self._sides:
            self._sides[key] = self._read(backend, task)
        return self._sides[key]

    def _read(self, backend: str, task: Task) -> _Side:
        answer = self._store.get(backend, task)
        if task.do == MEASURE and task.side == SUBJECT:
            (default,) = (run.modes[0] for run in self._runs if run.backend == backend)
            looked = Task(task.subject, INSPECT, SUBJECT, default)
            # It gives another output each time: there are numbers, but nothing to compare.
            if (found := self._store.get(backend, looked)).kind == "refused":
                answer = found
        if answer.kind == "refused":
            # An embedded model has to be possible on our side: a refusal of ours is a fault.
            fault = self._subject.kind == EMBEDDED and task.side == SUBJECT
            return _Side({}, answer, Verdict.FAILED if fault else Verdict.NOT_POSSIBLE)
        if answer.kind == "failed":
            reason = f"{task.side} on {' '.join(filter(None, (backend, task.mode)))}"
            told = Answer("failed", reason=f"{reason}: {answer.reason}")
            # What a peer or a reference can't do says nothing about the subject.
            fault = task.side == SUBJECT
            return _Side({}, told, Verdict.FAILED if fault else Verdict.NOT_POSSIBLE)
        try:
            return _Side(quantities.load(self._store.folder / answer.file), answer)
        except Exception as error:  # A file that a dying worker has left can be broken in any way.
            reason = f"unreadable results: {type(error).__name__}: {error}"
            return _Side({}, Answer("failed", reason=reason), Verdict.FAILED)


def _excess(error: float, bound: float) -> float:
    return error / bound if bound else (np.inf if error else 0.0)


def _nowhere_finite(*arrays: Array) -> bool:
    return not any(np.isfinite(array.astype(np.float64)).any() for array in arrays)


def _scale(part: str, parts: Mapping[str, Array], quantity: str) -> float:
    """The magnitude that a part's errors are given in units of."""
    own = _largest(parts[part])
    if part != LOSS and ("gradient" in quantity or quantity in _STEPS):
        others = (_largest(array) for name, array in parts.items() if name != LOSS)
        own = max(own, CANCELLED * max(others))
    return own or 1.0


def _largest(array: Array) -> float:
    finite = np.abs(array[np.isfinite(array)].astype(np.float64)) if array.size else array
    return float(np.max(finite, initial=0.0))
