"""Transposed convolution in 1D, 2D and 3D."""

from __future__ import annotations

from typing import Any

from keras_convkit import arguments, input_checks, lowering
from keras_convkit.arguments import KerasObject, PaddingArgument, Size
from keras_convkit.input_checks import Shape
from keras_convkit.layers.base import WeightedLayer, named, serializable


class ConvTranspose(WeightedLayer):
    """The transposed convolution of `rank` spatial axes; the public classes document it."""

    config_names = (
        "filters",
        "kernel_size",
        "strides",
        "padding",
        "output_padding",
        "data_format",
        "dilation_rate",
        "activation",
        "use_bias",
        "kernel_initializer",
        "bias_initializer",
        "kernel_regularizer",
        "bias_regularizer",
        "activity_regularizer",
        "kernel_constraint",
        "bias_constraint",
    )
    added_defaults = {"groups": 1}

    def __init__(
        self,
        *,
        filters: int,
        kernel_size: Size,
        strides: Size,
        padding: PaddingArgument,
        output_padding: Size | None,
        dilation_rate: Size,
        groups: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = arguments.integer(filters, "filters", self.owner)
        self.describe(
            arguments.transposed_convolution(
                self.owner,
                self.axes,
                kernel_size=kernel_size,
                strides=strides,
                padding=padding,
                output_padding=output_padding,
                dilation_rate=dilation_rate,
                groups=groups,
            )
        )
        self.output_padding = self.description.output_padding
        self.groups = self.description.groups
        arguments.check_divides(self.groups, self.filters, "filters", self.owner)
        self.kernel = None

    def check_shape(self, shape: Shape) -> None:
        super().check_shape(shape)
        channels = None if self.kernel is None else self.kernel.shape[-1]
        input_checks.check_channels(self.axes, shape, self.owner, channels, self.groups)
        input_checks.check_transposed_windows(self.description, shape, self.owner)

    def build(self, input_shape: Shape) -> None:
        shape = input_checks.given_shape(input_shape, self.owner)
        self.check_shape(shape)
        channels = self.axes.channels(shape)
        self.kernel = self.add_kernel(
            "kernel", "kernel", (*self.kernel_size, self.filters // self.groups, channels)
        )
        self.bias = self.add_bias(self.filters)
        self.built = True

    def call(self, inputs: Any) -> Any:
        x = self.cast_inputs(inputs)
        kernel, bias = self.tensor(self.kernel, x), self.bias_tensor(x)
        outputs = lowering.conv_transpose(x, kernel, self.description, bias)
        return self.activate(outputs)

    def output_channels(self, shape: Shape) -> int:
        return self.filters


@serializable
class Conv1DTranspose(ConvTranspose):
    """1D transposed convolution: upsamples sequences with trained weights.

    The gradient of a convolution with respect to its input, as decoders and vocoders use it (also
    called deconvolution). With `s` the stride and `d` the dilation, input step `t` adds

        sum over c of x[t, c] * kernel[i, f, c]

    to step `t * s + i * d` of the full output, whose ends `padding` cuts; bias and activation
    follow. The kernel has the shape `(kernel_size, filters // groups, channels)`. For the lengths
    see Dumoulin and Visin, arXiv:1603.07285, chapter 4.

    Args:
        filters: Positive int, the number of output channels.
        kernel_size: Positive int, the number of steps that the window takes in.
        strides: Positive int, steps in the output from one input step to the next.
        padding: `"valid"` (nothing is cut), `"same"` (output length `n * strides`, the smaller half
            of the cut in front), or what is cut off the full output as in PyTorch: an int for
            either end, or `(front, behind)`.
        output_padding: Int from 0 to `strides - 1`: steps added behind. `None` (the default) infers
            the length.
        data_format: `"channels_last"`, `"channels_first"`, or `None` (the default) for
            `keras.config.image_data_format()`.
        dilation_rate: Positive int, distance between the window's neighboring taps, with any
            stride.
        activation: Activation function: a Keras name or config, a callable, or `None` for linear.
        use_bias: Whether to add a bias to each output channel.
        kernel_initializer: Keras initializer of the kernel (name, config or callable).
        bias_initializer: Keras initializer of the bias.
        kernel_regularizer: Keras regularizer of the kernel, or `None`.
        bias_regularizer: Keras regularizer of the bias, or `None`.
        activity_regularizer: Keras regularizer of the layer's output, or `None`.
        kernel_constraint: Keras constraint on the kernel, or `None`.
        bias_constraint: Keras constraint on the bias, or `None`.
        groups: Positive int that divides `filters` and the input channels. The channels are split
            into so many groups, each convolved with `filters // groups` filters of its own.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`, `dtype` and `input_shape`.

    Input shape:
        `(*batch, steps, channels)`, or `(*batch, channels, steps)` with
        `data_format="channels_first"`. `*batch` is one or more axes; lengths may be `None`.
        Integers and booleans are cast to the compute dtype.

    Output shape:
        `(*batch, new_steps, filters)`, or `(*batch, filters, new_steps)`. With the stride `s` and
        reach `e = (kernel_size - 1) * dilation_rate + 1`, the full output of the length `n` is
        `full = (n - 1) * s + e` long. `output_padding=None` gives `n * s` for `"same"`,
        `(n - 1) * s + max(e, s)` for `"valid"` and `full - front - behind` for amounts;
        `output_padding=o` gives `full - 2 * (e // 2) + o`, `full + o` and
        `full - front - behind + o`. Steps beyond the full output are zero, before the bias.

    Raises:
        TypeError: If an argument has a wrong type, such as a float `kernel_size`.
        ValueError: If an argument has a wrong value: a size below 1, a tuple of the wrong length,
            an unknown word, `output_padding` that isn't less than `strides`, `groups` that don't
            divide `filters`. When the layer is built or called: if the input has too few axes, an
            empty spatial axis, a number of channels that is unknown, zero or doesn't fit `groups`
            or the weights, or a complex dtype, or if `padding` cuts the whole output.

    Example:
        >>> import keras_convkit as kc
        >>> import numpy as np
        >>> x = np.random.rand(4, 50, 16)
        >>> layer = kc.Conv1DTranspose(8, 4, strides=2, padding=(0, 2))  # cut behind: causal
        >>> tuple(layer(x).shape)
        (4, 100, 8)
        >>> layer = kc.Conv1DTranspose(8, 3, strides=2, padding="same", output_padding=0)
        >>> tuple(layer(x).shape)  # (50 - 1) * 2 + 3 - 2
        (4, 99, 8)
    """

    rank = 1

    def __init__(
        self,
        filters: int,
        kernel_size: Size,
        strides: Size = 1,
        padding: PaddingArgument = "valid",
        output_padding: Size | None = None,
        data_format: str | None = None,
        dilation_rate: Size = 1,
        activation: KerasObject = None,
        use_bias: bool = True,
        kernel_initializer: KerasObject = "glorot_uniform",
        bias_initializer: KerasObject = "zeros",
        kernel_regularizer: KerasObject = None,
        bias_regularizer: KerasObject = None,
        activity_regularizer: KerasObject = None,
        kernel_constraint: KerasObject = None,
        bias_constraint: KerasObject = None,
        *,
        groups: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))


@serializable
class Conv2DTranspose(ConvTranspose):
    """2D transposed convolution: upsamples images with trained weights.

    The gradient of `Conv2D` with respect to its input (also called deconvolution): input `(i, j)`
    adds its channels, weighted by the kernel, to the window of the full output that starts at
    `(i * strides[0], j * strides[1])`; `padding` then cuts the ends, and bias and activation
    follow. The kernel has the shape `(*kernel_size, filters // groups, channels)`. For the lengths
    see Dumoulin and Visin, arXiv:1603.07285, chapter 4.

    Args:
        filters: Positive int, the number of output channels.
        kernel_size: Size of the window: a positive int for both dimensions, or `(height, width)`.
        strides: Steps in the output from one input step to the next: a positive int for both
            dimensions, or one per dimension.
        padding: `"valid"` (nothing is cut), `"same"` (output length `n * strides`, the smaller half
            of the cut in front), or what is cut off the full output as in PyTorch: an int for every
            end; or one entry per dimension, each a word, an int or `(front, behind)`.
        output_padding: Int from 0 to `strides - 1`, or one per dimension: steps added behind.
            `None` (the default) infers the length.
        data_format: `"channels_last"`, `"channels_first"`, or `None` (the default) for
            `keras.config.image_data_format()`.
        dilation_rate: Distance between the window's neighboring taps: a positive int for both
            dimensions, or one per dimension, with any stride.
        activation: Activation function: a Keras name or config, a callable, or `None` for linear.
        use_bias: Whether to add a bias to each output channel.
        kernel_initializer: Keras initializer of the kernel (name, config or callable).
        bias_initializer: Keras initializer of the bias.
        kernel_regularizer: Keras regularizer of the kernel, or `None`.
        bias_regularizer: Keras regularizer of the bias, or `None`.
        activity_regularizer: Keras regularizer of the layer's output, or `None`.
        kernel_constraint: Keras constraint on the kernel, or `None`.
        bias_constraint: Keras constraint on the bias, or `None`.
        groups: Positive int that divides `filters` and the input channels. The channels are split
            into so many groups, each convolved with `filters // groups` filters of its own.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`, `dtype` and `input_shape`.

    Input shape:
        `(*batch, height, width, channels)`, or `(*batch, channels, height, width)` with
        `data_format="channels_first"`. `*batch` is one or more axes; lengths may be `None`.
        Integers and booleans are cast to the compute dtype.

    Output shape:
        `(*batch, new_height, new_width, filters)`, or `(*batch, filters, new_height, new_width)`.
        With its stride `s` and reach `e = (kernel_size - 1) * dilation_rate + 1`, the full output
        of each length `n` is `full = (n - 1) * s + e` long. `output_padding=None` gives `n * s` for
        `"same"`, `(n - 1) * s + max(e, s)` for `"valid"` and `full - front - behind` for amounts;
        `output_padding=o` gives `full - 2 * (e // 2) + o`, `full + o` and
        `full - front - behind + o`. Steps beyond the full output are zero, before the bias.

    Raises:
        TypeError: If an argument has a wrong type, such as a float `kernel_size`.
        ValueError: If an argument has a wrong value: a size below 1, a tuple of the wrong length,
            an unknown word, `output_padding` that isn't less than `strides`, `groups` that don't
            divide `filters`. When the layer is built or called: if the input has too few axes, an
            empty spatial axis, a number of channels that is unknown, zero or doesn't fit `groups`
            or the weights, or a complex dtype, or if `padding` cuts the whole output.

    Example:
        >>> import keras_convkit as kc
        >>> import numpy as np
        >>> x = np.random.rand(2, 8, 8, 16)
        >>> layer = kc.Conv2DTranspose(32, 4, strides=2, padding="same", groups=4)
        >>> tuple(layer(x).shape)
        (2, 16, 16, 32)
        >>> tuple(layer.kernel.shape)
        (4, 4, 8, 16)
    """

    rank = 2

    def __init__(
        self,
        filters: int,
        kernel_size: Size,
        strides: Size = (1, 1),
        padding: PaddingArgument = "valid",
        output_padding: Size | None = None,
        data_format: str | None = None,
        dilation_rate: Size = (1, 1),
        activation: KerasObject = None,
        use_bias: bool = True,
        kernel_initializer: KerasObject = "glorot_uniform",
        bias_initializer: KerasObject = "zeros",
        kernel_regularizer: KerasObject = None,
        bias_regularizer: KerasObject = None,
        activity_regularizer: KerasObject = None,
        kernel_constraint: KerasObject = None,
        bias_constraint: KerasObject = None,
        *,
        groups: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))


