"""1D and 3D convolutions as 2D ones: a line is an image of one row, a volume a stack of planes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from keras_convkit.description import Convolution, SpatialAxes
from keras_convkit.lowering.layout import sliced
from keras_convkit.lowering.padding import pad_to_valid, pad_to_word

Lowering = Callable[[Any, Any, Convolution], Any]


def conv_of_a_line(x: Any, kernel: Any, convolution: Convolution, flat: Lowering) -> Any:
    """A 1D convolution; `flat` is the 2D one."""
    x, convolution = pad_to_word(x, convolution)
    row = 1 if convolution.axes.channels_last else 2
    of_an_image = Convolution(
        SpatialAxes(2, convolution.axes.data_format),
        (1, *convolution.kernel_size),
        (1, *convolution.strides),
        convolution.padding * 2,
        (1, *convolution.dilation_rate),
        convolution.padding_modes * 2,
        convolution.groups,
    )
    y = flat(ops.expand_dims(x, row), ops.expand_dims(kernel, 0), of_an_image)
    if y.shape[row] == 1:
        return ops.squeeze(y, row)
    # A dilated convolution of unknown lengths forgets on TensorFlow that there is one row.
    shape = ops.shape(y)
    return ops.reshape(y, (*shape[:row], *shape[row + 1 :]))


def depthwise(x: Any, kernel: Any, convolution: Convolution, flat: Lowering) -> Any:
    """A 3D depthwise one of `channels_last`: a sum of 2D ones, one a tap of the first axis.

    `flat` is the 2D one. The planes that a tap reads, of all samples, are one batch.
    """
    x, convolution = pad_to_valid(x, convolution)
    (stride, *_), (dilation, *_) = convolution.strides, convolution.dilation_rate
    in_plane = Convolution(
        SpatialAxes(2, "channels_last"),
        convolution.kernel_size[1:],
        convolution.strides[1:],
        convolution.padding[1:],
        convolution.dilation_rate[1:],
        convolution.padding_modes[1:],
    )
    total: Any = None
    planes = 0
    for tap in range(convolution.kernel_size[0]):
        start = tap * dilation
        rest = convolution.reach[0] - 1 - start
        step = stride if stride > 1 else None
        part = sliced(x, {1: slice(start or None, -rest if rest else None, step)})
        _, planes, *plane = ops.shape(part)
        y = flat(ops.reshape(part, (-1, *plane)), kernel[tap], in_plane)
        total = y if total is None else total + y
    return ops.reshape(total, (-1, planes, *ops.shape(total)[1:]))
