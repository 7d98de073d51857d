"""Depthwise convolution in 1D, 2D and 3D."""

from __future__ import annotations

from typing import Any

from keras_convkit import arguments, input_checks, lowering
from keras_convkit.arguments import KerasObject, PaddingArgument, Size, Words
from keras_convkit.input_checks import Shape
from keras_convkit.layers.base import WeightedLayer, named, serializable


class DepthwiseConv(WeightedLayer):
    """The depthwise convolution of `rank` spatial axes; the public classes document it."""

    config_names = (
        "kernel_size",
        "strides",
        "padding",
        "depth_multiplier",
        "data_format",
        "dilation_rate",
        "activation",
        "use_bias",
        "depthwise_initializer",
        "bias_initializer",
        "depthwise_regularizer",
        "bias_regularizer",
        "activity_regularizer",
        "depthwise_constraint",
        "bias_constraint",
    )
    added_defaults = {"padding_mode": "zeros"}
    unused_in_keras_2 = ("groups",)

    def __init__(
        self,
        *,
        kernel_size: Size,
        strides: Size,
        padding: PaddingArgument,
        depth_multiplier: int,
        dilation_rate: Size,
        padding_mode: Words,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.depth_multiplier = arguments.integer(depth_multiplier, "depth_multiplier", self.owner)
        self.describe(
            arguments.convolution(
                self.owner,
                self.axes,
                kernel_size=kernel_size,
                strides=strides,
                padding=padding,
                dilation_rate=dilation_rate,
                padding_mode=padding_mode,
            )
        )
        self.padding_mode = arguments.compact(self.description.padding_modes)
        self.kernel = None

    def check_shape(self, shape: Shape) -> None:
        super().check_shape(shape)
        channels = None if self.kernel is None else self.kernel.shape[-2]
        input_checks.check_channels(self.axes, shape, self.owner, channels)
        input_checks.check_windows(self.description, shape, self.owner)

    def build(self, input_shape: Shape) -> None:
        shape = input_checks.given_shape(input_shape, self.owner)
        self.check_shape(shape)
        channels = self.axes.channels(shape)
        self.kernel = self.add_kernel(
            "kernel", "depthwise", (*self.kernel_size, channels, self.depth_multiplier)
        )
        self.bias = self.add_bias(channels * self.depth_multiplier)
        self.built = True

    def call(self, inputs: Any) -> Any:
        x = self.cast_inputs(inputs)
        kernel, bias = self.tensor(self.kernel, x), self.bias_tensor(x)
        outputs = lowering.depthwise_conv(x, kernel, self.description, bias)
        return self.activate(outputs)

    def output_channels(self, shape: Shape) -> int:
        return self.axes.channels(shape) * self.depth_multiplier


@serializable
class DepthwiseConv1D(DepthwiseConv):
    """1D depthwise convolution: filters each channel of a sequence by itself.

    With `x` the padded input, `s` the stride, `d` the dilation and `M = depth_multiplier`, channel
    `c` makes the output channels `c * M` to `c * M + M - 1`, of which the `m`-th at step `t` is

        activation(bias[c * M + m] + sum over i of x[t * s + i * d, c] * kernel[i, c, m])

    The kernel has the shape `(kernel_size, channels, depth_multiplier)`.

    Args:
        kernel_size: Positive int, the number of steps that the window takes in.
        strides: Positive int, steps from one window to the next.
        padding: `"valid"` (none), `"same"` (output length `ceil(n / strides)`, the smaller half of
            the padding in front), `"causal"` (`(kernel_size - 1) * dilation_rate` steps in front:
            filled with zeros, no output sees a later input), an int for either side, or
            `(before, after)`.
        depth_multiplier: Positive int, the number of output channels that each input channel gets.
        data_format: `"channels_last"`, `"channels_first"`, or `None` (the default) for
            `keras.config.image_data_format()`.
        dilation_rate: Positive int, distance between the window's neighboring taps, with any
            stride.
        activation: Activation function: a Keras name or config, a callable, or `None` for linear.
        use_bias: Whether to add a bias to each output channel.
        depthwise_initializer: Keras initializer of the depthwise kernel (name, config or callable).
        bias_initializer: Keras initializer of the bias.
        depthwise_regularizer: Keras regularizer of the depthwise kernel, or `None`.
        bias_regularizer: Keras regularizer of the bias, or `None`.
        activity_regularizer: Keras regularizer of the layer's output, or `None`.
        depthwise_constraint: Keras constraint on the depthwise kernel, or `None`.
        bias_constraint: Keras constraint on the bias, or `None`.
        padding_mode: What the padding is filled with: `"zeros"`, `"reflect"` (mirrored about the
            edge step, which isn't repeated), `"replicate"` (the edge step) or `"circular"` (the
            other end).
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`, `dtype` and `input_shape`.

    Input shape:
        `(*batch, steps, channels)`, or `(*batch, channels, steps)` with
        `data_format="channels_first"`. `*batch` is one or more axes; lengths may be `None`.
        Integers and booleans are cast to the compute dtype.

    Output shape:
        `(*batch, new_steps, channels * depth_multiplier)`, or
        `(*batch, channels * depth_multiplier, new_steps)`. With the stride `s` and reach
        `e = (kernel_size - 1) * dilation_rate + 1`, the length `n` becomes `ceil(n / s)` for
        `"same"` and `"causal"`, `floor((n - e) / s) + 1` for `"valid"`, and
        `floor((before + n + after - e) / s) + 1` for amounts.

    Raises:
        TypeError: If an argument has a wrong type, such as a float `kernel_size`.
        ValueError: If an argument has a wrong value: a size below 1, a tuple of the wrong length,
            an unknown word. When the layer is built or called: if the input has too few axes, an
            empty spatial axis, a number of channels that is unknown, zero or doesn't fit the
            weights, or a complex dtype, is shorter than the reach after padding, or isn't longer
            than a reflect padding.

    Example:
        >>> import keras_convkit as kc
        >>> import numpy as np
        >>> x = np.random.rand(4, 100, 8)
        >>> layer = kc.DepthwiseConv1D(4, padding="causal")  # short memory
        >>> tuple(layer(x).shape)
        (4, 100, 8)
        >>> layer.count_params()  # 4 taps and a bias for each of 8 channels
        40
    """

    rank = 1

    def __init__(
        self,
        kernel_size: Size,
        strides: Size = 1,
        padding: PaddingArgument = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Size = 1,
        activation: KerasObject = None,
        use_bias: bool = True,
        depthwise_initializer: KerasObject = "glorot_uniform",
        bias_initializer: KerasObject = "zeros",
        depthwise_regularizer: KerasObject = None,
        bias_regularizer: KerasObject = None,
        activity_regularizer: KerasObject = None,
        depthwise_constraint: KerasObject = None,
        bias_constraint: KerasObject = None,
        *,
        padding_mode: Words = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))


