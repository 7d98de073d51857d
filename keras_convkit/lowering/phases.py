"""Strided windows taken apart into phases, each an ordinary convolution of stride 1.

With stride `s` and dilation `d`, `g` their greatest common divisor, `s' = s / g`, `d' = d / g`:

- A convolution reads only every `g`-th input step. Taps `j = r + q s'` of one residue `r` read
  steps `s' (t + q d') + r d'`: a convolution of dilation `d'` over every `s'`-th step.
- A transposed convolution writes input step `t` through tap `j` to `t s + j d`. The output steps
  `o = s m + p` of one phase `p` are written by the taps of one residue modulo `s'`, from steps
  that go down by `d'`: again a convolution of dilation `d'`, and the phases interleave.

Nothing is multiplied by zero, so a phase does exactly the work of its share of the result.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from keras import ops

from keras_convkit import geometry
from keras_convkit.description import Convolution, SpatialAxes, TransposedConvolution
from keras_convkit.input_checks import static_shape
from keras_convkit.lowering.grouped import as_conv_kernel
from keras_convkit.lowering.layout import cut, spatial_slice
from keras_convkit.lowering.padding import extend, pad_to_valid

ConvLowering = Callable[[Any, Any, Convolution], Any]


def strided(x: Any, kernel: Any, convolution: Convolution, conv: ConvLowering) -> Any:
    """A convolution with strides, by `conv` that needn't know both strides and dilation.

    Where there are strides alone, it needn't know strides.
    """
    x, convolution = pad_to_valid(x, convolution)
    gs, strides, dilation = zip(
        *map(geometry.coprime_parts, convolution.strides, convolution.dilation_rate), strict=True
    )
    x = spatial_slice(
        x, convolution.axes, [slice(None, None, g) if g > 1 else slice(None) for g in gs]
    )
    simpler = (strides, dilation) != (convolution.strides, convolution.dilation_rate)
    if simpler and (max(dilation) == 1 or max(strides) == 1):
        return conv(x, kernel, convolution.replace(strides=strides, dilation_rate=dilation))
    total = None
    for residues in itertools.product(*map(range, map(min, strides, convolution.kernel_size))):
        taps = tuple(slice(r, None, s) for r, s in zip(residues, strides, strict=True))
        part = kernel[taps]
        size = static_shape(part.shape)[: convolution.rank]
        windows = [
            _every(r, s, d, k, q)
            for r, s, d, k, q in zip(
                residues, strides, dilation, convolution.kernel_size, size, strict=True
            )
        ]
        y = conv(
            spatial_slice(x, convolution.axes, windows),
            part,
            convolution.replace(
                kernel_size=size, strides=(1,) * convolution.rank, dilation_rate=dilation
            ),
        )
        total = y if total is None else total + y
    return total


def _every(r: int, s: int, d: int, k: int, q: int) -> slice:
    """Every `s`-th step from tap `r`'s first to the last one that the `q` taps read.

    The end counts from behind, so that the input's length needn't be known.
    """
    last_tap = r + (q - 1) * s
    rest = (k - 1 - last_tap) * d
    return slice(r * d, -rest if rest else None, s)


class Phase(NamedTuple):
    """The taps `first + q step`, `q < count`, that write one phase of the output.

    Output step `m` of the phase reads the input steps `m + offset - q dilation`.
    """

    first: int
    step: int
    count: int
    offset: int
    dilation: int


def phase_of(p: int, k: int, s: int, d: int, front: int) -> Phase | None:
    """The phase of the output steps `s m + p`, `front` steps having been cut; `None` if no tap."""
    _, step, dilation = geometry.coprime_parts(s, d)
    for first in range(min(step, k)):
        distance = p + front - first * d
        if distance % s == 0:
            return Phase(first, step, -(-(k - first) // step), distance // s, dilation)
    return None


def phases_of(
    description: TransposedConvolution,
) -> tuple[list[list[Phase | None]], list[int], list[int]]:
    """For each axis: its phases; the steps that a phase has beyond the input's; its surplus.

    The longest phase is whole, and what the interleaved ones have too many at the end is surplus.
    """
    phases, extras, surplus = [], [], []
    for k, s, d, e, (front, behind) in zip(
        description.kernel_size,
        description.strides,
        description.dilation_rate,
        description.reach,
        description.cuts,
        strict=True,
    ):
        phases.append([phase_of(p, k, s, d, front) for p in range(s)])
        beyond = e - s - front - behind  # output length = n s + beyond
        extras.append(-(-beyond // s))
        surplus.append(extras[-1] * s - beyond)
    return phases, extras, surplus


def transposed(x: Any, kernel: Any, description: TransposedConvolution, conv: ConvLowering) -> Any:
    """A transposed convolution, each phase of its output by `conv`, then interleaved.

    The input's lengths needn't be known.
    """
    axes = description.axes
    phases, extras, surplus = phases_of(description)
    kernel = as_conv_kernel(kernel, description)

    def one_phase(chosen: tuple[Phase, ...]) -> Any:
        taps = tuple(slice(phase.first, None, phase.step) for phase in chosen)
        # The input steps go down as the taps go up: a convolution with the taps turned round.
        weights = kernel[taps]
        for axis in range(len(chosen)):
            weights = ops.flip(weights, axis=axis)
        amounts = [
            ((phase.count - 1) * phase.dilation - phase.offset, phase.offset + extra)
            for phase, extra in zip(chosen, extras, strict=True)
        ]
        stride_1 = Convolution(
            axes=axes,
            kernel_size=tuple(phase.count for phase in chosen),
            strides=(1,) * axes.rank,
            padding=("valid",) * axes.rank,
            dilation_rate=tuple(phase.dilation for phase in chosen),
            padding_modes=("zeros",) * axes.rank,
            groups=description.groups,
        )
        return conv(extend(x, axes, amounts), weights, stride_1)

    parts = {
        chosen: one_phase(chosen) for chosen in itertools.product(*phases) if None not in chosen
    }
    return interleave(parts, phases, description.strides, axes, surplus)


def interleave(
    parts: dict[tuple[Phase | None, ...], Any],
    phases: Sequence[Sequence[Phase | None]],
    strides: Sequence[int],
    axes: SpatialAxes,
    surplus: Sequence[int],
) -> Any:
    """The output, from its `parts`; a phase without taps is zeros."""
    nothing = ops.zeros_like(next(iter(parts.values())))
    every = [parts.get(chosen, nothing) for chosen in itertools.product(*phases)]
    y = _interleave(every, axes, strides)
    return spatial_slice(y, axes, [cut(0, each) for each in surplus])


def _interleave(parts: list[Any], axes: SpatialAxes, strides: Sequence[int]) -> Any:
    """Phases, in row-major order of their offsets, put back between each other."""
    for axis, s in reversed(list(zip(axes.spatial_axes, strides, strict=True))):
        if s > 1:
            parts = [_merge(parts[i : i + s], axis) for i in range(0, len(parts), s)]
    return parts[0]


def _merge(parts: list[Any], axis: int) -> Any:
    """`y[m s + p] = parts[p][m]` along `axis`."""
    shape = list(ops.shape(parts[0]))
    y = ops.stack(parts, axis=len(shape) + axis + 1)
    shape[axis] = shape[axis] * len(parts)
    return ops.reshape(y, shape)
