"""A benchmark from start to finish, and all that the reports tell about it."""

from __future__ import annotations

import os
import platform
import re
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import keras_convkit
from keras_convkit.bench import applications, counts, runner, timing
from keras_convkit.bench.runner import BackendRun, Comparison, Part, Progress
from keras_convkit.workers import cores

# Timed, for workloads; each has a compile time and a peak memory too.
QUANTITIES = ("forward", "gradients")
# Whole models of ours are held against the built-in ones on this backend.
YARDSTICK = "tensorflow"


class Verdict(StrEnum):
    """How often a ratio was under the floor."""

    BOTH = "both times"
    FIRST_ONLY = "the first time only"
    ONCE = "not looked at again"


class Low(NamedTuple):
    """A ratio under the floor at the first look.

    Attributes:
        backend: The backend.
        name: The workload or model.
        quantity: What was timed.
        first: The comparison that was under the floor.
        second: The same measured again, or None.
        reason: Why there is no second one, or "".
        verdict: What the two looks say.
    """

    backend: str
    name: str
    quantity: str
    first: Comparison
    second: Comparison | None
    reason: str
    verdict: Verdict


class Spread(NamedTuple):
    """The slowest backend's time by the fastest's; None where fewer than two have one."""

    built_in: float | None
    ours: float | None


@dataclass(frozen=True)
class Outcome:
    """What a benchmark gave.

    Attributes:
        workloads: Names of the workloads.
        models: Names of the whole models.
        runs: The backends, the missing ones included.
        second_look: The backends where something was under the floor, with that measured again.
        floor: The ratio under which that is done.
        budget: Seconds given to the timing of a workload.
        seconds: How long it all took.
        created: When it ended, in UTC.
        environment: The machine and the versions of Python and of this package.
    """

    workloads: Sequence[str]
    models: Sequence[str]
    runs: Sequence[BackendRun]
    second_look: Sequence[BackendRun]
    floor: float
    budget: float
    seconds: float
    created: str
    environment: Mapping[str, str]

    @property
    def faults(self) -> list[str]:
        """Everything that failed to run."""
        faults = [
            f"{run.backend}, {name}: {reason}"
            for run in self.runs
            for name, reason in run.failed.items()
        ]
        if all(run.status == "missing" for run in self.runs):
            faults.append("No backend is installed.")
        return faults

    def comparison(self, run: BackendRun, name: str, quantity: str) -> Comparison | None:
        """Returns what was measured of a workload or model, or None."""
        if turns := run.turns.get((name, quantity)):
            built_in = [sample for turn in turns for sample in turn.built_in]
            ours = [sample for turn in turns for sample in turn.ours]
            return Comparison(
                statistics.median(built_in),
                statistics.median(ours),
                timing.median_ratio(built_in, ours),
                timing.ratio_interval(built_in, ours),
                len(ours),
            )
        return run.comparisons.get(name, {}).get(quantity)

    def limits(self) -> dict[str, float]:
        """Returns the machine's limits, each the best that a backend has reached."""
        known = [run.limits for run in self.runs if run.limits]
        return {key: max(each[key] for each in known) for key in known[0]} if known else {}

    def fraction(self, run: BackendRun, name: str, quantity: str) -> float | None:
        """Returns the share of the machine's limit that ours reaches in a workload.

        That is the least time that arithmetic and memory allow, by the time taken. It can be over 1
        where the data fits into a cache, which is faster than the memory.
        """
        limits, work = self.limits(), run.work.get(name)
        comparison = self.comparison(run, name, quantity)
        if not (limits and work and comparison):
            return None
        least = max(
            work.multiply_adds / limits["multiply_adds"],
            work.bytes / limits["bytes"],
        )
        return counts.passes(quantity, work.weighted) * least / comparison.ours

    def geometric_mean(self, run: BackendRun, names: Sequence[str], quantity: str) -> float | None:
        """Returns the geometric mean of the ratios, of those that there are."""
        found = (self.comparison(run, name, quantity) for name in names)
        ratios = [each.ratio for each in found if each is not None and each.ratio]
        return statistics.geometric_mean(ratios) if ratios else None

    def below(self) -> list[Low]:
        """Returns the times whose ratio is under the floor at the first look, the lowest first.

        Of many ratios the lowest are so in part by chance, and on average higher when they are
        measured again. So the second look judges the first, and replaces none of its figures.
        """
        found = [
            self._low(run.backend, name, quantity, first)
            for run in self.runs
            for name, quantity in self._timed()
            if (first := self.comparison(run, name, quantity)) and self._is_low(first)
        ]
        return sorted(found, key=lambda low: low.first.ratio)

    @property
    def slow(self) -> list[Low]:
        """What is under the floor and was not found over it by a second look."""
        return [low for low in self.below() if low.verdict is not Verdict.FIRST_ONLY]

    def _timed(self) -> Iterator[tuple[str, str]]:
        for name in self.workloads:
            yield from ((name, quantity) for quantity in QUANTITIES)
        for name in self.models:
            yield from ((name, quantity) for quantity in applications.QUANTITIES)

    def _is_low(self, comparison: Comparison) -> bool:
        return comparison.ratio is not None and comparison.ratio < self.floor

    def _low(self, backend: str, name: str, quantity: str, first: Comparison) -> Low:
        second, reason = self._again(backend, name, quantity)
        if second is None:
            verdict = Verdict.ONCE
        else:
            verdict = Verdict.BOTH if self._is_low(second) else Verdict.FIRST_ONLY
        return Low(backend, name, quantity, first, second, reason, verdict)

    def _again(self, backend: str, name: str, quantity: str) -> tuple[Comparison | None, str]:
        """Returns what the second look found, or why it found nothing."""
        for run in self.second_look:
            if run.backend == backend:
                # Where something failed, what came before is not taken either: of a model these
                # would be fewer rounds than the first look had.
                reason = run.failed.get(name) or run.refused.get((name, quantity), "")
                return None if reason else self.comparison(run, name, quantity), reason
        return None, ""

    def spread(self, name: str, quantity: str) -> Spread:
        """Returns how far the backends lie apart."""
        found = [each for run in self.runs if (each := self.comparison(run, name, quantity))]
        return Spread(
            _spread([each.built_in for each in found if each.built_in]),
            _spread([each.ours for each in found]),
        )

    def by_yardstick(self, run: BackendRun, model: str, quantity: str) -> float | None:
        """Returns ours on one backend by built-in on `YARDSTICK`, the median over the rounds."""
        yardstick = next((each for each in self.runs if each.backend == YARDSTICK), None)
        if yardstick is None:
            return None
        rounds = [each.turns.get((model, quantity), []) for each in (run, yardstick)]
        ratios = [
            statistics.median(mine.ours) / statistics.median(theirs.built_in)
            for mine, theirs in zip(*rounds, strict=False)
        ]
        return statistics.median(ratios) if ratios else None


