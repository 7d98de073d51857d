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
        self._amounts = arguments.left_right_pairs(padding, self.rank, "padding", self.owner)
        self._modes = arguments.padding_modes(padding_mode, self.rank, self.owner)
        self.value = arguments.padding_value(value, self._modes, self.owner)
        self.padding = self.as_built_in(self._amounts)
        self.padding_mode = arguments.compact(self._modes)

    def check_shape(self, shape: Shape) -> None:
        super().check_shape(shape)
        lengths = self.axes.lengths(shape)
        input_checks.check_padding(self._amounts, self._modes, lengths, shape, self.owner)

    def call(self, inputs: Any) -> Any:
        return lowering.pad(
            self.cast_inputs(inputs), self.axes, self._amounts, self._modes, self.value
        )

    def output_shape(self, shape: Shape) -> Shape:
        lengths = [
            None if n is None else before + n + after
            for n, (before, after) in zip(self.axes.lengths(shape), self._amounts, strict=True)
        ]
        return self.axes.output_shape(shape, lengths, self.axes.channels(shape))


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
