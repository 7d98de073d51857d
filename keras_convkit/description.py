"""Frozen descriptions of the operations: what travels from a layer down to its lowering.

A description holds checked, standard values only (`keras_convkit.arguments` makes them) and
answers every question about lengths through `keras_convkit.geometry`. It knows no tensor.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from operator import le
from typing import Any

from keras_convkit import geometry
from keras_convkit.geometry import Length, PaddingEntry, Pair


def derived() -> Any:
    """A field that follows from the others.

    It is set when the description is made: a `cached_property` takes a lock (before Python 3.12),
    which torch.compile can't trace.
    """
    return dataclasses.field(init=False, repr=False, compare=False)


def derive(description: Any, **fields: Any) -> None:
    """Sets derived fields, which is allowed to nobody else."""
    for name, value in fields.items():
        object.__setattr__(description, name, value)


@dataclasses.dataclass(frozen=True)
class SpatialAxes:
    """Where the spatial and channel axes of a tensor stand.

    Axes count from the end, so that any number of batch axes can lead.
    """

    rank: int
    data_format: str
    spatial_axes: tuple[int, ...] = derived()

    def __post_init__(self) -> None:
        start = -(self.rank + 1) if self.channels_last else -self.rank
        derive(self, spatial_axes=tuple(range(start, start + self.rank)))

    @property
    def channels_last(self) -> bool:
        return self.data_format == "channels_last"

    @property
    def channel_axis(self) -> int:
        return -1 if self.channels_last else -(self.rank + 1)

    def lengths(self, shape: Sequence[Length]) -> tuple[Length, ...]:
        """The spatial part of `shape`."""
        return tuple([shape[axis] for axis in self.spatial_axes])

    def channels(self, shape: Sequence[Length]) -> Length:
        return shape[self.channel_axis]

    def output_shape(
        self, shape: Sequence[Length], lengths: Sequence[Length], channels: Length
    ) -> tuple[Length, ...]:
        """`shape` with its spatial lengths and channels replaced, batch axes kept."""
        batch = tuple(shape[: -(self.rank + 1)])
        if self.channels_last:
            return (*batch, *lengths, channels)
        return (*batch, channels, *lengths)


@dataclasses.dataclass(frozen=True)
class Convolution:
    """A convolution, dense, grouped or depthwise, without its kernel's values.

    Attributes:
        axes: Where the axes of the input and the output stand.
        kernel_size, strides, dilation_rate: One int a spatial dimension.
        padding: One entry a dimension: `"valid"`, `"same"`, `"causal"` or `(before, after)`.
        padding_modes: One a dimension: `"zeros"`, `"reflect"`, `"replicate"` or `"circular"`.
        groups: Number of groups that the channels are split into. Of a depthwise convolution it
            says nothing (1): there the kernel tells the channels.
    """

    axes: SpatialAxes
    kernel_size: tuple[int, ...]
    strides: tuple[int, ...]
    padding: tuple[PaddingEntry, ...]
    dilation_rate: tuple[int, ...]
    padding_modes: tuple[str, ...]
    groups: int = 1
    reach: tuple[int, ...] = derived()

    def __post_init__(self) -> None:
        derive(self, reach=tuple(map(geometry.reach, self.kernel_size, self.dilation_rate)))

    @property
    def rank(self) -> int:
        return self.axes.rank

    def padding_amounts(self, lengths: Sequence[Length]) -> tuple[Pair | None, ...]:
        """Steps added `(before, after)` a dimension, `None` where a length must be known first."""
        return tuple(
            geometry.padding_amounts(entry, n, s, e)
            for entry, n, s, e in zip(self.padding, lengths, self.strides, self.reach, strict=True)
        )

    def output_lengths(self, lengths: Sequence[Length]) -> tuple[Length, ...]:
        return tuple(
            geometry.conv_length(entry, n, s, e)
            for entry, n, s, e in zip(self.padding, lengths, self.strides, self.reach, strict=True)
        )

    def native_word(self, lengths: Sequence[Length]) -> str | None:
        """The word, `"valid"` or `"same"`, that alone stands for all of this padding, if any.

        A stride beyond the reach never pads but is left out of 'same': TensorFlow's 3D kernel
        answers wrongly there where oneDNN is off.
        """
        amounts = self.padding_amounts(lengths)
        if all(pair == (0, 0) for pair in amounts):
            return "valid"
        if any(
            mode != "zeros"
            for mode, pair in zip(self.padding_modes, amounts, strict=True)
            if pair != (0, 0)
        ):
            return None
        same = self.replace(padding=("same",) * self.rank)
        if amounts == same.padding_amounts(lengths) and all(map(le, self.strides, self.reach)):
            return "same"
        return None

    def pointwise(self) -> Convolution:
        """The dense 1x1 convolution behind a depthwise one."""
        ones = (1,) * self.rank
        return Convolution(
            self.axes, ones, ones, ("valid",) * self.rank, ones, ("zeros",) * self.rank
        )

    def replace(self, **changes: Any) -> Convolution:
        return dataclasses.replace(self, **changes)


@dataclasses.dataclass(frozen=True)
class TransposedConvolution:
    """A transposed convolution, without its kernel's values.

    Attributes:
        axes: Where the axes of the input and the output stand.
        kernel_size, strides, dilation_rate: One int a spatial dimension.
        padding: One entry a dimension: `"valid"`, `"same"`, or `(front, behind)`, what is cut
            off the full output.
        output_padding: One int a dimension, or `None` where the length is inferred.
        groups: Number of groups that the channels are split into.
        reach: The kernel's extent with its dilation, one int a dimension.
        cuts: Steps cut `(front, behind)` off the full output; a negative one is zeros added.
    """

    axes: SpatialAxes
    kernel_size: tuple[int, ...]
    strides: tuple[int, ...]
    padding: tuple[PaddingEntry, ...]
    output_padding: tuple[int, ...] | None
    dilation_rate: tuple[int, ...]
    groups: int = 1
    reach: tuple[int, ...] = derived()
    cuts: tuple[Pair, ...] = derived()

    def __post_init__(self) -> None:
        derive(self, reach=tuple(map(geometry.reach, self.kernel_size, self.dilation_rate)))
        entries = zip(self.padding, self.strides, self.reach, self._output_padding(), strict=True)
        derive(self, cuts=tuple(geometry.transposed_cut(*entry) for entry in entries))

    @property
    def rank(self) -> int:
        return self.axes.rank

    def output_lengths(self, lengths: Sequence[Length]) -> tuple[Length, ...]:
        return tuple(
            geometry.conv_transpose_length(entry, n, s, e, o)
            for entry, n, s, e, o in zip(
                self.padding, lengths, self.strides, self.reach, self._output_padding(), strict=True
            )
        )

    def native_word(self) -> str | None:
        """The word whose output, as Keras computes it, is the one asked for, if there is one.

        With an output padding TensorFlow takes 'same' alone, and only where the output's length
        divided by the stride gives the input's again: not for an even reach and 0. A stride beyond
        the reach is left out of 'same' as it is for a convolution, which the gradient is.
        """
        first = self.padding[0]
        if first not in ("valid", "same") or set(self.padding) != {first}:
            return None
        if first == "same" and not all(map(le, self.strides, self.reach)):
            return None
        if self.output_padding is None:
            return str(first)
        invertible = (e % 2 + o > 0 for e, o in zip(self.reach, self.output_padding, strict=True))
        return "same" if first == "same" and all(invertible) else None

    def _output_padding(self) -> tuple[int | None, ...]:
        return self.output_padding or (None,) * self.rank

    def replace(self, **changes: Any) -> TransposedConvolution:
        return dataclasses.replace(self, **changes)


@dataclasses.dataclass(frozen=True)
class Padding:
    """Steps added around each spatial axis.

    Attributes:
        axes: Where the axes of the input and the output stand.
        amounts: One `(before, after)` pair a spatial dimension.
        modes: One a dimension: `"zeros"`, `"reflect"`, `"replicate"` or `"circular"`.
        value: What stands outside along the dimensions of mode `"zeros"`.
    """

    axes: SpatialAxes
    amounts: tuple[Pair, ...]
    modes: tuple[str, ...]
    value: float = 0.0

    def output_lengths(self, lengths: Sequence[Length]) -> tuple[Length, ...]:
        return tuple(
            None if n is None else before + n + after
            for n, (before, after) in zip(lengths, self.amounts, strict=True)
        )


@dataclasses.dataclass(frozen=True)
class Cropping:
    """Steps taken off each spatial axis, one `(before, after)` pair a dimension."""

    axes: SpatialAxes
    amounts: tuple[Pair, ...]

    def output_lengths(self, lengths: Sequence[Length]) -> tuple[Length, ...]:
        return tuple(
            None if n is None else n - before - after
            for n, (before, after) in zip(lengths, self.amounts, strict=True)
        )


@dataclasses.dataclass(frozen=True)
class Upsampling:
    """Each spatial axis made longer by a whole factor.

    Attributes:
        axes: Where the axes of the input and the output stand.
        sizes: One factor a spatial dimension.
        interpolation: `"nearest"`, `"linear"`, `"cubic"`, `"lanczos3"` or `"lanczos5"`.
    """

    axes: SpatialAxes
    sizes: tuple[int, ...]
    interpolation: str

    def output_lengths(self, lengths: Sequence[Length]) -> tuple[Length, ...]:
        return tuple(
            None if n is None else n * size for n, size in zip(lengths, self.sizes, strict=True)
        )
