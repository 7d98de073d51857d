"""The functions of `keras_convkit.ops`: numbers, dtypes, functional models, refusals."""

import inspect
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest

from keras_convkit import ops
from keras_convkit.parity import reference
from keras_convkit.parity.differentiation import to_numpy
from tests.compiled import whole

FORMATS = ("channels_last", "channels_first")
KERNELS = {
    "conv": ("kernel",),
    "depthwise_conv": ("kernel",),
    "separable_conv": ("depthwise_kernel", "pointwise_kernel"),
    "conv_transpose": ("kernel",),
}
FUNCTIONS = (*KERNELS, "pad", "crop", "upsample")


class Call(NamedTuple):
    """A call of one of the functions.

    Attributes:
        function: Its name.
        batch, lengths, channels: The input's shape, in parts.
        kernels: The kernels' shapes.
        options: What it is called with besides.
        read: Options that the function reads off the shapes and the reference must be told.
    """

    function: str
    batch: tuple[int, ...]
    lengths: tuple[int, ...]
    channels: int
    kernels: tuple[tuple[int, ...], ...]
    options: dict[str, Any]
    read: dict[str, Any] = {}

    def shape(self, data_format):
        if data_format == "channels_first":
            return (*self.batch, self.channels, *self.lengths)
        return (*self.batch, *self.lengths, self.channels)

    def arrays(self, data_format):
        rng = np.random.default_rng(sum(self.lengths))
        shapes = (self.shape(data_format), *self.kernels)
        return [rng.standard_normal(shape, dtype="float32") for shape in shapes]

    def expected(self, arrays, data_format):
        rank = {} if self.kernels else {"rank": len(self.lengths)}
        options = {**self.options, **self.read, **rank, "data_format": data_format}
        return getattr(reference, self.function)(*arrays, **options)

    def __call__(self, tensors, data_format):
        return getattr(ops, self.function)(*tensors, **self.options, data_format=data_format)


