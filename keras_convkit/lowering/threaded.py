"""2D convolutions by that native kernel of XLA's which computes in every thread.

On a CPU XLA gives a convolution that is padded as 'valid' or 'same' are to a kernel that computes
it in one thread, and every other one to a kernel that computes it in all. So there is one step of
zeros more than asked for, and its output is dropped. XLA makes the padding part of the convolution.

The gradient is written out, since the plain one of the weights has a window as large as the image.
That of the input is such a convolution again. That of the weights, the sum over all positions of
what each tap reads times the cotangent, is a matrix product: the taps of the first axis stand side
by side in its left factor, those of the second, as shifted cotangents, in its right one.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

from keras import ops

from keras_convkit.description import Convolution, SpatialAxes
from keras_convkit.lowering import layout
from keras_convkit.lowering.derivative import with_gradient
from keras_convkit.lowering.layout import cut, spatial_slice
from keras_convkit.lowering.padding import extend
from keras_convkit.lowering.program import as_one_program
from keras_convkit.lowering.window import Window, window_of

AXES = SpatialAxes(2, "channels_last")
# As many numbers as the factors of one product have at most, so that they stay in the cache: 16 MiB
# in all. Of fewer samples at a time a product is too small for all threads.
ENOUGH = 2**22


def conv(x: Any, kernel: Any, convolution: Convolution) -> Any:
    """A convolution of one group, of two axes and of stride 1."""
    axes = convolution.axes
    x, window = window_of(x, convolution)
    run = _bilinear(window)
    if axes.channels_last:
        return run(x, kernel)
    return layout.to_channels_first(run(layout.to_channels_last(x, axes.rank), kernel), axes.rank)


@functools.lru_cache(maxsize=1024)
def _bilinear(window: Window) -> Callable[[Any, Any], Any]:
    """The convolution, as a function of the input and the kernel that knows its gradient.

    That consists of such functions again, so derivatives of every order are defined.
    """

    def gradient(x: Any, kernel: Any, cotangent: Any) -> Any:
        size = tuple(kernel.shape[:2])
        turned = ops.swapaxes(ops.flip(kernel, axis=(0, 1)), 2, 3)
        return (
            _bilinear(window.back(size))(cotangent, turned),
            _weights_gradient(x, cotangent, size, window),
        )

    return with_gradient(lambda x, kernel: _convolve(x, kernel, window), gradient)


@as_one_program(tensors=2)
def _convolve(x: Any, kernel: Any, window: Window) -> Any:
    rows, columns = window.amounts
    reach = (kernel.shape[0] - 1) * window.dilation[0] + 1
    more = max(reach - sum(rows), 0)
    y = ops.conv(
        extend(x, AXES, [(rows[0], rows[1] + more), columns]),
        kernel,
        padding="valid",
        data_format="channels_last",
        dilation_rate=window.dilation,
    )
    return spatial_slice(y, AXES, [cut(0, more), slice(None)])


@as_one_program(tensors=2)
def _weights_gradient(x: Any, cotangent: Any, size: Sequence[int], window: Window) -> Any:
    n, channels, filters = x.shape[0], x.shape[-1], cotangent.shape[-1]
    positions = cotangent.shape[1] * (x.shape[2] + sum(window.amounts[1]))
    chunk = _samples(n, positions * (size[0] * channels + size[1] * filters))
    part = functools.partial(_product, size=size, window=window)
    if chunk == n:
        total = part(x, cotangent)
    else:
        parts = [ops.reshape(it, (-1, chunk, *it.shape[1:])) for it in (x, cotangent)]
        zeros = ops.zeros((size[0] * channels, size[1] * filters), x.dtype)
        total, _ = ops.scan(lambda sum, both: (sum + part(*both), None), zeros, parts)
    total = ops.reshape(total, (size[0], channels, size[1], filters))
    return ops.transpose(total, (0, 2, 1, 3))


def _samples(n: int, numbers: int) -> int:
    """How many at a time, with so many numbers each: a divisor of `n`."""
    most = max(ENOUGH // numbers, 1)
    return max(size for size in range(1, n + 1) if n % size == 0 and size <= most)


def _product(x: Any, cotangent: Any, size: Sequence[int], window: Window) -> Any:
    """Of shape `(rows * channels, columns * filters)`."""
    x = extend(x, AXES, window.amounts)
    height, width = cotangent.shape[1:3]
    left, right = [], []
    for tap in range(size[0]):
        start = tap * window.dilation[0]
        left.append(x[:, start : start + height])
    for tap in range(size[1]):
        start = tap * window.dilation[1]
        right.append(extend(cotangent, AXES, [(0, 0), (start, x.shape[2] - width - start)]))
    return ops.matmul(ops.transpose(_side_by_side(left)), _side_by_side(right))


def _side_by_side(pieces: Sequence[Any]) -> Any:
    """A matrix of a row a position, with the channels of each piece in turn."""
    wide = len(pieces) * pieces[0].shape[-1]
    together = pieces[0] if len(pieces) == 1 else ops.stack(pieces, axis=-2)
    return ops.reshape(together, (math.prod(pieces[0].shape[:-1]), wide))
