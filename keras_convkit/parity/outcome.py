"""A parity run from start to finish, and all that the reports tell about it."""

from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import keras_convkit
from keras_convkit.parity.asking import Asking
from keras_convkit.parity.comparison import compare
from keras_convkit.parity.quantities import QUANTITIES
from keras_convkit.parity.runner import BackendRun, Notify, Session, run_all
from keras_convkit.parity.store import Store
from keras_convkit.parity.subjects import Subject
from keras_convkit.parity.tasks import MODES, Plan
from keras_convkit.parity.verdicts import Cell, Verdict


@dataclass(frozen=True)
class Outcome:
    """What a run gave.

    Attributes:
        subjects: What was looked at.
        runs: The backends, the missing ones included.
        cells: The verdicts.
        required: Backends that had to be there.
        seed: The seed of weights and targets.
        seconds: How long the run took.
        created: When it ended, in UTC.
        environment: The machine and the versions of Python and of this package.
        shapes: The input shapes of each subject, where a worker has told them.
    """

    subjects: Sequence[Subject]
    runs: Sequence[BackendRun]
    cells: Sequence[Cell]
    required: Sequence[str]
    seed: int
    seconds: float
    created: str
    environment: Mapping[str, str]
    shapes: Mapping[str, Sequence[Sequence[int]]] = field(default_factory=dict)

    @property
    def agrees(self) -> bool:
        """Whether everything that has been compared agrees, and nothing failed or is lacking."""
        return not self.faults

    @property
    def faults(self) -> list[str]:
        """Everything that keeps the run from agreeing; cells are counted."""
        faults = [f"{run.backend}: {run.reason}" for run in self.runs if run.status == "failed"]
        faults += [
            f"{run.backend} is required: {run.reason}"
            for run in self.runs
            if run.status == "missing" and run.backend in self.required
        ]
        if all(run.status == "missing" for run in self.runs):
            faults.append("No backend is installed.")
        for verdict in (Verdict.DISAGREES, Verdict.FAILED):
            if count := self.count(verdict):
                faults.append(f"{count} of {len(self.cells)} comparisons: {verdict}")
        return faults or ([] if self.count(Verdict.AGREES) else ["Nothing could be compared."])

    @property
    def impossible(self) -> dict[str, str]:
        """The reason for each subject of which something can't be compared."""
        return {
            cell.subject: cell.reason for cell in self.cells if cell.verdict is Verdict.NOT_POSSIBLE
        }

    def of(self, subject: str) -> list[Cell]:
        """Returns the cells of a subject."""
        return [cell for cell in self.cells if cell.subject == subject]

    def count(self, verdict: Verdict) -> int:
        """Returns the number of cells with a verdict."""
        return sum(cell.verdict is verdict for cell in self.cells)


def run_parity(
    subjects: Sequence[Subject],
    modes: Mapping[str, tuple[str, ...]] = MODES,
    *,
    quantities: Sequence[str] = QUANTITIES,
    dtypes: Sequence[str] = (),
    seed: int = 0,
    timeout: float = 300.0,
    memory: float = 0.0,
    required: Sequence[str] = (),
    results: Path | None = None,
    notify: Notify = lambda run, news: None,
) -> Outcome:
    """Runs subjects on backends and compares what they give.

    Args:
        subjects: What is looked at.
        modes: The backends, and the modes to run each in, the default one first.
        quantities: What is compared.
        dtypes: Dtypes besides float32.
        seed: Seed of inputs, weights, cotangents and targets.
        timeout: Seconds that a worker may take for each task; for its start, 120 at least.
        memory: Gigabytes that a worker may take beyond its imports; 0 for no limit.
        required: Backends whose absence is a fault.
        results: A folder for the results; what it has already isn't measured again.
        notify: Told about each step of a worker.

    Raises:
        extras.MissingExtraError: A package that carries a sample is not installed.
        ValueError: The folder has results of another run.
    """
    start = time.monotonic()
    plan = Plan(tuple(quantities), tuple(dtype for dtype in dtypes if dtype != "float32"))
    with ExitStack() as stack:
        if results is None:
            name = tempfile.TemporaryDirectory(prefix="keras-convkit-parity-")
            results = Path(stack.enter_context(name))
        results = results.absolute()
        asking = Asking(results, plan, seed)
        for subject in subjects:
            asking.add(subject)
        about = {
            "subjects": [
                subject.for_worker() | {"data": asking.digests[subject.name]}
                for subject in subjects
            ],
            "plan": plan._asdict() | {"seed": seed, "modes": dict(modes)},
            "versions": _versions([*modes]),
        }
        store = Store(results, about)

        with Session(modes, store, timeout=timeout, memory=memory, notify=notify) as session:
            run_all(subjects, plan, session, asking.question)
        runs = session.runs
        cells = compare(subjects, runs, plan, store, asking.expected)
        shapes = store.shapes()
    return Outcome(
        subjects=subjects,
        runs=runs,
        cells=cells,
        required=required,
        seed=seed,
        seconds=time.monotonic() - start,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        environment={
            "keras-convkit": keras_convkit.__version__,
            "Python": platform.python_version(),
            "platform": platform.platform(),
        },
        shapes=shapes,
    )


def _versions(backends: Sequence[str]) -> dict[str, str]:
    found = {"keras-convkit": keras_convkit.__version__}
    for name in ("keras", "numpy", *backends):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = ""
    return found
