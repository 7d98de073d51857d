"""What the workers of a run are told: data in files, and a question for each task."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np

from keras_convkit.parity.embedded import expected
from keras_convkit.parity.embedded.models import MODELS
from keras_convkit.parity.quantities import Results, save_arrays
from keras_convkit.parity.subjects import EMBEDDED, FILE, Subject
from keras_convkit.parity.tasks import Plan, Task

# The learning rate of training, and that of embedded models, whose loss is a mean of many numbers.
RATES = (0.1, expected.LEARNING_RATE)


class Asking:
    """The data of some subjects, and the questions about them.

    Attributes:
        expected: What the reference gives for embedded models.
        digests: For each subject, a number that changes with its data.
    """

    def __init__(self, folder: Path, plan: Plan, seed: int) -> None:
        """Prepares it: `folder`, which is made if need be, takes the data and the results."""
        folder.mkdir(parents=True, exist_ok=True)
        self.expected: dict[str, Results] = {}
        self.digests: dict[str, int] = {}
        self._folder = folder
        self._plan = plan
        self._seed = seed
        self._numbers: dict[str, int] = {}

    def add(self, subject: Subject) -> None:
        """Writes the data of a subject."""
        self._numbers[subject.name] = len(self._numbers)
        path = self._case(subject)
        if subject.kind == EMBEDDED:
            case, self.expected[subject.name] = expected.draw(MODELS[subject.target], self._seed)
            case.save(path)
            self.digests[subject.name] = zlib.crc32(case.x.tobytes())
            return
        arrays: dict[str, np.ndarray] = {}
        for place, each in enumerate(subject.inputs):
            # Two that are written alike are two, which Subtract and Maximum tell.
            for name, array in each.load(self._seed + place).items():
                # An input without a name is known by its place.
                arrays[name or str(len(arrays))] = array
        save_arrays(path, arrays)
        digest = zlib.crc32(Path(subject.target).read_bytes()) if subject.kind == FILE else 0
        for array in arrays.values():
            digest = zlib.crc32(array.tobytes(), digest)
        self.digests[subject.name] = digest

    def question(self, subject: Subject, task: Task, backend: str) -> dict[str, Any]:
        """Returns what a worker of a backend is told about a task."""
        number = self._numbers[subject.name]
        name = f"{number} {backend} {zlib.crc32(repr(task).encode()):08x}"
        return {
            "task": task._asdict(),
            "subject": subject.for_worker(),
            "quantities": self._plan.wanted(task),
            # Each subject has numbers of its own, whatever else is run.
            "seed": zlib.crc32(f"{self._seed} {subject.name}".encode()),
            "rates": RATES,
            "case": str(self._case(subject)),
            "file": str(self._folder / f"{name}.npz"),
            "model": str(self._folder / f"{number} {task.writer or backend}.keras"),
        }

    def _case(self, subject: Subject) -> Path:
        return self._folder / f"case {self._numbers[subject.name]}.npz"
