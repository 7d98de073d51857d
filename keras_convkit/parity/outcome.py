"""A parity run from start to finish, and all that the reports tell about it."""

from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import keras_convkit
from keras_convkit.parity import comparison, expected, runner
from keras_convkit.parity.comparison import Cell, Verdict
from keras_convkit.parity.models import Model
from keras_convkit.parity.runner import BackendRun, Notify


@dataclass(frozen=True)
class Outcome:
    """What a run gave.

    Attributes:
        models: The models.
        shapes: The input shape of each model.
        runs: The backends, the missing ones included.
        cells: The verdicts.
        required: Backends that had to be there.
        seed: The seed of weights and targets.
        seconds: How long the run took.
        created: When it ended, in UTC.
        environment: The machine and the versions of Python and of this package.
    """

    models: Sequence[Model]
    shapes: Mapping[str, tuple[int, ...]]
    runs: Sequence[BackendRun]
    cells: Sequence[Cell]
    required: Sequence[str]
    seed: int
    seconds: float
    created: str
    environment: Mapping[str, str]

    @property
    def agrees(self) -> bool:
        """Whether everything that has been compared agrees, and nothing failed or is lacking."""
        return not self.faults and any(cell.verdict is Verdict.AGREES for cell in self.cells)

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
        return faults

    @property
    def impossible(self) -> dict[str, str]:
        """The reason for each model that cannot be compared with the built-in layers."""
        return {
            cell.model: cell.reason for cell in self.cells if cell.verdict is Verdict.NOT_POSSIBLE
        }

    def count(self, verdict: Verdict) -> int:
        """Returns the number of cells with a verdict."""
        return sum(cell.verdict is verdict for cell in self.cells)


def run_parity(
    models: Sequence[Model],
    modes: Mapping[str, tuple[str, ...]],
    *,
    seed: int = 0,
    timeout: float = 300.0,
    required: Sequence[str] = (),
    notify: Notify = lambda run, news: None,
) -> Outcome:
    """Runs models on backends and compares what they give.

    Args:
        models: The models.
        modes: The backends, and the modes to run each in, the default one first.
        seed: Seed of weights, cotangents and targets.
        timeout: Seconds that the worker of one backend may take.
        required: Backends whose absence is a fault.
        notify: Told about each step of a worker.

    Raises:
        extras.MissingExtraError: A package that carries a sample is not installed.
    """
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="keras-convkit-parity-") as name:
        folder = Path(name)
        wanted, shapes = {}, {}
        for model in models:
            case, wanted[model.name] = expected.draw(model, seed)
            shapes[model.name] = case.x.shape
            case.save(folder / f"{model.name}.npz")
        runs = runner.run_workers(list(wanted), modes, folder, timeout, notify)
        cells = comparison.compare(runs, wanted)
    return Outcome(
        models=models,
        shapes=shapes,
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
    )
