"""Depthwise convolution in 1D, 2D and 3D."""

from __future__ import annotations

from typing import Any

from keras_convkit import arguments, input_checks, lowering
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

    def __init__(
        self,
        *,
        kernel_size: Any,
        strides: Any,
        padding: Any,
        depth_multiplier: int,
        dilation_rate: Any,
        padding_mode: Any,
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
        shape = input_checks.static_shape(input_shape, self.owner)
        self.check_shape(shape)
        channels = self.axes.channels(shape)
        self.kernel = self.add_kernel(
            "kernel", "depthwise", (*self.kernel_size, channels, self.depth_multiplier)
        )
        self.bias = self.add_bias(channels * self.depth_multiplier)
        self.built = True

    def call(self, inputs: Any) -> Any:
        outputs = lowering.depthwise_conv(
            self.cast_inputs(inputs), self.tensor(self.kernel), self.description, self.bias_tensor()
        )
        return self.activate(outputs)

    def output_channels(self, shape: Shape) -> int:
        return self.axes.channels(shape) * self.depth_multiplier


@serializable
class DepthwiseConv1D(DepthwiseConv):
    """1D depthwise convolution."""

    rank = 1

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: Any = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        *,
        padding_mode: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))


@serializable
class DepthwiseConv2D(DepthwiseConv):
    """2D depthwise convolution."""

    rank = 2

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: Any = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        *,
        padding_mode: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))


@serializable
class DepthwiseConv3D(DepthwiseConv):
    """3D depthwise convolution."""

    rank = 3

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = (1, 1, 1),
        padding: Any = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = (1, 1, 1),
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        *,
        padding_mode: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))