# Lengths of one rank are the same where they can be: JAX compiles anew for every other shape.
CALLS = {
    "conv-1d": Call("conv", (2,), (7,), 3, ((3, 3, 4),), {}),
    "conv-1d-causal-strides": Call(
        "conv", (2,), (7,), 3, ((3, 3, 4),), {"padding": "causal", "strides": 2}
    ),
    "conv-1d-pair": Call(
        "conv", (2,), (7,), 3, ((3, 3, 4),), {"padding": (1, 4), "padding_mode": "circular"}
    ),
    "conv-1d-strides-dilation": Call(
        "conv", (2,), (7,), 3, ((3, 3, 4),), {"strides": 2, "dilation_rate": 3, "padding": "same"}
    ),
    "conv-1d-one-step": Call("conv", (2,), (1,), 3, ((3, 3, 4),), {"padding": "same"}),
    "conv-2d-same-strides": Call(
        "conv", (2,), (5, 6), 4, ((3, 2, 4, 6),), {"padding": "same", "strides": (2, 1)}
    ),
    "conv-2d-groups-inferred": Call(
        "conv", (2,), (5, 6), 4, ((3, 2, 2, 6),), {"padding": 1}, {"groups": 2}
    ),
    "conv-2d-groups-given": Call(
        "conv", (2,), (5, 6), 4, ((3, 2, 1, 8),), {"groups": 4, "dilation_rate": (1, 2)}
    ),
    "conv-2d-padding-a-dimension": Call(
        "conv",
        (2,),
        (5, 6),
        4,
        ((3, 2, 4, 6),),
        {"padding": ("same", (2, 1)), "padding_mode": ("replicate", "circular")},
    ),
    "conv-2d-batch-axes": Call("conv", (2, 1, 3), (5, 6), 4, ((3, 2, 4, 6),), {"padding": "same"}),
    "conv-2d-empty-batch": Call("conv", (0,), (5, 6), 4, ((3, 2, 4, 6),), {"padding": "same"}),
    "conv-3d-causal-in-time": Call(
        "conv", (1,), (4, 5, 3), 2, ((2, 3, 3, 2, 3),), {"padding": ("causal", "same", "same")}
    ),
    "conv-3d-reflect": Call(
        "conv",
        (1,),
        (4, 5, 3),
        2,
        ((2, 3, 3, 2, 3),),
        {"padding": (0, (1, 2), 1), "padding_mode": "reflect", "dilation_rate": (1, 2, 1)},
    ),
    "depthwise_conv-1d": Call(
        "depthwise_conv", (2,), (7,), 3, ((3, 3, 2),), {"padding": "causal", "dilation_rate": 2}
    ),
    "depthwise_conv-2d": Call(
        "depthwise_conv",
        (2,),
        (5, 6),
        4,
        ((3, 2, 4, 2),),
        {"strides": 2, "padding": "same", "padding_mode": "reflect"},
    ),
    "depthwise_conv-3d-batch-axes": Call(
        "depthwise_conv", (1, 2), (4, 5, 3), 2, ((2, 3, 3, 2, 2),), {"padding": (0, 1, "same")}
    ),
    "separable_conv-1d": Call(
        "separable_conv", (2,), (7,), 3, ((3, 3, 2), (1, 6, 5)), {"padding": (2, 0)}
    ),
    "separable_conv-2d-batch-axes": Call(
        "separable_conv",
        (2, 1, 3),
        (5, 6),
        4,
        ((3, 2, 4, 1), (1, 1, 4, 5)),
        {"strides": 2, "padding": "same", "padding_mode": ("circular", "zeros")},
    ),
    "separable_conv-3d": Call(
        "separable_conv",
        (1,),
        (4, 5, 3),
        2,
        ((2, 3, 3, 2, 1), (1, 1, 1, 2, 3)),
        {"padding": "same", "dilation_rate": (1, 1, 2)},
    ),
    "conv_transpose-1d": Call("conv_transpose", (2,), (7,), 3, ((3, 4, 3),), {}),
    "conv_transpose-1d-cut": Call(
        "conv_transpose",
        (2,),
        (7,),
        3,
        ((3, 4, 3),),
        {"strides": 2, "padding": (1, 2), "output_padding": 1},
    ),
    "conv_transpose-1d-stride-beyond-kernel": Call(
        "conv_transpose", (2,), (7,), 3, ((3, 4, 3),), {"strides": 4}
    ),
    "conv_transpose-2d-even-kernel": Call(
        "conv_transpose",
        (2,),
        (5, 6),
        4,
        ((4, 2, 6, 4),),
        {"strides": 2, "padding": "same", "output_padding": 0},
    ),
    "conv_transpose-2d-groups": Call(
        "conv_transpose",
        (2,),
        (5, 6),
        4,
        ((3, 2, 3, 4),),
        {"strides": (2, 1), "padding": "same", "dilation_rate": 2, "groups": 2},
    ),
    "conv_transpose-2d-batch-axes": Call(
        "conv_transpose",
        (2, 1, 3),
        (5, 6),
        4,
        ((3, 2, 6, 4),),
        {"strides": 2, "padding": ("same", (0, 1)), "output_padding": (1, 0)},
    ),
    "conv_transpose-3d": Call(
        "conv_transpose",
        (1,),
        (4, 5, 3),
        2,
        ((2, 3, 1, 3, 2),),
        {"strides": (1, 2, 1), "padding": "same", "dilation_rate": (2, 1, 1)},
    ),
    "pad-1d-pair": Call("pad", (2,), (7,), 3, (), {"padding": (2, 1), "value": 1.5}),
    "pad-1d-dictionary": Call(
        "pad",
        (2,),
        (7,),
        3,
        (),
        {"padding": {"left_pad": 0, "right_pad": 9}, "padding_mode": "circular"},
    ),
    "pad-2d-modes": Call(
        "pad",
        (2,),
        (5, 6),
        4,
        (),
        {"padding": (2, (0, 3)), "padding_mode": ("zeros", "reflect"), "value": -2},
    ),
    "pad-2d-batch-axes": Call(
        "pad",
        (2, 1, 3),
        (5, 6),
        4,
        (),
        {"padding": ((1, 0), (2, 1)), "padding_mode": "replicate", "rank": 2},
    ),
    "pad-3d": Call("pad", (1,), (4, 5, 3), 2, (), {"padding": 1}),
    "crop-1d": Call("crop", (2,), (7,), 3, (), {"cropping": (2, 1)}),
    "crop-1d-batch-axes": Call("crop", (2, 3), (7,), 3, (), {"cropping": 1, "rank": 1}),
    "crop-2d": Call("crop", (2,), (5, 6), 4, (), {"cropping": (2, 1)}),
    "crop-3d": Call("crop", (1,), (4, 5, 3), 2, (), {"cropping": ((0, 1), (2, 0), (1, 1))}),
    "upsample-1d": Call("upsample", (2,), (7,), 3, (), {"size": 3}),
    "upsample-1d-cubic": Call(
        "upsample", (2,), (7,), 3, (), {"size": 3, "interpolation": "bicubic"}
    ),
    "upsample-2d": Call("upsample", (2,), (5, 6), 4, (), {"size": (2, 3)}),
    "upsample-2d-bilinear": Call(
        "upsample", (2,), (5, 6), 4, (), {"size": (2, 3), "interpolation": "bilinear"}
    ),
    "upsample-2d-batch-axes": Call(
        "upsample",
        (2, 1, 3),
        (5, 6),
        4,
        (),
        {"size": (1, 2), "interpolation": "lanczos3", "rank": 2},
    ),
    "upsample-3d-trilinear": Call(
        "upsample", (1,), (4, 5, 3), 2, (), {"size": 2, "interpolation": "trilinear"}
    ),
}


