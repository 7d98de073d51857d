"""What a formulation cannot compute, or gets wrong: a formulation is never chosen beyond these.

The rows say which cases; the functions below, the smaller faults that a formulation works around.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras

from keras_convkit.lowering.case import Case, device_of

ANY = "any"
# Up to this factor torch's nearest indices were compared with whole numbers, for outputs of 2^20.
NEAREST_EXACT = 32


class Limit(NamedTuple):
    operation: str
    formulation: str
    backend: str
    device: str
    when: Callable[[Case], bool]
    why: str

    def excludes(self, case: Case) -> bool:
        """Whether `formulation` can't compute `case`."""
        return (
            self.operation == case.operation
            and self.backend in (case.backend, ANY)
            and self.device in (case.device, ANY)
            and self.when(case)
        )


LIMITS = (
    Limit(
        "conv", "native", "tensorflow", ANY, lambda case: case.strided_and_dilated,
        "tf.nn.convolution refuses strides together with dilation",
    ),
    Limit(
        "conv", "one_conv_a_group", ANY, ANY, lambda case: not case.grouped,
        "there are no groups",
    ),
    Limit(
        "conv", "as_depthwise", ANY, ANY, lambda case: not case.depthwise,
        "its groups have several channels",
    ),
    Limit(
        "conv", "as_image", ANY, ANY, lambda case: case.description.rank != 1,
        "only a line is an image of one row",
    ),
    Limit(
        "conv", "phases", ANY, ANY, lambda case: not case.strided_and_dilated,
        "there is nothing to take apart",
    ),
    Limit(
        "conv", "pointwise", ANY, ANY,
        lambda case: case.taps > 1 or case.grouped or not case.float32 or None in case.shape,
        "it takes one tap, one group and a known size, and sums in the input's dtype where the "
        "native one may have a wider one",
    ),
    *(
        Limit(
            operation, "products", ANY, ANY,
            lambda case: case.grouped or not case.float32 or None in case.shape,
            "it takes one group, chunks of a known size, and sums in the input's dtype where the "
            "native one may have a wider one",
        )
        for operation in ("conv", "conv_transpose")
    ),
    *(
        Limit(
            operation, "products", "tensorflow", ANY, lambda case: True,
            "ops.scan fails there where a step's result has another shape than what it carries",
        )
        for operation in ("conv", "conv_transpose")
    ),
    Limit(
        "conv", "threaded", ANY, ANY,
        lambda case: case.grouped or not case.flat or not case.float32 or None in case.shape
        or 0 in case.shape,
        "it takes one group, two axes, stride 1 and a known size, and sums in the input's dtype "
        "where the native one may have a wider one",
    ),
    Limit(
        "conv", "multiply_adds", ANY, ANY,
        lambda case: not case.grouped or case.strided or not case.float32 or None in case.shape
        or 0 in case.shape,
        "it takes several groups, stride 1 and a known size, and sums in the input's dtype where "
        "the native one may have a wider one",
    ),
    Limit(
        "conv", "strided", ANY, ANY,
        lambda case: case.grouped or not case.strided or not case.float32 or None in case.shape
        or 0 in case.shape,
        "it takes one group, strides and a known size, and sums in the input's dtype where the "
        "native one may have a wider one",
    ),
    Limit(
        "conv", "strided_native", "tensorflow", ANY,
        lambda case: case.grouped or not case.strided or case.dilated or not case.float32
        or None in case.shape[1:] or 0 in case.shape,
        "it takes one group, strides, no dilation, an image of a known size, and sums in the "
        "input's dtype where the native one may have a wider one",
    ),
    *(
        Limit(
            "conv", "strided_native", backend, ANY, lambda case: True,
            "the native one's gradient is as fast there, or `strided` is better",
        )
        for backend in ("jax", "torch")
    ),
    *(
        Limit(
            "conv", formulation, backend, ANY, lambda case: True,
            "it would lose the gradients' forms there and win nothing: the native one is fast",
        )
        for formulation in ("threaded", "multiply_adds", "strided")
        for backend in ("tensorflow", "torch")
    ),
    Limit(
        "depthwise_conv", "native", "tensorflow", ANY, lambda case: case.description.rank == 3,
        "there is no such operation",
    ),
    Limit(
        "depthwise_conv", "native", "tensorflow", ANY,
        lambda case: case.unequal_strides and not case.onednn,
        "its own kernel takes no strides that differ; oneDNN's does",
    ),
    Limit(
        "depthwise_conv", "planes", ANY, ANY,
        lambda case: case.description.rank < 3 or not case.description.axes.channels_last,
        "there is one plane, or its channels aren't the last axis",
    ),
    Limit(
        "depthwise_conv", "phases", ANY, ANY,
        lambda case: not (case.strided_and_dilated or case.unequal_strides),
        "there is nothing to take apart",
    ),
    Limit(
        "depthwise_conv", "taps_between_barriers", "torch", ANY, lambda case: True,
        "it chooses by a number's value, which torch.func.vmap doesn't tell",
    ),
    Limit(
        "depthwise_conv", "many_taps", ANY, ANY,
        lambda case: case.strided or not case.float32 or None in case.shape or 0 in case.shape,
        "it takes stride 1 and a known size, and sums in the input's dtype where the native one "
        "may have a wider one",
    ),
    *(
        Limit(
            "depthwise_conv", "many_taps", backend, ANY, lambda case: True,
            "it would lose the gradients' forms there and win nothing: the native one is fast",
        )
        for backend in ("tensorflow", "torch")
    ),
    Limit(
        "conv_transpose", "native", ANY, ANY, lambda case: case.grouped,
        "no native transposed convolution of Keras takes groups",
    ),
    Limit(
        "conv_transpose", "native", "tensorflow", "cpu",
        lambda case: case.dilated and (case.description.rank == 3 or not case.onednn),
        "the CPU's own kernels take no dilation, and the gradient of oneDNN's 3D one fails in a "
        "graph",
    ),
    Limit(
        "conv_transpose", "native", "torch", "cpu",
        lambda case: case.description.axes.channels_last and case.shape[0] == case.shape[-1] == 1,
        "the weight's gradient of one sample of one channel fails: 'grad_weight needs to be "
        "contiguous'",
    ),
    *(
        Limit(
            "upsample", formulation, ANY, ANY, lambda case: not case.nearest,
            "its values are not those of the input",
        )
        for formulation in ("repeat", "stacked", "repeat_channels_last")
    ),
    *(
        Limit(
            "upsample", formulation, ANY, ANY, lambda case: case.nearest,
            "a copy needs no filter",
        )
        for formulation in (
            "phases",
            "phases_both_ways",
            "gathers_both_ways",
            "one_gather_an_axis",
            "depthwise_phases",
        )
    ),
    *(
        Limit(
            "upsample", formulation, ANY, ANY, lambda case: not case.lengths_known,
            "it takes axes of known lengths",
        )
        for formulation in (
            "phases_both_ways",
            "gathers_both_ways",
            "one_gather_an_axis",
            "depthwise_phases",
        )
    ),
    Limit(
        "upsample", "native", ANY, ANY,
        lambda case: not (case.lengths_known and (case.linear or case.nearest)),
        "image resizing takes axes of known length; its cubic one is inexact on TensorFlow, and "
        "another one on torch",
    ),
    Limit(
        "upsample", "native", ANY, ANY,
        lambda case: case.nearest
        and not (case.backend == "torch" and case.float32
                 and max(case.description.sizes) <= NEAREST_EXACT),
        "its indices are computed in floats, and were compared with whole numbers there alone",
    ),
    Limit(
        "upsample", "native", "tensorflow", ANY,
        lambda case: not (case.float32 and case.exact_centres),
        "its centres are float32; in other dtypes XLA's gradient of it is wrong",
    ),
    Limit(
        "upsample", "native", "jax", ANY, lambda case: True,
        "its product with a matrix spreads one infinity over the whole axis",
    ),
)  # fmt: skip


