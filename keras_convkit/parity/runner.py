"""Starts one worker process a backend, and survives whatever becomes of it."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

BACKENDS = ("tensorflow", "jax", "torch")

# The modes that a backend is run in, first the one in which Keras runs it by default. JAX without
# `jit` and TensorFlow's XLA compile for minutes what takes seconds otherwise.
MODES = {"tensorflow": ("compiled", "eager"), "jax": ("compiled",), "torch": ("eager",)}
ALL_MODES = {
    "tensorflow": ("compiled", "eager", "xla"),
    "jax": ("compiled", "eager"),
    "torch": ("eager",),
}

WORKER = (sys.executable, "-m", "keras_convkit.parity.worker")

# No message is nearly as long; what is longer is not a message.
_LONGEST_LINE = 100_000


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
    with ThreadPoolExecutor(max_workers=min(len(runs), _cores())) as pool:
        try:
            list(pool.map(_Watch.run, watches))
        except BaseException:
            # Ctrl-C reaches this thread alone, and the pool would wait for its workers.
            for watch in watches:
                watch.stop("interrupted")
            raise
    return runs


def is_installed(backend: str) -> bool:
    """Tells whether a backend is there to be imported, without importing it."""
    return importlib.util.find_spec(backend) is not None


def _cores() -> int:
    """Returns the cores that this process may use, which can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
        self._command = [*WORKER, str(folder), ",".join(run.modes), *models]
        self._errors = folder / f"{run.backend}.stderr"
        self._timeout = timeout
        self._notify = notify
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._stopped = ""
        self._ended = False
        self._over = False

    def run(self) -> None:
        """Runs the worker to its end, and notes in the `BackendRun` how that came."""
        run = self._run
        if not is_installed(run.backend):
            run.status = "missing"
            run.reason = f"not installed: pip install 'keras-convkit[{run.backend}]'"
            self._notify(run, run.reason)
            return
        start = time.monotonic()
        if self._start():
            clock = threading.Timer(
                self._timeout, self.stop, [f"time limit of {self._timeout:g} s exceeded"]
            )
            clock.start()
            self._listen()
            self._process.wait()
            self._over = True
            clock.cancel()
        run.seconds = time.monotonic() - start
        run.reason = self._fault()
        run.status = "failed" if run.reason else "done"
        self._notify(run, run.reason or "done")

    def stop(self, reason: str) -> None:
        """Kills the worker, or keeps it from being started."""
        with self._lock:
            self._stopped = self._stopped or reason
            # Even a dead worker may have left processes that keep its output open. Its number is
            # not given to others until it has been waited for.
            if self._process is not None and not self._over:
                _kill(self._process)

    def _start(self) -> bool:
        environment = os.environ | {"KERAS_BACKEND": self._run.backend}
        environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        # Workers share a GPU; by default TensorFlow and JAX each take nearly all of its memory.
        environment.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
        environment.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        with self._lock, open(self._errors, "wb") as errors:
            if self._stopped:
                return False
            self._run.status = "running"
            self._notify(self._run, f"importing {self._run.backend}")
            self._process = subprocess.Popen(
                self._command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                # A process group of its own, so that `_kill` reaches what a worker has started.
                start_new_session=True,
            )
        return True

    def _listen(self) -> None:
        for line in iter(lambda: self._process.stdout.readline(_LONGEST_LINE), b""):
            try:
                news = self._take(json.loads(line))
            except (ValueError, TypeError, KeyError, AttributeError):
                # Packages may print while they are imported. After that, only messages come.
                if self._run.versions:
                    self.stop(f"the worker printed what is not a message: {line[:60]!r}")
                continue
            self._notify(self._run, news)

    def _take(self, event: dict[str, Any]) -> str:
        """Notes one event, and returns what there is to say about it.

        Raises:
            ValueError, TypeError, KeyError, AttributeError: It is no event.
        """
        kind = event["event"]
        if kind == "ready":
            self._run.versions = dict(event["versions"])
            return "imported"
        if kind == "end":
            self._ended = True
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

    def _fault(self) -> str:
        """Returns what went wrong with the process, or nothing."""
        if self._stopped:
            return self._stopped
        code = self._process.returncode
        if code < 0:
            return f"the worker was killed by {signal.Signals(-code).name}"
        if code > 0:
            return f"the worker ended with exit status {code}: {self._last_words()}"
        return "" if self._ended else "the worker ended before its work was done"

    def _last_words(self) -> str:
        lines = self._errors.read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")[:200]


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kills a process that has not been waited for, with all that it has started."""
    with suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
