"""What XLA doesn't fuse across."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

Combine = Callable[[Any, Any], Any]


def barrier(x: Any, kernel: Any) -> Any:
    """`x`, by a choice between two ways to it, so that it is written to memory once.

    XLA fuses what is cheap into each of its readers, but nothing across a choice. It would see
    through one between equal ways, and one that it can make itself. Each is right, whichever
    number the kernel begins with.
    """
    usual = _usual(kernel)
    return ops.switch(ops.cast(usual, "int32"), (_itself, _times), x, ops.cast(usual, x.dtype))


def between_barriers(compute: Combine, otherwise: Combine, x: Any, kernel: Any) -> Any:
    """`compute(x, kernel)`, with an input and an output that are written to memory.

    Without the copies that a barrier before it and one behind it would be. `otherwise` is another
    way to the same, which is compiled along, and taken where the kernel begins with a NaN.
    """
    return ops.switch(ops.cast(_usual(kernel), "int32"), (otherwise, compute), x, kernel)


def _usual(kernel: Any) -> Any:
    return ops.logical_not(ops.isnan(ops.reshape(kernel, (-1,))[0]))


def _itself(x: Any, one: Any) -> Any:
    return x


def _times(x: Any, one: Any) -> Any:
    return x * one
