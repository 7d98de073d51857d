"""Separable convolution in 1D, 2D and 3D: depthwise, then a 1x1 over the channels."""

from __future__ import annotations

from typing import Any

from keras_convkit import arguments, input_checks, lowering
from keras_convkit.arguments import KerasObject, PaddingArgument, Size, Words
from keras_convkit.input_checks import Shape
from keras_convkit.layers.base import WeightedLayer, named, serializable


class SeparableConv(WeightedLayer):
    """The separable convolution of `rank` spatial axes; the public classes document it."""

    config_names = (
        "depth_multiplier",
        "filters",
        "kernel_size",
        "strides",
        "padding",
        "data_format",
        "dilation_rate",
        "activation",
        "use_bias",
        "depthwise_initializer",
        "pointwise_initializer",
        "bias_initializer",
        "depthwise_regularizer",
        "pointwise_regularizer",
        "bias_regularizer",
        "activity_regularizer",
        "depthwise_constraint",
        "pointwise_constraint",
        "bias_constraint",
    )
    added_defaults = {"padding_mode": "zeros"}
    unused_in_keras_2 = ("groups", "kernel_initializer", "kernel_regularizer", "kernel_constraint")

    def __init__(
        self,
        *,
        filters: int,
        kernel_size: Size,
        strides: Size,
        padding: PaddingArgument,
        dilation_rate: Size,
        depth_multiplier: int,
        padding_mode: Words,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = arguments.integer(filters, "filters", self.owner)
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
        self.depthwise_kernel = None
        self.pointwise_kernel = None

    def check_shape(self, shape: Shape) -> None:
        super().check_shape(shape)
        channels = None if self.depthwise_kernel is None else self.depthwise_kernel.shape[-2]
        input_checks.check_channels(self.axes, shape, self.owner, channels)
        input_checks.check_windows(self.description, shape, self.owner)

    def build(self, input_shape: Shape) -> None:
        shape = input_checks.given_shape(input_shape, self.owner)
        self.check_shape(shape)
        channels = self.axes.channels(shape)
        self.depthwise_kernel = self.add_kernel(
            "depthwise_kernel", "depthwise", (*self.kernel_size, channels, self.depth_multiplier)
        )
        self.pointwise_kernel = self.add_kernel(
            "pointwise_kernel",
            "pointwise",
            (*(1,) * self.rank, channels * self.depth_multiplier, self.filters),
        )
        self.bias = self.add_bias(self.filters)
        self.built = True

    def call(self, inputs: Any) -> Any:
        x = self.cast_inputs(inputs)
        outputs = lowering.separable_conv(
            x,
            self.tensor(self.depthwise_kernel, x),
            self.tensor(self.pointwise_kernel, x),
            self.description,
            self.bias_tensor(x),
        )
        return self.activate(outputs)

    def output_channels(self, shape: Shape) -> int:
        return self.filters


@serializable
class SeparableConv1D(SeparableConv):
    """1D separable convolution: `DepthwiseConv1D`, then a mix of the channels.

    Each channel is filtered along the steps into `depth_multiplier` channels, without bias or
    activation; a convolution of size 1 then mixes them into `filters`; bias and activation follow.
    The weights have the shapes `(kernel_size, channels, depth_multiplier)`,
    `(1, channels * depth_multiplier, filters)` and `(filters,)`. Source: Chollet, arXiv:1610.02357.

    Args:
        filters: Positive int, the number of output channels.
        kernel_size: Positive int, the number of steps that the window takes in.
        strides: Positive int, steps from one window to the next.
        padding: `"valid"` (none), `"same"` (output length `ceil(n / strides)`, the smaller half of
            the padding in front), `"causal"` (`(kernel_size - 1) * dilation_rate` steps in front:
            filled with zeros, no output sees a later input), an int for either side, or
            `(before, after)`.
        data_format: `"channels_last"` (the default), `"channels_first"`, or `None` for
            `keras.config.image_data_format()`.
        dilation_rate: Positive int, distance between the window's neighboring taps, with any
            stride.
        depth_multiplier: Positive int, the number of channels that each input channel gets from the
            depthwise step.
        activation: Activation function: a Keras name or config, a callable, or `None` for linear.
        use_bias: Whether to add a bias to each output channel, after the pointwise step.
        depthwise_initializer: Keras initializer of the depthwise kernel (name, config or callable).
        pointwise_initializer: Keras initializer of the pointwise kernel.
        bias_initializer: Keras initializer of the bias.
        depthwise_regularizer: Keras regularizer of the depthwise kernel, or `None`.
        pointwise_regularizer: Keras regularizer of the pointwise kernel, or `None`.
        bias_regularizer: Keras regularizer of the bias, or `None`.
        activity_regularizer: Keras regularizer of the layer's output, or `None`.
        depthwise_constraint: Keras constraint on the depthwise kernel, or `None`.
        pointwise_constraint: Keras constraint on the pointwise kernel, or `None`.
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
        `(*batch, new_steps, filters)`, or `(*batch, filters, new_steps)`. With the stride `s` and
        reach `e = (kernel_size - 1) * dilation_rate + 1`, the length `n` becomes `ceil(n / s)` for
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
        >>> layer = kc.SeparableConv1D(16, 5, padding="causal", activation="relu")
        >>> tuple(layer(x).shape)
        (4, 100, 16)
        >>> [tuple(weight.shape) for weight in layer.weights]
        [(5, 8, 1), (1, 8, 16), (16,)]
    """

    rank = 1

    def __init__(
        self,
        filters: int,
        kernel_size: Size,
        strides: Size = 1,
        padding: PaddingArgument = "valid",
        data_format: str | None = "channels_last",
        dilation_rate: Size = 1,
        depth_multiplier: int = 1,
        activation: KerasObject = None,
        use_bias: bool = True,
        depthwise_initializer: KerasObject = "glorot_uniform",
        pointwise_initializer: KerasObject = "glorot_uniform",
        bias_initializer: KerasObject = "zeros",
        depthwise_regularizer: KerasObject = None,
        pointwise_regularizer: KerasObject = None,
        bias_regularizer: KerasObject = None,
        activity_regularizer: KerasObject = None,
        depthwise_constraint: KerasObject = None,
        pointwise_constraint: KerasObject = None,
        bias_constraint: KerasObject = None,
        *,
        padding_mode: Words = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))


