"""What a configuration holds, and the layer that it makes again."""

import json

import keras
import numpy as np
import pytest

from tests.layer_duties.examples import (
    WEIGHTED,
    assert_close,
    built,
    every_built_in,
    every_weighted,
    examples,
    expected,
    in_one_rank,
    input_shape,
    keras_objects,
    ours,
    plain_arguments,
    random_input,
)


@examples
def test_config_through_json_rebuilds_the_layer(name, arguments):
    layer = ours(name)(**arguments, name="mine", dtype="mixed_float16", trainable=False)
    config = json.loads(json.dumps(layer.get_config()))
    rebuilt = ours(name).from_config(config)
    assert rebuilt.get_config() == layer.get_config()
    assert (rebuilt.name, rebuilt.trainable) == ("mine", False)


@in_one_rank
def test_the_layer_that_the_config_rebuilds_computes_the_same(name, arguments):
    layer = built(name, arguments)
    rebuilt = ours(name).from_config(json.loads(json.dumps(layer.get_config())))
    rebuilt.build(input_shape(name, arguments))
    rebuilt.set_weights(layer.get_weights())
    x = random_input(name, arguments)
    assert_close(rebuilt(x), expected(name, arguments, layer, x))


def fully_configured(name, make):
    more = keras_objects(name) if name in WEIGHTED else {}
    return make(**plain_arguments(name), **more, name="layer", trainable=False)


@every_built_in
def test_config_is_the_built_in_layers_own(name):
    theirs = getattr(keras.layers, name)
    mine = fully_configured(name, ours(name)).get_config()
    assert mine == fully_configured(name, theirs).get_config()
    assert theirs.from_config(mine).get_config() == mine
    assert ours(name).from_config(mine).get_config() == mine


@pytest.mark.parametrize("name", ["DepthwiseConv3D", "SeparableConv3D"])
def test_config_of_a_layer_that_is_ours_alone_has_the_keys_of_its_2d_peer(name):
    mine = fully_configured(name, ours(name)).get_config()
    peer = name.replace("3D", "2D")
    assert set(mine) == set(fully_configured(peer, getattr(keras.layers, peer)).get_config())
    assert ours(name).from_config(mine).get_config() == mine


@every_weighted
def test_a_layer_as_activation_survives_the_config(name):
    arguments = plain_arguments(name) | {"activation": keras.layers.LeakyReLU(0.3)}
    layer = built(name, arguments)
    rebuilt = ours(name).from_config(json.loads(json.dumps(layer.get_config())))
    rebuilt.build(input_shape(name, arguments))
    rebuilt.set_weights(layer.get_weights())
    x = random_input(name, arguments)
    linear = expected(name, arguments | {"activation": None}, layer, x)
    for answer in (layer(x), rebuilt(x)):
        assert_close(answer, np.where(linear > 0, linear, 0.3 * linear))