every_call = pytest.mark.parametrize("name", CALLS)
every_format = pytest.mark.parametrize("data_format", FORMATS)
every_function = pytest.mark.parametrize("function", FUNCTIONS)


def test_the_functions_are_these():
    assert sorted(ops.__all__) == sorted(FUNCTIONS)
    assert {call.function for call in CALLS.values()} == set(FUNCTIONS)


# Numbers.


@every_format
@every_call
def test_numbers(name, data_format, assert_close):
    call = CALLS[name]
    if keras.backend.backend() == "jax" and data_format != FORMATS[len(call.lengths) == 2]:
        return  # JAX compiles each; one format a rank does, as the layers' tests draw both.
    arrays = call.arrays(data_format)
    y = whole(lambda *tensors: call(tensors, data_format))(*arrays)
    assert_close(y, call.expected(arrays, data_format))


def test_the_global_data_format_is_the_default(assert_close):
    call = CALLS["crop-2d"]
    (x,) = call.arrays("channels_first")
    keras.config.set_image_data_format("channels_first")
    try:
        assert_close(ops.crop(x, (2, 1)), call.expected([x], "channels_first"))
        assert keras.ops.shape(ops.upsample(x)) == (2, 4, 10, 12)
    finally:
        keras.config.set_image_data_format("channels_last")


def test_nested_lists_of_numbers_are_tensors(assert_close):
    x, kernel = [[[1], [2], [4]]], [[[1.0]], [[-1.0]]]
    assert_close(ops.conv(x, kernel), [[[-1.0], [-2.0]]])


# What a call written for `keras.ops` means.

KERAS_CALLS = {
    "conv": ((2, 8, 9, 4), ((3, 3, 4, 6),), (2, "same", "channels_last", 1)),
    "depthwise_conv": ((2, 8, 9, 4), ((3, 3, 4, 2),), (1, "valid", "channels_last", 2)),
    "separable_conv": (
        (2, 8, 9, 4),
        ((3, 3, 4, 1), (1, 1, 4, 6)),
        ((2, 2), "same", "channels_last", (1, 1)),
    ),
    "conv_transpose": ((2, 8, 9, 4), ((3, 3, 6, 4),), (2, "same", 1, "channels_last", 1)),
}


@pytest.mark.parametrize("function", KERAS_CALLS)
def test_keras_calls_mean_the_same(function, assert_close):
    shape, kernels, options = KERAS_CALLS[function]
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(each, dtype="float32") for each in (shape, *kernels)]
    for arguments in ((), options):
        theirs, ours = (
            whole(lambda *tensors, f=f, a=arguments: f(*tensors, *a))(*arrays)
            for f in (getattr(keras.ops, function), getattr(ops, function))
        )
        assert_close(ours, to_numpy(theirs))


@pytest.mark.parametrize("function", KERAS_CALLS)
def test_parameters_of_keras_come_first_and_ours_are_keyword_only(function):
    theirs = list(inspect.signature(getattr(keras.ops, function)).parameters.values())
    ours = list(inspect.signature(getattr(ops, function)).parameters.values())
    described = [(parameter.name, parameter.default) for parameter in ours]
    assert described[: len(theirs)] == [(each.name, each.default) for each in theirs]
    assert {parameter.kind for parameter in ours[len(theirs) :]} == {inspect.Parameter.KEYWORD_ONLY}