@serializable
class SeparableConv2D(SeparableConv):
    """2D separable convolution: `DepthwiseConv2D`, then a 1x1 mix of the channels.

    The convolution of Xception (Chollet, arXiv:1610.02357): close to `Conv2D` with a fraction of
    its weights. Between the two steps there is neither bias nor activation. The weights have the
    shapes `(*kernel_size, channels, depth_multiplier)`,
    `(1, 1, channels * depth_multiplier, filters)` and `(filters,)`.

    Args:
        filters: Positive int, the number of output channels.
        kernel_size: Size of the window: a positive int for both dimensions, or `(height, width)`.
        strides: Steps from one window to the next: a positive int for both dimensions, or one per
            dimension.
        padding: `"valid"` (none), `"same"` (output length `ceil(n / strides)`, the smaller half of
            the padding in front), `"causal"` (`(kernel_size - 1) * dilation_rate` steps in front:
            filled with zeros, no output sees a later input), or an int for every side; or one entry
            per dimension, each a word, an int or `(before, after)`.
        data_format: `"channels_last"`, `"channels_first"`, or `None` (the default) for
            `keras.config.image_data_format()`.
        dilation_rate: Distance between the window's neighboring taps: a positive int for both
            dimensions, or one per dimension, with any stride.
        depth_multiplier: Positive int, the number of channels that each input channel gets from the
            depthwise step.
        activation: Activation function: a Keras name or config, a callable, or `None` for linear.
        use_bias: Whether to add a bias to each output channel, after the pointwise step.
        depthwise_initializer: Keras initializer of the depthwise kernel (name, config or callable).
        pointwise_initializer: Keras initializer of the pointwise kernel.
        bias_initializer: Keras initializer of the bias.
        depthwise_regularizer: Keras regularizer of the depthwise kernel, or `None`.
        pointwise_regularizer: Keras regularizer of the pointwise kernel, or `None`.
        bias_regularizer: Keras regularizer of the bias, or `None`.
        activity_regularizer: Keras regularizer of the layer's output, or `None`.
        depthwise_constraint: Keras constraint on the depthwise kernel, or `None`.
        pointwise_constraint: Keras constraint on the pointwise kernel, or `None`.
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
        `(*batch, new_height, new_width, filters)`, or `(*batch, filters, new_height, new_width)`.
        With its stride `s` and reach `e = (kernel_size - 1) * dilation_rate + 1`, each length `n`
        becomes `ceil(n / s)` for `"same"` and `"causal"`, `floor((n - e) / s) + 1` for `"valid"`,
        and `floor((before + n + after - e) / s) + 1` for amounts.

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
        >>> x = np.random.rand(2, 32, 32, 16)
        >>> layer = kc.SeparableConv2D(64, 3, strides=2, dilation_rate=2, padding="same")
        >>> tuple(layer(x).shape)
        (2, 16, 16, 64)
        >>> layer.count_params()  # 3 * 3 * 16 + 16 * 64 + 64; Conv2D has 9280
        1232
    """

    rank = 2

    def __init__(
        self,
        filters: int,
        kernel_size: Size,
        strides: Size = (1, 1),
        padding: PaddingArgument = "valid",
        data_format: str | None = None,
        dilation_rate: Size = (1, 1),
        depth_multiplier: int = 1,
        activation: KerasObject = None,
        use_bias: bool = True,
        depthwise_initializer: KerasObject = "glorot_uniform",
        pointwise_initializer: KerasObject = "glorot_uniform",
        bias_initializer: KerasObject = "zeros",
        depthwise_regularizer: KerasObject = None,
        pointwise_regularizer: KerasObject = None,
        bias_regularizer: KerasObject = None,
        activity_regularizer: KerasObject = None,
        depthwise_constraint: KerasObject = None,
        pointwise_constraint: KerasObject = None,
        bias_constraint: KerasObject = None,
        *,
        padding_mode: Words = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))


