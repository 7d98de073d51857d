"""Depthwise convolution as shifted multiply-adds: one product a kernel tap, summed.

The forward sum is one fused loop. What a formulation is chosen for is its derivative by the
weights, a sum over all positions for each tap.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

from keras import ops

from keras_convkit.description import Convolution
from keras_convkit.input_checks import Shape, static_shape
from keras_convkit.lowering.barrier import barrier
from keras_convkit.lowering.layout import spatial_slice, windows
from keras_convkit.lowering.padding import pad_to_valid
from keras_convkit.lowering.program import as_one_program

# (weights of one tap, shape of the product's tensor, channels last) -> weights that broadcast to it
Spread = Callable[[Any, Shape, bool], Any]
# How many parts the positions are summed in. XLA fuses no more than 15 uses of one value, takes a
# concatenation of two pieces for what it says, and makes a plain copy of one of three or more
# equal ones.
PARTS = (8, 7, 6, 5, 4, 3, 13, 11)


def depthwise(x: Any, kernel: Any, convolution: Convolution) -> Any:
    """The sum over the taps of the input, shifted to the tap, times the tap's weights."""
    return _sum_over_taps(x, kernel, convolution, _broadcast)


@as_one_program(tensors=2)
def depthwise_summed_in_parts(x: Any, kernel: Any, convolution: Convolution) -> Any:
    """The same, with weights whose derivative adds parts of the positions before it sums them.

    XLA's CPU backend hands every sum of a broadcast's derivative to a library that takes whole
    arrays: it writes out the shifted input of each tap, all of them at once. A concatenation of
    equal pieces is the same broadcast to it, but its derivative is an addition of slices, which
    is fused with shift and product. What remains to be summed, a part of the size, is a product
    with ones; as a product of one column and one row, its forward side is a broadcast again.
    """
    return _sum_over_taps(x, kernel, convolution, _concatenate_parts)


@as_one_program(tensors=2)
def depthwise_between_barriers(x: Any, kernel: Any, convolution: Convolution) -> Any:
    """The same, with an input and an output that are written to memory, and so their derivatives.

    XLA fuses what is cheap into each of its readers. In training that is, once for every tap and
    part, all that stands behind: the derivative of a normalization, say, with this very sum in it.
    Into what stands in front it fuses the sum of the taps' input gradients, in whatever order of
    the axes it is read there.
    """
    y = _sum_over_taps(barrier(x, kernel), kernel, convolution, _concatenate_parts)
    return barrier(y, kernel)


def _sum_over_taps(x: Any, kernel: Any, convolution: Convolution, spread: Spread) -> Any:
    x, convolution = pad_to_valid(x, convolution)
    axes = convolution.axes
    multiplier = kernel.shape[-1]
    # Without channels behind it the last axis is sliced first, once for all taps that share its
    # step: the derivative then pads the innermost loop a third as often (3x3), and 3 times faster.
    split = axes.rank if axes.channels_last else axes.rank - 1
    total = None
    for inner in itertools.product(*map(range, convolution.kernel_size[split:])):
        part = spatial_slice(x, axes, windows(inner, convolution, range(split, axes.rank)))
        for outer in itertools.product(*map(range, convolution.kernel_size[:split])):
            shifted = spatial_slice(part, axes, windows(outer, convolution, range(split)))
            product = _outer(shifted, kernel[outer + inner], convolution, multiplier, spread)
            total = product if total is None else total + product
    if multiplier == 1:
        return total
    return _merge_multiplier(total, convolution)


def _outer(x: Any, weights: Any, convolution: Convolution, multiplier: int, spread: Spread) -> Any:
    """`x` times `(channels, multiplier)`; the multiplier gets an axis behind the channels."""
    channels_last = convolution.axes.channels_last
    shape = static_shape(x.shape)
    if multiplier == 1:
        return x * spread(ops.reshape(weights, (-1,)), shape, channels_last)
    axis = len(shape) if channels_last else 2
    product_shape = (*shape[:axis], multiplier, *shape[axis:])
    return ops.expand_dims(x, axis) * spread(weights, product_shape, channels_last)


def _broadcast(weights: Any, shape: Shape, channels_last: bool) -> Any:
    behind = 0 if channels_last else len(shape) - 1 - len(weights.shape)
    return ops.reshape(weights, (*weights.shape, *(1,) * behind))


def _concatenate_parts(weights: Any, shape: Shape, channels_last: bool) -> Any:
    if None in shape or 0 in shape:
        return _broadcast(weights, shape, channels_last)
    size = math.prod(weights.shape)
    if channels_last:
        merged = [math.prod(shape) // size, size]
        axis, parts = 0, parts_of(merged[0])
    else:
        merged = [shape[0], size, *shape[1 + len(weights.shape) :]]
        axis, parts = max(((axis, parts_of(merged[axis])) for axis in (0, 2)), key=lambda s: s[1])
    merged[axis] //= parts
    if channels_last:
        row, column = ops.reshape(weights, (1, size)), ops.ones((merged[0], 1), weights.dtype)
    else:
        # Row by row, so that the last axis stays the innermost loop.
        each = ops.reshape(weights, (1, size, *(1,) * (len(merged) - 3)))
        column = ops.reshape(ops.broadcast_to(each, merged[:-1]), (-1, 1))
        row = ops.ones((1, merged[-1]), weights.dtype)
    part = ops.expand_dims(ops.reshape(ops.matmul(column, row), merged), axis)
    return ops.reshape(ops.concatenate([part] * parts, axis=axis), shape)


def parts_of(length: int) -> int:
    return next((parts for parts in PARTS if length % parts == 0), 1)


def _merge_multiplier(x: Any, convolution: Convolution) -> Any:
    """Channels and multiplier as one axis, the multiplier varying fastest."""
    shape = ops.shape(x)
    axis = len(x.shape) - 2 if convolution.axes.channels_last else 1
    channels = x.shape[axis] * x.shape[axis + 1]
    return ops.reshape(x, (*shape[:axis], channels, *shape[axis + 2 :]))
