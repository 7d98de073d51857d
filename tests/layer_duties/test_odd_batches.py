"""Batches of no samples, and with samples that are not finite."""

import keras
import numpy as np

from tests.layer_duties.examples import (
    assert_close,
    built,
    gradients_of,
    in_one_rank,
    input_shape,
    ours,
    random_input,
)


@in_one_rank
def test_empty_batch(name, arguments):
    layer = built(name, arguments)
    x = random_input(name, arguments, batch=0)
    shape = layer.compute_output_shape(x.shape)
    assert shape[0] == 0
    result = gradients_of(layer, x, np.zeros(shape, "float32"))
    assert result.output.shape == shape
    assert result.input_gradient.shape == x.shape
    for weight, gradient in zip(layer.weights, result.weight_gradients, strict=True):
        assert gradient.shape == tuple(weight.shape)
        assert not gradient.any()


@in_one_rank
def test_empty_batch_in_a_compiled_model(name, arguments):
    """Compiled for any batch size, the model learns only when it runs that the batch is empty.

    TensorFlow's own kernels then give a wrong shape, the built-in layers' among them (README.md,
    known limits): there the model runs eagerly, where each layer sees its batch.
    """
    inputs = keras.Input(input_shape(name, arguments)[1:])
    model = keras.Model(inputs, ours(name)(**arguments)(inputs))
    model.run_eagerly = keras.backend.backend() == "tensorflow"
    full, empty = (random_input(name, arguments, batch=batch) for batch in (2, 0))
    assert model.predict_on_batch(full).shape == model.compute_output_shape(full.shape)
    assert model.predict_on_batch(empty).shape == model.compute_output_shape(empty.shape)


@in_one_rank
def test_a_sample_that_is_not_finite_leaves_the_others_alone(name, arguments):
    layer = built(name, arguments)
    x = random_input(name, arguments, batch=4)
    cotangent = np.random.default_rng(5).normal(size=layer.compute_output_shape(x.shape))
    cotangent = cotangent.astype("float32")
    clean = gradients_of(layer, x, cotangent)
    spoilt = x.copy()
    spoilt[1], spoilt[2] = np.nan, np.inf
    dirty = gradients_of(layer, spoilt, cotangent)
    for sample in (0, 3):
        assert_close(dirty.output[sample], clean.output[sample])
        assert_close(dirty.input_gradient[sample], clean.input_gradient[sample])
    assert np.isnan(dirty.output[1]).any()
    # Weighted with both signs infinities meet as NaN, and an activation bounds them.
    assert not np.array_equal(dirty.output[2], clean.output[2])
