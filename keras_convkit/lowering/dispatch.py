"""Every operation, from any batch axes and either data format down to the chosen formulation."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from keras import ops

from keras_convkit.description import Convolution, SpatialAxes, TransposedConvolution, Upsampling
from keras_convkit.lowering import (
    grouped,
    layout,
    limits,
    many_taps,
    multiply_adds,
    native,
    phases,
    planes,
    pointwise,
    products,
    resampling,
    strided,
    taps,
    threaded,
)
from keras_convkit.lowering.preference import choose

Description = Convolution | TransposedConvolution
# Formulations that compute in any layout, whatever the device's own convolutions do.
WITHOUT_NATIVE_CONVOLUTION = ("pointwise",)
# What carries an operation out: (x, kernel, description) -> y, with one batch axis.
Formulation = Callable[[Any, Any, Any], Any]


def conv(x: Any, kernel: Any, convolution: Convolution, bias: Any = None) -> Any:
    """`x` convolved with `(*kernel_size, in // groups, filters)`."""

    def stays(x: Any) -> bool:
        return choose("conv", convolution, x) in WITHOUT_NATIVE_CONVOLUTION

    return _run(x, convolution, bias, lambda x, c: _chosen("conv", x, kernel, c), stays)


def depthwise_conv(x: Any, kernel: Any, convolution: Convolution, bias: Any = None) -> Any:
    """Each channel of `x` convolved with its part of `(*kernel_size, in, depth_multiplier)`."""
    return _run(x, convolution, bias, lambda x, c: _chosen("depthwise_conv", x, kernel, c))


def separable_conv(
    x: Any, depthwise_kernel: Any, pointwise_kernel: Any, convolution: Convolution, bias: Any = None
) -> Any:
    """A depthwise convolution, then `(1, ..., 1, in * depth_multiplier, filters)`."""

    def both(x: Any, c: Convolution) -> Any:
        y = _chosen("depthwise_conv", x, depthwise_kernel, c)
        return _chosen("conv", y, pointwise_kernel, _pointwise(c))

    return _run(x, convolution, bias, both)


def conv_transpose(
    x: Any, kernel: Any, description: TransposedConvolution, bias: Any = None
) -> Any:
    """The transposed convolution of `x` with `(*kernel_size, filters // groups, in)`."""
    return _run(x, description, bias, lambda x, d: _chosen("conv_transpose", x, kernel, d))


def upsample(x: Any, description: Upsampling) -> Any:
    """`x` with its spatial axes made longer."""
    return UPSAMPLE[choose("upsample", description, x)](x, description)


def _run(
    x: Any,
    description: Description,
    bias: Any,
    operation: Callable[[Any, Any], Any],
    stays: Callable[[Any], bool] = lambda x: False,
) -> Any:
    """`operation` on one batch axis, in a layout that the device computes in.

    `stays` says of an input whether `operation` computes in any.
    """
    axes = description.axes
    x, unfold = layout.fold_batch(x, axes.rank)
    empty = x.shape[0] == 0 and limits.fails_on_empty_batch()
    if empty:
        x = ops.pad(x, [(0, 1)] + [(0, 0)] * (axes.rank + 1))
    turned = not axes.channels_last and limits.needs_channels_last(x) and not stays(x)
    if turned:
        x = layout.to_channels_last(x, axes.rank)
        axes = SpatialAxes(axes.rank, "channels_last")
        description = description.replace(axes=axes)
    y = operation(x, description)
    if bias is not None:
        y = layout.add_bias(y, bias, axes)
    if turned:
        y = layout.to_channels_first(y, axes.rank)
    return unfold(y[:0] if empty else y)


def _chosen(operation: str, x: Any, kernel: Any, description: Description) -> Any:
    name = choose(operation, description, x)
    return FORMULATIONS[operation][name](x, kernel, description)


# Made once: a description takes longer to make than to look up.
_pointwise = lru_cache(maxsize=1024)(Convolution.pointwise)


def _conv(x: Any, kernel: Any, convolution: Convolution) -> Any:
    return _chosen("conv", x, kernel, convolution)


def _conv_transpose(x: Any, kernel: Any, description: TransposedConvolution) -> Any:
    return _chosen("conv_transpose", x, kernel, description)


def _depthwise_conv(x: Any, kernel: Any, convolution: Convolution) -> Any:
    return _chosen("depthwise_conv", x, kernel, convolution)


def _conv_a_group(x: Any, kernel: Any, convolution: Convolution) -> Any:
    return grouped.one_conv_a_group(x, kernel, convolution, dense=_conv)


def _conv_as_multiply_adds(x: Any, kernel: Any, convolution: Convolution) -> Any:
    return multiply_adds.conv(x, kernel, convolution, wide=_conv_a_group)


def _strided_conv(x: Any, kernel: Any, convolution: Convolution) -> Any:
    return strided.conv(x, kernel, convolution, products.conv, _conv_transpose)


def _strided_native_conv(x: Any, kernel: Any, convolution: Convolution) -> Any:
    # TensorFlow refuses a gradient that is written out where the function reads a variable. What is
    # reshaped is a tensor; Keras takes a variable for one when it is asked to convert it.
    kernel = layout.reshaped(kernel, kernel.shape)
    return strided.conv(x, kernel, convolution, native.conv, _conv_transpose)


def _conv_as_depthwise(x: Any, kernel: Any, convolution: Convolution) -> Any:
    return grouped.as_depthwise(x, kernel, convolution, depthwise=_depthwise_conv)


def _conv_of_a_line(x: Any, kernel: Any, convolution: Convolution) -> Any:
    return planes.conv_of_a_line(x, kernel, convolution, flat=_conv)


def _conv_phases(x: Any, kernel: Any, convolution: Convolution) -> Any:
    return phases.strided(x, kernel, convolution, conv=_conv)


def _depthwise_phases(x: Any, kernel: Any, convolution: Convolution) -> Any:
    return phases.strided(x, kernel, convolution, conv=_depthwise_conv)


def _depthwise_planes(x: Any, kernel: Any, convolution: Convolution) -> Any:
    return planes.depthwise(x, kernel, convolution, flat=_depthwise_conv)


def _transposed_phases(x: Any, kernel: Any, description: TransposedConvolution) -> Any:
    return phases.transposed(x, kernel, description, conv=_conv)


FORMULATIONS: dict[str, dict[str, Formulation]] = {
    "conv": {
        "native": native.conv,
        "one_conv_a_group": _conv_a_group,
        "as_depthwise": _conv_as_depthwise,
        "as_image": _conv_of_a_line,
        "phases": _conv_phases,
        "products": products.conv,
        "pointwise": pointwise.product,
        "threaded": threaded.conv,
        "multiply_adds": _conv_as_multiply_adds,
        "strided": _strided_conv,
        "strided_native": _strided_native_conv,
    },
    "depthwise_conv": {
        "native": native.depthwise_conv,
        "phases": _depthwise_phases,
        "planes": _depthwise_planes,
        "taps": taps.depthwise,
        "taps_summed_in_parts": taps.depthwise_summed_in_parts,
        "taps_between_barriers": taps.depthwise_between_barriers,
        "many_taps": many_taps.depthwise,
    },
    "conv_transpose": {
        "native": native.conv_transpose,
        "phases": _transposed_phases,
        "products": products.conv_transpose,
    },
}

UPSAMPLE: dict[str, Callable[[Any, Upsampling], Any]] = {
    "native": resampling.native,
    "repeat": resampling.repeat,
    "stacked": resampling.stacked,
    "repeat_channels_last": resampling.repeat_channels_last,
    "phases": resampling.phases,
    "phases_both_ways": resampling.phases_both_ways,
    "gathers_both_ways": resampling.gathers_both_ways,
    "one_gather_an_axis": resampling.one_gather_an_axis,
    "depthwise_phases": resampling.depthwise_phases,
}
