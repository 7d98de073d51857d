"""The answers of workers, kept in memory and on disk, so that a later run can go on."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from keras_convkit.files import write_text
from keras_convkit.parity.tasks import Task


@dataclass(frozen=True)
class Answer:
    """What came of a task.

    Attributes:
        kind: "result", "refused" (it can't be done, and says why) or "failed".
        file: The name of the file with the arrays, in the folder of results.
        reason: Why there are none.
        facts: What else a worker tells: `dtype`, `roundings` by quantity, and findings.
    """

    kind: str
    file: str = ""
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


class Store:
    """A folder with the arrays of every result, and a line for each in `results.jsonl`."""

    def __init__(self, folder: Path, run: Mapping[str, Any]) -> None:
        """Opens a folder.

        Args:
            folder: The folder; it is made where it isn't there.
            run: What decides about the numbers. Results of a run that differs in it are not those
                of this run.

        Raises:
            ValueError: The folder has results of another run.
        """
        self.folder = folder
        self._index = folder / "results.jsonl"
        self._lock = threading.Lock()
        self._answers: dict[tuple[str, Task], Answer] = {}
        folder.mkdir(parents=True, exist_ok=True)
        described = json.dumps(run, sort_keys=True)
        about = folder / "run.json"
        if about.exists() and about.read_text(encoding="utf-8") != described:
            raise ValueError(f"{folder} has the results of another command, or other versions")
        write_text(about, described)
        if self._index.exists():
            self._read()

    def find(self, backend: str, task: Task) -> Answer | None:
        """The answer that there is already; what failed is to be tried again."""
        answer = self._answers.get((backend, task))
        return None if answer is None or answer.kind == "failed" else answer

    def note(self, backend: str, task: Task, answer: Answer) -> None:
        """Keeps an answer; called from any thread."""
        line = {"backend": backend, "task": task._asdict(), **asdict(answer)}
        with self._lock, self._index.open("a", encoding="utf-8") as index:
            self._answers[backend, task] = answer
            index.write(json.dumps(line) + "\n")

    def get(self, backend: str, task: Task) -> Answer:
        """The answer to a task, or a failure where there is none."""
        return self._answers.get((backend, task), Answer("failed", reason="it was not run"))

    def shapes(self) -> dict[str, list[list[int]]]:
        """The input shapes of the subjects that a worker has built."""
        return {
            task.subject: answer.facts["shapes"]
            for (_, task), answer in self._answers.items()
            if "shapes" in answer.facts
        }

    def _read(self) -> None:
        for line in self._index.read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
                key = entry.pop("backend"), Task(**entry.pop("task"))
                self._answers[key] = Answer(**entry)
            except (ValueError, TypeError, KeyError):
                # The last line of a run that was killed.
                continue
