"""Weights are made once; where the channels are is settled when the layer is made."""

import keras
import pytest

from tests.compiled import whole
from tests.layer_duties.examples import (
    CLASSES,
    CONVS,
    LENGTHS,
    assert_close,
    built,
    each_class_in_one_way,
    every_built_in,
    every_class,
    expected,
    in_one_rank,
    input_shape,
    ours,
    plain_arguments,
    random_input,
    randomize,
)


@each_class_in_one_way
def test_weights_are_made_by_the_first_call_and_kept(name, arguments):
    layer = ours(name)(**arguments)
    assert not layer.built
    assert layer.weights == []
    x = random_input(name, arguments)
    first = layer(x)
    assert layer.built
    made = list(layer.weights)
    assert_close(first, expected(name, arguments, layer, x))
    layer(random_input(name, arguments, seed=2))
    assert len(layer.weights) == len(made)
    assert all(now is then for now, then in zip(layer.weights, made, strict=True))


@every_built_in
def test_variables_are_those_of_the_built_in_layer(name):
    arguments = plain_arguments(name)
    layers = [
        built(name, arguments, make=make, name="same")
        for make in (ours(name), getattr(keras.layers, name))
    ]
    mine, theirs = (
        [(w.path, w.shape, w.dtype, w.trainable) for w in layer.weights] for layer in layers
    )
    assert mine == theirs


@pytest.mark.parametrize("name", CONVS)
def test_kernel_is_no_attribute_before_the_layer_is_built(name):
    with pytest.raises(AttributeError, match="kernel"):
        ours(name)(4, 3).kernel  # noqa: B018  (reading it is what is tested)


@pytest.fixture
def channels_first_by_default():
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    yield
    keras.config.set_image_data_format(before)


# These have their data format by default and not from the global setting: API.md, part 1.
ALWAYS_CHANNELS_LAST = ("Conv1D", "SeparableConv1D", "Cropping1D", "UpSampling1D")


@every_class
def test_global_data_format_is_honoured(name, channels_first_by_default):
    arguments = plain_arguments(name)
    layer = ours(name)(**arguments)
    data_format = "channels_last" if name in ALWAYS_CHANNELS_LAST else "channels_first"
    assert layer.data_format == data_format
    keras.config.set_image_data_format("channels_last")
    assert layer.data_format == data_format, "the setting counts when the layer is made"
    assert ours(name)(**arguments).data_format == "channels_last"
    arguments["data_format"] = data_format
    layer.build(input_shape(name, arguments))
    x = random_input(name, arguments)
    assert_close(whole(randomize(layer))(x), expected(name, arguments, layer, x))
    rebuilt = ours(name).from_config(layer.get_config())
    assert rebuilt.data_format == data_format


@in_one_rank
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.filterwarnings("ignore:Do not pass an `input_shape`")
def test_input_shape_on_a_first_layer(name, arguments, known):
    lengths = LENGTHS[CLASSES[name][1]]
    shape = input_shape(name, arguments, None, lengths if known else (None,) * len(lengths))
    layer = ours(name)(**arguments, input_shape=shape[1:])
    model = keras.Sequential([layer])
    assert model.built
    assert model.input_shape == shape
    assert model.output_shape == layer.compute_output_shape(shape)
    assert model.count_params() == sum(w.size for w in built(name, arguments).get_weights())
    x = random_input(name, arguments)
    assert_close(model(x), expected(name, arguments, layer, x))
