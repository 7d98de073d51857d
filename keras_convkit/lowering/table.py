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


def always(case: Case) -> bool:
    return True


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
        "conv", "tensorflow", "cpu", lambda case: case.grouped, "one_conv_a_group",
        "the CPU's grouped kernel needs XLA, compiled afresh at every eager call; in a graph 5 "
        "and 130 times slower",
    ),
    Row(
        "conv", "xla", "cpu", lambda case: case.depthwise, "as_depthwise",
        "the rows of depthwise_conv know better",
    ),
    Row(
        "conv", "xla", "cpu", lambda case: case.grouped, "one_conv_a_group",
        "XLA doesn't vectorize groups on a CPU: 4 and 45 times slower",
    ),
    Row("conv", ANY, ANY, always, "native", ""),
    Row("conv", ANY, ANY, always, "phases", ""),
    Row(
        "depthwise_conv", "tensorflow", ANY, lambda case: case.strided_and_dilated, "phases",
        "the native one computes at stride 1 and throws most of it away",
    ),
    Row(
        "depthwise_conv", "xla", "cpu", lambda case: case.taps <= MANY, "taps",
        "XLA fuses the products, and doesn't vectorize the native one: 42 and 3.7 times slower",
    ),
    Row("depthwise_conv", ANY, ANY, always, "native", ""),
    Row("depthwise_conv", ANY, ANY, always, "taps", ""),
    Row(
        "conv_transpose", "xla", "cpu", lambda case: case.phases <= MANY, "phases",
        "XLA's gradient of the native one isn't vectorized on a CPU: 2D 1.5 and 11, 3D 24 and 9 "
        "times slower",
    ),
    Row("conv_transpose", ANY, ANY, always, "native", ""),
    Row("conv_transpose", ANY, ANY, always, "phases", ""),
    Row("upsample", ANY, ANY, always, "repeat", "nearest neighbors: exact, in every rank"),
    Row("upsample", ANY, ANY, always, "native", "one fused kernel"),
    Row("upsample", ANY, ANY, always, "phases", ""),
)  # fmt: skip


@lru_cache(maxsize=4096)
def first(case: Case, preferred: str | None = None) -> str:
    """`preferred` if it can compute the case, else the first row's that fits and can."""
    if preferred is not None and can(preferred, case):
        return preferred
    return next(row.formulation for row in TABLE if row.fits(case) and can(row.formulation, case))


def slices_by_operation() -> bool:
    """Whether `ops.slice` is differentiated faster than indexing.

    On TensorFlow by a factor of 3 (interpolating 56x56x64 to twice its size, 4 cores): the
    gradient of an index is one thread's work, that of the operation a padding.
    """
    return keras.backend.backend() == "tensorflow"
