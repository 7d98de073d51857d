"""A grouped operation as one dense operation a group."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from keras_convkit.description import Convolution, TransposedConvolution
from keras_convkit.lowering.padding import pad_to_word

Lowering = Callable[[Any, Any, Any], Any]


def one_conv_a_group(x: Any, kernel: Any, convolution: Convolution, dense: Lowering) -> Any:
    """Each group's channels through its own dense convolution, side by side."""
    x, convolution = pad_to_word(x, convolution)
    axis = convolution.axes.channel_axis
    one = convolution.replace(groups=1)
    outputs = [
        dense(part, weights, one)
        for part, weights in zip(
            ops.split(x, convolution.groups, axis=axis),
            ops.split(kernel, convolution.groups, axis=-1),
            strict=True,
        )
    ]
    return ops.concatenate(outputs, axis=axis)


def as_depthwise(x: Any, kernel: Any, convolution: Convolution, depthwise: Lowering) -> Any:
    """Groups of one channel each: `(*k, 1, filters)` is `(*k, in, filters // in)` in order."""
    *size, _, filters = kernel.shape
    kernel = ops.reshape(kernel, (*size, convolution.groups, filters // convolution.groups))
    return depthwise(x, kernel, convolution.replace(groups=1))


def as_conv_kernel(kernel: Any, convolution: TransposedConvolution) -> Any:
    """`(*k, filters // groups, in)` -> `(*k, in // groups, filters)`, the taps left in order.

    The kernel of the convolution that carries the transposed one's values from its input to its
    output; group by group, the two channel axes change places.
    """
    groups = convolution.groups
    *size, filters, channels = kernel.shape
    rank = len(size)
    if groups == 1:
        return ops.swapaxes(kernel, -1, -2)
    kernel = ops.reshape(kernel, (*size, filters, groups, channels // groups))
    kernel = ops.transpose(kernel, (*range(rank), rank + 2, rank + 1, rank))
    return ops.reshape(kernel, (*size, channels // groups, groups * filters))