# Dtypes.

PROMOTIONS = [
    ("float16", "float32", "float32"),
    ("float32", "float16", "float32"),
    ("float16", "float16", "float16"),
    ("bfloat16", "float16", "float32"),
    ("bfloat16", "bfloat16", "bfloat16"),
    ("int32", "int32", "float32"),
    ("bool", "float32", "float32"),
    ("uint8", "float16", "float16"),
]


@pytest.mark.parametrize(("x_dtype", "kernel_dtype", "dtype"), PROMOTIONS)
def test_dtypes_are_promoted(x_dtype, kernel_dtype, dtype, assert_close):
    """Small integers, which every dtype holds exactly, as it does the sums of their products."""
    rng = np.random.default_rng(1)
    arrays = [rng.integers(0, 2, (2, 7, 3)), rng.integers(0, 3, (2, 3, 3))]
    dtypes = (x_dtype, kernel_dtype)
    tensors = [keras.ops.cast(a, d) for a, d in zip(arrays, dtypes, strict=True)]
    symbols = [keras.KerasTensor(a.shape, d) for a, d in zip(arrays, dtypes, strict=True)]
    y = ops.conv(*tensors)
    assert keras.backend.standardize_dtype(y.dtype) == dtype
    assert ops.conv(*symbols).dtype == dtype
    assert_close(y, reference.conv(*arrays))


@pytest.mark.parametrize("function", ["pad", "crop", "upsample"])
@pytest.mark.parametrize(
    ("given", "dtype"),
    [("float16", "float16"), ("int8", "float32"), ("bool", "float32"), ("float32", "float32")],
)
def test_dtype_of_what_has_no_kernel(function, given, dtype):
    x = keras.ops.cast(np.ones((1, 4, 2)), given)
    y = getattr(ops, function)(x, 1)
    assert keras.backend.standardize_dtype(y.dtype) == dtype
    assert getattr(ops, function)(keras.KerasTensor((1, 4, 2), given), 1).dtype == dtype


def test_integers_become_the_default_float():
    keras.config.set_floatx("float16")
    try:
        y = ops.crop(np.ones((1, 4, 2), "int32"), 1)
        assert keras.backend.standardize_dtype(y.dtype) == "float16"
        assert ops.crop(keras.KerasTensor((1, 4, 2), "int32"), 1).dtype == "float16"
    finally:
        keras.config.set_floatx("float32")


# Keras tensors.


@every_format
@every_call
def test_symbolic_shape_is_the_real_one(name, data_format):
    call = CALLS[name]
    arrays = call.arrays(data_format)
    shape = call.expected(arrays, data_format).shape
    x, *kernels = arrays
    symbols = [keras.KerasTensor(kernel.shape) for kernel in kernels]
    assert call([keras.KerasTensor(x.shape), *kernels], data_format).shape == shape
    assert call([keras.KerasTensor(x.shape), *symbols], data_format).shape == shape
    if symbols:
        assert call([x, *symbols], data_format).shape == shape

    batch = len(call.batch)
    unknown = (None,) * batch
    y = call([keras.KerasTensor(unknown + x.shape[batch:]), *kernels], data_format)
    assert y.shape == unknown + shape[batch:]


@every_format
@every_call
def test_symbolic_shape_of_unknown_lengths(name, data_format):
    call = CALLS[name]
    arrays = call.arrays(data_format)
    channel_axis = -1 if data_format == "channels_last" else -len(call.lengths) - 1
    shape = [None] * arrays[0].ndim
    shape[channel_axis] = call.channels
    y = call([keras.KerasTensor(shape), *arrays[1:]], data_format)
    expected = [None] * arrays[0].ndim
    expected[channel_axis] = call.expected(arrays, data_format).shape[channel_axis]
    assert y.shape == tuple(expected)


