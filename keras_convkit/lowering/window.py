"""The window of a convolution of stride 1, for formulations that write its gradient out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from keras_convkit.description import Convolution, SpatialAxes
from keras_convkit.geometry import Pair
from keras_convkit.lowering.grouped import Lowering
from keras_convkit.lowering.padding import extend, pad_to_zeros


class Window(NamedTuple):
    """A window of stride 1 over an input that is padded by zeros."""

    dilation: tuple[int, ...]
    amounts: tuple[Pair, ...]

    def back(self, size: Sequence[int]) -> Window:
        """The window of the input's gradient over the output's; `size` is the kernel's."""
        reaches = [(k - 1) * d for k, d in zip(size, self.dilation, strict=True)]
        amounts = tuple(
            (e - before, e - after)
            for e, (before, after) in zip(reaches, self.amounts, strict=True)
        )
        return Window(self.dilation, amounts)

    def valid(self, axes: SpatialAxes, size: Sequence[int], groups: int = 1) -> Convolution:
        """The convolution that is left to do once the input has been padded."""
        return Convolution(
            axes=axes,
            kernel_size=tuple(size),
            strides=(1,) * axes.rank,
            padding=("valid",) * axes.rank,
            dilation_rate=self.dilation,
            padding_modes=("zeros",) * axes.rank,
            groups=groups,
        )

    def convolve(
        self, by: Lowering, axes: SpatialAxes, groups: int = 1
    ) -> Callable[[Any, Any], Any]:
        """The convolution of an input that isn't padded yet, by a formulation."""

        def compute(x: Any, kernel: Any) -> Any:
            x = extend(x, axes, self.amounts)
            return by(x, kernel, self.valid(axes, kernel.shape[: axes.rank], groups))

        return compute


def window_of(x: Any, convolution: Convolution) -> tuple[Any, Window]:
    """`x` padded where it isn't by zeros, and the window of stride 1 that remains."""
    x, convolution = pad_to_zeros(x, convolution)
    amounts = convolution.padding_amounts(convolution.axes.lengths(x.shape))
    return x, Window(convolution.dilation_rate, amounts)
