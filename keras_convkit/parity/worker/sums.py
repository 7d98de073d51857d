"""How many roundings lie between the data and a number, for the bounds of `tolerance`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from keras_convkit.parity.subjects import FAMILIES

Array = np.ndarray

# What a layer does beside its sum: bias, scaling, an activation. The longest of the latter are
# rational approximations as of tanh in Eigen and XLA, of degree 13 over 6 by Horner's scheme.
BESIDE = 16
# Taps of the widest filter that UpSampling has, lanczos5, in three dimensions.
RESAMPLING = 30


def roundings(model: Any, inputs: Sequence[Array], outputs: Sequence[Array]) -> dict[str, int]:
    """Counts the roundings on the longest way to a number of each quantity.

    A layer's length is that of its longest sum, with what it does besides; a model's is the sum
    over its layers. The way back is as long as the way there, and a weight's gradient is summed
    over all places that the weight is used at, at most as many as the largest array has elements.

    Args:
        model: The model.
        inputs: Its inputs.
        outputs: Its outputs.
    """
    sample = max(math.prod(x.shape[1:]) for x in inputs)
    largest = max(array.size for array in (*inputs, *outputs))
    there = sum(_length(layer, sample, inputs) + BESIDE for layer in leaves(model))
    there = max(there, BESIDE)
    step = 2 * there + 2 * largest
    return {
        "output": there,
        "input gradient": 2 * there,
        "weight gradients": 2 * there + largest,
        "training step": step,
        "ten steps": 10 * step,
        # Statistics of a batch are sums over it.
        "training output": there + largest,
        "training gradients": 2 * there + 2 * largest,
        "config": there,
        "file": there,
    }


def leaves(model: Any) -> Iterator[Any]:
    """Yields the layers of a model, and those of the models in it."""
    for layer in getattr(model, "layers", ()):
        if getattr(layer, "layers", None):
            yield from leaves(layer)
        elif type(layer).__name__ != "InputLayer":
            yield layer


def _length(layer: Any, sample: int, inputs: Sequence[Array]) -> int:
    kernels = [tuple(weight.shape) for weight in layer.weights if len(weight.shape) > 1]
    # Kernels have their channels last, in either order.
    fan = sum(math.prod(shape) // min(shape[-2:]) for shape in kernels if math.prod(shape))
    name = type(layer).__name__
    if FAMILIES.fullmatch(name):
        return fan + (RESAMPLING if name.startswith("UpSampling") else 0)
    if name in ("Dense", "EinsumDense"):
        return fan
    if hasattr(layer, "cell") or hasattr(layer, "forward_layer"):
        # Each step's result goes into the next one.
        steps = max(x.shape[1] if x.ndim > 1 else 1 for x in inputs)
        return steps * (fan + BESIDE)
    # Of other layers it isn't known what they sum up: all of a sample, at most.
    return max(fan, sample)