def _spread(times: Sequence[float]) -> float | None:
    return max(times) / min(times) if len(times) > 1 else None


def run_bench(
    backends: Sequence[str],
    workloads: Sequence[str],
    models: Sequence[str],
    *,
    floor: float,
    seconds: float,
    timeout: float,
    progress: Progress,
) -> Outcome:
    """Runs a benchmark, and again what is under the floor.

    The arguments are those of `runner.run`, and the floor.
    """
    start, load = time.monotonic(), _load()
    with tempfile.TemporaryDirectory(prefix="keras-convkit-bench-") as folder:
        runs = runner.run(
            backends,
            workloads,
            models,
            Path(folder),
            seconds=seconds,
            timeout=timeout,
            progress=progress,
        )
        first = Outcome(
            workloads=workloads,
            models=models,
            runs=runs,
            second_look=[],
            floor=floor,
            budget=seconds,
            seconds=time.monotonic() - start,
            created=_now(),
            environment=_environment(load),
        )
        second_look = runner.second_look(
            _low_parts(first),
            Path(folder),
            seconds=seconds,
            timeout=timeout,
            progress=progress,
        )
    return replace(first, second_look=second_look, seconds=time.monotonic() - start, created=_now())


def _low_parts(outcome: Outcome) -> list[Part]:
    """Returns what has something under the floor, in the order of the tables."""
    low = {(each.backend, each.name) for each in outcome.below()}
    parts = [
        Part(
            run.backend,
            [name for name in outcome.workloads if (run.backend, name) in low],
            [name for name in outcome.models if (run.backend, name) in low],
        )
        for run in outcome.runs
    ]
    return [part for part in parts if part.workloads or part.models]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _environment(load: str) -> dict[str, str]:
    return {
        "keras-convkit": keras_convkit.__version__,
        "Python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": str(cores()),
        "load before": load,
    }


def _processor() -> str:
    with suppress(OSError):
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        if found:
            return found[1]
    return platform.processor() or platform.machine()


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
