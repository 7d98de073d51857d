"""Weights, inputs and cotangents that are the same on every backend: drawn by NumPy, from seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np

Array = np.ndarray

# The lengths of unknown axes of a model's input: the batch, and all others.
BATCH, LENGTH = 2, 12


def rounded(array: Array, dtype: str) -> Array:
    """What is left of an array's values in a dtype; the halves are returned as float32.

    All sides then start from the same numbers, also where a side computes in float64.
    """
    if not np.issubdtype(array.dtype, np.floating):
        return array
    if dtype == "float64":
        return array.astype(np.float64)
    narrow = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16}.get(dtype, np.float32)
    return array.astype(narrow).astype(np.float32)


def weights(model: Any, again: Callable[[], list[Array]], seed: int, dtype: str) -> list[Array]:
    """Returns values for the weights of a model.

    A trainable weight that Keras draws at random is drawn here, with a deviation of one over the
    square root of its fan-in; one that is the same everywhere at first, as a bias of zeros or a
    scale of ones, gets a tenth of noise. Other variables keep what they begin with, unless that
    is random.

    Args:
        model: The model, just built.
        again: Returns the weights that a model made once more begins with.
        seed: Seed of what is drawn.
        dtype: The values are rounded to it.
    """
    before = [np.asarray(value) for value in model.get_weights()]
    # Statistics and tables have a meaning: only what comes out differently each time is random.
    # Of one number alone, that is the only way to tell.
    odd = [
        value.size == 1 or (_varied(weight, value) and not weight.trainable)
        for weight, value in zip(model.weights, before, strict=True)
    ]
    after = again() if any(odd) else before
    return [
        rounded(_weight(weight, old, new, np.random.default_rng([seed, index])), dtype)
        for index, (weight, old, new) in enumerate(zip(model.weights, before, after, strict=True))
    ]


def _weight(weight: Any, old: Array, new: Array, rng: np.random.Generator) -> Array:
    if "float" not in str(weight.dtype):
        return old
    old = old.astype(np.float64)
    fan_in = math.prod(old.shape[:-1]) if old.ndim > 1 else old.size
    noise = rng.standard_normal(old.shape)
    if not _varied(weight, old) and (old.size != 1 or np.array_equal(old, new)):
        # Within a tenth and positive: a variance, or what is divided by, stays what it is.
        return old + 0.1 * (noise if weight.trainable else np.abs(noise))
    if weight.trainable or not np.array_equal(old, new):
        return noise / math.sqrt(max(fan_in, 1))
    return old


def _varied(weight: Any, value: Array) -> bool:
    return "float" in str(weight.dtype) and value.size > 1 and np.ptp(value.astype(float)) > 0


def an_input(tensor: Any, seed: int, index: int) -> Array:
    """Draws data for an input of a model whose shape the model knows."""
    lengths = [BATCH if axis == 0 else LENGTH for axis in range(len(tensor.shape))]
    shape = [n or other for n, other in zip(tensor.shape, lengths, strict=True)]
    rng = np.random.default_rng([seed, index, 1])
    if "float" in str(tensor.dtype):
        return rng.standard_normal(shape).astype(np.float32)
    return rng.integers(2, size=shape).astype(np.dtype(str(tensor.dtype)))


def like(arrays: Sequence[Array], seed: int, purpose: int) -> list[Array]:
    """Draws standard normal arrays of the shapes of others, for cotangents and targets."""
    return [
        np.random.default_rng([seed, purpose, index])
        .standard_normal(array.shape)
        .astype(np.float64 if array.dtype == np.float64 else np.float32)
        for index, array in enumerate(arrays)
    ]
