"""The quantities that are compared, and the files that carry them from process to process."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_convkit.files import write_atomically

Array = np.ndarray

# In the order of reports. What is measured in inference mode, then in training mode, then what is
# looked at once a backend.
MEASURED = ("output", "input gradient", "weight gradients", "training step", "ten steps")
TRAINING = ("training output", "training gradients")
INSPECTED = ("symbolic shape", "config", "file")
QUANTITIES = (*MEASURED, *TRAINING, *INSPECTED)
# Of the embedded models, unless asked otherwise: the rates of their training are for one step.
OF_EMBEDDED = MEASURED[:4]
# What a dtype besides float32 is asked for.
OF_A_DTYPE = ("output", "input gradient", "weight gradients")

# The arrays of each quantity: one output, one gradient a weight and so on, each with a name.
Results = dict[str, dict[str, Array]]

LOSS = "loss"


def named(quantity: str, dtype: str) -> str:
    """Returns how reports call a quantity in a dtype."""
    return quantity if dtype == "float32" else f"{quantity} {dtype}"


def training_step(names: Sequence[str], loss: Any, changes: Sequence[Array]) -> dict[str, Array]:
    """Names the parts of one training step.

    Args:
        names: The names of the weights.
        loss: The loss before the step.
        changes: By how much the step changed each weight. The change is compared and not the
            changed weight, in whose size an error of the gradient could hide.
    """
    parts = {f"change of {name}": change for name, change in zip(names, changes, strict=True)}
    return {LOSS: np.asarray(loss), **parts}


def save(path: Path, results: Results) -> None:
    """Writes results to an `.npz` file, atomically."""
    arrays = {
        f"{quantity}//{part}": array
        for quantity, parts in results.items()
        for part, array in parts.items()
    }
    save_arrays(path, arrays)


def load(path: Path) -> Results:
    """Reads what `save` wrote."""
    results: Results = {}
    with np.load(path, allow_pickle=False) as arrays:
        for key in arrays.files:
            quantity, part = key.split("//", maxsplit=1)
            results.setdefault(quantity, {})[part] = arrays[key]
    return results


def save_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Writes named arrays to an `.npz` file, atomically."""
    write_atomically(path, lambda file: np.savez(file, **arrays))
