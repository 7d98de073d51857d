"""What workers are asked to do, and in which order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from keras_convkit.parity.quantities import INSPECTED, MEASURED, OF_A_DTYPE, TRAINING
from keras_convkit.parity.subjects import EMBEDDED, Subject

# The modes that a backend is run in, first the one in which Keras runs it by default. JAX without
# `jit` and TensorFlow's XLA compile for minutes what takes seconds otherwise.
MODES = {"tensorflow": ("compiled", "eager"), "jax": ("compiled",), "torch": ("eager",)}
ALL_MODES = {
    "tensorflow": ("compiled", "eager", "xla"),
    "jax": ("compiled", "eager"),
    "torch": ("eager",),
}

SUBJECT, PEER, REFERENCE = "subject", "peer", "reference"
MEASURE, INSPECT, READ = "measure", "inspect", "read"


class Task(NamedTuple):
    """One thing that a worker is asked to do.

    Attributes:
        subject: The subject's name.
        do: `MEASURE`, `INSPECT` (its symbolic shapes and config; writes the model to a file), or
            `READ` (the file that another backend has written).
        side: Whose numbers: `SUBJECT`, `PEER` or `REFERENCE`.
        mode: In which mode of the backend.
        dtype: What is computed in.
        training: Whether in training mode.
        writer: The backend whose file is read.
    """

    subject: str
    do: str = MEASURE
    side: str = SUBJECT
    mode: str = ""
    dtype: str = "float32"
    training: bool = False
    writer: str = ""

    def __str__(self) -> str:
        words = (self.side, self.mode, self.dtype if self.dtype != "float32" else "")
        if self.do == INSPECT:
            words = ("shapes, config, file",)
        elif self.do == READ:
            words = (f"the file of {self.writer}",)
        training = ("training",) if self.training else ()
        return " ".join(filter(None, (self.subject, *words, *training)))


class Plan(NamedTuple):
    """What is asked about every subject.

    Attributes:
        quantities: What is compared.
        dtypes: Dtypes besides float32.
    """

    quantities: tuple[str, ...]
    dtypes: tuple[str, ...] = ()

    def wanted(self, task: Task) -> list[str]:
        """The quantities that a task gives."""
        if task.training:
            names = TRAINING
        elif task.do != MEASURE:
            names = INSPECTED
        elif task.dtype != "float32":
            names = OF_A_DTYPE
        else:
            names = MEASURED
        return [name for name in names if name in self.quantities]


def measurements(subject: Subject, modes: Sequence[str], plan: Plan) -> Iterator[Task]:
    """Yields what a backend is asked about a subject, before it reads the files of others."""
    default, name = modes[0], subject.name
    sides = [(SUBJECT, own) for own in modes]
    if subject.peer:
        sides.append((PEER, default))
    if subject.reference and subject.kind != EMBEDDED:
        sides.append((REFERENCE, ""))
    tasks = [Task(name, MEASURE, side, mode) for side, mode in sides]
    tasks.append(Task(name, MEASURE, SUBJECT, default, training=True))
    for dtype in plan.dtypes:
        tasks.append(Task(name, MEASURE, SUBJECT, default, dtype))
        if subject.reference and subject.kind != EMBEDDED:
            tasks.append(Task(name, MEASURE, REFERENCE, "", dtype))
    tasks.append(Task(name, INSPECT, SUBJECT, default))
    yield from (task for task in tasks if plan.wanted(task))


def readings(
    subject: Subject, modes: Sequence[str], plan: Plan, writers: Sequence[str]
) -> Iterator[Task]:
    """Yields the files that a backend is asked to read: its own and those of the others."""
    if "file" in plan.quantities:
        for writer in writers:
            yield Task(subject.name, READ, SUBJECT, modes[0], writer=writer)
