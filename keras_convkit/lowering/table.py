"""Which formulation is used when: one table, read from the top, the first row that fits wins.

A row that is there because the native operation fails or is wrong says so; a row that is there
because it is faster names its measurement. The backend and the device are read here, through
Keras's public functions, and nowhere else in the package.
"""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import keras

from keras_convkit.description import Convolution, TransposedConvolution, Upsampling
from keras_convkit.input_checks import Shape, static_shape

Description = Convolution | TransposedConvolution | Upsampling


class Case(NamedTuple):
    """One call, as far as the choice depends on it."""

    operation: str
    description: Description
    shape: Shape
    dtype: str
    backend: str
    device: str

    @property
    def float32(self) -> bool:
        return self.dtype == "float32"

    @property
    def linear(self) -> bool:
        return self.description.interpolation == "linear"

    @property
    def resizable(self) -> bool:
        """Whether image resizing takes it: two axes at most, whose lengths are known."""
        axes = self.description.axes
        return axes.rank < 3 and None not in axes.lengths(self.shape) and 0 not in self.shape

    @property
    def power_of_two_sizes(self) -> bool:
        return all(size & (size - 1) == 0 for size in self.description.sizes)

    @property
    def depthwise(self) -> bool:
        """Whether each channel is a group of its own, and there is more than one."""
        return self.description.groups == self.description.axes.channels(self.shape) > 1

    @property
    def taps(self) -> int:
        return math.prod(self.description.kernel_size)

    @property
    def phases(self) -> int:
        """The number of convolutions that a transposed one is taken apart into."""
        return math.prod(map(min, self.description.strides, self.description.kernel_size))

    @property
    def strided_and_dilated(self) -> bool:
        return max(self.description.strides) > 1 and max(self.description.dilation_rate) > 1

    @property
    def grouped(self) -> bool:
        return self.description.groups > 1


class Row(NamedTuple):
    operation: str
    backend: str
    device: str
    when: Callable[[Case], bool]
    formulation: str
    why: str

    def fits(self, case: Case) -> bool:
        return (
            self.operation == case.operation
            and self.backend in (case.backend, ANY)
            and self.device in (case.device, ANY)
            and self.when(case)
        )


ANY = "any"
# What is unrolled into more parts than this takes longer to compile than it can save: 7x7 taps
# still compile in a second.
MANY = 64


def always(case: Case) -> bool:
    return True


# The factors are those of a 3x3 layer on 8 images of 56x56x64 (transposed: 4x4 on 28x28x64, and
# 3x3x3 on 8x8x8x32) on 4 cores, forward and gradient.
TABLE = (
    Row(
        "conv", "tensorflow", ANY, lambda case: case.strided_and_dilated, "phases",
        "tf.nn.convolution refuses strides together with dilation",
    ),
    Row(
        "conv", "tensorflow", "cpu", lambda case: case.depthwise, "as_depthwise",
        "the CPU's grouped kernel needs XLA, its depthwise one doesn't",
    ),
    Row(
        "conv", "tensorflow", "cpu", lambda case: case.grouped, "one_conv_a_group",
        "the CPU's grouped kernel needs XLA, compiled afresh at every eager call; in a graph 5 "
        "and 130 times slower",
    ),
    Row(
        "conv", "jax", "cpu", lambda case: case.depthwise, "as_depthwise",
        "the rows of depthwise_conv know better",
    ),
    Row(
        "conv", "jax", "cpu", lambda case: case.grouped, "one_conv_a_group",
        "XLA doesn't vectorize groups on a CPU: 4 and 45 times slower",
    ),
    Row(
        "conv", "jax", "cpu",
        lambda case: case.taps == 1 and case.float32 and None not in case.shape, "product",
        "XLA's 1x1 convolution is slower than its matrix product: 3 and 4 times, channels_first "
        "2.6 and 3.2 times",
    ),
    Row("conv", ANY, ANY, always, "native", ""),
    Row(
        "depthwise_conv", "tensorflow", ANY, lambda case: case.description.rank == 3, "taps",
        "there is no native 3D operation",
    ),
    Row(
        "depthwise_conv", "tensorflow", ANY, lambda case: case.strided_and_dilated, "phases",
        "the native one computes at stride 1 and throws most of it away",
    ),
    Row(
        "depthwise_conv", "jax", "cpu", lambda case: case.taps <= MANY, "taps_summed_in_parts",
        "XLA fuses the products, and doesn't vectorize the native one: 42 and 3.7 times slower",
    ),
    Row("depthwise_conv", ANY, ANY, always, "native", ""),
    Row(
        "conv_transpose", ANY, ANY, lambda case: case.grouped, "phases",
        "no native transposed convolution of Keras takes groups",
    ),
    Row(
        "conv_transpose", "tensorflow", "cpu",
        lambda case: max(case.description.dilation_rate) > 1
        and (case.description.rank == 3 or not onednn()), "phases",
        "the CPU's own kernels take no dilation, and the gradient of oneDNN's 3D one fails in a "
        "graph",
    ),
    Row(
        "conv_transpose", "jax", "cpu", lambda case: case.phases <= MANY, "phases",
        "XLA's gradient of the native one isn't vectorized on a CPU: 2D 1.5 and 11, 3D 24 and 9 "
        "times slower",
    ),
    Row(
        "conv_transpose", "torch", "cpu",
        lambda case: case.description.axes.channels_last and case.shape[0] == case.shape[-1] == 1,
        "phases",
        "the weight's gradient of one sample of one channel fails: 'grad_weight needs to be "
        "contiguous'",
    ),
    Row("conv_transpose", ANY, ANY, always, "native", ""),
    Row(
        "upsample", ANY, ANY, lambda case: case.description.interpolation == "nearest", "repeat",
        "exact, in every rank",
    ),
    Row(
        "upsample", "torch", ANY, lambda case: case.resizable and case.linear, "native",
        "one fused kernel",
    ),
    Row(
        "upsample", "tensorflow", ANY,
        lambda case: case.resizable and case.linear and case.float32 and case.power_of_two_sizes,
        "native",
        "one fused kernel, exact where its float32 centres are; in other dtypes XLA's gradient of "
        "it is wrong, and XLA has none for the cubic one",
    ),
    Row("upsample", ANY, ANY, always, "phases", ""),
)  # fmt: skip


