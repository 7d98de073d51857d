"""The quantities that are compared, and the files that carry them from process to process."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_convkit.files import write_atomically

Array = np.ndarray

QUANTITIES = ("output", "input gradient", "weight gradients", "training step")

# The arrays of each quantity: one output, one gradient a weight and so on, each with a name.
Results = dict[str, dict[str, Array]]


def training_step(names: Sequence[str], loss: Any, changes: Sequence[Array]) -> dict[str, Array]:
    """Names the parts of one training step.

    Args:
        names: The names of the weights.
        loss: The loss before the step.
        changes: By how much the step changed each weight. The change is compared and not the
            changed weight, in whose size an error of the gradient could hide.
    """
    named = {f"change of {name}": change for name, change in zip(names, changes, strict=True)}
    return {"loss": np.asarray(loss), **named}


def save(path: Path, results: Results) -> None:
    """Writes results to an `.npz` file, atomically."""
    arrays = {
        f"{quantity}/{part}": array
        for quantity, parts in results.items()
        for part, array in parts.items()
    }
    write_atomically(path, lambda file: np.savez(file, **arrays))


def load(path: Path) -> Results:
    """Reads what `save` wrote."""
    results: Results = {}
    with np.load(path, allow_pickle=False) as arrays:
        for key in arrays.files:
            quantity, part = key.split("/", maxsplit=1)
            results.setdefault(quantity, {})[part] = arrays[key]
    return results


def save_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Writes named arrays to an `.npz` file, atomically."""
    write_atomically(path, lambda file: np.savez(file, **arrays))
