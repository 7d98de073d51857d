"""Upsampling by a whole factor in 1D, 2D and 3D."""

from __future__ import annotations

from typing import Any

from keras_convkit import arguments, lowering
from keras_convkit.layers.base import SpatialLayer, named, serializable


class UpSampling(SpatialLayer):
    """Upsampling of `rank` spatial axes; the public classes document it."""

    config_names = ("size", "data_format")
    added_defaults = {"interpolation": "nearest"}

    def __init__(self, *, size: Any, interpolation: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.description = arguments.upsampling(
            self.owner, self.axes, size=size, interpolation=interpolation
        )
        self.size = self.description.sizes
        self.interpolation = interpolation.lower()

    def call(self, inputs: Any) -> Any:
        return lowering.upsample(self.cast_inputs(inputs), self.description)


@serializable
class UpSampling1D(UpSampling):
    """1D upsampling."""

    rank = 1
    # The 1D layer of built-in Keras has `size` alone, and shows it as one int.
    config_names = ("size",)
    added_defaults = {"interpolation": "nearest", "data_format": "channels_last"}

    def __init__(
        self,
        size: Any = 2,
        *,
        interpolation: str = "nearest",
        data_format: str | None = "channels_last",
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))
        (self.size,) = self.description.sizes


@serializable
class UpSampling2D(UpSampling):
    """2D upsampling."""

    rank = 2
    config_names = ("size", "data_format", "interpolation")
    added_defaults = {}

    def __init__(
        self,
        size: Any = (2, 2),
        data_format: str | None = None,
        interpolation: str = "nearest",
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))


@serializable
class UpSampling3D(UpSampling):
    """3D upsampling."""

    rank = 3

    def __init__(
        self,
        size: Any = (2, 2, 2),
        data_format: str | None = None,
        *,
        interpolation: str = "nearest",
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))