def model_arrays():
    rng = np.random.default_rng(2)
    shapes = {
        "x": (2, 6, 7, 4),
        "conv": (3, 3, 2, 6),
        "depthwise": (3, 2, 6, 2),
        "separable": (3, 3, 12, 1),
        "pointwise": (1, 1, 12, 4),
        "transpose": (3, 3, 3, 4),
    }
    return {key: rng.standard_normal(shape, dtype="float32") / 4 for key, shape in shapes.items()}


def all_seven(functions, x, arrays, read, **rank):
    """The seven functions one after the other; `read` is what the reference must be told."""
    modes = {"padding": ("causal", (1, 2)), "padding_mode": ("zeros", "circular")}
    y = functions.conv(x, arrays["conv"], strides=(1, 2), **modes, **read)
    y = functions.depthwise_conv(y, arrays["depthwise"], padding="same", dilation_rate=2)
    y = functions.upsample(y, size=(2, 3), interpolation="bilinear", **rank)
    y = functions.separable_conv(
        y, arrays["separable"], arrays["pointwise"], strides=2, padding="same"
    )
    y = functions.pad(y, padding=((0, 2), (1, 1)), padding_mode=("replicate", "zeros"), **rank)
    y = functions.conv_transpose(
        y, arrays["transpose"], strides=2, padding="same", output_padding=(0, 1), groups=2
    )
    return functions.crop(y, cropping=((1, 0), (2, 3)), **rank)


@pytest.mark.parametrize("lengths", [(6, 7), (None, None)], ids=["known", "unknown"])
def test_functional_model(lengths, tmp_path, assert_close):
    arrays = model_arrays()
    x = arrays["x"]
    expected = all_seven(reference, x, arrays, {"groups": 2}, rank=2)
    inputs = keras.Input((*lengths, 4))
    model = keras.Model(inputs, all_seven(ops, inputs, arrays, {}))
    assert_close(whole(lambda x: all_seven(ops, x, arrays, {}))(x), expected)
    predicted = model.predict(x, verbose=0)
    assert_close(predicted, expected)

    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.output_shape == model.output_shape
    assert loaded.to_json() == model.to_json()
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), predicted)


@pytest.mark.parametrize("function", KERNELS)
def test_functional_model_with_symbolic_kernels(function, tmp_path, assert_close):
    call = CALLS[f"{function}-1d"]
    arrays = call.arrays("channels_last")
    inputs = [keras.Input(batch_shape=array.shape) for array in arrays]
    model = keras.Model(inputs, call(inputs, "channels_last"))
    model.save(tmp_path / "model.keras")
    for each in (model, keras.saving.load_model(tmp_path / "model.keras")):
        assert_close(each(arrays), call.expected(arrays, "channels_last"))


# Refusals. An input is given by its shape, or by its shape and dtype.

