"""Convolutions whose kernel has a single tap, as matrix products over the channels."""

from __future__ import annotations

import math
from typing import Any

from keras import ops

from keras_convkit.description import Convolution
from keras_convkit.lowering.layout import spatial_slice
from keras_convkit.lowering.padding import pad_to_valid

# Positions a filter from which on a copy of the weights for each sample is small beside the input.
POSITIONS_A_FILTER = 8


def product(x: Any, kernel: Any, convolution: Convolution) -> Any:
    """The steps that the strides leave, times the weights."""
    x, convolution = pad_to_valid(x, convolution)
    axes = convolution.axes
    x = spatial_slice(
        x, axes, [slice(None, None, s) if s > 1 else slice(None) for s in convolution.strides]
    )
    channels, filters = kernel.shape[-2:]
    weights = ops.reshape(kernel, (channels, filters))
    batch, *rest = ops.shape(x)
    if axes.channels_last:
        # As one matrix: with more axes in front the weights' gradient comes with transpositions.
        lengths = rest[:-1]
        y = ops.matmul(ops.reshape(x, (batch * math.prod(lengths), channels)), weights)
        return ops.reshape(y, (batch, *lengths, filters))
    lengths = rest[1:]
    positions = math.prod(lengths)
    weights = ops.transpose(weights)
    if filters * POSITIONS_A_FILTER <= positions:
        # A product of batches with nothing to be broadcast needs no transposition on XLA.
        weights = ops.broadcast_to(weights, (batch, filters, channels))
    y = ops.matmul(weights, ops.reshape(x, (batch, channels, positions)))
    return ops.reshape(y, (batch, filters, *lengths))
