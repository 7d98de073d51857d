"""Grouped convolutions of a few channels a group as multiply-adds, one for each weight of a filter.

XLA fuses them into one loop over the output, and vectorizes that. A convolution a group has so few
channels and filters that no vector is full.

The gradient is written out. That of the input is such a sum again, over the cotangent. The plain
one of the weights would be a sum over all positions for each of them; it is the input convolved
with the cotangent, where each channel is a sample and each sample a channel.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from typing import Any

from keras import ops

from keras_convkit.description import Convolution, SpatialAxes
from keras_convkit.lowering import native
from keras_convkit.lowering.barrier import between_barriers
from keras_convkit.lowering.derivative import with_gradient
from keras_convkit.lowering.grouped import Lowering
from keras_convkit.lowering.layout import spatial_slice, windows
from keras_convkit.lowering.padding import extend
from keras_convkit.lowering.table import MANY_WEIGHTS
from keras_convkit.lowering.window import Window, window_of


def conv(x: Any, kernel: Any, convolution: Convolution, wide: Lowering) -> Any:
    """A convolution of stride 1; `wide` computes a gradient of too many multiply-adds."""
    x, window = window_of(x, convolution)
    return _bilinear(window, convolution.axes, convolution.groups, wide)(x, kernel)


@functools.lru_cache(maxsize=1024)
def _bilinear(
    window: Window, axes: SpatialAxes, groups: int, wide: Lowering
) -> Callable[[Any, Any], Any]:
    """The convolution, as a function of the input and the kernel that knows its gradient.

    That consists of such functions and of native ones, so derivatives of every order are defined.
    """

    # Made once: where nothing is compiled around it, JAX compiles a choice between new functions
    # afresh.
    fused, one_a_group, plain = (
        window.convolve(by, axes, groups) for by in (_sum, wide, native.conv)
    )

    def forward(x: Any, kernel: Any) -> Any:
        if math.prod(kernel.shape[:-1]) > MANY_WEIGHTS:
            return one_a_group(x, kernel)
        # The way that is not taken compiles in no time: it is one operation.
        return between_barriers(fused, plain, x, kernel)

    def gradient(x: Any, kernel: Any, cotangent: Any) -> Any:
        back = _bilinear(window.back(kernel.shape[: axes.rank]), axes, groups, wide)
        return (
            back(cotangent, _turned(kernel, groups)),
            _weights_gradient(x, cotangent, window, axes, groups),
        )

    return with_gradient(forward, gradient)


def _sum(x: Any, kernel: Any, convolution: Convolution) -> Any:
    axes, groups = convolution.axes, convolution.groups
    *size, channels, filters = kernel.shape
    axis = -1 if axes.channels_last else 2
    behind = () if axes.channels_last else (1,) * axes.rank
    weights = ops.reshape(kernel, (*size, channels, groups, filters // groups, *behind))
    total = None
    for tap in itertools.product(*map(range, size)):
        part = _groups_apart(spatial_slice(x, axes, windows(tap, convolution)), axes, groups)
        pieces = ops.split(part, channels, axis=axis) if channels > 1 else [part]
        # Each tap by itself: as one long sum it takes 1.6 times as long.
        terms = [piece * weights[(*tap, c)] for c, piece in enumerate(pieces)]
        term = functools.reduce(lambda a, b: a + b, terms)
        total = term if total is None else total + term
    shape = ops.shape(total)
    if axes.channels_last:
        return ops.reshape(total, (*shape[:-2], filters))
    return ops.reshape(total, (shape[0], filters, *shape[3:]))


def _groups_apart(x: Any, axes: SpatialAxes, groups: int) -> Any:
    """The channels as two axes, group and channel of the group."""
    shape = ops.shape(x)
    if axes.channels_last:
        return ops.reshape(x, (*shape[:-1], groups, shape[-1] // groups))
    return ops.reshape(x, (shape[0], groups, shape[1] // groups, *shape[2:]))


def _turned(kernel: Any, groups: int) -> Any:
    """`(*k, in // groups, filters)` -> `(*k, filters // groups, in)`, the taps turned round."""
    *size, channels, filters = kernel.shape
    rank = len(size)
    kernel = ops.flip(ops.reshape(kernel, (*size, channels, groups, -1)), axis=tuple(range(rank)))
    kernel = ops.swapaxes(kernel, -1, -3)
    return ops.reshape(kernel, (*size, filters // groups, groups * channels))


def _weights_gradient(
    x: Any, cotangent: Any, window: Window, axes: SpatialAxes, groups: int
) -> Any:
    rank, channel = axes.rank, axes.rank + 1 if axes.channels_last else 1
    spatial = [axis for axis in range(1, rank + 2) if axis != channel]
    samples_last = SpatialAxes(rank, "channels_last")
    x = extend(ops.transpose(x, (channel, *spatial, 0)), samples_last, window.amounts)
    cotangent = ops.transpose(cotangent, (*spatial, 0, channel))
    parts = [
        ops.conv(
            part, kernel, strides=window.dilation, padding="valid", data_format="channels_last"
        )
        for part, kernel in zip(
            ops.split(x, groups, axis=0), ops.split(cotangent, groups, axis=-1), strict=True
        )
    ]
    return ops.moveaxis(ops.concatenate(parts, axis=-1), 0, rank)
