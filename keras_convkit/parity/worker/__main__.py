"""One backend's share of a parity run, in a process of its own.

    KERAS_BACKEND=jax python -m keras_convkit.parity.worker [MEMORY]

reads questions from standard input, one JSON object a line, and answers each on standard output
with one JSON object, whose `event` is `result` (with `file` and `facts`), `refused` or `failed`
(with `reason`). The first event is `ready` with `versions`, when the backend is imported; the last
is `end`. MEMORY is how many gigabytes the process may take beyond what its imports have taken.

A question has `task` (the fields of `tasks.Task`), `subject` (`Subject.for_worker`), `quantities`,
`seed`, `rates` (learning rates), `case` (the file of inputs), `file` (where the arrays go) and
`model` (the model's file, to write or to read).
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import keras

from keras_convkit.parity import quantities
from keras_convkit.parity.tasks import INSPECT, READ, REFERENCE, SUBJECT, Task
from keras_convkit.parity.worker import build, measure, settings
from keras_convkit.workers import first_line, sender, versions


def main(argv: list[str]) -> None:
    """Answers questions until there are no more."""
    # What the asking process can import; the user's folder, which `-m` puts first, stays first.
    asked = os.environ.get("KERAS_CONVKIT_PATH", "").split(os.pathsep)
    sys.path[1:1] = [path for path in asked if path and path not in sys.path]
    send = sender()
    backend = keras.backend.backend()
    settings.standardize()
    settings.limit_memory(float(argv[0]) if argv else 0.0)
    send("ready", versions=versions(backend))
    desk = Answering()
    for line in sys.stdin:
        question = json.loads(line)
        try:
            facts = desk.answer(question)
            send("result", file=question["file"], facts=facts)
        except build.RefusedError as refusal:
            send("refused", reason=str(refusal))
        # Any error of one task is a finding about its subject, and the next one has its turn.
        except Exception as error:
            traceback.print_exc()
            send("failed", reason=first_line(error))
    send("end")


class Answering:
    """Answers questions; it keeps the last model, since the next question is often about it."""

    def __init__(self) -> None:
        self._key: Any = None
        self._built: build.Built | None = None

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """Does a task, writes the arrays to its file, and returns the facts."""
        task = Task(**question["task"])
        subject, wanted = question["subject"], question["quantities"]
        case = Path(question["case"])
        with settings.computing_in(task.dtype):
            built = self._build(question, task, case)
            fixed = measure.fixed_for(subject, case, question["seed"], question["rates"])
            if task.side == REFERENCE:
                results, facts = measure.judge(subject, built, fixed, wanted)
            elif task.do == INSPECT:
                model = Path(question["model"])
                results, facts = measure.look_at(built, model, subject, wanted)
            elif task.do == READ:
                results, facts = measure.read(built, Path(question["model"]), subject["safe"])
            else:
                results, facts = measure.measure(built, fixed, task.mode, task.training, wanted)
        quantities.save(Path(question["file"]), results)
        return facts | {"dtype": task.dtype}

    def _build(self, question: dict[str, Any], task: Task, case: Path) -> build.Built:
        # The reference needs the subject's weights, and a file is compared with the subject.
        side = SUBJECT if task.side == REFERENCE else task.side
        key = (question["subject"], side, task.dtype, question["case"], question["seed"])
        if key != self._key:
            self._key = self._built = None
            self._built = build.build(question["subject"], side, task.dtype, case, question["seed"])
            self._key = key
        else:
            # A task that has failed leaves the model as it was then.
            self._built.reset()
        return self._built


if __name__ == "__main__":
    main(sys.argv[1:])
