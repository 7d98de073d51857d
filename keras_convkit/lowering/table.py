"""Which formulation is used when: one table, read from the top.

The first row that fits, and whose formulation `limits` lets compute the case, wins. A row that is
there because it is faster names its measurement: the factors are those of a 3x3 layer on 8 images
of 56x56x64 (transposed: 4x4 on 28x28x64, and 3x3x3 on 8x8x8x32) on 4 cores, forward and gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import keras

from keras_convkit.lowering.case import Case
from keras_convkit.lowering.limits import ANY, can


class Row(NamedTuple):
    operation: str
    engine: str
    device: str
    when: Callable[[Case], bool]
    formulation: str
    why: str

    def fits(self, case: Case) -> bool:
        return (
            self.operation == case.operation
            and self.engine in (case.engine, ANY)
            and self.device in (case.device, ANY)
            and self.when(case)
        )


# What is unrolled into more parts than this takes longer to compile than it can save: 7x7 taps
# still compile in a second.
MANY = 64
# A sum of so many taps is worth two copies, so that it isn't computed once more for each reader.
SEVERAL = 25
# A grouped filter of more weights than this is slower as multiply-adds than as a convolution.
MANY_WEIGHTS = 96
# Fewer numbers than this are through before their operations are called.
MANY_NUMBERS = 2**16
# Fewer than this are convolved in one thread before others have started.
MANY_NUMBERS_CONVOLVED = 2**17
# Weights of more output steps than this are too long a constant for a program.
MANY_STEPS = 4096
MANY_PHASES = 8


def always(case: Case) -> bool:
    return True


def short(case: Case) -> bool:
    """Whether the weights of each output step are few enough to be constants."""
    if not case.lengths_known:
        return False
    lengths = case.description.output_lengths(case.description.axes.lengths(case.shape))
    return max(lengths) <= MANY_STEPS and max(case.description.sizes) <= MANY_PHASES


# What is fast in training here is many small operations, which an export would carry along.
IN_AN_EXPORT = "an artifact of one operation is read by more runtimes and optimized by its own"

TABLE = (
    Row("conv", "xla", ANY, lambda case: case.exported, "native", IN_AN_EXPORT),
    Row("depthwise_conv", "xla", ANY, lambda case: case.exported, "native", IN_AN_EXPORT),
    Row("conv_transpose", "xla", ANY, lambda case: case.exported, "native", IN_AN_EXPORT),
    Row(
        "conv", "tensorflow", "cpu", lambda case: case.depthwise, "as_depthwise",
        "the CPU's grouped kernel needs XLA, its depthwise one doesn't",
    ),
    Row(
        "conv", "tensorflow", "cpu", lambda case: case.grouped, "as_image",
        "a 1D convolution is a 2D one between two reshapings there; so all groups share them",
    ),
    Row(
        "conv", "tensorflow", "cpu", lambda case: case.grouped, "one_conv_a_group",
        "the CPU's grouped kernel needs XLA, compiled afresh at every eager call; in a graph 5 "
        "and 130 times slower",
    ),
    Row(
        "conv", "tensorflow", "cpu",
        lambda case: case.taps == 1 and not case.description.axes.channels_last
        and case.positions >= 16 * 16, "pointwise",
        "a product needs no other layout: 1.6 and 1.8 times faster than turned, 1.1 and 1.7 times "
        "than the native one, which oneDNN alone has",
    ),
    Row(
        "conv", "tensorflow", "cpu",
        lambda case: case.description.rank == 3 and case.strided and case.taps > 1
        and not case.onednn, "strided_native",
        "the input's gradient by TensorFlow's own kernel, where it has no oneDNN: 6 times slower, "
        "5x5x5 32 times (2 cores)",
    ),
    Row(
        "conv", "xla", "cpu", lambda case: case.depthwise, "as_depthwise",
        "the rows of depthwise_conv know better",
    ),
    Row(
        "conv", "xla", "cpu",
        lambda case: case.grouped and case.weights_a_filter <= MANY_WEIGHTS
        and case.numbers >= MANY_NUMBERS_CONVOLVED, "multiply_adds",
        "XLA fuses and vectorizes them: for 8 groups of 8 channels 2.4 and 1.5 times faster than "
        "one_conv_a_group, channels_first 1.9 and 1.2; for 32 groups of 4 6 times forward",
    ),
    Row(
        "conv", "xla", "cpu", lambda case: case.grouped, "one_conv_a_group",
        "XLA doesn't vectorize groups on a CPU: 4 and 45 times slower",
    ),
    Row(
        "conv", "xla", "cpu", lambda case: case.taps == 1, "pointwise",
        "XLA's 1x1 convolution is slower than its matrix product: 3 and 4 times, channels_first "
        "2.6 and 3.2 times",
    ),
    Row(
        "conv", "xla", "cpu",
        lambda case: case.description.rank == 3 and case.strided and case.taps > 1
        and case.summands <= MANY and case.numbers >= MANY_NUMBERS_CONVOLVED, "strided",
        "XLA's gradient of the native one isn't vectorized: 20 times slower, that of `products` "
        "2.5 times; 2D it is no faster",
    ),
    Row(
        "conv", "xla", "cpu",
        lambda case: case.description.rank == 3 and case.taps > 1 and case.summands <= MANY,
        "products",
        "XLA has loops for it: 4 and 4 times slower, at stride 2 2 and 15 times",
    ),
    Row(
        "conv", "xla", "cpu",
        lambda case: case.flat and not case.dilated and case.shape[0] > 1
        and case.channels >= 256 and case.positions <= 14 * 14, "products",
        "the weights' gradient is a convolution with a window of the image's size: for 7x7x512 1.9 "
        "and 1.5 times slower; `threaded` 1.0 and 1.2 times faster forward, 0.8 to 1.0 in the "
        "gradient",
    ),
    Row(
        "conv", "xla", "cpu",
        lambda case: case.flat and not case.one_core and case.shape[0] > 1
        and case.channels >= 16 and case.numbers >= MANY_NUMBERS_CONVOLVED, "threaded",
        "XLA computes the native one in one thread, and its gradient as above: 2.0 and 1.8 times, "
        "dilated 1.7 and 1.7, without padding 5 and 4, for 16x112x112x64 1.4 and 4 times slower",
    ),
    Row(
        "conv", "xla", "cpu",
        lambda case: case.flat and case.unpadded and case.channels >= 32, "products",
        "XLA has an image without padding convolved half as fast as one with it, and the gradient "
        "as above: 2.5 and 2.5 times slower",
    ),
    Row("conv", ANY, ANY, always, "native", ""),
    Row("conv", ANY, ANY, always, "phases", ""),
    Row(
        "depthwise_conv", "tensorflow", ANY, lambda case: case.strided_and_dilated, "phases",
        "the native one computes at stride 1 and throws most of it away",
    ),
    Row(
        "depthwise_conv", "xla", "cpu", lambda case: SEVERAL <= case.taps <= MANY, "many_taps",
        "compiled in half the time of taps_between_barriers, between a normalization and a dense "
        "layer 7x7, 1.1 times faster in a step and 1.3 forward (2 cores)",
    ),
    Row(
        "depthwise_conv", "xla", "cpu", lambda case: SEVERAL <= case.taps <= MANY,
        "taps_between_barriers",
        "between a normalization and a dense layer, 7x7: the gradient 3 to 6 times faster than "
        "without barriers",
    ),
    Row(
        "depthwise_conv", "xla", "cpu", lambda case: case.taps <= MANY, "taps_summed_in_parts",
        "XLA fuses the products, and doesn't vectorize the native one: 42 and 3.7 times slower",
    ),
    Row("depthwise_conv", ANY, ANY, always, "native", ""),
    Row(
        "depthwise_conv", "tensorflow", ANY, always, "planes",
        "of what there is for three axes, taps take 4 and 7 times as long",
    ),
    Row(
        "depthwise_conv", "tensorflow", ANY, lambda case: case.unequal_strides, "phases",
        "taps take 50 times as long",
    ),
    Row("depthwise_conv", ANY, ANY, always, "taps", "it needs nothing of the backend"),
    Row(
        "conv_transpose", "xla", "cpu",
        lambda case: case.description.rank > 1 and case.summands <= MANY, "products",
        "XLA's gradient of the native one isn't vectorized on a CPU, and phases as convolutions "
        "have its gradient of the weights: they are 1.4 and 2.3, 3D 4.4 and 3.7 times slower",
    ),
    Row(
        "conv_transpose", "xla", "cpu", lambda case: case.phases <= MANY, "phases",
        "XLA's gradient of the native one isn't vectorized on a CPU: 2D 1.5 and 11, 3D 24 and 9 "
        "times slower",
    ),
    Row(
        "conv_transpose", "tensorflow", "cpu",
        lambda case: case.description.rank == 3 and case.strided and case.phases <= MANY
        and not case.onednn, "phases",
        "TensorFlow's own kernel, where it has no oneDNN: 20 and 11 times slower on 2 cores, at "
        "stride 1 and in 2D it isn't",
    ),
    Row("conv_transpose", ANY, ANY, always, "native", ""),
    Row("conv_transpose", ANY, ANY, always, "phases", ""),
    Row(
        "upsample", "torch", ANY, lambda case: case.nearest and case.exported, "repeat",
        "ONNX and OpenVINO don't know the native one",
    ),
    Row(
        "upsample", "torch", "cpu",
        lambda case: case.nearest and case.description.axes.rank == 2
        and not case.description.axes.channels_last,
        "repeat_channels_last",
        "copies of whole rows: the gradient 1.4 times faster",
    ),
    Row(
        "upsample", "torch", "cpu",
        lambda case: case.nearest
        and case.description.axes.rank == 1
        and case.description.axes.channels_last,
        "repeat_channels_last",
        "as above: 1.3 times faster forward",
    ),
    Row(
        "upsample", "torch", ANY,
        lambda case: case.nearest and case.description.axes.rank < 3, "native",
        "one fused kernel",
    ),
    Row(
        "upsample", "xla", "cpu",
        lambda case: case.nearest and not case.exported
        and case.description.axes.rank > 1 and case.description.axes.channels_last,
        "stacked",
        "XLA sums slices faster than over an axis: the gradient 2, 3D 1.2 times faster",
    ),
    Row("upsample", ANY, ANY, lambda case: case.nearest, "repeat", "exact, in every rank"),
    Row(
        "upsample", ANY, ANY, lambda case: case.linear, "native",
        "one fused kernel, in 3D two: there on torch 6 and 6 times faster than phases, "
        "TensorFlow 2.5 times",
    ),
    Row(
        "upsample", ANY, ANY, lambda case: case.exported and short(case), "one_gather_an_axis",
        "no runtime has an operation with these numbers; these are a few for each axis",
    ),
    Row(
        "upsample", "tensorflow", "cpu", always, "depthwise_phases",
        "a pass over memory for a phase instead of three for a tap: cubic 1.5 and 1.7, lanczos5 3 "
        "and 3 times faster",
    ),
    Row(
        "upsample", "torch", "cpu",
        lambda case: case.description.axes.rank == 2 and case.numbers > MANY_NUMBERS,
        "depthwise_phases",
        "as above: cubic 1.2 and 1.8, lanczos3 1.4 and 3 times faster; in other ranks and of few "
        "numbers its calls outweigh that",
    ),
    Row(
        "upsample", "xla", "cpu",
        lambda case: short(case) and (case.linear or case.gathers_well), "gathers_both_ways",
        "XLA fuses the gathers of a contiguous axis: linear 2 and 4, cubic 1.5 and 5 times faster, "
        "of which the gradient's part needs the explicit one: XLA keeps a copy for each pad of the "
        "plain gradient",
    ),
    Row(
        "upsample", "xla", "cpu", always, "phases_both_ways",
        "XLA keeps a copy for each pad of the plain gradient: cubic 2 times faster",
    ),
    Row("upsample", ANY, ANY, always, "phases", ""),
)  # fmt: skip


@lru_cache(maxsize=4096)
def first(case: Case, preferred: str | None = None) -> str:
    """`preferred` if it can compute the case, else the first row's that fits and can."""
    if preferred is not None and can(preferred, case):
        return preferred
    # The limits first: what a row asks for may need lengths that a formulation needs as well.
    return next(row.formulation for row in TABLE if can(row.formulation, case) and row.fits(case))