def choose(operation: str, description: Description, x: Any) -> str:
    """The name of the formulation for this call."""
    shape, dtype = static_shape(x.shape), keras.backend.standardize_dtype(x.dtype)
    backend, device = keras.backend.backend(), device_of(x)
    return _first_row(Case(operation, description, shape, dtype, backend, device))


@lru_cache(maxsize=4096)
def _first_row(case: Case) -> str:
    return next(row.formulation for row in TABLE if row.fits(case))


def needs_channels_last(x: Any) -> bool:
    """Whether the native operations of this device take no `channels_first`.

    TensorFlow's on a CPU do only for some dtypes and only where oneDNN is on.
    """
    return keras.backend.backend() == "tensorflow" and device_of(x) == "cpu"


def slices_by_operation() -> bool:
    """Whether `ops.slice` is differentiated faster than indexing.

    On TensorFlow by a factor of 3 (interpolating 56x56x64 to twice its size, 4 cores): the
    gradient of an index is one thread's work, that of the operation a padding.
    """
    return keras.backend.backend() == "tensorflow"


def pads_folded() -> bool:
    """Whether the last spatial axis is padded as one with the channels behind it.

    XLA's CPU backend compiles a padding of 56x56x64 in 60 ms so, in 250 ms otherwise, and the
    padding itself is 1.2 times faster.
    """
    return keras.backend.backend() == "jax" and _default_device() == "cpu"


def takes_same(rank: int) -> bool:
    """Whether the native convolution can be trusted with 'same'.

    TensorFlow fuses a padding with the 3D convolution behind it, and then forgets the
    convolution's own 'same'.
    """
    return rank < 3 or keras.backend.backend() != "tensorflow"


def takes_transposed_same() -> bool:
    """Whether the native transposed convolution can be trusted with 'same'.

    On torch Keras's is cut out of the full output, as ours is, and was cut wrongly before 3.15.
    """
    return keras.backend.backend() != "torch"


def onednn() -> bool:
    """Whether TensorFlow computes on this CPU with oneDNN: its default on Linux alone."""
    return platform.system() == "Linux" and os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1") != "0"


def fails_on_empty_batch() -> bool:
    """Whether the native operations answer an empty batch with a wrong shape."""
    return keras.backend.backend() == "tensorflow"


def device_of(x: Any) -> str:
    """`"cpu"`, `"gpu"` or another kind of device that will compute with `x`."""
    if keras.backend.backend() == "torch":
        return "cpu" if str(x.device).startswith("cpu") else "gpu"
    return _default_device()


@lru_cache(maxsize=1)
def _default_device() -> str:
    return keras.distribution.list_devices()[0].partition(":")[0].lower()