GOOD = {
    "conv": ((2, 7, 4), (3, 2, 6)),
    "depthwise_conv": ((2, 7, 4), (3, 4, 2)),
    "separable_conv": ((2, 7, 4), (3, 4, 2), (1, 8, 5)),
    "conv_transpose": ((2, 7, 4), (3, 3, 4)),
    "pad": ((2, 7, 4),),
    "crop": ((2, 7, 4),),
    "upsample": ((2, 7, 4),),
}
REQUIRED = {"pad": {"padding": 1}, "crop": {"cropping": 1}}
# Name of the case: function, shapes, options, exception, the argument that is to blame.
REFUSALS = {
    **{
        f"{function}-kernel-of-{len(kernel)}-axes": (
            function,
            (GOOD[function][0], kernel, *GOOD[function][2:]),
            {},
            ValueError,
            KERNELS[function][0],
        )
        for function in KERNELS
        for kernel in ((4, 4), (1, 1, 1, 1, 4, 4))
    },
    "conv-kernel-of-no-taps": ("conv", ((2, 7, 4), (0, 4, 4)), {}, ValueError, "kernel"),
    "conv-kernel-of-unknown-length": (
        "conv",
        ((2, 7, 4), (None, 4, 4)),
        {},
        ValueError,
        "kernel",
    ),
    "conv-too-few-axes": ("conv", ((2, 7, 4), (3, 3, 4, 4)), {}, ValueError, "inputs"),
    "conv-no-steps": ("conv", ((2, 0, 4), (3, 4, 4)), {}, ValueError, "inputs"),
    "conv-no-channels": ("conv", ((2, 7, 0), (3, 4, 4)), {}, ValueError, "inputs"),
    "conv-unknown-channels": ("conv", ((2, 7, None), (3, 4, 4)), {}, ValueError, "inputs"),
    "conv-more-channels": ("conv", ((2, 7, 5), (3, 2, 6)), {}, ValueError, "inputs"),
    "conv-fewer-channels": ("conv", ((2, 7, 4), (3, 5, 6)), {}, ValueError, "inputs"),
    "conv-other-groups": ("conv", GOOD["conv"], {"groups": 3}, ValueError, "inputs"),
    "conv-groups-and-filters": ("conv", ((2, 7, 4), (3, 1, 6)), {}, ValueError, "groups"),
    "conv-no-groups": ("conv", GOOD["conv"], {"groups": 0}, ValueError, "groups"),
    "conv-half-groups": ("conv", GOOD["conv"], {"groups": 2.0}, TypeError, "groups"),
    "conv-window-too-long": ("conv", ((2, 7, 4), (8, 4, 6)), {}, ValueError, "inputs"),
    "conv-reflection-too-wide": (
        "conv",
        GOOD["conv"],
        {"padding": 7, "padding_mode": "reflect"},
        ValueError,
        "padding",
    ),
    "conv-strides-word": ("conv", GOOD["conv"], {"strides": "2"}, TypeError, "strides"),
    "conv-strides-of-2d": ("conv", GOOD["conv"], {"strides": (1, 1)}, ValueError, "strides"),
    "conv-padding-unknown": ("conv", GOOD["conv"], {"padding": "sane"}, ValueError, "padding"),
    "conv-padding-none": ("conv", GOOD["conv"], {"padding": None}, TypeError, "padding"),
    "conv-format": ("conv", GOOD["conv"], {"data_format": "NHWC"}, ValueError, "data_format"),
    "conv-dilation": ("conv", GOOD["conv"], {"dilation_rate": 0}, ValueError, "dilation_rate"),
    "conv-mode": (
        "conv", GOOD["conv"], {"padding_mode": "mirror"}, ValueError, "padding_mode"
    ),
    "depthwise_conv-channels": (
        "depthwise_conv", ((2, 7, 3), (3, 4, 2)), {}, ValueError, "inputs"
    ),
    "separable_conv-channels": (
        "separable_conv", ((2, 7, 3), *GOOD["separable_conv"][1:]), {}, ValueError, "inputs"
    ),
    **{
        f"separable_conv-pointwise-{label}": (
            "separable_conv",
            (*GOOD["separable_conv"][:2], shape),
            {},
            ValueError,
            "pointwise_kernel",
        )
        for label, shape in {
            "channels": (1, 4, 5),
            "taps": (3, 8, 5),
            "no-filters": (1, 8, 0),
            "axes": (8, 5),
            "more-axes": (1, 1, 8, 5),
        }.items()
    },
    "conv_transpose-channels": (
        "conv_transpose", ((2, 7, 3), (3, 3, 4)), {}, ValueError, "inputs"
    ),
    "conv_transpose-groups": (
        "conv_transpose", GOOD["conv_transpose"], {"groups": 3}, ValueError, "groups"
    ),
    "conv_transpose-groups-none": (
        "conv_transpose", GOOD["conv_transpose"], {"groups": None}, TypeError, "groups"
    ),
    "conv_transpose-causal": (
        "conv_transpose", GOOD["conv_transpose"], {"padding": "causal"}, ValueError, "padding"
    ),
    "conv_transpose-output-padding": (
        "conv_transpose",
        GOOD["conv_transpose"],
        {"strides": 2, "output_padding": 2},
        ValueError,
        "output_padding",
    ),
    "conv_transpose-all-cut": (
        "conv_transpose", GOOD["conv_transpose"], {"padding": 5}, ValueError, "padding"
    ),
    **{
        f"{function}-{label}": (
            function,
            GOOD[function],
            {**REQUIRED.get(function, {}), "rank": rank},
            exception,
            "rank",
        )
        for function in ("pad", "crop", "upsample")
        for label, rank, exception in (
            ("rank-4", 4, ValueError),
            ("rank-0", 0, ValueError),
            ("rank-true", True, TypeError),
            ("rank-word", "2", TypeError),
        )
    },
    **{
        f"{function}-{len(shape)}-axes": (
            function,
            (shape,),
            REQUIRED.get(function, {}),
            ValueError,
            "inputs",
        )
        for function in ("pad", "crop", "upsample")
        for shape in ((7, 4), (1, 1, 2, 2, 2, 4))
    },
    "pad-rank-of-more-axes": (
        "pad", GOOD["pad"], {"padding": 1, "rank": 2}, ValueError, "inputs"
    ),
    "pad-negative": ("pad", GOOD["pad"], {"padding": -1}, ValueError, "padding"),
    "pad-value-unused": (
        "pad",
        GOOD["pad"],
        {"padding": 1, "padding_mode": "reflect", "value": 2.0},
        ValueError,
        "value",
    ),
    "pad-value-complex": ("pad", GOOD["pad"], {"padding": 1, "value": 1j}, TypeError, "value"),
    "pad-reflection-too-wide": (
        "pad", GOOD["pad"], {"padding": (0, 7), "padding_mode": "reflect"}, ValueError, "padding"
    ),
    "crop-everything": ("crop", GOOD["crop"], {"cropping": (3, 4)}, ValueError, "cropping"),
    "crop-float": ("crop", GOOD["crop"], {"cropping": 1.0}, TypeError, "cropping"),
    "upsample-size": ("upsample", GOOD["upsample"], {"size": 0}, ValueError, "size"),
    "upsample-interpolation": (
        "upsample",
        GOOD["upsample"],
        {"interpolation": "bilinear"},
        ValueError,
        "interpolation",
    ),
}  # fmt: skip


