"""Convolution in 1D, 2D and 3D: `Conv` does the work, three thin ranks give it their signature."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_convkit import arguments, input_checks, lowering
from keras_convkit.input_checks import Shape
from keras_convkit.layers.base import WeightedLayer, named, serializable


class Conv(WeightedLayer):
    """The convolution of `rank` spatial axes; the public classes document its arguments."""

    config_names = (
        "filters",
        "kernel_size",
        "strides",
        "padding",
        "data_format",
        "dilation_rate",
        "groups",
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
    added_defaults = {"padding_mode": "zeros"}

    def __init__(
        self,
        *,
        filters: int,
        kernel_size: Any,
        strides: Any,
        padding: Any,
        dilation_rate: Any,
        groups: int,
        padding_mode: Any,
        lora_rank: int | None,
        lora_alpha: float | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = arguments.integer(filters, "filters", self.owner)
        self.describe(
            arguments.convolution(
                self.owner,
                self.axes,
                kernel_size=kernel_size,
                strides=strides,
                padding=padding,
                dilation_rate=dilation_rate,
                padding_mode=padding_mode,
                groups=groups,
            )
        )
        self.groups = self.description.groups
        arguments.check_divides(self.groups, self.filters, "filters", self.owner)
        self.padding_mode = arguments.compact(self.description.padding_modes)
        self._set_lora(lora_rank, lora_alpha)
        self.lora_enabled = False
        self._kernel = None

    def _set_lora(self, rank: Any, alpha: Any) -> None:
        if rank is not None:
            rank = arguments.integer(rank, "lora_rank", self.owner)
        if alpha is not None:
            alpha = arguments.number(alpha, "lora_alpha", self.owner)
        self.lora_rank = rank
        self.lora_alpha = rank if alpha is None else alpha

    def check_shape(self, shape: Shape) -> None:
        super().check_shape(shape)
        channels = None if self._kernel is None else self._kernel.shape[-2] * self.groups
        input_checks.check_channels(self.axes, shape, self.owner, channels, self.groups)
        input_checks.check_windows(self.description, shape, self.owner)

    def build(self, input_shape: Shape) -> None:
        shape = input_checks.static_shape(input_shape, self.owner)
        self.check_shape(shape)
        channels = self.axes.channels(shape) // self.groups
        self._kernel = self.add_kernel(
            "kernel", "kernel", (*self.kernel_size, channels, self.filters)
        )
        self.bias = self.add_bias(self.filters)
        self.built = True
        if self.lora_rank:
            self.enable_lora(self.lora_rank, lora_alpha=self.lora_alpha)

    @property
    def kernel(self) -> Any:
        """The kernel, with the LoRA update merged where LoRA is enabled."""
        if self._kernel is None:
            raise AttributeError(f"{self.owner}: `kernel` is there once the layer has been built")
        if not self.lora_enabled:
            return self._kernel
        update = ops.matmul(self.lora_kernel_a, self.lora_kernel_b)
        merged = ops.add(self._kernel, update * (self.lora_alpha / self.lora_rank))
        return ops.cast(merged, self.compute_dtype)

    def call(self, inputs: Any) -> Any:
        outputs = lowering.conv(
            self.cast_inputs(inputs), self.tensor(self.kernel), self.description, self.bias_tensor()
        )
        return self.activate(outputs)

    def output_channels(self, shape: Shape) -> int:
        return self.filters

    def enable_lora(
        self,
        rank: int,
        lora_alpha: float | None = None,
        a_initializer: Any = "he_uniform",
        b_initializer: Any = "zeros",
    ) -> None:
        """Freezes the kernel and trains a low-rank update of it.

        The convolution then uses `kernel + lora_alpha / rank * matmul(a, b)`, with `a` of shape
        `(*kernel_size, in // groups, rank)` and `b` of shape `(rank, filters)`. Saving merges the
        update into the kernel.

        Source: Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021.

        Args:
            rank: Positive int, the rank of the update.
            lora_alpha: Number that scales the update, or `None` for `rank`.
            a_initializer: Initializer of `a`.
            b_initializer: Initializer of `b`.

        Raises:
            ValueError: If the layer isn't built, has a kernel constraint, or has LoRA already.
        """
        if self.kernel_constraint:
            raise ValueError(
                f"{self.owner}: LoRA doesn't go with `kernel_constraint`. "
                f"Received: kernel_constraint={self.kernel_constraint}"
            )
        if self._kernel is None:
            raise ValueError(f"{self.owner}: LoRA needs a layer that has been built")
        if self.lora_enabled:
            raise ValueError(f"{self.owner}: LoRA has been enabled already, which is done once")
        self._set_lora(rank, lora_alpha)
        self._tracker.unlock()
        # Float32 whatever the kernel's dtype: the update's small steps would underflow in less.
        self.lora_kernel_a = self.add_weight(
            name="lora_kernel_a",
            shape=(*self._kernel.shape[:-1], self.lora_rank),
            initializer=keras.initializers.get(a_initializer),
            regularizer=self.kernel_regularizer,
            dtype="float32",
        )
        self.lora_kernel_b = self.add_weight(
            name="lora_kernel_b",
            shape=(self.lora_rank, self.filters),
            initializer=keras.initializers.get(b_initializer),
            regularizer=self.kernel_regularizer,
            dtype="float32",
        )
        self._kernel.trainable = False
        self._tracker.lock()
        self.lora_enabled = True

    def save_own_variables(self, store: Any) -> None:
        if self._kernel is None:
            return
        variables = [self.kernel] + ([self.bias] if self.use_bias else [])
        for i, variable in enumerate(variables):
            store[str(i)] = variable

    def load_own_variables(self, store: Any) -> None:
        if not self.lora_enabled:
            super().load_own_variables(store)
            return
        # The file holds the merged kernel, so the update starts again from nothing.
        self._kernel.assign(store["0"])
        if self.use_bias:
            self.bias.assign(store["1"])
        for variable in (self.lora_kernel_a, self.lora_kernel_b):
            variable.assign(ops.zeros(variable.shape))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if self.lora_rank:
            config.update(lora_rank=self.lora_rank, lora_alpha=self.lora_alpha)
        return config


@serializable
class Conv1D(Conv):
    """1D convolution."""

    rank = 1

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: Any = "valid",
        data_format: str | None = "channels_last",
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
        padding_mode: Any = "zeros",
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))


@serializable
class Conv2D(Conv):
    """2D convolution."""

    rank = 2

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: Any = "valid",
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
        padding_mode: Any = "zeros",
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))


@serializable
class Conv3D(Conv):
    """3D convolution."""

    rank = 3

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1, 1),
        padding: Any = "valid",
        data_format: str | None = None,
        dilation_rate: Any = (1, 1, 1),
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
        padding_mode: Any = "zeros",
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))
