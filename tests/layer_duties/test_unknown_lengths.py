"""Lengths that aren't known when the layer is traced."""

import itertools

import keras
import numpy as np
import pytest

from keras_convkit.parity.differentiation import to_numpy
from tests.compiled import whole
from tests.layer_duties.examples import (
    CHANNELS,
    CLASSES,
    FAMILIES,
    RANKS,
    SIZES,
    added_arguments,
    assert_close,
    expected,
    input_shape,
    ours,
    random_input,
    randomize,
)
from tests.layer_duties.one_of_each import assert_branches_are_right, one_of_each

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")
DATA_FORMATS = ("channels_last", "channels_first")


def unknown_length_options():
    """`(family, options)` of what depends on a length: 'same' under strides above all."""
    # In front and behind 0 and 1, 1 and 1, or 1 and 2: the length decides.
    window = {"kernel_size": 4, "strides": 3, "padding": "same"}
    wide = {"kernel_size": 3, "strides": 2, "dilation_rate": 2, "padding": "same"}
    for mode, same in itertools.product(PADDING_MODES, (window, wide)):
        options = same | {"padding_mode": mode}
        yield "Conv", {"filters": 3, **options}
        yield "DepthwiseConv", options
        yield "SeparableConv", {"filters": 3, **options}
    for padding, more in itertools.product(("valid", "same", 1), (None, 0, 1)):
        window = {"kernel_size": 4, "strides": 2, "padding": padding, "output_padding": more}
        yield "ConvTranspose", {"filters": 3, **window}
    for interpolation in ("linear", "cubic", "lanczos3", "lanczos5"):
        yield "UpSampling", {"size": 2, "interpolation": interpolation}
    for mode in PADDING_MODES:
        yield "Padding", {"padding": 2, "padding_mode": mode}


def unknown_length_cases():
    """The options, ranks and data formats taking turns, and each class once with all we add."""
    for turn, (family, options) in enumerate(unknown_length_options()):
        # Families come round in threes: without the quotient each would keep one rank.
        name = FAMILIES[family].format(RANKS[(turn + turn // 3) % 3])
        yield name, options | {"data_format": DATA_FORMATS[turn % 2]}
    for name in CLASSES:
        yield name, added_arguments(name)


def described(arguments):
    hidden = ("filters", "kernel_size", "size")
    return "-".join(
        str(value).replace(" ", "") for name, value in arguments.items() if name not in hidden
    )


def for_unknown_lengths(layer, shape):
    """The layer as one function for all lengths; TensorFlow alone has graphs of that kind."""
    if keras.backend.backend() != "tensorflow":
        return whole(layer)
    import tensorflow as tf

    signature = [tf.TensorSpec(shape, "float32")]
    return tf.function(lambda x: layer(x), input_signature=signature)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        pytest.param(name, arguments, id=f"{name}-{described(arguments)}")
        for name, arguments in unknown_length_cases()
    ],
)
def test_unknown_lengths(name, arguments):
    rank = CLASSES[name][1]
    unknown = input_shape(name, arguments, batch=None, lengths=(None,) * rank)
    layer = ours(name)(**arguments)
    symbol = layer(keras.Input(batch_shape=unknown))
    randomize(layer)
    run = for_unknown_lengths(layer, unknown)
    sizes = list(enumerate(SIZES[rank], start=1))
    if keras.backend.backend() == "jax":
        # There each size is a program of its own; `test_predict_on_several_sizes` has them all.
        sizes = sizes[-1:]
    for batch, lengths in sizes:
        x = random_input(name, arguments, batch=batch, lengths=lengths)
        y = to_numpy(run(x))
        assert_close(y, expected(name, arguments, layer, x))
        assert layer.compute_output_shape(x.shape) == y.shape
        channel_axis = 1 if arguments.get("data_format") == "channels_first" else -1
        assert symbol.shape[channel_axis] == y.shape[channel_axis]
    assert [size for size in symbol.shape if size is not None] == [symbol.shape[channel_axis]]


@pytest.mark.parametrize("rank", RANKS)
def test_predict_on_several_sizes(rank):
    model = one_of_each(rank, (None,) * rank)
    for batch, lengths in enumerate(SIZES[rank], start=1):
        x = np.random.default_rng(batch).normal(size=(batch, *lengths, CHANNELS)).astype("float32")
        assert_branches_are_right(model.predict(x, verbose=0), model, x)
