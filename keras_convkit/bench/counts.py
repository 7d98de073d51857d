"""What a layer's operation is made of: multiply-adds and bytes, from shapes alone."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from keras_convkit.bench.workloads import Shape

_FLOAT32 = 4


class Counts(NamedTuple):
    """The work of one forward call.

    Attributes:
        multiply_adds: Those of the direct method, what meets padding included. The few of an
            interpolation or a bias are not counted.
        bytes: What has to be moved at least: the input, the weights and the output, once each.
    """

    multiply_adds: int
    bytes: int


def count(layer: Any, shape: Shape) -> Counts:
    """Counts the work of one of our layers.

    Args:
        layer: The layer, built.
        shape: The input's shape, channels and batch included.
    """
    output = tuple(layer.compute_output_shape(shape))
    weights = [tuple(weight.shape) for weight in layer.weights]
    kernels = [weight for weight in weights if len(weight) > 1]
    # Each element of a kernel is used once a position: of the output, or, transposed, the input.
    positions = shape if "Transpose" in type(layer).__name__ else output
    if kernels:
        channel_axis = 1 if layer.data_format == "channels_first" else -1
        multiply_adds = (
            math.prod(positions) // positions[channel_axis] * sum(map(math.prod, kernels))
        )
    else:
        multiply_adds = 0
    elements = sum(map(math.prod, [shape, *weights, output]))
    return Counts(multiply_adds, _FLOAT32 * elements)


def passes(quantity: str, has_weights: bool) -> int:
    """Returns how often the work of a forward call is done.

    The gradient of each factor of a product is a product of the same size again.
    """
    if quantity == "forward":
        return 1
    return 3 if has_weights else 2