@serializable
class Conv3DTranspose(ConvTranspose):
    """3D transposed convolution: upsamples volumes and videos with trained weights.

    `Conv2DTranspose` with one axis more, `depth`. Unlike Keras's own it takes `dilation_rate` and
    `groups`. The kernel has the shape `(*kernel_size, filters // groups, channels)`.

    Args:
        filters: Positive int, the number of output channels.
        kernel_size: Size of the window: a positive int for all three dimensions, or
            `(depth, height, width)`.
        strides: Steps in the output from one input step to the next: a positive int for all three
            dimensions, or one per dimension.
        padding: `"valid"` (nothing is cut), `"same"` (output length `n * strides`, the smaller half
            of the cut in front), or what is cut off the full output as in PyTorch: an int for every
            end; or one entry per dimension, each a word, an int or `(front, behind)`.
        output_padding: Int from 0 to `strides - 1`, or one per dimension: steps added behind.
            `None` (the default) infers the length.
        data_format: `"channels_last"`, `"channels_first"`, or `None` (the default) for
            `keras.config.image_data_format()`.
        activation: Activation function: a Keras name or config, a callable, or `None` for linear.
        use_bias: Whether to add a bias to each output channel.
        kernel_initializer: Keras initializer of the kernel (name, config or callable).
        bias_initializer: Keras initializer of the bias.
        kernel_regularizer: Keras regularizer of the kernel, or `None`.
        bias_regularizer: Keras regularizer of the bias, or `None`.
        activity_regularizer: Keras regularizer of the layer's output, or `None`.
        kernel_constraint: Keras constraint on the kernel, or `None`.
        bias_constraint: Keras constraint on the bias, or `None`.
        dilation_rate: Distance between the window's neighboring taps: a positive int for all three
            dimensions, or one per dimension, with any stride.
        groups: Positive int that divides `filters` and the input channels. The channels are split
            into so many groups, each convolved with `filters // groups` filters of its own.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`, `dtype` and `input_shape`.

    Input shape:
        `(*batch, depth, height, width, channels)`, or `(*batch, channels, depth, height, width)`
        with `data_format="channels_first"`. `*batch` is one or more axes; lengths may be `None`.
        Integers and booleans are cast to the compute dtype.

    Output shape:
        `(*batch, new_depth, new_height, new_width, filters)`, or
        `(*batch, filters, new_depth, new_height, new_width)`. With its stride `s` and reach
        `e = (kernel_size - 1) * dilation_rate + 1`, the full output of each length `n` is
        `full = (n - 1) * s + e` long. `output_padding=None` gives `n * s` for `"same"`,
        `(n - 1) * s + max(e, s)` for `"valid"` and `full - front - behind` for amounts;
        `output_padding=o` gives `full - 2 * (e // 2) + o`, `full + o` and
        `full - front - behind + o`. Steps beyond the full output are zero, before the bias.

    Raises:
        TypeError: If an argument has a wrong type, such as a float `kernel_size`.
        ValueError: If an argument has a wrong value: a size below 1, a tuple of the wrong length,
            an unknown word, `output_padding` that isn't less than `strides`, `groups` that don't
            divide `filters`. When the layer is built or called: if the input has too few axes, an
            empty spatial axis, a number of channels that is unknown, zero or doesn't fit `groups`
            or the weights, or a complex dtype, or if `padding` cuts the whole output.

    Example:
        >>> import keras_convkit as kc
        >>> import numpy as np
        >>> x = np.random.rand(1, 4, 8, 8, 6)
        >>> layer = kc.Conv3DTranspose(2, 3, strides=2, padding="same", dilation_rate=2)
        >>> tuple(layer(x).shape)
        (1, 8, 16, 16, 2)
        >>> layer = kc.Conv3DTranspose(2, (1, 4, 4), strides=(1, 2, 2), padding=(0, 1, 1))
        >>> tuple(layer(x).shape)  # twice as high and wide, as many frames
        (1, 4, 16, 16, 2)
    """

    rank = 3

    def __init__(
        self,
        filters: int,
        kernel_size: Size,
        strides: Size = (1, 1, 1),
        padding: PaddingArgument = "valid",
        output_padding: Size | None = None,
        data_format: str | None = None,
        activation: KerasObject = None,
        use_bias: bool = True,
        kernel_initializer: KerasObject = "glorot_uniform",
        bias_initializer: KerasObject = "zeros",
        kernel_regularizer: KerasObject = None,
        bias_regularizer: KerasObject = None,
        activity_regularizer: KerasObject = None,
        kernel_constraint: KerasObject = None,
        bias_constraint: KerasObject = None,
        *,
        dilation_rate: Size = (1, 1, 1),
        groups: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))