@serializable
class DepthwiseConv2D(DepthwiseConv):
    """2D depthwise convolution: filters each channel of an image by itself.

    The spatial half of a separable convolution (Chollet, arXiv:1610.02357), much cheaper than
    `Conv2D` because no channel sees another. Channel `c` makes the output channels
    `c * depth_multiplier + m`, the multiplier varying fastest. The kernel has the shape
    `(*kernel_size, channels, depth_multiplier)`.

    Args:
        kernel_size: Size of the window: a positive int for both dimensions, or `(height, width)`.
        strides: Steps from one window to the next: a positive int for both dimensions, or one per
            dimension.
        padding: `"valid"` (none), `"same"` (output length `ceil(n / strides)`, the smaller half of
            the padding in front), `"causal"` (`(kernel_size - 1) * dilation_rate` steps in front:
            filled with zeros, no output sees a later input), or an int for every side; or one entry
            per dimension, each a word, an int or `(before, after)`.
        depth_multiplier: Positive int, the number of output channels that each input channel gets.
        data_format: `"channels_last"`, `"channels_first"`, or `None` (the default) for
            `keras.config.image_data_format()`.
        dilation_rate: Distance between the window's neighboring taps: a positive int for both
            dimensions, or one per dimension, with any stride.
        activation: Activation function: a Keras name or config, a callable, or `None` for linear.
        use_bias: Whether to add a bias to each output channel.
        depthwise_initializer: Keras initializer of the depthwise kernel (name, config or callable).
        bias_initializer: Keras initializer of the bias.
        depthwise_regularizer: Keras regularizer of the depthwise kernel, or `None`.
        bias_regularizer: Keras regularizer of the bias, or `None`.
        activity_regularizer: Keras regularizer of the layer's output, or `None`.
        depthwise_constraint: Keras constraint on the depthwise kernel, or `None`.
        bias_constraint: Keras constraint on the bias, or `None`.
        padding_mode: What the padding is filled with: `"zeros"`, `"reflect"` (mirrored about the
            edge step, which isn't repeated), `"replicate"` (the edge step) or `"circular"` (the
            other end); one word, or one per dimension.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`, `dtype` and `input_shape`.

    Input shape:
        `(*batch, height, width, channels)`, or `(*batch, channels, height, width)` with
        `data_format="channels_first"`. `*batch` is one or more axes; lengths may be `None`.
        Integers and booleans are cast to the compute dtype.

    Output shape:
        `(*batch, new_height, new_width, channels * depth_multiplier)`, or
        `(*batch, channels * depth_multiplier, new_height, new_width)`. With its stride `s` and
        reach `e = (kernel_size - 1) * dilation_rate + 1`, each length `n` becomes `ceil(n / s)` for
        `"same"` and `"causal"`, `floor((n - e) / s) + 1` for `"valid"`, and
        `floor((before + n + after - e) / s) + 1` for amounts.

    Raises:
        TypeError: If an argument has a wrong type, such as a float `kernel_size`.
        ValueError: If an argument has a wrong value: a size below 1, a tuple of the wrong length,
            an unknown word. When the layer is built or called: if the input has too few axes, an
            empty spatial axis, a number of channels that is unknown, zero or doesn't fit the
            weights, or a complex dtype, is shorter than the reach after padding, or isn't longer
            than a reflect padding.

    Example:
        >>> import keras_convkit as kc
        >>> import numpy as np
        >>> x = np.random.rand(2, 32, 32, 3)
        >>> layer = kc.DepthwiseConv2D(3, strides=(1, 2), padding="same", depth_multiplier=2)
        >>> tuple(layer(x).shape)
        (2, 32, 16, 6)
        >>> tuple(layer.kernel.shape)
        (3, 3, 3, 2)
    """

    rank = 2

    def __init__(
        self,
        kernel_size: Size,
        strides: Size = (1, 1),
        padding: PaddingArgument = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Size = (1, 1),
        activation: KerasObject = None,
        use_bias: bool = True,
        depthwise_initializer: KerasObject = "glorot_uniform",
        bias_initializer: KerasObject = "zeros",
        depthwise_regularizer: KerasObject = None,
        bias_regularizer: KerasObject = None,
        activity_regularizer: KerasObject = None,
        depthwise_constraint: KerasObject = None,
        bias_constraint: KerasObject = None,
        *,
        padding_mode: Words = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))


