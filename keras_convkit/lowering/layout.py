"""Moving axes about: leading batch axes, channels, slices along the spatial axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from keras import ops

from keras_convkit.description import Convolution, Cropping, SpatialAxes
from keras_convkit.lowering import limits
from keras_convkit.lowering.table import (
    bias_by_operation,
    reshapes_by_operation,
    slices_by_operation,
)

# What `ops.slice` takes for a size that reaches to the end.
ALL_THE_REST = -1


def fold_batch(x: Any, rank: int) -> tuple[Any, Callable[[Any], Any]]:
    """`x` with its batch axes folded into one, and the function that unfolds a result again."""
    batch_axes = len(x.shape) - rank - 1
    if batch_axes == 1:
        return x, lambda y: y
    shape = ops.shape(x)
    batch = tuple(shape[:batch_axes])
    folded = reshaped(x, (-1, *shape[batch_axes:]))
    return folded, lambda y: reshaped(y, (*batch, *ops.shape(y)[1:]))


def reshaped(x: Any, shape: Sequence[Any]) -> Any:
    return ops.reshape(x, shape) if reshapes_by_operation() else x.reshape(tuple(shape))


def to_channels_last(x: Any, rank: int) -> Any:
    """`(batch, channels, *spatial)` -> `(batch, *spatial, channels)`."""
    return ops.transpose(x, (0, *range(2, rank + 2), 1))


def to_channels_first(x: Any, rank: int) -> Any:
    """`(batch, *spatial, channels)` -> `(batch, channels, *spatial)`."""
    return ops.transpose(x, (0, rank + 1, *range(1, rank + 1)))


def spatial_slice(x: Any, axes: SpatialAxes, slices: Sequence[slice]) -> Any:
    """`x` with one slice applied to each spatial axis."""
    return sliced(x, dict(zip(axes.spatial_axes, slices, strict=True)))


def sliced(x: Any, slices: Mapping[int, slice]) -> Any:
    """`x` with a slice applied to each of the axes that are named."""
    slices = {axis: piece for axis, piece in slices.items() if piece != slice(None)}
    if not slices:
        return x
    if slices_by_operation() and all(piece.step is None for piece in slices.values()):
        return _slice_by_operation(x, slices)
    index = [slice(None)] * len(x.shape)
    for axis, piece in slices.items():
        index[axis] = piece
    return x[tuple(index)]


def _slice_by_operation(x: Any, slices: Mapping[int, slice]) -> Any:
    shape = ops.shape(x)
    starts = [0] * len(shape)
    # A size asked of the tensor would be three nodes more in a graph, for each unknown batch size.
    sizes = [size if isinstance(size, int) else ALL_THE_REST for size in shape]
    for axis, piece in slices.items():
        start, stop = piece.start or 0, piece.stop
        if start < 0:
            start = start + shape[axis]
        if stop is not None:
            sizes[axis] = (shape[axis] + stop if stop < 0 else stop) - start
        elif isinstance(shape[axis], int):
            sizes[axis] = shape[axis] - start
        starts[axis] = start
    return ops.slice(x, starts, sizes)


def cut(before: int, behind: int) -> slice:
    """The slice that drops `before` steps in front and `behind` steps behind."""
    return slice(before or None, -behind if behind else None)


def windows(
    tap: Sequence[int], convolution: Convolution, axes: Sequence[int] | None = None
) -> list[slice]:
    """Where the windows of a padded input find this tap, along each spatial axis.

    `axes` are the spatial axes that `tap` has a step of, all by default; the others are taken
    whole. The end counts from behind, so that the input's length needn't be known.
    """
    slices = [slice(None)] * convolution.rank
    for i, k in zip(range(convolution.rank) if axes is None else axes, tap, strict=True):
        start, s = k * convolution.dilation_rate[i], convolution.strides[i]
        piece = cut(start, convolution.reach[i] - 1 - start)
        slices[i] = slice(piece.start, piece.stop, s if s > 1 else None)
    return slices


def crop(x: Any, description: Cropping) -> Any:
    if slices_by_operation():
        return spatial_slice(x, description.axes, [cut(*pair) for pair in description.amounts])
    index = _index(description, len(x.shape))
    return x[index] if index else x


@lru_cache(maxsize=1024)
def _index(description: Cropping, dimensions: int) -> tuple[slice, ...]:
    """What a tensor of so many axes is indexed by, up to the last one that is cropped."""
    index = [slice(None)] * dimensions
    for axis, pair in zip(description.axes.spatial_axes, description.amounts, strict=True):
        index[axis] = cut(*pair)
    while index and index[-1] == slice(None):
        index.pop()
    return tuple(index)


def add_bias(x: Any, bias: Any, axes: SpatialAxes) -> Any:
    """`x` plus one value a channel.

    By the tensors' own operator, unless the operation is faster and can be trusted: TensorFlow's
    takes a vector as long as the last axis for a channels-last bias, whatever its shape says.
    """
    channels = bias.shape[0]
    trusted = axes.channels_last or x.shape[-1] != channels
    if not axes.channels_last:
        bias = reshaped(bias, (-1,) + (1,) * axes.rank)
    elif channels == 1 and not limits.takes_one_channel_bias():
        bias = ops.reshape(bias, (1,) * (axes.rank + 2))
    return ops.add(x, bias) if trusted and bias_by_operation() else x + bias
