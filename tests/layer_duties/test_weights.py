"""Activations, regularizers, constraints, trainable, use_bias."""

import keras
import numpy as np
import pytest

from keras_convkit.parity.differentiation import to_numpy
from tests.layer_duties.examples import (
    BUILT_IN,
    CLASSES,
    FAMILIES,
    RANKS,
    WEIGHTED,
    WITH_WEIGHTS,
    assert_close,
    built,
    every_weighted,
    expected,
    keras_objects,
    ours,
    plain_arguments,
    random_input,
    trained,
)


@pytest.mark.parametrize(
    ("name", "activation"),
    [
        (FAMILIES[family].format(RANKS[(i + j) % 3]), activation)
        for i, family in enumerate(WITH_WEIGHTS)
        for j, activation in enumerate(
            (None, "relu", "tanh", "sigmoid", "softplus", "elu", "silu", "gelu")
        )
    ],
)
def test_activation_by_name(name, activation):
    arguments = plain_arguments(name) | {"activation": activation}
    layer = built(name, arguments)
    x = random_input(name, arguments)
    assert_close(layer(x), expected(name, arguments, layer, x))


@every_weighted
def test_activation_by_callable(name):
    arguments = plain_arguments(name)
    layer = built(name, arguments | {"activation": keras.ops.square})
    x = random_input(name, arguments)
    linear = expected(name, arguments | {"activation": None}, layer, x)
    assert_close(layer(x), linear**2)


def losses_of(name, make):
    arguments = plain_arguments(name)
    layer = built(name, arguments, make=make, **keras_objects(name))
    output = to_numpy(layer(random_input(name, arguments)))
    return layer, output, [float(to_numpy(loss)) for loss in layer.losses]


@every_weighted
def test_regularizers_add_their_losses(name):
    layer, output, losses = losses_of(name, ours(name))
    objects = keras_objects(name)
    wanted = [
        float(to_numpy(objects[f"{argument}_regularizer"](w.value)))
        for w, argument in zip(layer.weights, regularized(name), strict=True)
    ]
    # Keras divides the activity's loss by the batch size.
    wanted.append(0.02 * np.abs(output).sum() / len(output))
    np.testing.assert_allclose(sorted(losses), sorted(wanted), rtol=1e-5)


def regularized(name):
    """The argument's stem for each weight, in the weights' order."""
    return {
        "DepthwiseConv": ("depthwise", "bias"),
        "SeparableConv": ("depthwise", "pointwise", "bias"),
    }.get(CLASSES[name][0], ("kernel", "bias"))


@pytest.mark.parametrize("name", [name for name in WEIGHTED if name in BUILT_IN])
def test_losses_are_the_built_in_layers_in_the_same_order(name):
    _, _, mine = losses_of(name, ours(name))
    _, _, theirs = losses_of(name, getattr(keras.layers, name))
    np.testing.assert_allclose(mine, theirs, rtol=1e-5)


@every_weighted
def test_constraints_hold_after_a_training_step(name):
    constraints = {
        argument: keras.constraints.NonNeg()
        for argument in keras_objects(name)
        if argument.endswith("_constraint")
    }
    arguments = plain_arguments(name)
    before, after = trained(ours(name)(**arguments, **constraints), name, arguments)
    for old, new in zip(before, after, strict=True):
        assert old.min() < 0
        assert new.min() == 0


# Keras's trainer on TensorFlow remarks that nothing is left to train, which is the point here.
@pytest.mark.filterwarnings("ignore:The model does not have any trainable weights")
@every_weighted
def test_a_layer_that_is_not_trainable_is_not_trained(name):
    arguments = plain_arguments(name)
    layer = ours(name)(**arguments, trainable=False)
    before, after = trained(layer, name, arguments)
    assert layer.trainable_weights == []
    assert len(layer.non_trainable_weights) == len(before) >= 2
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)
    layer.trainable = True
    assert len(layer.trainable_weights) == len(before)


def test_what_is_set_already_is_not_set_again_where_that_says_nothing(monkeypatch):
    """Keras sets two flags at every call. `trainable` is told to every weight, each time."""
    layer = built("Conv2D", plain_arguments("Conv2D"))
    x = random_input("Conv2D", plain_arguments("Conv2D"))
    layer(x)
    assigned = []
    setting = keras.layers.Layer.__setattr__

    def noted(self, name, value):
        assigned.append(name)
        setting(self, name, value)

    monkeypatch.setattr(keras.layers.Layer, "__setattr__", noted)
    layer(x)
    assert assigned == []
    layer.trainable = True
    assert "trainable" in assigned
    layer.built = False
    assert not layer.built


@every_weighted
def test_use_bias_false_leaves_out_the_bias(name):
    arguments = plain_arguments(name) | {"use_bias": False}
    layer = built(name, arguments)
    assert layer.bias is None
    assert not any(w.name == "bias" for w in layer.weights)
    x = random_input(name, arguments)
    assert_close(layer(x), expected(name, arguments, layer, x))
