"""Padding in 1D, 2D and 3D: `Padding` in every mode, `ZeroPadding` as its zero case."""

from __future__ import annotations

from typing import Any

from keras_convkit import arguments, input_checks, lowering
from keras_convkit.input_checks import Shape
from keras_convkit.layers.base import SpatialLayer, named, serializable


class Padding(SpatialLayer):
    """Padding of `rank` spatial axes; the public classes document it."""

    config_names = ("padding", "data_format", "padding_mode", "value")

    def __init__(self, *, padding: Any, padding_mode: Any, value: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.description = arguments.padding(
            self.owner, self.axes, padding=padding, padding_mode=padding_mode, value=value
        )
        self.padding = self.as_built_in(self.description.amounts)
        self.padding_mode = arguments.compact(self.description.modes)
        self.value = self.description.value

    def check_shape(self, shape: Shape) -> None:
        super().check_shape(shape)
        input_checks.check_padding(self.description, shape, self.owner)

    def call(self, inputs: Any) -> Any:
        return lowering.pad(self.cast_inputs(inputs), self.description)


class ZeroPadding(Padding):
    """Padding of `rank` spatial axes with zeros; the public classes document it."""

    config_names = ("padding", "data_format")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(padding_mode="zeros", value=0.0, **kwargs)


@serializable
class Padding1D(Padding):
    """1D padding."""

    rank = 1

    def __init__(
        self,
        padding: Any,
        padding_mode: Any = "zeros",
        value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))


@serializable
class Padding2D(Padding):
    """2D padding."""

    rank = 2

    def __init__(
        self,
        padding: Any,
        padding_mode: Any = "zeros",
        value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))


@serializable
class Padding3D(Padding):
    """3D padding."""

    rank = 3

    def __init__(
        self,
        padding: Any,
        padding_mode: Any = "zeros",
        value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))


@serializable
class ZeroPadding1D(ZeroPadding):
    """1D zero padding."""

    rank = 1

    def __init__(self, padding: Any = 1, *, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**named(locals()))


@serializable
class ZeroPadding2D(ZeroPadding):
    """2D zero padding."""

    rank = 2

    def __init__(
        self, padding: Any = (1, 1), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**named(locals()))


@serializable
class ZeroPadding3D(ZeroPadding):
    """3D zero padding."""

    rank = 3

    def __init__(
        self, padding: Any = (1, 1, 1), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**named(locals()))
