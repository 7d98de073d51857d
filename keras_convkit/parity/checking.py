"""`check`: a parity run from Python, and what came of it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from keras_convkit.parity import handover, subjects
from keras_convkit.parity.outcome import Outcome, run_parity
from keras_convkit.parity.quantities import QUANTITIES
from keras_convkit.parity.tasks import ALL_MODES, MODES
from keras_convkit.parity.tolerance import UNIT_ROUNDOFF
from keras_convkit.parity.verdicts import Cell, Verdict
from keras_convkit.workers import BACKENDS


@dataclass(frozen=True)
class Result:
    """What `check` found.

    Attributes:
        rows: The comparisons, each with its `subject`, `quantity`, `column` (what was compared with
            what), `verdict`, `error`, `bound`, and where it disagrees `part` and `first`: the first
            index that differs and both values.
        faults: What keeps the whole from agreeing, in words.
        versions: Versions of the backends that were run.
    """

    rows: tuple[Cell, ...]
    faults: tuple[str, ...]
    versions: Mapping[str, str]

    @property
    def agrees(self) -> bool:
        """Whether something was compared, all of it agrees, and nothing failed."""
        return not self.faults

    @property
    def worst(self) -> Cell | None:
        """The comparison that is the farthest beyond its bound, or the nearest to it.

        A failed one is worse than any that has an error. None where nothing was compared.
        """
        return max(self.rows, key=_badness, default=None)

    def assert_ok(self) -> None:
        """Raises where not everything agrees.

        Raises:
            AssertionError: Something disagrees or failed; the message names each comparison that
                does, with the first index that differs and both values, or the reason.
        """
        if not self.agrees:
            raise AssertionError(str(self))

    def __str__(self) -> str:
        """Returns what is amiss, line by line, or that nothing is."""
        backends = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        counts = {verdict: sum(row.verdict is verdict for row in self.rows) for verdict in Verdict}
        told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
        lines = [f"Parity on {backends or 'no backend'}: {told or 'nothing was compared'}"]
        for row in self.rows:
            where = f"{row.subject}, {row.quantity}, {row.column}"
            if row.verdict is Verdict.DISAGREES:
                lines.append(f"disagrees: {where}: {row.in_words()}")
                if row.first:
                    left, right = row.column.left, row.column.right
                    lines.append(f"  first at {row.first} ({left} against {right})")
            elif row.verdict is Verdict.FAILED:
                lines.append(f"failed: {where}: {row.reason}")
        refusals = [row for row in self.rows if row.verdict is Verdict.NOT_POSSIBLE]
        reasons = dict.fromkeys(f"{row.subject}: {row.reason}" for row in refusals)
        lines += [f"not possible: {reason}" for reason in reasons]
        return "\n".join([*lines, *self.faults])


def check(
    target: str | type | Callable[..., Any],
    *,
    config: Mapping[str, Any] | None = None,
    inputs: Any = None,
    peer: str | type | Callable[..., Any] | None = None,
    reference: str | Callable[..., Any] | None = "auto",
    backends: Sequence[str] | None = None,
    quantities: Sequence[str] = QUANTITIES,
    dtypes: Sequence[str] = (),
    seed: int = 0,
    all_modes: bool = False,
    safe: bool = True,
    timeout: float = 300.0,
    memory: float = 0.0,
) -> Result:
    """Compares a layer or model across backends.

    Each backend runs in a process of its own, which makes the target afresh, with weights and data
    that NumPy draws from a seed. The layer of this process, its weights and its backend take no
    part. `docs/parity.md` says what is compared and where the bounds come from.

    Args:
        target: A layer class; a layer, of which its config counts and not its weights; a model with
            known inputs, which is compared as its file with its weights; a function that returns a
            layer or a model; or a text: `module:Name`, a `.keras` file. Classes and functions have
            to be importable by their name.
        config: Arguments of the class or function; of a layer, those that are to differ.
        inputs: What it is called with: a shape with its batch for random data (`(4, 16, 16, 3)`,
            or with its kind `"2,12:int<100"`), an array, a list of them, or a dictionary by name.
            Left out where the model knows its inputs, and for this package's families.
        peer: A class, function or text that is made with the same config and compared on the same
            backend.
        reference: A function `f(x, weights, config)` in NumPy, itself or as `module:name`;
            `"auto"` for this package's own of the families that it has; None for none.
        backends: Which to run, all of them required; by default those that are installed.
        quantities: What to compare, of `keras_convkit.parity.quantities.QUANTITIES`.
        dtypes: Dtypes to compute in besides float32.
        seed: Seed of data and weights.
        all_modes: Whether to run JAX without jit and TensorFlow with XLA as well, which takes
            minutes.
        safe: Whether files are loaded in Keras's safe mode.
        timeout: Seconds that a worker may take for each task; for its start, 120 at least.
        memory: Gigabytes that a worker may take beyond its imports; 0 for no limit.

    Returns:
        A `Result`: `agrees`, `rows`, `worst` and `assert_ok()`.

    Raises:
        TypeError: An argument is of a kind that can't be carried to another process.
        ValueError: An argument is wrong, or the target can't be imported by its name.

    Example:

    >>> from keras_convkit import parity
    >>> result = parity.check("keras.layers:Dense", config={"units": 8}, inputs=(4, 3))
    >>> result.assert_ok()
    """
    for name, values, known in (
        ("backends", backends or (), BACKENDS),
        ("quantities", quantities, QUANTITIES),
        ("dtypes", dtypes, tuple(UNIT_ROUNDOFF)),
    ):
        if isinstance(values, str) or set(values) - set(known):
            raise ValueError(f"`{name}` must be a list out of {known}. Received: {values!r}")
    modes = ALL_MODES if all_modes else MODES
    with tempfile.TemporaryDirectory(prefix="keras-convkit-check-") as folder:
        subject = subjects.parse(
            _told(target, Path(folder)),
            config=handover.plain(_config(target, config)),
            inputs=handover.inputs_of(inputs),
            peer=_told(peer, Path(folder)) if peer else "",
            reference=_told(reference, Path(folder)) if reference else "",
            safe=safe,
            name=_name(target),
        )
        outcome = run_parity(
            [subject],
            {name: modes[name] for name in BACKENDS if backends is None or name in backends},
            quantities=quantities,
            dtypes=dtypes,
            seed=seed,
            timeout=timeout,
            memory=memory,
            required=tuple(backends or ()),
        )
    return _result(outcome)


def _told(thing: Any, folder: Path) -> str:
    """A target as text: a model of this process as a file, everything else by its name."""
    if isinstance(thing, str):
        return thing
    if _is_whole(thing):
        path = folder / f"{thing.name}.keras"
        thing.save(path)
        return str(path)
    return handover.target_of(type(thing) if isinstance(thing, keras.Layer) else thing)


def _is_whole(thing: Any) -> bool:
    """Whether it is a model that no class of the user's makes: a graph of layers."""
    return (
        isinstance(thing, keras.Model)
        and type(thing).__module__.startswith("keras.")
        and bool(getattr(thing, "inputs", None))
    )


def _config(target: Any, given: Mapping[str, Any] | None) -> dict[str, Any]:
    own = {}
    if isinstance(target, keras.Layer) and not _is_whole(target):
        own = handover.config_of(target)
    return own | dict(given or {})


def _name(target: Any) -> str:
    if isinstance(target, str):
        return ""
    return target.name if _is_whole(target) else ""


def _badness(row: Cell) -> tuple[int, float]:
    order = (Verdict.NOT_POSSIBLE, Verdict.AGREES, Verdict.DISAGREES, Verdict.FAILED)
    if row.error is None:
        return order.index(row.verdict), float("inf")
    return order.index(row.verdict), row.error / row.bound if row.bound else row.error


def _result(outcome: Outcome) -> Result:
    versions = {
        run.backend: run.versions.get(run.backend, "")
        for run in outcome.runs
        if run.status != "missing"
    }
    return Result(tuple(outcome.cells), tuple(outcome.faults), versions)
