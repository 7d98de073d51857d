"""Convolution in 1D, 2D and 3D: `Conv` does the work, three thin ranks give it their signature."""

from __future__ import annotations

from typing import Any

from keras import ops

from keras_convkit import arguments, input_checks, lowering
from keras_convkit.arguments import KerasObject, PaddingArgument, Size, Words
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
        kernel_size: Size,
        strides: Size,
        padding: PaddingArgument,
        dilation_rate: Size,
        groups: int,
        padding_mode: Words,
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
            if self.kernel_constraint:
                raise ValueError(
                    f"{self.owner}: LoRA doesn't go with `kernel_constraint`. Received: "
                    f"lora_rank={rank}, kernel_constraint={type(self.kernel_constraint).__name__}"
                )
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
        shape = input_checks.given_shape(input_shape, self.owner)
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
        x = self.cast_inputs(inputs)
        kernel, bias = self.tensor(self.kernel, x), self.bias_tensor(x)
        outputs = lowering.conv(x, kernel, self.description, bias)
        return self.activate(outputs)

    def output_channels(self, shape: Shape) -> int:
        return self.filters

    def enable_lora(
        self,
        rank: int,
        lora_alpha: float | None = None,
        a_initializer: KerasObject = "he_uniform",
        b_initializer: KerasObject = "zeros",
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
        if self._kernel is None or self.lora_enabled:
            raise ValueError(
                f"{self.owner}: LoRA is enabled once, when the layer has been built. "
                f"Received: built={self.built}, lora_enabled={self.lora_enabled}"
            )
        initializers = [
            self._keras_object("a_initializer", a_initializer),
            self._keras_object("b_initializer", b_initializer),
        ]
        self._set_lora(arguments.integer(rank, "rank", self.owner), lora_alpha)
        self._tracker.unlock()
        # Float32 whatever the kernel's dtype: the update's small steps would underflow in less.
        self.lora_kernel_a = self.add_weight(
            name="lora_kernel_a",
            shape=(*self._kernel.shape[:-1], self.lora_rank),
            initializer=initializers[0],
            regularizer=self.kernel_regularizer,
            dtype="float32",
        )
        self.lora_kernel_b = self.add_weight(
            name="lora_kernel_b",
            shape=(self.lora_rank, self.filters),
            initializer=initializers[1],
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
    """1D convolution over sequences: audio, text, time series.

    With `x` the padded input, `s` the stride and `d` the dilation, output step `t` of filter `f` is

        activation(bias[f] + sum over i, c of x[t * s + i * d, c] * kernel[i, c, f])

    The kernel, of shape `(kernel_size, channels // groups, filters)`, isn't flipped; `c` runs over
    the channels of the filter's group. Padding in front alone keeps an output from seeing later
    inputs (van den Oord et al., WaveNet, arXiv:1609.03499).

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
        padding_mode: What the padding is filled with: `"zeros"`, `"reflect"` (mirrored about the
            edge step, which isn't repeated), `"replicate"` (the edge step) or `"circular"` (the
            other end).
        lora_rank: Positive int to freeze the kernel and train an update of this rank (Hu et al.,
            LoRA, arXiv:2106.09685; see `enable_lora`), or `None`.
        lora_alpha: Number; the update is scaled by `lora_alpha / lora_rank` (`None`: by 1).
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
            an unknown word, `groups` that don't divide `filters`. When the layer is built or
            called: if the input has too few axes, an empty spatial axis, a number of channels that
            is unknown, zero or doesn't fit `groups` or the weights, or a complex dtype, is shorter
            than the reach after padding, or isn't longer than a reflect padding.

    Example:
        >>> import keras_convkit as kc
        >>> import numpy as np
        >>> x = np.random.rand(4, 100, 8)  # 4 sequences of 100 steps
        >>> layer = kc.Conv1D(16, 2, padding="causal", dilation_rate=8)
        >>> tuple(layer(x).shape)
        (4, 100, 16)
        >>> tuple(kc.Conv1D(16, 3, strides=2, dilation_rate=2)(x).shape)  # floor((100 - 5) / 2) + 1
        (4, 48, 16)
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
        padding_mode: Words = "zeros",
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))


@serializable
class Conv2D(Conv):
    """2D convolution over images, maps and spectrograms.

    With `x` the padded input, `s0, s1` the strides and `d0, d1` the dilation, output `(i, j)` of
    filter `f` is

        activation(bias[f] + sum over a, b, c of
                   x[i * s0 + a * d0, j * s1 + b * d1, c] * kernel[a, b, c, f])

    The kernel has the shape `(*kernel_size, channels // groups, filters)`. For the lengths see
    Dumoulin and Visin, arXiv:1603.07285.

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
        padding_mode: What the padding is filled with: `"zeros"`, `"reflect"` (mirrored about the
            edge step, which isn't repeated), `"replicate"` (the edge step) or `"circular"` (the
            other end); one word, or one per dimension.
        lora_rank: Positive int to freeze the kernel and train an update of this rank (Hu et al.,
            LoRA, arXiv:2106.09685; see `enable_lora`), or `None`.
        lora_alpha: Number; the update is scaled by `lora_alpha / lora_rank` (`None`: by 1).
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
            an unknown word, `groups` that don't divide `filters`. When the layer is built or
            called: if the input has too few axes, an empty spatial axis, a number of channels that
            is unknown, zero or doesn't fit `groups` or the weights, or a complex dtype, is shorter
            than the reach after padding, or isn't longer than a reflect padding.

    Example:
        >>> import keras_convkit as kc
        >>> import numpy as np
        >>> globe = np.random.rand(2, 90, 180, 3)  # latitude by longitude, which goes around
        >>> layer = kc.Conv2D(8, 5, padding="same", padding_mode=("replicate", "circular"))
        >>> tuple(layer(globe).shape)
        (2, 90, 180, 8)
        >>> clips = np.random.rand(2, 10, 32, 32, 3)  # two batch axes: 2 clips of 10 frames
        >>> tuple(kc.Conv2D(8, 3, strides=2)(clips).shape)
        (2, 10, 15, 15, 8)
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
        padding_mode: Words = "zeros",
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))