# A choice asks of each formulation in turn, and few of the limits are about that one.
_LIMITS_OF: dict[str, list[Limit]] = {}
for _limit in LIMITS:
    _LIMITS_OF.setdefault(_limit.formulation, []).append(_limit)


def can(formulation: str, case: Case) -> bool:
    """Whether `formulation` computes `case`, and rightly."""
    return not any(limit.excludes(case) for limit in _LIMITS_OF.get(formulation, ()))


def needs_channels_last(x: Any) -> bool:
    """Whether the native operations of this device take no `channels_first`.

    TensorFlow's on a CPU do only for some dtypes and only where oneDNN is on.
    """
    return keras.backend.backend() == "tensorflow" and device_of(x) == "cpu"


def forgets_same(rank: int) -> bool:
    """Whether a native convolution that finds a padding in front of it forgets its own 'same'.

    TensorFlow's oneDNN rewrite makes one operation of a padding and the 3D convolution behind it,
    whatever that one's own padding is.
    """
    return rank == 3 and keras.backend.backend() == "tensorflow"


def takes_transposed_same() -> bool:
    """Whether the native transposed convolution can be trusted with 'same'.

    On torch Keras's is cut out of the full output, as ours is, and was cut wrongly before 3.15.
    """
    return keras.backend.backend() != "torch"


def takes_one_channel_bias() -> bool:
    """Whether a bias vector of one channel can be added as it is.

    TensorFlow fuses the sum with a 1x1 convolution, which then aborts in oneDNN.
    """
    return keras.backend.backend() != "tensorflow"


def overruns_strided_pointwise(x: Any) -> bool:
    """Whether the gradient of a native 1x1 convolution with strides writes beyond its memory.

    torch's on a CPU does, of `channels_last` images with fewer than 8 channels, on a processor with
    AVX2 and no AVX-512. Of more channels it is right, and 1.2 to 4 times slower than on what is
    left of the image when the steps that it skips have been dropped (2 cores).
    """
    return keras.backend.backend() == "torch" and device_of(x) == "cpu"


def fails_on_empty_batch() -> bool:
    """Whether the native operations answer an empty batch with a wrong shape."""
    return keras.backend.backend() == "tensorflow"


def gathers_by_index() -> bool:
    """Whether what is gathered is better asked for as an index than of `ops.take`.

    On torch that has an `aten::ravel`, which neither ONNX nor OpenVINO knows. TensorFlow's tensors
    take no such index.
    """
    return keras.backend.backend() == "torch"
