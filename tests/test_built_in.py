"""Against the layers of Keras itself, wherever they take a case and compute it rightly."""

import inspect

import keras
import numpy as np
import pytest

from keras_convkit.lowering.case import onednn
from keras_convkit.parity.cases import CASES, CONVOLUTION_FAMILIES
from keras_convkit.parity.differentiation import to_numpy
from tests.compiled import whole


def signature(name):
    return inspect.signature(getattr(keras.layers, name)).parameters


def is_taken(case):
    """Whether Keras has the layer, and documents that it takes these options and this input."""
    config = case.config
    if not hasattr(keras.layers, case.layer) or not set(config) <= set(signature(case.layer)):
        return False
    if len(case.batch) > 1:
        return False
    if case.family == "UpSampling":
        return config.get("interpolation") not in ("linear", "cubic")
    if case.family not in CONVOLUTION_FAMILIES:
        # Keras 3 has dropped the dictionary that the contract's ZeroPadding1D takes.
        return not isinstance(config.get("padding"), dict)
    words = ("valid", "same", "causal") if case.layer == "Conv1D" else ("valid", "same")
    strided = max(case.each("strides")) > 1 and max(case.each("dilation_rate")) > 1
    return config.get("padding", "valid") in words and not strided


def why_wrong(case):
    """What Keras 3.15.1 is known to get wrong about the case on this backend, or `None`."""
    config, backend = case.config, keras.backend.backend()
    if backend == "torch" and config.get("interpolation") in ("bicubic", "lanczos3", "lanczos5"):
        return "torch has no lanczos and another bicubic"
    if backend != "tensorflow":
        return None
    if config.get("interpolation") == "bicubic":
        return "TensorFlow reads the weights of bicubic off a table of 1024, errors of 5e-4"
    if case.what == "channels_first-channels_as_last_axis":
        return "TensorFlow adds the bias along the last axis"
    if config.get("output_padding") == 0 and config.get("padding") == "same":
        return "TensorFlow fails on an even kernel with 'same' and output_padding=0"
    return None if onednn() else why_refused_without_onednn(case)


def why_refused_without_onednn(case):
    """What TensorFlow's own kernels for a CPU, of which its channels-last ones are most, can't."""
    if case.family in ("DepthwiseConv", "SeparableConv") and len(set(case.each("strides"))) > 1:
        return "TensorFlow's own depthwise kernel takes no strides that differ"
    if case.family == "ConvTranspose":
        if max(case.each("dilation_rate")) > 1:
            return "TensorFlow's own transposed kernels take no dilation"
        if case.channels_first:
            return "TensorFlow's own transposed kernels take no channels_first"
    return None


TAKEN = [case for case in CASES if is_taken(case)]
OF_BUILT_IN_CLASSES = [case for case in CASES if hasattr(keras.layers, case.layer)]


def pair(case, make):
    """Our layer with the case's weights, and the built-in one without."""
    built_in = getattr(keras.layers, case.layer)(**case.config)
    built_in.build(case.shape)
    return make(case, case.arrays().weights), built_in


@pytest.mark.parametrize("case", TAKEN, ids=lambda case: case.id)
def test_same_numbers(case, make, assert_close):
    if reason := why_wrong(case):
        pytest.skip(reason)
    ours, built_in = pair(case, make)
    built_in.set_weights(ours.get_weights())
    mine, theirs = whole(lambda x: (ours(x), built_in(x)))(case.arrays().x)
    assert_close(mine, to_numpy(theirs))


@pytest.mark.parametrize("case", TAKEN, ids=lambda case: case.id)
def test_same_variables_and_config(case, make):
    ours, built_in = pair(case, make)

    def variables(layer):
        return [(v.name, tuple(v.shape), v.dtype, v.trainable) for v in layer.weights]

    assert variables(ours) == variables(built_in)
    assert list(vars(ours)["_trainable_variables"]) == ours.weights

    config, theirs = ours.get_config(), built_in.get_config()
    del config["name"], theirs["name"]
    assert config == theirs


@pytest.mark.parametrize("case", TAKEN, ids=lambda case: case.id)
def test_weights_move_both_ways(case, make):
    ours, built_in = pair(case, make)
    expected = case.arrays().weights
    built_in.set_weights(ours.get_weights())
    ours.set_weights([np.zeros_like(array) for array in expected])
    ours.set_weights(built_in.get_weights())
    for weight, array in zip(ours.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(weight, array)


@pytest.mark.parametrize("case", OF_BUILT_IN_CLASSES, ids=lambda case: case.id)
def test_config_grows_by_what_is_used(case, make):
    """An argument of ours stands in the config only of a layer that uses it."""
    ours = make(case, case.arrays().weights)
    built_in = getattr(keras.layers, case.layer)
    required = {"filters": 1, "kernel_size": 1}
    plain = built_in(
        **{name: value for name, value in required.items() if name in signature(case.layer)}
    )
    grown = set(ours.get_config()) - set(plain.get_config())
    assert grown == {
        name
        for name, value in case.config.items()
        if name not in signature(case.layer) and value not in ("nearest", "zeros", "channels_last")
    }
    assert set(plain.get_config()) <= set(ours.get_config())
