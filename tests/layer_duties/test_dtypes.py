"""Policies, and inputs of other dtypes."""

import contextlib

import keras
import ml_dtypes
import numpy as np
import pytest

from keras_convkit.parity import reference
from tests.compiled import whole
from tests.layer_duties.examples import (
    FAMILIES,
    WITH_WEIGHTS,
    assert_close,
    built,
    expected,
    gradients_of,
    input_shape,
    ours,
    random_input,
    randomize,
    rotated,
    weights_of,
)

POLICIES = {
    # policy: (dtype of the variables, dtype of the computation)
    "float16": ("float16", "float16"),
    "bfloat16": ("bfloat16", "bfloat16"),
    "float32": ("float32", "float32"),
    "float64": ("float64", "float64"),
    "mixed_float16": ("float32", "float16"),
    "mixed_bfloat16": ("float32", "bfloat16"),
}
# Twice the distance from 1 to the next larger number; sums over a window round a few times, at
# intermediate results that can be larger than their sum.
EPSILON = {"float16": 2**-10, "bfloat16": 2**-7, "float32": 2**-23, "float64": 2**-52}
ROUNDINGS = 16


@contextlib.contextmanager
def double_precision():
    """JAX makes float64 only where it is told to; the other backends always do."""
    if keras.backend.backend() != "jax":
        yield
        return
    import jax

    # In the oldest JAX that is supported it has another place.
    enable = jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64
    with enable(True):
        yield


def rounded(x, dtype):
    """`x` rounded to `dtype`, a name that NumPy may not know."""
    return x.astype(getattr(ml_dtypes, dtype, dtype)).astype("float64")


@pytest.mark.parametrize(
    ("name", "arguments", "policy"),
    [
        pytest.param(*example.values, policy, id=f"{example.id}-{policy}")
        for turn, policy in enumerate(POLICIES)
        for i, family in enumerate(FAMILIES)
        # Families without weights only move numbers about: half of them at each turn.
        if family in WITH_WEIGHTS or (turn + i) % 2
        for example in [rotated(turn, family, ("plain", "added")[(turn // 3 + i) % 2])]
    ],
)
def test_dtype_policy(name, arguments, policy):
    variables, compute = POLICIES[policy]
    if "activation" in arguments:
        # Keras's tanh answers in float32 where JAX was told of float64 only after the import, and
        # the gradient of relu jumps where rounding changes a sign.
        arguments = arguments | {"activation": None}
    with double_precision():
        layer = ours(name)(**arguments, dtype=policy)
        layer.build(input_shape(name, arguments))
        randomize(layer)
        assert {keras.backend.standardize_dtype(w.dtype) for w in layer.weights} <= {variables}
        x = random_input(name, arguments)
        cotangent = np.random.default_rng(5).normal(size=layer.compute_output_shape(x.shape))
        # Given in float32, as users have it: the layer casts.
        result = whole(layer)(x)
        assert keras.backend.standardize_dtype(result.dtype) == compute
        low_x, low_cotangent = rounded(x, compute), rounded(cotangent, compute)
        low_weights = [rounded(w, compute) for w in weights_of(layer)]
        tolerance = ROUNDINGS * EPSILON[compute]
        assert_close(result, reference.layer(name, arguments, low_weights, low_x), tolerance)

        gradients = gradients_of(layer, x, cotangent.astype("float32"))
        wanted = reference.layer_vjp(name, arguments, low_weights, low_x, low_cotangent)
    assert len(gradients.weight_gradients) == len(wanted[1])
    # Not the last digit, which is the business of the parity tests: each exists and is its own.
    for actual, desired in zip(
        [gradients.input_gradient, *gradients.weight_gradients],
        [wanted[0], *wanted[1]],
        strict=True,
    ):
        assert_close(actual, desired, 4 * max(tolerance, EPSILON["float32"]))


@pytest.mark.parametrize(
    ("name", "arguments", "dtype"),
    [
        pytest.param(*example.values, dtype, id=f"{example.id}-{dtype}")
        for turn, dtype in enumerate(("bool", "int8", "uint8", "int32", "int64"))
        for i, family in enumerate(FAMILIES)
        if (turn + i) % 2
        for example in [rotated(turn, family, "added")]
    ],
)
def test_integers_and_booleans_are_cast(name, arguments, dtype):
    layer = built(name, arguments)
    rng = np.random.default_rng(1)
    highest = 1 if dtype == "bool" else 100
    x = rng.integers(0, highest, input_shape(name, arguments), endpoint=True).astype(dtype)
    result = layer(x)
    assert keras.backend.standardize_dtype(result.dtype) == "float32"
    assert_close(result, expected(name, arguments, layer, x))
    symbol = layer(keras.Input(x.shape[1:], dtype=dtype))
    assert symbol.dtype == "float32"
    assert tuple(symbol.shape) == (None, *result.shape[1:])
