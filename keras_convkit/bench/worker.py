"""One backend's share of a benchmark, in a process of its own that does what it is asked.

    KERAS_BACKEND=jax python -m keras_convkit.bench.worker

It reads one JSON object a line from standard input and answers each with events, of which the last
is `idle`, so that several workers can take turns. What it can be asked to `do`:

- `limits`: answers `limits` with `multiply_adds` and `bytes`, both a second.
- `workload`, with `what` and `seconds`: answers `work`, `comparison` and `refused`, which
  `measured.measure` explains.
- `prepare`, with `what`: builds a whole model twice; answers `comparison` for its compile times.
- `time`, with `seconds`: times what has been prepared; answers `samples` with `quantity` and the
  seconds of each call, `built_in` and `ours`.

What raises an error is answered with `failed` and its `reason`. The end of standard input ends it.
"""

from __future__ import annotations

import json
import sys
import traceback
from typing import Any

import keras

from keras_convkit.bench import limits, measured
from keras_convkit.bench.models import Pair
from keras_convkit.bench.workloads import WORKLOADS
from keras_convkit.workers import Send, first_line, sender, versions


class _Desk:
    """Does what it is asked, and keeps the model that has been prepared last."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._pair: Pair | None = None

    def limits(self) -> None:
        self._send(
            "limits",
            multiply_adds=limits.multiply_adds_per_second(),
            bytes=limits.bytes_per_second(),
        )

    def workload(self, what: str, seconds: float) -> None:
        measured.measure(WORKLOADS[what], seconds, self._send)

    def prepare(self, what: str) -> None:
        if self._pair is not None:
            self._pair.close()
            self._pair = None
        self._pair = Pair(what, self._send)

    def time(self, seconds: float) -> None:
        self._pair.time(seconds, self._send)


def main() -> None:
    """Answers until nobody asks any more."""
    send = sender()
    measured.standardize()
    desk = _Desk(send)
    send("ready", versions=versions(keras.backend.backend()))
    send("idle")
    for line in sys.stdin:
        _answer(desk, send, json.loads(line))
    send("end")


def _answer(desk: _Desk, send: Send, question: dict[str, Any]) -> None:
    try:
        getattr(desk, question.pop("do"))(**question)
    # An error is a finding about what was asked for, and the next question has its turn.
    except Exception as error:
        traceback.print_exc()
        send("failed", reason=first_line(error))
    send("idle")


if __name__ == "__main__":
    main()