@serializable
class SeparableConv3D(SeparableConv):
    """3D separable convolution: `DepthwiseConv3D`, then a 1x1x1 mix of the channels.

    Keras has none. Chollet's separable convolution (arXiv:1610.02357) with one axis more, `depth`.
    The weights have the shapes `(*kernel_size, channels, depth_multiplier)`,
    `(1, 1, 1, channels * depth_multiplier, filters)` and `(filters,)`.

    Args:
        filters: Positive int, the number of output channels.
        kernel_size: Size of the window: a positive int for all three dimensions, or
            `(depth, height, width)`.
        strides: Steps from one window to the next: a positive int for all three dimensions, or one
            per dimension.
        padding: `"valid"` (none), `"same"` (output length `ceil(n / strides)`, the smaller half of
            the padding in front), `"causal"` (`(kernel_size - 1) * dilation_rate` steps in front:
            filled with zeros, no output sees a later input), or an int for every side; or one entry
            per dimension, each a word, an int or `(before, after)`.
        data_format: `"channels_last"`, `"channels_first"`, or `None` (the default) for
            `keras.config.image_data_format()`.
        dilation_rate: Distance between the window's neighboring taps: a positive int for all three
            dimensions, or one per dimension, with any stride.
        depth_multiplier: Positive int, the number of channels that each input channel gets from the
            depthwise step.
        activation: Activation function: a Keras name or config, a callable, or `None` for linear.
        use_bias: Whether to add a bias to each output channel, after the pointwise step.
        depthwise_initializer: Keras initializer of the depthwise kernel (name, config or callable).
        pointwise_initializer: Keras initializer of the pointwise kernel.
        bias_initializer: Keras initializer of the bias.
        depthwise_regularizer: Keras regularizer of the depthwise kernel, or `None`.
        pointwise_regularizer: Keras regularizer of the pointwise kernel, or `None`.
        bias_regularizer: Keras regularizer of the bias, or `None`.
        activity_regularizer: Keras regularizer of the layer's output, or `None`.
        depthwise_constraint: Keras constraint on the depthwise kernel, or `None`.
        pointwise_constraint: Keras constraint on the pointwise kernel, or `None`.
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
        `(*batch, new_depth, new_height, new_width, filters)`, or
        `(*batch, filters, new_depth, new_height, new_width)`. With its stride `s` and reach
        `e = (kernel_size - 1) * dilation_rate + 1`, each length `n` becomes `ceil(n / s)` for
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
        >>> video = np.random.rand(1, 8, 16, 16, 3)
        >>> layer = kc.SeparableConv3D(12, 3, padding=("causal", "same", "same"))
        >>> tuple(layer(video).shape)
        (1, 8, 16, 16, 12)
        >>> layer.compute_output_shape((None, None, 16, 16, 3))
        (None, None, 16, 16, 12)
    """

    rank = 3

    def __init__(
        self,
        filters: int,
        kernel_size: Size,
        strides: Size = (1, 1, 1),
        padding: PaddingArgument = "valid",
        data_format: str | None = None,
        dilation_rate: Size = (1, 1, 1),
        depth_multiplier: int = 1,
        activation: KerasObject = None,
        use_bias: bool = True,
        depthwise_initializer: KerasObject = "glorot_uniform",
        pointwise_initializer: KerasObject = "glorot_uniform",
        bias_initializer: KerasObject = "zeros",
        depthwise_regularizer: KerasObject = None,
        pointwise_regularizer: KerasObject = None,
        bias_regularizer: KerasObject = None,
        activity_regularizer: KerasObject = None,
        depthwise_constraint: KerasObject = None,
        pointwise_constraint: KerasObject = None,
        bias_constraint: KerasObject = None,
        *,
        padding_mode: Words = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))
