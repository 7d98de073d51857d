"""Worker processes of one backend each, for the tools: both ends of the talk with them.

A process has one Keras backend, so a tool that looks at several starts a worker for each, and has
to survive whatever becomes of it. A worker prints one JSON object a line, each with an `event`:
first `ready`, with the `versions` of what it has imported; then what the tool and its worker have
agreed on; last `end`. One that is told what to do step by step reads that from standard input.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

BACKENDS = ("tensorflow", "jax", "torch")

# Colours in a message, its first words where Keras or TensorFlow has put them there, and how
# TensorFlow names an error behind the lines of code that it was raised in.
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_CALLING = (
    "Exception encountered when calling",
    "Graph execution error",
    "Arguments received",
    "•",
)
_RAISED = re.compile(r"\w*(Error|Exception): ")

# No message is nearly as long; what is longer is not a message.
_LONGEST_LINE = 100_000

Event = dict[str, Any]
Send = Callable[..., None]


def is_installed(backend: str) -> bool:
    """Tells whether a backend is there to be imported, without importing it."""
    return importlib.util.find_spec(backend) is not None


def not_installed(backend: str) -> str:
    """Returns the reason why a backend is missing, and what would change that."""
    return f"not installed: pip install 'keras-convkit[{backend}]'"


def cores() -> int:
    """Returns the cores that this process may use, which can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Worker:
    """A worker as the tool sees it.

    One thread starts it, takes its events and calls `finish`, which tells how it ended; any other
    may `stop` it.
    """

    def __init__(
        self,
        backend: str,
        command: Sequence[str],
        errors: Path,
        timeout: float,
        *,
        asked: bool = False,
        starting: float = 0.0,
    ) -> None:
        """Prepares a worker.

        Args:
            backend: The Keras backend that it runs.
            command: What starts it.
            errors: The file for its standard error.
            timeout: Seconds after which it is killed: for all that it does, or, where it is asked,
                for each question and for its start.
            asked: Whether it does what `ask` tells it, and nothing unasked.
            starting: Seconds for its start, where that may take longer.
        """
        self.backend = backend
        self._command = command
        self._errors = errors
        self._timeout = timeout
        self._starting = max(timeout, starting)
        self._asked = asked
        self._process: subprocess.Popen[bytes] | None = None
        self._clock: threading.Timer | None = None
        self._lock = threading.Lock()
        self._stopped = ""
        self._ready = False
        self._ended = False
        self._over = False

    def start(self) -> bool:
        """Starts the process, unless it has been stopped before."""
        environment = os.environ | {"KERAS_BACKEND": self.backend}
        environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        # Workers share a GPU; by default TensorFlow and JAX each take nearly all of its memory.
        environment.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
        environment.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        # A test run or a notebook can import what a fresh process would not find.
        environment["KERAS_CONVKIT_PATH"] = os.pathsep.join(filter(None, sys.path))
        with self._lock, open(self._errors, "wb") as errors:
            if self._stopped:
                return False
            self._process = subprocess.Popen(
                self._command,
                env=environment,
                stdin=subprocess.PIPE if self._asked else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                # A process group of its own, so that `_kill` reaches what a worker has started.
                start_new_session=True,
            )
        self._start_clock(self._starting)
        return True

    def ask(self, **question: Any) -> None:
        """Tells the worker what to do next; the time limit starts afresh."""
        self._start_clock()
        # A worker that has died does not listen; its silence will tell.
        with suppress(OSError):
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
            self._process.stdin.flush()

    def events(self) -> Iterator[Event]:
        """Yields what the worker sends, until it sends no more.

        What is not a message ends a worker. A caller that stops iterating leaves the rest for the
        next iteration.
        """
        for line in iter(lambda: self._process.stdout.readline(_LONGEST_LINE), b""):
            try:
                event = json.loads(line)
                kind = event["event"]
            except (ValueError, TypeError, KeyError):
                # Packages may print while they are imported. After that, only messages come.
                if self._ready:
                    self.reject(line)
                continue
            self._ready = self._ready or kind == "ready"
            self._ended = self._ended or kind == "end"
            yield event

    def rest(self) -> None:
        """Stops the clock: the worker has answered, and waits for the next question."""
        self._clock.cancel()

    def reject(self, message: bytes | Event) -> None:
        """Ends a worker that has sent what nobody can understand."""
        if not isinstance(message, bytes):
            message = json.dumps(message).encode()
        self.stop(f"the worker printed what is not a message: {message[:60]!r}")

    def stop(self, reason: str) -> None:
        """Kills the worker, or keeps it from being started."""
        with self._lock:
            self._stopped = self._stopped or reason
            # Even a dead worker may have left processes that keep its output open. Its number is
            # not given to others until it has been waited for.
            if self._process is not None and not self._over:
                _kill(self._process)

    def finish(self) -> str:
        """Waits for the worker's end, and returns what went wrong with it, or nothing."""
        if self._process is None:
            return self._stopped
        if self._asked:
            self._start_clock()
            with suppress(OSError):
                self._process.stdin.close()
            for _ in self.events():
                pass
        self._process.wait()
        self._over = True
        self._clock.cancel()
        self._process.stdout.close()
        return self._fault()

    def _start_clock(self, seconds: float = 0.0) -> None:
        if self._clock is not None:
            self._clock.cancel()
        seconds = seconds or self._timeout
        reason = f"time limit of {seconds:g} s exceeded"
        self._clock = threading.Timer(seconds, self.stop, [reason])
        self._clock.daemon = True
        self._clock.start()

    def _fault(self) -> str:
        if self._stopped:
            return self._stopped
        code = self._process.returncode
        if code < 0:
            return f"the worker was killed by {signal.Signals(-code).name}"
        if code > 0:
            return f"the worker ended with exit status {code}: {self._last_words()}".rstrip(": ")
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


def sender() -> Send:
    """Returns, in a worker, the function that sends an event.

    It keeps standard output to itself: whatever else prints, in Python or below it, prints to
    standard error from here on.
    """
    stream = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def send(event: str, **content: Any) -> None:
        print(json.dumps({"event": event, **content}), file=stream, flush=True)

    return send


def versions(backend: str) -> dict[str, str]:
    """Returns the versions that decide about a worker's numbers and speed."""
    return {name: metadata.version(name) for name in ("keras", "numpy", backend)}


def first_line(error: BaseException) -> str:
    """Returns an error's type and the line of its message that says most, cut to 200 characters.

    That is the first one, without what Keras and TensorFlow put before it: which layer was called,
    and the lines of code that were traced.
    """
    lines = [_COLOURS.sub("", line).strip() for line in str(error).splitlines()]
    if lines and lines[0].startswith("in user code"):
        traced = [number for number, line in enumerate(lines) if _RAISED.match(line)]
        lines = lines[traced[-1] :] if traced else lines
        lines[0] = _RAISED.sub("", lines[0])
    said = [line for line in lines if line and not line.startswith(_CALLING)]
    line = next(iter(said or lines), "")
    return f"{type(error).__name__}: {line}"[:200]
