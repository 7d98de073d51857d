"""Strided convolutions with a gradient that is written out.

XLA differentiates a strided convolution to one of an input with holes, and to one with a window of
the image's size. Here the gradient by the input is the transposed convolution that it is, by
whatever formulation is best at these. That by the weights, the sum over all positions of what each
tap reads times the cotangent, is matrix products: the taps of the last axis stand side by side in
their left factor, so that none is small, and the others have a product each.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

from keras import ops

from keras_convkit.description import Convolution, SpatialAxes, TransposedConvolution
from keras_convkit.lowering import layout
from keras_convkit.lowering.derivative import with_gradient
from keras_convkit.lowering.grouped import Lowering
from keras_convkit.lowering.layout import spatial_slice, windows
from keras_convkit.lowering.padding import extend, pad_to_zeros


def conv(
    x: Any, kernel: Any, convolution: Convolution, forward: Lowering, conv_transpose: Lowering
) -> Any:
    """A convolution of one group, by `forward`, with `conv_transpose` in its gradient."""
    axes = convolution.axes
    x, convolution = pad_to_zeros(x, convolution)
    if axes.channels_last:
        return _bilinear(convolution, forward, conv_transpose)(x, kernel)
    turned = convolution.replace(axes=SpatialAxes(axes.rank, "channels_last"))
    y = _bilinear(turned, forward, conv_transpose)(layout.to_channels_last(x, axes.rank), kernel)
    return layout.to_channels_first(y, axes.rank)


@functools.lru_cache(maxsize=1024)
def _bilinear(
    convolution: Convolution, forward: Lowering, conv_transpose: Lowering
) -> Callable[[Any, Any], Any]:
    """The convolution, as a function of the input and the kernel that knows its gradient."""

    def gradient(x: Any, kernel: Any, cotangent: Any) -> Any:
        # `(*k, in, filters)` is the transposed one's `(*k, its filters, its in)`.
        return (
            conv_transpose(cotangent, kernel, _transposed(convolution, x, cotangent)),
            _weights_gradient(x, cotangent, convolution),
        )

    return with_gradient(lambda x, kernel: forward(x, kernel, convolution), gradient)


def _transposed(convolution: Convolution, x: Any, y: Any) -> TransposedConvolution:
    """What carries an output back to all input steps that it was computed from."""
    axes = convolution.axes
    lengths = axes.lengths(x.shape)
    cuts = []
    for n, m, s, e, (before, _) in zip(
        lengths,
        axes.lengths(y.shape),
        convolution.strides,
        convolution.reach,
        convolution.padding_amounts(lengths),
        strict=True,
    ):
        # Negative behind, where the last window ends before the input does.
        cuts.append((before, (m - 1) * s + e - before - n))
    return TransposedConvolution(
        axes=axes,
        kernel_size=convolution.kernel_size,
        strides=convolution.strides,
        padding=tuple(cuts),
        output_padding=None,
        dilation_rate=convolution.dilation_rate,
    )


def _weights_gradient(x: Any, cotangent: Any, convolution: Convolution) -> Any:
    axes, size, last = convolution.axes, convolution.kernel_size, convolution.rank - 1
    channels, filters = x.shape[-1], cotangent.shape[-1]
    x = extend(x, axes, convolution.padding_amounts(axes.lengths(x.shape)))
    right = ops.reshape(cotangent, (-1, filters))
    products = []
    for others in itertools.product(*map(range, size[:-1])):
        # First what all taps of the last axis share, once.
        rows = spatial_slice(x, axes, windows(others, convolution, range(last)))
        columns = [
            spatial_slice(rows, axes, windows((k,), convolution, (last,))) for k in range(size[-1])
        ]
        left = columns[0] if len(columns) == 1 else ops.stack(columns, axis=-2)
        left = ops.reshape(left, (-1, len(columns) * channels))
        products.append(ops.matmul(ops.transpose(left), right))
    return ops.reshape(ops.stack(products), (*size, channels, filters))
