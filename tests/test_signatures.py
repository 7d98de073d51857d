"""The constructors' signatures, to the letter of the contract."""

import inspect

import pytest

import keras_convkit
from keras_convkit import layers

TAIL = (
    "activation=None, use_bias=True, kernel_initializer='glorot_uniform', "
    "bias_initializer='zeros', kernel_regularizer=None, bias_regularizer=None, "
    "activity_regularizer=None, kernel_constraint=None, bias_constraint=None"
)
DEPTHWISE_TAIL = TAIL.replace("kernel_", "depthwise_")
SEPARABLE_TAIL = (
    "depth_multiplier=1, activation=None, use_bias=True, depthwise_initializer='glorot_uniform', "
    "pointwise_initializer='glorot_uniform', bias_initializer='zeros', "
    "depthwise_regularizer=None, pointwise_regularizer=None, bias_regularizer=None, "
    "activity_regularizer=None, depthwise_constraint=None, pointwise_constraint=None, "
    "bias_constraint=None"
)
CONV_ADDITIONS = "*, groups=1, padding_mode='zeros', lora_rank=None, lora_alpha=None"
MODE = "*, padding_mode='zeros'"

CONTRACT = {
    "Conv1D": "filters, kernel_size, strides=1, padding='valid', data_format='channels_last', "
    f"dilation_rate=1, {TAIL}, {CONV_ADDITIONS}",
    "Conv2D": "filters, kernel_size, strides=(1, 1), padding='valid', data_format=None, "
    f"dilation_rate=(1, 1), {TAIL}, {CONV_ADDITIONS}",
    "Conv3D": "filters, kernel_size, strides=(1, 1, 1), padding='valid', data_format=None, "
    f"dilation_rate=(1, 1, 1), {TAIL}, {CONV_ADDITIONS}",
    "SeparableConv1D": "filters, kernel_size, strides=1, padding='valid', "
    f"data_format='channels_last', dilation_rate=1, {SEPARABLE_TAIL}, {MODE}",
    "SeparableConv2D": "filters, kernel_size, strides=(1, 1), padding='valid', data_format=None, "
    f"dilation_rate=(1, 1), {SEPARABLE_TAIL}, {MODE}",
    "SeparableConv3D": "filters, kernel_size, strides=(1, 1, 1), padding='valid', "
    f"data_format=None, dilation_rate=(1, 1, 1), {SEPARABLE_TAIL}, {MODE}",
    "DepthwiseConv1D": "kernel_size, strides=1, padding='valid', depth_multiplier=1, "
    f"data_format=None, dilation_rate=1, {DEPTHWISE_TAIL}, {MODE}",
    "DepthwiseConv2D": "kernel_size, strides=(1, 1), padding='valid', depth_multiplier=1, "
    f"data_format=None, dilation_rate=(1, 1), {DEPTHWISE_TAIL}, {MODE}",
    "DepthwiseConv3D": "kernel_size, strides=(1, 1, 1), padding='valid', depth_multiplier=1, "
    f"data_format=None, dilation_rate=(1, 1, 1), {DEPTHWISE_TAIL}, {MODE}",
    "Conv1DTranspose": "filters, kernel_size, strides=1, padding='valid', output_padding=None, "
    f"data_format=None, dilation_rate=1, {TAIL}, *, groups=1",
    "Conv2DTranspose": "filters, kernel_size, strides=(1, 1), padding='valid', "
    f"output_padding=None, data_format=None, dilation_rate=(1, 1), {TAIL}, *, groups=1",
    "Conv3DTranspose": "filters, kernel_size, strides=(1, 1, 1), padding='valid', "
    f"output_padding=None, data_format=None, {TAIL}, *, dilation_rate=(1, 1, 1), groups=1",
    "Cropping1D": "cropping=(1, 1), *, data_format='channels_last'",
    "Cropping2D": "cropping=((0, 0), (0, 0)), data_format=None",
    "Cropping3D": "cropping=((1, 1), (1, 1), (1, 1)), data_format=None",
    "UpSampling1D": "size=2, *, interpolation='nearest', data_format='channels_last'",
    "UpSampling2D": "size=(2, 2), data_format=None, interpolation='nearest'",
    "UpSampling3D": "size=(2, 2, 2), data_format=None, *, interpolation='nearest'",
    "ZeroPadding1D": "padding=1, *, data_format=None",
    "ZeroPadding2D": "padding=(1, 1), data_format=None",
    "ZeroPadding3D": "padding=(1, 1, 1), data_format=None",
    "Padding1D": "padding, padding_mode='zeros', value=0.0, data_format=None",
    "Padding2D": "padding, padding_mode='zeros', value=0.0, data_format=None",
    "Padding3D": "padding, padding_mode='zeros', value=0.0, data_format=None",
}


def in_words(signature):
    """Names, kinds and defaults, with the type of each default: `1`, `1.0` and `True` differ."""
    return [
        (parameter.name, parameter.kind, type(parameter.default), parameter.default)
        for parameter in signature.parameters.values()
    ]


@pytest.mark.parametrize("name", CONTRACT)
def test_signature(name):
    asked = inspect.signature(eval(f"lambda {CONTRACT[name]}, **kwargs: None"))
    assert in_words(inspect.signature(getattr(keras_convkit, name))) == in_words(asked)


def test_every_layer_has_its_contract():
    assert set(layers.__all__) == set(CONTRACT)