@serializable
class DepthwiseConv3D(DepthwiseConv):
    """3D depthwise convolution: filters each channel of a volume or video by itself.

    Keras has none. `DepthwiseConv2D` with one axis more, `depth`: channel `c` makes the output
    channels `c * depth_multiplier + m`. The kernel has the shape
    `(*kernel_size, channels, depth_multiplier)`.

    Args:
        kernel_size: Size of the window: a positive int for all three dimensions, or
            `(depth, height, width)`.
        strides: Steps from one window to the next: a positive int for all three dimensions, or one
            per dimension.
        padding: `"valid"` (none), `"same"` (output length `ceil(n / strides)`, the smaller half of
            the padding in front), `"causal"` (`(kernel_size - 1) * dilation_rate` steps in front:
            filled with zeros, no output sees a later input), or an int for every side; or one entry
            per dimension, each a word, an int or `(before, after)`.
        depth_multiplier: Positive int, the number of output channels that each input channel gets.
        data_format: `"channels_last"`, `"channels_first"`, or `None` (the default) for
            `keras.config.image_data_format()`.
        dilation_rate: Distance between the window's neighboring taps: a positive int for all three
            dimensions, or one per dimension, with any stride.
        activation: Activation function: a Keras name or config, a callable, or `None` for linear.
        use_bias: Whether to add a bias to each output channel.
        depthwise_initializer: Keras initializer of the depthwise kernel (name, config or callable).
        bias_initializer: Keras initializer of the bias.
        depthwise_regularizer: Keras regularizer of the depthwise kernel, or `None`.
        bias_regularizer: Keras regularizer of the bias, or `None`.
        activity_regularizer: Keras regularizer of the layer's output, or `None`.
        depthwise_constraint: Keras constraint on the depthwise kernel, or `None`.
        bias_constraint: Keras constraint on the bias, or `None`.
        padding_mode: What the padding is filled with: `"zeros"`, `"reflect"` (mirrored about the
            edge step, which isn't repeated), `"replicate"` (the edge step) or `"circular"` (the
            other end); one word, or one per dimension.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`, `dtype` and `input_shape`.

    Input shape:
        `(*batch, depth, height, width, channels)`, or `(*batch, channels, depth, height, width)`
        with `data_format="channels_first"`. `*batch` is one or more axes; lengths may be `None`.
        Integers and booleans are cast to the compute dtype.

    Output shape:
        `(*batch, new_depth, new_height, new_width, channels * depth_multiplier)`, or
        `(*batch, channels * depth_multiplier, new_depth, new_height, new_width)`. With its stride
        `s` and reach `e = (kernel_size - 1) * dilation_rate + 1`, each length `n` becomes
        `ceil(n / s)` for `"same"` and `"causal"`, `floor((n - e) / s) + 1` for `"valid"`, and
        `floor((before + n + after - e) / s) + 1` for amounts.

    Raises:
        TypeError: If an argument has a wrong type, such as a float `kernel_size`.
        ValueError: If an argument has a wrong value: a size below 1, a tuple of the wrong length,
            an unknown word. When the layer is built or called: if the input has too few axes, an
            empty spatial axis, a number of channels that is unknown, zero or doesn't fit the
            weights, or a complex dtype, is shorter than the reach after padding, or isn't longer
            than a reflect padding.

    Example:
        >>> import keras_convkit as kc
        >>> import numpy as np
        >>> x = np.random.rand(1, 6, 4, 16, 16)
        >>> layer = kc.DepthwiseConv3D(
        ...     (1, 7, 7), padding="same", padding_mode="reflect", data_format="channels_first"
        ... )
        >>> tuple(layer(x).shape)
        (1, 6, 4, 16, 16)
    """

    rank = 3

    def __init__(
        self,
        kernel_size: Size,
        strides: Size = (1, 1, 1),
        padding: PaddingArgument = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Size = (1, 1, 1),
        activation: KerasObject = None,
        use_bias: bool = True,
        depthwise_initializer: KerasObject = "glorot_uniform",
        bias_initializer: KerasObject = "zeros",
        depthwise_regularizer: KerasObject = None,
        bias_regularizer: KerasObject = None,
        activity_regularizer: KerasObject = None,
        depthwise_constraint: KerasObject = None,
        bias_constraint: KerasObject = None,
        *,
        padding_mode: Words = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))
