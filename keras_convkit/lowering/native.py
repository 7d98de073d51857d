"""The backend's own operations, called within what each of them gets right.

They see no padding but the words 'valid' and 'same', and no transposed output but those that Keras
infers for these words; whatever else was asked for is done before or after.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from keras_convkit.description import Convolution, TransposedConvolution
from keras_convkit.lowering import limits
from keras_convkit.lowering.layout import cut, spatial_slice
from keras_convkit.lowering.padding import pad_around, pad_to_word


def conv(x: Any, kernel: Any, convolution: Convolution) -> Any:
    return _windowed(ops.conv, x, kernel, convolution)


def depthwise_conv(x: Any, kernel: Any, convolution: Convolution) -> Any:
    return _windowed(ops.depthwise_conv, x, kernel, convolution)


def _windowed(operation: Callable, x: Any, kernel: Any, convolution: Convolution) -> Any:
    x, convolution = pad_to_word(x, convolution)
    if convolution.padding[0] == "same" and limits.forgets_same(convolution.rank):
        # Two steps that cost nothing, and through which no padding is seen.
        x = ops.squeeze(ops.expand_dims(x, 0), 0)
    strides = convolution.strides
    one_tap = max(convolution.kernel_size) == 1
    if one_tap and max(strides) > 1 and limits.overruns_strided_pointwise(x):
        # One tap pads nothing: what it doesn't read is dropped beforehand.
        x = spatial_slice(x, convolution.axes, [slice(None, None, s) for s in strides])
        strides = (1,) * convolution.rank
    return operation(
        x,
        kernel,
        strides=strides,
        padding=convolution.padding[0],
        data_format=convolution.axes.data_format,
        dilation_rate=convolution.dilation_rate,
    )


def conv_transpose(x: Any, kernel: Any, description: TransposedConvolution) -> Any:
    """Keras's own where that is what was asked for, else cut out of the full output."""
    word = description.native_word()
    if word == "same" and not limits.takes_transposed_same():
        word = None
    y = ops.conv_transpose(
        x,
        kernel,
        strides=description.strides,
        padding=word or "valid",
        output_padding=description.output_padding if word else None,
        data_format=description.axes.data_format,
        dilation_rate=description.dilation_rate,
    )
    return y if word else _fit(y, description)


def _fit(y: Any, description: TransposedConvolution) -> Any:
    """The asked-for output from Keras's 'valid' one, which has zeros behind to reach the stride."""
    surplus = [max(s - e, 0) for s, e in zip(description.strides, description.reach, strict=True)]
    cuts = [
        (front, behind + more)
        for (front, behind), more in zip(description.cuts, surplus, strict=True)
    ]
    y = pad_around(y, description.axes, [(0, max(-behind, 0)) for _, behind in cuts])
    return spatial_slice(
        y, description.axes, [cut(front, max(behind, 0)) for front, behind in cuts]
    )
