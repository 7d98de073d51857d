"""What a layer or function was called with -> its checked shape; messages about inputs stand here.

All checks are made on shapes and dtype names, never on values, so that they hold for arrays,
backend tensors and symbolic Keras tensors alike. A dimension that isn't known yet is `None` and
passes; it is checked when the real tensor comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import keras

from keras_convkit.description import Convolution, SpatialAxes, TransposedConvolution
from keras_convkit.geometry import Length, Pair

Shape = tuple[Length, ...]


def wrong_input(owner: str, expected: str, received: str) -> ValueError:
    return ValueError(f"{owner}: `inputs` must {expected}. Received: {received}")


def as_tensor(inputs: Any, owner: str) -> Any:
    """`inputs` as one tensor of a real dtype; arrays and nested lists of numbers become one."""
    if not hasattr(inputs, "shape") or not hasattr(inputs, "dtype"):
        if isinstance(inputs, (list, tuple)) and any(hasattr(item, "shape") for item in inputs):
            raise wrong_input(owner, "be one tensor", f"inputs={_structure(inputs)}")
        try:
            inputs = keras.ops.convert_to_tensor(inputs)
        except Exception as error:  # each backend has its own; the user reads one
            raise wrong_input(owner, "be a tensor", f"inputs={inputs!r}") from error
    _check_dtype(inputs.dtype, owner)
    if getattr(inputs, "sparse", False) is True:
        raise wrong_input(owner, "be dense", "a sparse tensor")
    return inputs


def _structure(inputs: Sequence[Any]) -> str:
    kinds = ", ".join("a tensor" if hasattr(item, "shape") else repr(item) for item in inputs)
    return f"[{kinds}]"


def _check_dtype(dtype: Any, owner: str) -> None:
    try:
        name = keras.backend.standardize_dtype(dtype)
    except (ValueError, TypeError):
        name = str(dtype)
    if not name.startswith(("float", "bfloat", "int", "uint", "bool")):
        raise wrong_input(owner, "have a real dtype (float, integer or boolean)", f"dtype={name}")


def static_shape(shape: Any, owner: str = "") -> Shape:
    """`shape` as a tuple of ints, with `None` for a dimension that has no fixed value."""
    try:
        return tuple(size if isinstance(size, int) else None for size in shape)
    except (TypeError, ValueError) as error:
        raise wrong_input(owner, "have a known number of axes", f"shape={shape}") from error


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
    check_padding(
        description.padding_amounts(lengths), description.padding_modes, lengths, shape, owner
    )
    for length in description.output_lengths(lengths):
        if length is not None and length < 1:
            raise wrong_input(
                owner,
                f"be, when padded, at least as long as the kernel's reach {description.reach} "
                f"(`kernel_size` {description.kernel_size}, "
                f"`dilation_rate` {description.dilation_rate})",
                f"shape={shape}, padding={description.padding}",
            )


def check_padding(
    amounts: Sequence[Pair | None],
    modes: Sequence[str],
    lengths: Sequence[Length],
    shape: Shape,
    owner: str,
) -> None:
    """Raises where reflect padding is wider than what the input has to reflect."""
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
def check_cropping(axes: SpatialAxes, cropping: tuple[Pair, ...], shape: Shape, owner: str) -> None:
    """Raises where nothing of the input would be left."""
    for pair, length in zip(cropping, axes.lengths(shape), strict=True):
        if length is not None and sum(pair) >= length:
            raise wrong_input(
                owner,
                "be longer than its `cropping`",
                f"shape={shape}, cropping={cropping}",
            )
