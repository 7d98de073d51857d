"""Depthwise convolutions of many taps as multiply-adds, with a gradient that is written out.

XLA takes 20 times as long to compile the plain gradient as the built-in layer's: for each tap's
weights a loop and a product. Here the input's gradient is a sum of taps again, and the weights' one
product for all taps together: of ones with what each tap reads times the cotangent, of which parts
are added up in the loop that multiplies.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

from keras import ops

from keras_convkit.description import Convolution, SpatialAxes
from keras_convkit.lowering import layout, native, taps
from keras_convkit.lowering.barrier import between_barriers
from keras_convkit.lowering.derivative import with_gradient
from keras_convkit.lowering.layout import spatial_slice, windows
from keras_convkit.lowering.padding import extend
from keras_convkit.lowering.program import as_one_program
from keras_convkit.lowering.window import Window, window_of


def depthwise(x: Any, kernel: Any, convolution: Convolution) -> Any:
    """A convolution of stride 1; one of several filters a channel has the plain gradient."""
    if kernel.shape[-1] > 1:
        return taps.depthwise_between_barriers(x, kernel, convolution)
    x, window = window_of(x, convolution)
    return _bilinear(window, convolution.axes)(x, kernel)


@functools.lru_cache(maxsize=1024)
def _bilinear(window: Window, axes: SpatialAxes) -> Callable[[Any, Any], Any]:
    """The convolution, as a function of the input and the kernel that knows its gradient.

    That consists of such functions and of a product, so derivatives of every order are defined.
    """
    rank = axes.rank
    # Made once: where nothing is compiled around it, JAX compiles a choice between new functions
    # afresh.
    fused, plain = window.convolve(taps.depthwise, axes), window.convolve(_grouped, axes)

    def forward(x: Any, kernel: Any) -> Any:
        # Or XLA would compute the sum once more for each of its readers.
        return between_barriers(fused, plain, x, kernel)

    def gradient(x: Any, kernel: Any, cotangent: Any) -> Any:
        size = tuple(kernel.shape[:rank])
        turned = ops.flip(kernel, axis=tuple(range(rank)))
        return (
            _bilinear(window.back(size), axes)(cotangent, turned),
            _weights_gradient(x, cotangent, size, window, axes),
        )

    return with_gradient(forward, gradient)


def _grouped(x: Any, kernel: Any, convolution: Convolution) -> Any:
    """By the native convolution of as many groups, which takes every rank."""
    *size, channels, _ = kernel.shape
    kernel = ops.reshape(kernel, (*size, 1, channels))
    return native.conv(x, kernel, convolution.replace(groups=channels))


@as_one_program(tensors=2)
def _weights_gradient(
    x: Any, cotangent: Any, size: Sequence[int], window: Window, axes: SpatialAxes
) -> Any:
    """Of shape `(*size, channels, 1)`."""
    if not axes.channels_last:
        x, cotangent = (layout.to_channels_last(each, axes.rank) for each in (x, cotangent))
        axes = SpatialAxes(axes.rank, "channels_last")
    x, valid = extend(x, axes, window.amounts), window.valid(axes, size)
    *positions, channels = cotangent.shape
    parts = taps.parts_of(math.prod(positions))
    sums = []
    for tap in itertools.product(*map(range, size)):
        products = spatial_slice(x, axes, windows(tap, valid)) * cotangent
        products = ops.reshape(products, (parts, -1, channels))
        sums.append(functools.reduce(lambda a, b: a + b, [products[i] for i in range(parts)]))
    together = ops.concatenate(sums, axis=1)
    ones = ops.ones((1, together.shape[0]), together.dtype)
    return ops.reshape(ops.matmul(ones, together), (*size, channels, 1))
