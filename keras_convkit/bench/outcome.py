"""A benchmark from start to finish, and all that the reports tell about it."""

from __future__ import annotations

import os
import platform
import re
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import keras_convkit
from keras_convkit.bench import applications, counts, runner, timing
from keras_convkit.bench.runner import BackendRun, Comparison, Notify
from keras_convkit.workers import cores

# Timed, for workloads; each has a compile time and a peak memory too.
QUANTITIES = ("forward", "gradients")
# Whole models of ours are held against the built-in ones on this backend.
YARDSTICK = "tensorflow"


class Low(NamedTuple):
    """A ratio below the floor."""

    backend: str
    name: str
    quantity: str
    ratio: float


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
        budget: Seconds given to the timing of a workload.
        seconds: How long it all took.
        created: When it ended, in UTC.
        environment: The machine and the versions of Python and of this package.
    """

    workloads: Sequence[str]
    models: Sequence[str]
    runs: Sequence[BackendRun]
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

    def below(self, floor: float) -> list[Low]:
        """Returns the times whose ratio is under `floor`, the lowest first."""
        low = []
        for run in self.runs:
            for names, quantities in (
                (self.workloads, QUANTITIES),
                (self.models, applications.QUANTITIES),
            ):
                for name in names:
                    for quantity in quantities:
                        found = self.comparison(run, name, quantity)
                        if found and found.ratio is not None and found.ratio < floor:
                            low.append(Low(run.backend, name, quantity, found.ratio))
        return sorted(low, key=lambda each: each.ratio)

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
    seconds: float,
    timeout: float,
    notify: Notify = lambda backend, news: None,
) -> Outcome:
    """Runs a benchmark; the arguments are those of `runner.run`."""
    start, load = time.monotonic(), _load()
    with tempfile.TemporaryDirectory(prefix="keras-convkit-bench-") as folder:
        runs = runner.run(
            backends,
            workloads,
            models,
            Path(folder),
            seconds=seconds,
            timeout=timeout,
            notify=notify,
        )
    return Outcome(
        workloads=workloads,
        models=models,
        runs=runs,
        budget=seconds,
        seconds=time.monotonic() - start,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        environment={
            "keras-convkit": keras_convkit.__version__,
            "Python": platform.python_version(),
            "platform": platform.platform(),
            "processor": _processor(),
            "cores": str(cores()),
            "load before": load,
        },
    )


def _processor() -> str:
    with suppress(OSError):
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        if found:
            return found[1]
    return platform.processor() or platform.machine()


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