def slices_by_operation() -> bool:
    """Whether `ops.slice` is differentiated faster than indexing.

    On TensorFlow by a factor of 3 (interpolating 56x56x64 to twice its size, 4 cores): the
    gradient of an index is one thread's work, that of the operation a padding.
    """
    return keras.backend.backend() == "tensorflow"


def reshapes_by_operation() -> bool:
    """Whether tensors have no method of their own to be reshaped by.

    Where they have, it is faster: Keras looks for Keras tensors in the new shape as well, which on
    torch takes 40 microseconds, and reshaping 2.
    """
    return keras.backend.backend() == "tensorflow"


def compiles_loops() -> bool:
    """Whether a loop is compiled as a whole even where nothing is compiled around it.

    On JAX; a depthwise layer on a small image is 14 times faster so than operation by operation.
    """
    return keras.backend.backend() == "jax"


def weights_by_value() -> bool:
    """Whether a variable's value is a tensor, and faster to take than the variable to convert.

    On TensorFlow it is no tensor; on torch it saves half of 9 microseconds; on JAX nothing.
    """
    return keras.backend.backend() == "torch"


def bias_by_operation() -> bool:
    """Whether `ops.add` adds a bias faster than `+`.

    TensorFlow's has a kernel for biases, 1D 1.1 times faster than its broadcasting sum; on torch
    the operator saves a small layer a twentieth of its time.
    """
    return keras.backend.backend() == "tensorflow"
