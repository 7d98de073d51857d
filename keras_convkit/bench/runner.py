"""Runs the workloads and the whole models, one worker at work at a time.

Backends come one after the other, since two at a time would share cores and caches. For each whole
model they take turns, so that what one backend takes can be compared with what another takes.
A worker that dies or hangs costs what it was asked for; the next question goes to a new one.

`run` is the first look, at everything. `second_look` measures a part of it again.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from keras_convkit.workers import Event, Worker, is_installed, not_installed

WORKER = (sys.executable, "-m", "keras_convkit.bench.worker")

# How often the backends take turns with a whole model.
ROUNDS = 3


class Comparison(NamedTuple):
    """Built-in beside ours in one quantity of one workload or model on one backend.

    Attributes:
        built_in: The median of the built-in one, in seconds or bytes, or None.
        ours: The same of ours.
        ratio: The median of built-in by ours: over 1, ours takes less.
        interval: That of `timing.ratio_interval`, or None: of one sample there is none, so that
            compile times and memory have none.
        pairs: The number of samples of each.
    """

    built_in: float | None
    ours: float
    ratio: float | None
    interval: tuple[float, float] | None
    pairs: int


class Work(NamedTuple):
    """What `counts.Counts` has, and whether the layer has weights."""

    multiply_adds: int
    bytes: int
    weighted: bool


class Turn(NamedTuple):
    """The seconds of each call of a whole model in one round."""

    built_in: list[float]
    ours: list[float]


@dataclass
class BackendRun:
    """What became of one backend.

    Attributes:
        backend: The backend.
        status: "waiting", "done" or "missing" (it is not installed).
        reason: Why it is missing.
        versions: Versions of the packages that its workers imported.
        seconds: How long its workers took.
        limits: Multiply-adds and bytes that it can do a second, under these two names.
        work: What each workload is made of.
        comparisons: By workload or model, then by quantity.
        refused: Why there is no built-in side, by workload and quantity.
        failed: Why there is no result, by workload or model.
        turns: The samples of whole models, by model and quantity, one entry a round.
    """

    backend: str
    status: str = "waiting"
    reason: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    limits: dict[str, float] = field(default_factory=dict)
    work: dict[str, Work] = field(default_factory=dict)
    comparisons: dict[str, dict[str, Comparison]] = field(default_factory=dict)
    refused: dict[tuple[str, str], str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    turns: dict[tuple[str, str], list[Turn]] = field(default_factory=dict)


class Part(NamedTuple):
    """What is measured again on one backend: names of workloads, and of whole models."""

    backend: str
    workloads: Sequence[str]
    models: Sequence[str]


class Progress(Protocol):
    """Whoever wants to know how far it is."""

    def expect(self, steps: int) -> None:
        """Is told how many steps are to come, beyond those it knows of."""

    def notify(self, backend: str, news: str) -> None:
        """Is told, before each step, the backend and what it does."""


def run(
    backends: Sequence[str],
    workloads: Sequence[str],
    models: Sequence[str],
    folder: Path,
    *,
    seconds: float,
    timeout: float,
    progress: Progress,
) -> list[BackendRun]:
    """Runs workloads and models on backends.

    Args:
        backends: The backends.
        workloads: Names of workloads.
        models: Names of whole models.
        folder: Where the workers' standard error goes.
        seconds: The budget of a workload's timing, and that of a model in each round.
        timeout: Seconds after which a worker that doesn't answer is killed.
        progress: Told about each step.

    Returns:
        One entry a backend. No fault of a worker raises an error here.
    """
    runs = [BackendRun(backend) for backend in backends]
    with ExitStack() as stack:
        desks = []
        for each in runs:
            if is_installed(each.backend):
                desks.append(stack.enter_context(_Desk(each, folder, timeout, progress)))
            else:
                each.status, each.reason = "missing", not_installed(each.backend)
        progress.expect(len(desks) * (1 + _steps(workloads, models)))
        for desk in desks:
            desk.ask("machine's limits", do="limits")
            desk.time_workloads(workloads, seconds)
        _time_models(desks, models, seconds)
        for desk in desks:
            desk.run.status = "done"
    return runs


def second_look(
    parts: Sequence[Part],
    folder: Path,
    *,
    seconds: float,
    timeout: float,
    progress: Progress,
) -> list[BackendRun]:
    """Measures parts of what `run` has measured again, in new workers.

    These also have what differs from one process to the next, such as where arrays lie in memory.
    The arguments are those of `run`, with `parts` for what it is given by name. Returns one entry a
    part, without the machine's limits.
    """
    progress.expect(sum(_steps(part.workloads, part.models) for part in parts))
    runs = [BackendRun(part.backend) for part in parts]
    for run, part in zip(runs, parts, strict=True):
        with _Desk(run, folder, timeout, progress, prefix="again: ") as desk:
            desk.time_workloads(part.workloads, seconds)
            _time_models([desk], part.models, seconds)
        run.status = "done"
    return runs


def _steps(workloads: Sequence[str], models: Sequence[str]) -> int:
    return len(workloads) + len(models) * (1 + ROUNDS)


def _time_models(desks: Sequence[_Desk], models: Sequence[str], seconds: float) -> None:
    """Lets the desks take turns with each model."""
    for name in models:
        for desk in desks:
            desk.ask(name, news=f"{name}: compile", do="prepare", what=name)
        for number in range(ROUNDS):
            for desk in desks:
                news = f"{name}: round {number + 1} of {ROUNDS}"
                desk.ask(name, news=news, unless_failed=True, do="time", seconds=seconds)
    for desk in desks:
        desk.close()


class _Desk:
    """Asks the workers of one backend, of which there is at most one."""

    def __init__(
        self,
        run: BackendRun,
        folder: Path,
        timeout: float,
        progress: Progress,
        *,
        prefix: str = "",
    ) -> None:
        self.run = run
        self._folder = folder
        self._timeout = timeout
        self._progress = progress
        self._prefix = prefix
        self._worker: Worker | None = None

    def __enter__(self) -> _Desk:
        return self

    def __exit__(self, *error: object) -> None:
        # After Ctrl-C, or an error here, there may still be one.
        if self._worker is not None:
            self._worker.stop("interrupted")
            self._worker.finish()

    def time_workloads(self, names: Sequence[str], seconds: float) -> None:
        """Asks about workloads; whole models are for another worker."""
        for name in names:
            self.ask(name, do="workload", what=name, seconds=seconds)
        self.close()

    def ask(
        self, name: str, *, news: str = "", unless_failed: bool = False, **question: Any
    ) -> None:
        """Asks something about a workload or model and notes the answer."""
        self._progress.notify(self.run.backend, self._prefix + (news or name))
        if unless_failed and name in self.run.failed:
            return
        start = time.monotonic()
        if self._worker is None:
            self._start(name)
        if self._worker is not None:
            self._worker.ask(**question)
            self._listen(name)
        self.run.seconds += time.monotonic() - start

    def close(self) -> None:
        """Lets the worker go; the next question would start another."""
        if self._worker is not None:
            self._worker.finish()
            self._worker = None

    def _start(self, name: str) -> None:
        errors = self._folder / f"{self.run.backend}.stderr"
        self._worker = Worker(self.run.backend, WORKER, errors, self._timeout, asked=True)
        self._worker.start()
        self._listen(name)

    def _listen(self, name: str) -> None:
        """Takes events until the worker is idle, or dead."""
        for event in self._worker.events():
            if event["event"] == "idle":
                self._worker.rest()
                return
            try:
                self._take(name, event)
            except (ValueError, TypeError, KeyError, AttributeError):
                self._worker.reject(event)
        self.run.failed[name] = self._worker.finish()
        self._worker = None

    def _take(self, name: str, event: Event) -> None:
        run = self.run
        content: Mapping[str, Any] = {k: v for k, v in event.items() if k not in _NAMES}
        match event["event"]:
            case "ready":
                run.versions = dict(event["versions"])
            case "limits":
                run.limits = {key: float(value) for key, value in content.items()}
            case "work":
                run.work[name] = Work(**content)
            case "comparison":
                own = run.comparisons.setdefault(name, {})
                # JSON has lists only.
                interval = content["interval"] and tuple(content["interval"])
                own[event["quantity"]] = Comparison(**{**content, "interval": interval})
            case "samples":
                turns = run.turns.setdefault((name, event["quantity"]), [])
                turns.append(Turn(**content))
            case "refused":
                run.refused[name, event["quantity"]] = str(event["reason"])
            case "failed":
                run.failed[name] = str(event["reason"])
            case kind:
                raise ValueError(f"Unknown event: {kind!r}")


_NAMES = ("event", "quantity")
