"""What a layer or function was called with -> its checked shape; messages about inputs stand here.

All checks are made on shapes and dtype names, never on values, so that they hold for arrays,
backend tensors and symbolic Keras tensors alike. A dimension that isn't known yet is `None` and
passes; it is checked when the real tensor comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import keras
import numpy as np

from keras_convkit.description import (
    Convolution,
    Cropping,
    Padding,
    SpatialAxes,
    TransposedConvolution,
)
from keras_convkit.geometry import Length, Pair

Shape = tuple[Length, ...]


def wrong_input(owner: str, expected: str, received: str, name: str = "inputs") -> ValueError:
    return ValueError(f"{owner}: `{name}` must {expected}. Received: {received}")


def as_tensor(value: Any, owner: str, name: str = "inputs") -> Any:
    """`value` as one tensor of a real dtype; arrays and nested lists of numbers become one."""
    if not hasattr(value, "shape") or not hasattr(value, "dtype"):
        if isinstance(value, (list, tuple)) and any(hasattr(item, "shape") for item in value):
            raise wrong_input(owner, "be one tensor", f"{name}={_structure(value)}", name)
        try:
            array = np.asarray(value)
        except ValueError:  # lists of unequal lengths
            array = np.asarray(None)
        if array.dtype.kind not in "biufc":
            raise wrong_input(owner, "be a tensor of numbers", f"{name}={value!r}", name)
        value = keras.ops.convert_to_tensor(array)
    _check_dtype(value.dtype, owner, name)
    if getattr(value, "sparse", False) is True:
        raise wrong_input(owner, "be dense", f"{name}=a sparse tensor", name)
    return value


def _structure(items: Sequence[Any]) -> str:
    kinds = ", ".join("a tensor" if hasattr(item, "shape") else repr(item) for item in items)
    return f"[{kinds}]"


@lru_cache(maxsize=64)
def dtype_name(dtype: Any) -> str:
    """The name of a tensor's dtype, as Keras has it."""
    return str(keras.backend.standardize_dtype(dtype))


def _check_dtype(dtype: Any, owner: str, name: str) -> None:
    try:
        word = dtype_name(dtype)
    except (ValueError, TypeError):
        word = str(dtype)
    if not word.startswith(("float", "bfloat", "int", "uint", "bool")):
        expected = "have a real dtype (float, integer or boolean)"
        raise wrong_input(owner, expected, f"dtype={word}", name)


def given_shape(shape: Any, owner: str) -> Shape:
    """A shape that a user wrote: ints of at least 0, and `None` for what isn't known."""
    sizes = tuple(shape) if isinstance(shape, Iterable) and not isinstance(shape, str) else (shape,)
    for size in sizes:
        wrong = isinstance(size, (bool, float, str, bytes, Iterable))
        if shape is None or wrong or (isinstance(size, int) and size < 0):
            expected = "have a shape of integers of at least 0, or None where one isn't known"
            raise wrong_input(owner, expected, f"input_shape={shape!r}")
    return static_shape(sizes, owner)


def static_shape(shape: Any, owner: str = "") -> Shape:
    """`shape` as a tuple of ints, with `None` for a dimension that has no fixed value."""
    try:
        # A list first: twice as fast as a generator.
        return tuple([size if isinstance(size, int) else _fixed(size) for size in shape])
    except (TypeError, ValueError) as error:
        raise wrong_input(owner, "have a known number of axes", f"shape={shape}") from error


def _fixed(size: Any) -> Length:
    """While torch traces a model for an export, the lengths of a tensor are tensors themselves."""
    return int(size) if keras.ops.is_tensor(size) else None


@lru_cache(maxsize=1024)
def check_spatial(axes: SpatialAxes, shape: Shape, owner: str) -> None:
    """Raises unless `shape` is `(*batch, *spatial, channels)` or its channels-first twin."""
    if len(shape) < axes.rank + 2:
        raise wrong_input(
            owner,
            f"have at least {axes.rank + 2} axes, {_layout(axes)}",
            f"shape={shape}",
        )
    if 0 in axes.lengths(shape):
        raise wrong_input(owner, "have spatial lengths of at least 1", f"shape={shape}")


def _layout(axes: SpatialAxes) -> str:
    spatial = ("steps",) if axes.rank == 1 else ("depth", "height", "width")[-axes.rank :]
    names = (*spatial, "channels") if axes.channels_last else ("channels", *spatial)
    return f"(batch, {', '.join(names)}) as {axes.data_format!r} has it"


@lru_cache(maxsize=1024)
def check_channels(
    axes: SpatialAxes, shape: Shape, owner: str, expected: int | None = None, groups: int = 1
) -> None:
    """Raises unless the channel axis has a known length that fits the weights and the groups."""
    channels = axes.channels(shape)
    if not channels:
        raise wrong_input(owner, "have a channel axis of known, positive length", f"shape={shape}")
    if expected is not None and channels != expected:
        raise wrong_input(
            owner,
            f"have {expected} channels, as many as the weights were made for",
            f"{channels} channels, shape={shape}",
        )
    if channels % groups:
        raise ValueError(
            f"{owner}: `groups` must divide the number of input channels. "
            f"Received: groups={groups}, {channels} channels, shape={shape}"
        )


@lru_cache(maxsize=1024)
def check_windows(description: Convolution, shape: Shape, owner: str) -> None:
    """Raises unless a window fits into the padded input and the padding into the input."""
    lengths = description.axes.lengths(shape)
    amounts = description.padding_amounts(lengths)
    _check_reflection(amounts, description.padding_modes, lengths, shape, owner)
    for length in description.output_lengths(lengths):
        if length is not None and length < 1:
            raise wrong_input(
                owner,
                f"be, when padded, at least as long as the kernel's reach {description.reach} "
                f"(`kernel_size` {description.kernel_size}, "
                f"`dilation_rate` {description.dilation_rate})",
                f"shape={shape}, padding={description.padding}",
            )


@lru_cache(maxsize=1024)
def check_padding(description: Padding, shape: Shape, owner: str) -> None:
    """Raises where reflect padding is wider than what the input has to reflect."""
    lengths = description.axes.lengths(shape)
    _check_reflection(description.amounts, description.modes, lengths, shape, owner)


def _check_reflection(
    amounts: Sequence[Pair | None],
    modes: Sequence[str],
    lengths: Sequence[Length],
    shape: Shape,
    owner: str,
) -> None:
    for pair, mode, length in zip(amounts, modes, lengths, strict=True):
        if mode == "reflect" and pair and length is not None and max(pair) >= length:
            raise wrong_input(
                owner,
                "be longer than its `padding` where `padding_mode` is 'reflect'",
                f"shape={shape}, padding={pair} on a length of {length}",
            )


@lru_cache(maxsize=1024)
def check_transposed_windows(description: TransposedConvolution, shape: Shape, owner: str) -> None:
    """Raises where the cut of a transposed convolution leaves nothing of the output."""
    for length in description.output_lengths(description.axes.lengths(shape)):
        if length is not None and length < 1:
            raise wrong_input(
                owner,
                "be long enough that `padding` doesn't cut the whole output",
                f"shape={shape}, padding={description.padding}, cuts={description.cuts}",
            )


@lru_cache(maxsize=1024)
def check_cropping(description: Cropping, shape: Shape, owner: str) -> None:
    """Raises where nothing of the input would be left."""
    lengths = description.output_lengths(description.axes.lengths(shape))
    if any(length is not None and length < 1 for length in lengths):
        raise wrong_input(
            owner,
            "be longer than its `cropping`",
            f"shape={shape}, cropping={description.amounts}",
        )
