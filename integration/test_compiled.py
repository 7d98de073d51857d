"""What a backend's compiler makes of a whole model is what its layers say one by one."""

import keras
import numpy as np
import pytest

import keras_convkit
from integration.models import (
    FILTERS,
    RANKS,
    ZOO,
    assert_same,
    images,
    input_shape,
    outputs_of,
    randomize,
)

# Eagerly JAX compiles each operation by itself: a model with every family, and each rank, will do.
ON_JAX = [("plain", 1), ("sequential", 2), ("plain", 3)]


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("kind", ZOO)
def test_compiled_as_eager(kind, rank):
    if keras.backend.backend() == "jax" and (kind, rank) not in ON_JAX:
        return
    model, x = randomize(ZOO[kind](rank)), images(rank)
    assert_same(outputs_of(model, x, compiled=True), outputs_of(model, x, compiled=False), 1e-5)


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("family", ["Conv{}D", "DepthwiseConv{}D", "SeparableConv{}D"])
def test_same_convolution_behind_zero_padding(family, rank):
    """With oneDNN, TensorFlow 2.21 fuses the two and forgets that the convolution pads as well."""
    filters = () if family.startswith("Depthwise") else (FILTERS,)
    convolution = getattr(keras_convkit, family.format(rank))(*filters, 3, padding="same")
    padding = getattr(keras_convkit, f"ZeroPadding{rank}D")(1)
    model = keras.Sequential([keras.Input(input_shape(rank)), padding, convolution])
    x = images(rank)
    compiled = outputs_of(randomize(model), x, compiled=True)
    assert compiled[0].shape == model.compute_output_shape(x.shape)
    assert np.isfinite(compiled[0]).all()
    assert_same(compiled, outputs_of(model, x, compiled=False), 1e-5)
