"""Separable convolution in 1D, 2D and 3D: depthwise, then a 1x1 over the channels."""

from __future__ import annotations

from typing import Any

from keras_convkit import arguments, input_checks, lowering
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

    def __init__(
        self,
        *,
        filters: int,
        kernel_size: Any,
        strides: Any,
        padding: Any,
        dilation_rate: Any,
        depth_multiplier: int,
        padding_mode: Any,
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
        shape = input_checks.static_shape(input_shape, self.owner)
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
        outputs = lowering.separable_conv(
            self.cast_inputs(inputs),
            self.tensor(self.depthwise_kernel),
            self.tensor(self.pointwise_kernel),
            self.description,
            self.bias_tensor(),
        )
        return self.activate(outputs)

    def output_channels(self, shape: Shape) -> int:
        return self.filters


@serializable
class SeparableConv1D(SeparableConv):
    """1D separable convolution."""

    rank = 1

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: Any = "valid",
        data_format: str | None = "channels_last",
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        *,
        padding_mode: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))


@serializable
class SeparableConv2D(SeparableConv):
    """2D separable convolution."""

    rank = 2

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: Any = "valid",
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        *,
        padding_mode: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))


@serializable
class SeparableConv3D(SeparableConv):
    """3D separable convolution."""

    rank = 3

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1, 1),
        padding: Any = "valid",
        data_format: str | None = None,
        dilation_rate: Any = (1, 1, 1),
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        *,
        padding_mode: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))
