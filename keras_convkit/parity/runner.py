"""Runs the models on one worker process a backend."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from keras_convkit.workers import Event, Worker, cores, is_installed, not_installed

# The modes that a backend is run in, first the one in which Keras runs it by default. JAX without
# `jit` and TensorFlow's XLA compile for minutes what takes seconds otherwise.
MODES = {"tensorflow": ("compiled", "eager"), "jax": ("compiled",), "torch": ("eager",)}
ALL_MODES = {
    "tensorflow": ("compiled", "eager", "xla"),
    "jax": ("compiled", "eager"),
    "torch": ("eager",),
}

WORKER = (sys.executable, "-m", "keras_convkit.parity.worker")


class Measurement(NamedTuple):
    """One model, made of one library's layers, in one mode."""

    model: str
    library: str
    mode: str


@dataclass
class BackendRun:
    """What became of one backend's worker.

    Attributes:
        backend: The backend.
        modes: The modes it was run in, the default one first.
        status: "waiting", "running", "done", "missing" (it is not installed) or "failed".
        reason: Why it is missing or failed.
        versions: Versions of the packages that the worker imported.
        seconds: How long the worker took.
        results: The file of each measurement that is done.
        refused: The reason for each measurement that a library cannot do.
        failed: The reason for each measurement that raised an error.
    """

    backend: str
    modes: tuple[str, ...]
    status: str = "waiting"
    reason: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    results: dict[Measurement, Path] = field(default_factory=dict)
    refused: dict[Measurement, str] = field(default_factory=dict)
    failed: dict[Measurement, str] = field(default_factory=dict)


# Called after each event of a worker, from its thread, with what there is to say about it, or
# nothing where the counts of the `BackendRun` say it all.
Notify = Callable[[BackendRun, str], None]


def run_workers(
    models: Iterable[str],
    modes: Mapping[str, tuple[str, ...]],
    folder: Path,
    timeout: float,
    notify: Notify = lambda run, news: None,
) -> list[BackendRun]:
    """Runs the models on each backend, as many backends at a time as there are cores.

    Args:
        models: Names of the models; their cases lie in `folder`.
        modes: The backends, and the modes of each.
        folder: Where the workers read the cases and write their results.
        timeout: Seconds after which a worker is killed.
        notify: Told about each step.

    Returns:
        One entry a backend. No fault of a worker raises an error here.
    """
    runs = [BackendRun(backend, own) for backend, own in modes.items()]
    watches = [_Watch(run, models, folder, timeout, notify) for run in runs]
    with ThreadPoolExecutor(max_workers=min(len(runs), cores())) as pool:
        try:
            list(pool.map(_Watch.run, watches))
        except BaseException:
            # Ctrl-C reaches this thread alone, and the pool would wait for its workers.
            for watch in watches:
                watch.stop("interrupted")
            raise
    return runs


class _Watch:
    """One worker, and the thread that listens to it."""

    def __init__(
        self,
        run: BackendRun,
        models: Iterable[str],
        folder: Path,
        timeout: float,
        notify: Notify,
    ) -> None:
        self._run = run
        self._notify = notify
        command = [*WORKER, str(folder), ",".join(run.modes), *models]
        self._worker = Worker(run.backend, command, folder / f"{run.backend}.stderr", timeout)

    def run(self) -> None:
        """Runs the worker to its end, and notes in the `BackendRun` how that came."""
        run = self._run
        if not is_installed(run.backend):
            run.status = "missing"
            run.reason = not_installed(run.backend)
            self._notify(run, run.reason)
            return
        start = time.monotonic()
        if self._worker.start():
            run.status = "running"
            self._notify(run, f"importing {run.backend}")
            self._listen()
        run.reason = self._worker.finish()
        run.seconds = time.monotonic() - start
        run.status = "failed" if run.reason else "done"
        self._notify(run, run.reason or "done")

    def stop(self, reason: str) -> None:
        """Kills the worker, or keeps it from being started."""
        self._worker.stop(reason)

    def _listen(self) -> None:
        for event in self._worker.events():
            try:
                news = self._take(event)
            except (ValueError, TypeError, KeyError, AttributeError):
                self._worker.reject(event)
                continue
            self._notify(self._run, news)

    def _take(self, event: Event) -> str:
        """Notes one event, and returns what there is to say about it.

        Raises:
            ValueError, TypeError, KeyError, AttributeError: It is no event.
        """
        kind = event["event"]
        if kind == "ready":
            self._run.versions = dict(event["versions"])
            return "imported"
        if kind == "end":
            return ""
        measurement = Measurement(event["model"], event["library"], event["mode"])
        if kind == "begin":
            return " ".join(measurement)
        if kind == "result":
            self._run.results[measurement] = Path(event["file"])
        elif kind == "refused":
            self._run.refused[measurement] = str(event["reason"])
        elif kind == "failed":
            self._run.failed[measurement] = str(event["reason"])
            return f"{' '.join(measurement)}: {event['reason']}"
        else:
            raise ValueError(f"Unknown event: {kind!r}")
        return ""