def refusal(function, tensors, options, exception, argument):
    """The message of the exception that the call raises, in the form that all messages have."""
    with pytest.raises(exception) as raised:
        getattr(ops, function)(*tensors, **options)
    assert type(raised.value) is exception
    message = str(raised.value)
    assert message.startswith(f"keras_convkit.ops.{function}: ")
    assert f"`{argument}`" in message
    assert "Received: " in message
    return message


@pytest.mark.parametrize("name", REFUSALS)
def test_refused(name):
    """With one message, whether the tensors are real or stand for real ones."""
    function, shapes, options, exception, argument = REFUSALS[name]
    blame = (options, exception, argument)
    symbols = [keras.KerasTensor(shape) for shape in shapes]
    message = refusal(function, symbols, *blame)
    if all(None not in shape for shape in shapes):
        arrays = [np.ones(shape, "float32") for shape in shapes]
        assert refusal(function, arrays, *blame) == message


def test_what_is_refused_is_refused_for_its_one_fault():
    for function, shapes in GOOD.items():
        symbols = [keras.KerasTensor(shape) for shape in shapes]
        getattr(ops, function)(*symbols, **REQUIRED.get(function, {}))


@every_function
def test_complex_tensors_are_refused(function):
    names = ("inputs", *KERNELS.get(function, ()))
    for position, argument in enumerate(names):
        dtypes = ["complex64" if i == position else "float32" for i in range(len(names))]
        pairs = list(zip(GOOD[function], dtypes, strict=True))
        blame = (REQUIRED.get(function, {}), ValueError, argument)
        message = refusal(function, [np.ones(*pair) for pair in pairs], *blame)
        assert "dtype=complex64" in message
        assert refusal(function, [keras.KerasTensor(*pair) for pair in pairs], *blame) == message


@every_function
@pytest.mark.parametrize(
    "inputs",
    [None, "x", [["x"]], [[1.0], [2.0, 3.0]], [keras.KerasTensor((7, 4))] * 2],
    ids=["none", "word", "words", "ragged", "list-of-tensors"],
)
def test_what_is_no_tensor_is_refused(function, inputs):
    kernels = [np.ones(shape, "float32") for shape in GOOD[function][1:]]
    refusal(function, [inputs, *kernels], REQUIRED.get(function, {}), ValueError, "inputs")


def test_a_length_that_was_unknown_is_checked_when_it_comes():
    inputs = keras.Input((None, 4))
    model = keras.Model(inputs, ops.crop(inputs, (2, 3)))
    assert tuple(model(np.ones((1, 6, 4), "float32")).shape) == (1, 1, 4)
    with pytest.raises(ValueError, match=r"keras_convkit\.ops\.crop: .*`cropping`.*Received"):
        model(np.ones((1, 5, 4), "float32"))
