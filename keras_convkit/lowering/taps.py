"""Depthwise convolution as shifted multiply-adds: one product a kernel tap, summed."""

from __future__ import annotations

import itertools
from typing import Any

from keras import ops

from keras_convkit.description import Convolution
from keras_convkit.lowering.layout import spatial_slice
from keras_convkit.lowering.padding import pad_to_valid


def depthwise(x: Any, kernel: Any, convolution: Convolution) -> Any:
    """The sum over the taps of the input, shifted to the tap, times the tap's weights."""
    x, convolution = pad_to_valid(x, convolution)
    axes = convolution.axes
    multiplier = kernel.shape[-1]
    total = None
    for tap in itertools.product(*map(range, convolution.kernel_size)):
        product = _outer(
            spatial_slice(x, axes, _windows(tap, convolution)), kernel[tap], convolution, multiplier
        )
        total = product if total is None else total + product
    if multiplier == 1:
        return total
    return _merge_multiplier(total, convolution)


def _windows(tap: tuple[int, ...], convolution: Convolution) -> tuple[slice, ...]:
    """Where each window of the padded input finds this tap's step.

    The end counts from behind, so that the input's length needn't be known.
    """
    slices = []
    for k, s, d, e in zip(
        tap, convolution.strides, convolution.dilation_rate, convolution.reach, strict=True
    ):
        start, rest = k * d, e - 1 - k * d
        slices.append(slice(start or None, -rest if rest else None, s if s > 1 else None))
    return tuple(slices)


def _outer(x: Any, weights: Any, convolution: Convolution, multiplier: int) -> Any:
    """`x` times `(channels, multiplier)`; the multiplier gets an axis behind the channels."""
    spatial = () if convolution.axes.channels_last else (1,) * convolution.rank
    if multiplier == 1:
        return x * ops.reshape(weights, (-1, *spatial))
    shifted = ops.expand_dims(x, -1 - len(spatial))
    return shifted * ops.reshape(weights, (-1, multiplier, *spatial))


def _merge_multiplier(x: Any, convolution: Convolution) -> Any:
    """Channels and multiplier as one axis, the multiplier varying fastest."""
    shape = ops.shape(x)
    axis = len(x.shape) - 2 if convolution.axes.channels_last else 1
    channels = x.shape[axis] * x.shape[axis + 1]
    return ops.reshape(x, (*shape[:axis], channels, *shape[axis + 2 :]))
