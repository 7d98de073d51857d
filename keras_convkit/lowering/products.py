"""Dense convolutions as matrix products, a few samples at a time.

Of one spatial axis (and of every strided one) the taps are gathered in front of the product, as
columns of its left factor; those of the other axes stand side by side in its result, and are
shifted and summed behind it. Gathering all of them would write the input, and shifting all of them
the output, once a tap of the whole kernel. The gradient has the same products and shifts; that of
a native convolution has a window as large as the image.

The batch must be known, and on TensorFlow, whose `ops.scan` takes no results of another shape than
the carry's, not be more than one chunk: the table has these on JAX alone.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from keras_convkit.description import Convolution, SpatialAxes, TransposedConvolution
from keras_convkit.lowering import layout
from keras_convkit.lowering.layout import spatial_slice, windows
from keras_convkit.lowering.padding import extend, pad_to_valid
from keras_convkit.lowering.phases import Phase, interleave, phases_of
from keras_convkit.lowering.program import one_program

# As many numbers as the factors and the results of a chunk's products have at least: 8 MiB in all.
# Fewer samples at a time make slow products; more of them leave the cache and cost memory. XLA
# writes the last sum of a loop's body in one thread, so transposed convolutions, whose outputs are
# larger, are better off with twice as much.
ENOUGH = 2**21
ENOUGH_TRANSPOSED = 2**22


def conv(x: Any, kernel: Any, convolution: Convolution) -> Any:
    """A convolution of one group."""
    gathered, shifted = _roles(convolution)
    sizes = convolution.kernel_size
    *_, channels, filters = kernel.shape
    wide = channels * math.prod(sizes[i] for i in gathered)
    wide += filters * math.prod(sizes[i] for i in shifted)
    return _channels_last(_conv, x, kernel, convolution, wide, ENOUGH)


def _roles(convolution: Convolution) -> tuple[list[int], list[int]]:
    """The spatial axes whose taps are gathered, and those whose taps are shifted."""
    gathered = [i for i, s in enumerate(convolution.strides) if s > 1] or [0]
    return gathered, [i for i in range(convolution.rank) if i not in gathered]


def _conv(x: Any, kernel: Any, convolution: Convolution) -> Any:
    axes, rank, sizes = convolution.axes, convolution.rank, convolution.kernel_size
    gathered, shifted = _roles(convolution)
    amounts = convolution.padding_amounts(axes.lengths(x.shape))
    # Zeros behind the product are part of the sum's own loop, and the product is smaller.
    late = [i for i in shifted if convolution.padding_modes[i] == "zeros"]
    padding = tuple("valid" if i in late else pad for i, pad in enumerate(convolution.padding))
    x, _ = pad_to_valid(x, convolution.replace(padding=padding))

    taps = list(itertools.product(*(range(sizes[i]) for i in gathered)))
    columns = [spatial_slice(x, axes, windows(tap, convolution, gathered)) for tap in taps]
    shape = ops.shape(columns[0])
    x = columns[0] if len(columns) == 1 else ops.stack(columns, axis=-2)

    *_, channels, filters = kernel.shape
    rows, width = len(taps) * channels, math.prod(sizes[i] for i in shifted)
    weights = ops.transpose(kernel, (*gathered, rank, *shifted, rank + 1))
    weights = ops.reshape(weights, (rows, width * filters))
    # In two dimensions: XLA transposes the factors of a gradient of more.
    y = ops.matmul(ops.reshape(x, (-1, rows)), weights)
    y = ops.reshape(y, (*shape[:-1], width * filters))

    total = None
    pieces = ops.split(y, width, axis=-1) if width > 1 else [y]
    taps = list(itertools.product(*(range(sizes[i]) for i in shifted)))
    for tap, piece in zip(taps, pieces, strict=True):
        ends = [(0, 0)] * rank
        for i, k in zip(shifted, tap, strict=True):
            before, after = amounts[i] if i in late else (0, 0)
            start = k * convolution.dilation_rate[i]
            ends[i] = before - start, after - (convolution.reach[i] - 1 - start)
        part = extend(piece, axes, ends)
        total = part if total is None else total + part
    return total


def conv_transpose(x: Any, kernel: Any, description: TransposedConvolution) -> Any:
    """A transposed convolution of one group."""
    sizes = description.kernel_size
    *_, filters, channels = kernel.shape
    wide = sizes[0] * channels + description.strides[0] * math.prod(sizes[1:]) * filters
    return _channels_last(_conv_transpose, x, kernel, description, wide, ENOUGH_TRANSPOSED)


def _conv_transpose(x: Any, kernel: Any, description: TransposedConvolution) -> Any:
    """The first axis's phases are gathered one by one, those of the others summed behind."""
    axes, rank = description.axes, description.rank
    phases, extras, surplus = phases_of(description)
    others = list(itertools.product(*map(range, description.kernel_size[1:])))
    *_, filters, channels = kernel.shape

    def only_first(amounts: tuple[int, int]) -> list[tuple[int, int]]:
        return [amounts] + [(0, 0)] * (rank - 1)

    parts = {}
    for phase in phases[0]:
        if phase is None:
            continue
        columns = [
            extend(x, axes, only_first((-start, start + extras[0]))) for start in _starts(phase)
        ]
        shape = ops.shape(columns[0])
        rows = phase.count * channels
        weights = kernel[phase.first :: phase.step]
        weights = ops.transpose(weights, (0, rank + 1, *range(1, rank + 1)))
        weights = ops.reshape(weights, (rows, len(others) * filters))
        columns = columns[0] if phase.count == 1 else ops.stack(columns, axis=-2)
        y = ops.matmul(ops.reshape(columns, (-1, rows)), weights)
        y = ops.reshape(y, (*shape[:-1], len(others) * filters))
        pieces = ops.split(y, len(others), axis=-1) if len(others) > 1 else [y]
        pieces = dict(zip(others, pieces, strict=True))
        for rest in itertools.product(*phases[1:]):
            if None in rest:
                continue
            total = None
            for index in itertools.product(*(range(each.count) for each in rest)):
                tap = tuple(e.first + q * e.step for e, q in zip(rest, index, strict=True))
                starts = [_starts(each)[q] for each, q in zip(rest, index, strict=True)]
                ends = [(-s, s + extra) for s, extra in zip(starts, extras[1:], strict=True)]
                part = extend(pieces[tap], axes, [(0, 0), *ends])
                total = part if total is None else total + part
            parts[phase, *rest] = total
    return interleave(parts, phases, description.strides, axes, surplus)


