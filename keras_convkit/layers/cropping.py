"""Cropping in 1D, 2D and 3D."""

from __future__ import annotations

from typing import Any

from keras_convkit import arguments, input_checks, lowering
from keras_convkit.input_checks import Shape
from keras_convkit.layers.base import SpatialLayer, named, serializable


class Cropping(SpatialLayer):
    """Cropping of `rank` spatial axes; the public classes document it."""

    config_names = ("cropping", "data_format")

    def __init__(self, *, cropping: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.description = arguments.cropping(self.owner, self.axes, cropping=cropping)
        self.cropping = self.as_built_in(self.description.amounts)

    def check_shape(self, shape: Shape) -> None:
        super().check_shape(shape)
        input_checks.check_cropping(self.description, shape, self.owner)

    def call(self, inputs: Any) -> Any:
        return lowering.crop(self.cast_inputs(inputs), self.description)


@serializable
class Cropping1D(Cropping):
    """1D cropping."""

    rank = 1
    # The 1D layer of built-in Keras has no `data_format`.
    config_names = ("cropping",)
    added_defaults = {"data_format": "channels_last"}

    def __init__(
        self, cropping: Any = (1, 1), *, data_format: str | None = "channels_last", **kwargs: Any
    ) -> None:
        super().__init__(**named(locals()))


@serializable
class Cropping2D(Cropping):
    """2D cropping."""

    rank = 2

    def __init__(
        self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**named(locals()))


@serializable
class Cropping3D(Cropping):
    """3D cropping."""

    rank = 3

    def __init__(
        self,
        cropping: Any = ((1, 1), (1, 1), (1, 1)),
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))
