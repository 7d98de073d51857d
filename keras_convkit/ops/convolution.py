"""Convolutions as functions of an input and kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras_convkit import arguments, input_checks, lowering
from keras_convkit.description import Convolution, SpatialAxes, TransposedConvolution
from keras_convkit.geometry import Length
from keras_convkit.input_checks import Shape
from keras_convkit.ops.operation import SpatialOperation, serializable


def conv(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: Any = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
    *,
    groups: int | None = None,
    padding_mode: Any = "zeros",
) -> Any:
    """Convolution in 1, 2 or 3 spatial dimensions.

    A call written for `keras.ops.conv` means the same here. The rank is that of the kernel.

    Args:
        inputs: Tensor of shape `(*batch, *spatial, in)`, or `(*batch, in, *spatial)` for
            `channels_first`, with any number of batch axes.
        kernel: Tensor of shape `(*kernel_size, in // groups, filters)`.
        strides: Int, or one a spatial dimension.
        padding: `"valid"`, `"same"`, `"causal"`, an int, or one entry a spatial dimension, each a
            word, an int or a `(before, after)` pair.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for Keras's global setting.
        dilation_rate: Int, or one a spatial dimension.
        groups: Number of groups, or `None` to read it off the shapes.
        padding_mode: `"zeros"`, `"reflect"`, `"replicate"` or `"circular"`, or one a dimension.

    Returns:
        Tensor of shape `(*batch, *lengths, filters)`, channels where `data_format` has them, of
        the dtype that the inputs' and the kernel's promote to.

    Raises:
        TypeError: If an option is of the wrong type.
        ValueError: If an option has a value that isn't allowed, or the shapes don't go together.

    Example:

    >>> import numpy as np
    >>> import keras_convkit as kc
    >>> video = np.ones((1, 4, 5, 5, 3), "float32")
    >>> kernel = np.ones((2, 3, 3, 3, 8), "float32")
    >>> tuple(kc.ops.conv(video, kernel, padding=("causal", "same", "same")).shape)
    (1, 4, 5, 5, 8)
    """
    return Conv.apply(
        (inputs, kernel),
        strides=strides,
        padding=padding,
        data_format=data_format,
        dilation_rate=dilation_rate,
        groups=groups,
        padding_mode=padding_mode,
    )


def depthwise_conv(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: Any = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
    *,
    padding_mode: Any = "zeros",
) -> Any:
    """Convolution of each channel with kernels of its own, in 1, 2 or 3 spatial dimensions.

    A call written for `keras.ops.depthwise_conv` means the same here.

    Args:
        inputs: Tensor of shape `(*batch, *spatial, in)`, or `(*batch, in, *spatial)` for
            `channels_first`, with any number of batch axes.
        kernel: Tensor of shape `(*kernel_size, in, depth_multiplier)`.
        strides, padding, data_format, dilation_rate, padding_mode: As in `conv`.

    Returns:
        Tensor of shape `(*batch, *lengths, in * depth_multiplier)`, the multiplier varying
        fastest along the channels.

    Raises:
        TypeError: If an option is of the wrong type.
        ValueError: If an option has a value that isn't allowed, or the shapes don't go together.

    Example:

    >>> import numpy as np
    >>> import keras_convkit as kc
    >>> volume = np.ones((1, 6, 6, 6, 2), "float32")
    >>> kernel = np.ones((3, 3, 3, 2, 4), "float32")
    >>> tuple(kc.ops.depthwise_conv(volume, kernel, strides=2, padding="same").shape)
    (1, 3, 3, 3, 8)
    """
    return DepthwiseConv.apply(
        (inputs, kernel),
        strides=strides,
        padding=padding,
        data_format=data_format,
        dilation_rate=dilation_rate,
        padding_mode=padding_mode,
    )


def separable_conv(
    inputs: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Any = 1,
    padding: Any = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
    *,
    padding_mode: Any = "zeros",
) -> Any:
    """Depthwise convolution followed by a 1x1 convolution over the channels.

    A call written for `keras.ops.separable_conv` means the same here.

    Args:
        inputs: Tensor of shape `(*batch, *spatial, in)`, or `(*batch, in, *spatial)` for
            `channels_first`, with any number of batch axes.
        depthwise_kernel: Tensor of shape `(*kernel_size, in, depth_multiplier)`.
        pointwise_kernel: Tensor of shape `(1, ..., 1, in * depth_multiplier, filters)`.
        strides, padding, data_format, dilation_rate, padding_mode: As in `conv`, of the
            depthwise part.

    Returns:
        Tensor of shape `(*batch, *lengths, filters)`.

    Raises:
        TypeError: If an option is of the wrong type.
        ValueError: If an option has a value that isn't allowed, or the shapes don't go together.

    Example:

    >>> import numpy as np
    >>> import keras_convkit as kc
    >>> signal = np.ones((1, 16, 2), "float32")
    >>> depthwise, pointwise = np.ones((3, 2, 1), "float32"), np.ones((1, 2, 5), "float32")
    >>> tuple(kc.ops.separable_conv(signal, depthwise, pointwise, padding="causal").shape)
    (1, 16, 5)
    """
    return SeparableConv.apply(
        (inputs, depthwise_kernel, pointwise_kernel),
        strides=strides,
        padding=padding,
        data_format=data_format,
        dilation_rate=dilation_rate,
        padding_mode=padding_mode,
    )


def conv_transpose(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: Any = "valid",
    output_padding: Any = None,
    data_format: str | None = None,
    dilation_rate: Any = 1,
    *,
    groups: int = 1,
) -> Any:
    """Transposed convolution in 1, 2 or 3 spatial dimensions.

    A call written for `keras.ops.conv_transpose` means the same here.

    Args:
        inputs: Tensor of shape `(*batch, *spatial, in)`, or `(*batch, in, *spatial)` for
            `channels_first`, with any number of batch axes.
        kernel: Tensor of shape `(*kernel_size, filters // groups, in)`.
        strides: Int, or one a spatial dimension.
        padding: `"valid"`, `"same"`, an int, or one entry a spatial dimension, each a word, an
            int or a `(front, behind)` pair: what is cut off the full output.
        output_padding: Int, or one a spatial dimension, less than the stride; or `None` to infer
            the length.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for Keras's global setting.
        dilation_rate: Int, or one a spatial dimension.
        groups: Number of groups.

    Returns:
        Tensor of shape `(*batch, *lengths, filters)`.

    Raises:
        TypeError: If an option is of the wrong type.
        ValueError: If an option has a value that isn't allowed, or the shapes don't go together.

    Example:

    >>> import numpy as np
    >>> import keras_convkit as kc
    >>> x, kernel = np.ones((1, 5, 5, 4), "float32"), np.ones((3, 3, 3, 4), "float32")
    >>> tuple(kc.ops.conv_transpose(x, kernel, strides=2, padding="same", groups=2).shape)
    (1, 10, 10, 6)
    """
    return ConvTranspose.apply(
        (inputs, kernel),
        strides=strides,
        padding=padding,
        output_padding=output_padding,
        data_format=data_format,
        dilation_rate=dilation_rate,
        groups=groups,
    )


def _axes(owner: str, kernel: Shape, data_format: str | None, name: str = "kernel") -> SpatialAxes:
    """The axes of an input that a kernel of this shape goes with."""
    if not 3 <= len(kernel) <= 5 or None in kernel or 0 in kernel:
        expected = "have 3, 4 or 5 axes of known, positive length"
        raise input_checks.wrong_input(owner, expected, f"shape={kernel}", name)
    return SpatialAxes(len(kernel) - 2, arguments.data_format(data_format, owner))


@serializable
class Conv(SpatialOperation):
    """The node of `conv` in a functional model."""

    function = "conv"
    tensor_names = ("inputs", "kernel")

    @classmethod
    def describe(
        cls,
        owner: str,
        shapes: Sequence[Shape],
        *,
        data_format: str | None,
        groups: int | None,
        **options: Any,
    ) -> Convolution:
        shape, kernel = shapes
        axes = _axes(owner, kernel, data_format)
        input_checks.check_spatial(axes, shape, owner)
        input_checks.check_channels(axes, shape, owner)
        if groups is None:
            groups = max(axes.channels(shape) // kernel[-2], 1)
        description = arguments.convolution(
            owner, axes, kernel_size=kernel[:-2], groups=groups, **options
        )
        arguments.check_divides(description.groups, kernel[-1], "filters", owner)
        expected = kernel[-2] * description.groups
        input_checks.check_channels(axes, shape, owner, expected, description.groups)
        input_checks.check_windows(description, shape, owner)
        return description

    @classmethod
    def output_channels(cls, shapes: Sequence[Shape], description: Convolution) -> Length:
        _, kernel = shapes
        return kernel[-1]

    @classmethod
    def compute(cls, tensors: Sequence[Any], description: Convolution) -> Any:
        return lowering.conv(*tensors, description)


@serializable
class DepthwiseConv(SpatialOperation):
    """The node of `depthwise_conv` in a functional model."""

    function = "depthwise_conv"
    tensor_names = ("inputs", "kernel")

    @classmethod
    def describe(
        cls, owner: str, shapes: Sequence[Shape], *, data_format: str | None, **options: Any
    ) -> Convolution:
        shape, kernel = shapes[:2]
        axes = _axes(owner, kernel, data_format, cls.tensor_names[1])
        input_checks.check_spatial(axes, shape, owner)
        input_checks.check_channels(axes, shape, owner, kernel[-2])
        description = arguments.convolution(owner, axes, kernel_size=kernel[:-2], **options)
        input_checks.check_windows(description, shape, owner)
        return description

    @classmethod
    def output_channels(cls, shapes: Sequence[Shape], description: Convolution) -> Length:
        _, kernel = shapes
        return kernel[-2] * kernel[-1]

    @classmethod
    def compute(cls, tensors: Sequence[Any], description: Convolution) -> Any:
        return lowering.depthwise_conv(*tensors, description)


@serializable
class SeparableConv(DepthwiseConv):
    """The node of `separable_conv` in a functional model."""

    function = "separable_conv"
    tensor_names = ("inputs", "depthwise_kernel", "pointwise_kernel")

    @classmethod
    def describe(cls, owner: str, shapes: Sequence[Shape], **options: Any) -> Convolution:
        description = super().describe(owner, shapes, **options)
        _, depthwise, pointwise = shapes
        expected = (*(1,) * description.rank, depthwise[-2] * depthwise[-1])
        if pointwise[:-1] != expected or not pointwise[-1]:
            raise input_checks.wrong_input(
                owner,
                f"have the shape {(*expected, 'filters')}",
                f"shape={pointwise}",
                "pointwise_kernel",
            )
        return description

    @classmethod
    def output_channels(cls, shapes: Sequence[Shape], description: Convolution) -> Length:
        *_, pointwise = shapes
        return pointwise[-1]

    @classmethod
    def compute(cls, tensors: Sequence[Any], description: Convolution) -> Any:
        return lowering.separable_conv(*tensors, description)


@serializable
class ConvTranspose(SpatialOperation):
    """The node of `conv_transpose` in a functional model."""

    function = "conv_transpose"
    tensor_names = ("inputs", "kernel")

    @classmethod
    def describe(
        cls, owner: str, shapes: Sequence[Shape], *, data_format: str | None, **options: Any
    ) -> TransposedConvolution:
        shape, kernel = shapes
        axes = _axes(owner, kernel, data_format)
        description = arguments.transposed_convolution(
            owner, axes, kernel_size=kernel[:-2], **options
        )
        input_checks.check_spatial(axes, shape, owner)
        input_checks.check_channels(axes, shape, owner, kernel[-1], description.groups)
        input_checks.check_transposed_windows(description, shape, owner)
        return description

    @classmethod
    def output_channels(cls, shapes: Sequence[Shape], description: TransposedConvolution) -> Length:
        _, kernel = shapes
        return kernel[-2] * description.groups

    @classmethod
    def compute(cls, tensors: Sequence[Any], description: TransposedConvolution) -> Any:
        return lowering.conv_transpose(*tensors, description)