def _starts(phase: Phase) -> list[int]:
    """The input step that each tap of the phase carries to its first output step."""
    return [phase.offset - q * phase.dilation for q in range(phase.count)]


def _channels_last(
    compute: Callable[[Any, Any, Any], Any],
    x: Any,
    kernel: Any,
    description: Any,
    wide: int,
    enough: int,
) -> Any:
    """`compute` chunk by chunk, with `wide` numbers a position in its product.

    Channels are moved outside the loop, or XLA would make their transposition part of the sum's.
    """
    axes = description.axes
    if axes.channels_last:
        return _chunked(compute, description, _chunk(x.shape, wide, enough))(x, kernel)
    x = layout.to_channels_last(x, axes.rank)
    turned = description.replace(axes=SpatialAxes(axes.rank, "channels_last"))
    y = _chunked(compute, turned, _chunk(x.shape, wide, enough))(x, kernel)
    return layout.to_channels_first(y, axes.rank)


def _chunk(shape: Sequence[int], wide: int, enough: int) -> int:
    """How many samples at a time: a divisor of the batch, if one is near to what is enough."""
    n, one = shape[0], max(math.prod(shape[1:-1]) * wide, 1)
    least = min(-(-enough // one), n)
    near = (size for size in range(least, min(4 * least, n) + 1) if size and n % size == 0)
    return next(near, least)


@functools.lru_cache(maxsize=1024)
def _chunked(
    compute: Callable[[Any, Any, Any], Any], description: Any, size: int
) -> Callable[[Any, Any], Any]:
    """`compute` of `size` samples at a time.

    One function a description, since JAX, where nothing is compiled around it, compiles the loop
    afresh for each new function. Recomputed in the gradient, or the columns would be kept for it.
    """
    one = keras.remat(lambda x, kernel: compute(x, kernel, description))
    whole = one_program(one)

    def step(kernel: Any, x: Any) -> tuple[Any, Any]:
        return kernel, one(x, kernel)

    def every(x: Any, kernel: Any) -> Any:
        n = x.shape[0]
        if n <= size:
            return whole(x, kernel)
        rest = n % size
        _, y = ops.scan(step, kernel, ops.reshape(x[: n - rest], (-1, size, *x.shape[1:])))
        y = ops.reshape(y, (n - rest, *y.shape[2:]))
        return ops.concatenate([y, whole(x[-rest:], kernel)], axis=0) if rest else y

    return keras.remat(every)
