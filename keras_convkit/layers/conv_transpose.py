"""Transposed convolution in 1D, 2D and 3D."""

from __future__ import annotations

from typing import Any

from keras_convkit import arguments, input_checks, lowering
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
        kernel_size: Any,
        strides: Any,
        padding: Any,
        output_padding: Any,
        dilation_rate: Any,
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
        shape = input_checks.static_shape(input_shape, self.owner)
        self.check_shape(shape)
        channels = self.axes.channels(shape)
        self.kernel = self.add_kernel(
            "kernel", "kernel", (*self.kernel_size, self.filters // self.groups, channels)
        )
        self.bias = self.add_bias(self.filters)
        self.built = True

    def call(self, inputs: Any) -> Any:
        outputs = lowering.conv_transpose(
            self.cast_inputs(inputs), self.tensor(self.kernel), self.description, self.bias_tensor()
        )
        return self.activate(outputs)

    def output_channels(self, shape: Shape) -> int:
        return self.filters


@serializable
class Conv1DTranspose(ConvTranspose):
    """1D transposed convolution."""

    rank = 1

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: Any = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        *,
        groups: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))


@serializable
class Conv2DTranspose(ConvTranspose):
    """2D transposed convolution."""

    rank = 2

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: Any = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        *,
        groups: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))


@serializable
class Conv3DTranspose(ConvTranspose):
    """3D transposed convolution."""

    rank = 3

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1, 1),
        padding: Any = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        *,
        dilation_rate: Any = (1, 1, 1),
        groups: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))
