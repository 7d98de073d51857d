"""A 3D depthwise convolution as 2D ones: one for each tap of the first axis, summed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from keras_convkit.description import Convolution, SpatialAxes
from keras_convkit.lowering.layout import sliced
from keras_convkit.lowering.padding import pad_to_valid

Lowering = Callable[[Any, Any, Convolution], Any]


def depthwise(x: Any, kernel: Any, convolution: Convolution, flat: Lowering) -> Any:
    """Of `channels_last`; `flat` is the 2D depthwise convolution of each plane.

    The planes that a tap reads, of all samples, are one batch.
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
