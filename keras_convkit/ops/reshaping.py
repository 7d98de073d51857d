"""Padding, cropping and upsampling as functions of an input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from keras_convkit import arguments, input_checks, lowering
from keras_convkit.description import SpatialAxes
from keras_convkit.input_checks import Shape
from keras_convkit.ops.operation import SpatialOperation, serializable


def pad(
    inputs: Any,
    padding: Any,
    padding_mode: Any = "zeros",
    value: float = 0.0,
    data_format: str | None = None,
    *,
    rank: int | None = None,
) -> Any:
    """Padding around the spatial axes.

    Args:
        inputs: Tensor of shape `(*batch, *spatial, channels)`, or `(*batch, channels, *spatial)`
            for `channels_first`.
        padding: Int for all sides, one int a spatial dimension, or one `(before, after)` pair a
            dimension; in 1D two ints are the pair.
        padding_mode: `"zeros"`, `"reflect"`, `"replicate"` or `"circular"`, or one a dimension.
        value: What stands outside along the dimensions of mode `"zeros"`.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for Keras's global setting.
        rank: Number of spatial axes, 1, 2 or 3; `None` where all axes but the first and the
            channels are spatial.

    Returns:
        Tensor of the padded shape, in the inputs' dtype, integers as floats.

    Raises:
        TypeError: If an option is of the wrong type.
        ValueError: If an option has a value that isn't allowed, or doesn't fit the input.

    Example:

    >>> import numpy as np
    >>> import keras_convkit as kc
    >>> globe = np.ones((1, 8, 16, 3), "float32")
    >>> padded = kc.ops.pad(globe, 2, padding_mode=("replicate", "circular"))
    >>> tuple(padded.shape)
    (1, 12, 20, 3)
    """
    return Pad.apply(
        (inputs,),
        padding=padding,
        padding_mode=padding_mode,
        value=value,
        data_format=data_format,
        rank=rank,
    )


def crop(
    inputs: Any, cropping: Any, data_format: str | None = None, *, rank: int | None = None
) -> Any:
    """Cropping of the spatial axes.

    Args:
        inputs: Tensor of shape `(*batch, *spatial, channels)`, or `(*batch, channels, *spatial)`
            for `channels_first`.
        cropping: Int for all sides, one int a spatial dimension, or one `(before, after)` pair a
            dimension; in 1D two ints are the pair.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for Keras's global setting.
        rank: Number of spatial axes, 1, 2 or 3; `None` where all axes but the first and the
            channels are spatial.

    Returns:
        Tensor of the cropped shape, in the inputs' dtype, integers as floats.

    Raises:
        TypeError: If an option is of the wrong type.
        ValueError: If an option has a value that isn't allowed, or nothing would be left.

    Example:

    >>> import numpy as np
    >>> import keras_convkit as kc
    >>> tuple(kc.ops.crop(np.ones((1, 28, 28, 3), "float32"), ((2, 2), (4, 4))).shape)
    (1, 24, 20, 3)
    """
    return Crop.apply((inputs,), cropping=cropping, data_format=data_format, rank=rank)


def upsample(
    inputs: Any,
    size: Any = 2,
    data_format: str | None = None,
    interpolation: str = "nearest",
    *,
    rank: int | None = None,
) -> Any:
    """Upsampling of the spatial axes by whole factors, with half-pixel centres.

    Args:
        inputs: Tensor of shape `(*batch, *spatial, channels)`, or `(*batch, channels, *spatial)`
            for `channels_first`.
        size: Int, or one factor a spatial dimension.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for Keras's global setting.
        interpolation: `"nearest"`, `"linear"` (`"bilinear"` in 2D, `"trilinear"` in 3D),
            `"cubic"` or `"bicubic"`, `"lanczos3"`, `"lanczos5"`.
        rank: Number of spatial axes, 1, 2 or 3; `None` where all axes but the first and the
            channels are spatial.

    Returns:
        Tensor with the spatial lengths multiplied, in the inputs' dtype, integers as floats.

    Raises:
        TypeError: If an option is of the wrong type.
        ValueError: If an option has a value that isn't allowed.

    Example:

    >>> import numpy as np
    >>> import keras_convkit as kc
    >>> volume = np.ones((1, 4, 4, 4, 2), "float32")
    >>> tuple(kc.ops.upsample(volume, (1, 2, 2), interpolation="trilinear").shape)
    (1, 4, 8, 8, 2)
    """
    return Upsample.apply(
        (inputs,), size=size, data_format=data_format, interpolation=interpolation, rank=rank
    )


class Reshaping(SpatialOperation):
    """A function of one tensor that keeps its channels."""

    description_of: ClassVar[Any]
    check: ClassVar[Any] = None
    lower: ClassVar[Any]

    @classmethod
    def describe(
        cls,
        owner: str,
        shapes: Sequence[Shape],
        *,
        data_format: str | None,
        rank: int | None,
        **options: Any,
    ) -> Any:
        (shape,) = shapes
        axes = SpatialAxes(_rank(owner, shape, rank), arguments.data_format(data_format, owner))
        description = cls.description_of(owner, axes, **options)
        input_checks.check_spatial(axes, shape, owner)
        if cls.check:
            cls.check(description, shape, owner)
        return description

    @classmethod
    def compute(cls, tensors: Sequence[Any], description: Any) -> Any:
        return cls.lower(*tensors, description)


def _rank(owner: str, shape: Shape, rank: Any) -> int:
    if rank is None:
        rank = len(shape) - 2
        if rank not in (1, 2, 3):
            expected = "have 3, 4 or 5 axes, or come with a `rank`"
            raise input_checks.wrong_input(owner, expected, f"shape={shape}")
        return rank
    rank = arguments.integer(rank, "rank", owner)
    if rank > 3:
        raise arguments.wrong_value(owner, "rank", "1, 2 or 3", rank)
    return rank


@serializable
class Pad(Reshaping):
    """The node of `pad` in a functional model."""

    function = "pad"
    description_of = staticmethod(arguments.padding)
    check = staticmethod(input_checks.check_padding)
    lower = staticmethod(lowering.pad)


@serializable
class Crop(Reshaping):
    """The node of `crop` in a functional model."""

    function = "crop"
    description_of = staticmethod(arguments.cropping)
    check = staticmethod(input_checks.check_cropping)
    lower = staticmethod(lowering.crop)


@serializable
class Upsample(Reshaping):
    """The node of `upsample` in a functional model."""

    function = "upsample"
    description_of = staticmethod(arguments.upsampling)
    lower = staticmethod(lowering.upsample)