@serializable
class Conv3D(Conv):
    """3D convolution over volumes and videos.

    The sum of `Conv2D` with one axis more, `depth`, which is time in a video. Padding is given per
    dimension, so that a model can be causal in time and centered in space. The kernel has the shape
    `(*kernel_size, channels // groups, filters)`.

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
        padding_mode: What the padding is filled with: `"zeros"`, `"reflect"` (mirrored about the
            edge step, which isn't repeated), `"replicate"` (the edge step) or `"circular"` (the
            other end); one word, or one per dimension.
        lora_rank: Positive int to freeze the kernel and train an update of this rank (Hu et al.,
            LoRA, arXiv:2106.09685; see `enable_lora`), or `None`.
        lora_alpha: Number; the update is scaled by `lora_alpha / lora_rank` (`None`: by 1).
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
            an unknown word, `groups` that don't divide `filters`. When the layer is built or
            called: if the input has too few axes, an empty spatial axis, a number of channels that
            is unknown, zero or doesn't fit `groups` or the weights, or a complex dtype, is shorter
            than the reach after padding, or isn't longer than a reflect padding.

    Example:
        >>> import keras_convkit as kc
        >>> import numpy as np
        >>> video = np.random.rand(1, 8, 32, 32, 3)
        >>> layer = kc.Conv3D(4, 3, strides=(1, 2, 2), padding=("causal", "same", "same"))
        >>> tuple(layer(video).shape)  # no frame has seen a later one
        (1, 8, 16, 16, 4)
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
        padding_mode: Words = "zeros",
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))
