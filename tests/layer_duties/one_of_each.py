"""A model of one branch for each class of a rank."""

import keras

from tests.layer_duties.examples import (
    CHANNELS,
    CLASSES,
    added_arguments,
    assert_close,
    expected,
    ours,
    randomize,
)


def channels_last(name):
    return added_arguments(name) | {"data_format": "channels_last"}


def one_of_each(rank, lengths):
    """A model of one branch for each class of a rank, with options of our own."""
    inputs = keras.Input((*lengths, CHANNELS))
    names = [name for name, (_, of_rank) in CLASSES.items() if of_rank == rank]
    outputs = {name: ours(name)(**channels_last(name), name=name)(inputs) for name in names}
    model = keras.Model(inputs, outputs)
    for name in names:
        randomize(model.get_layer(name))
    return model


def assert_branches_are_right(outputs, model, x):
    assert set(outputs) == {layer.name for layer in model.layers[1:]}
    for name, output in outputs.items():
        assert_close(output, expected(name, channels_last(name), model.get_layer(name), x))
