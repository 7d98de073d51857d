"""What XLA doesn't fuse across."""

from __future__ import annotations

from typing import Any

from keras import ops


def barrier(x: Any, kernel: Any) -> Any:
    """`x`, by a choice between two ways to it, so that it is written to memory once.

    XLA fuses what is cheap into each of its readers, but nothing across a choice. It would see
    through one between equal ways, and one that it can make itself. Each is right, whichever
    number the kernel begins with.
    """
    usual = ops.logical_not(ops.isnan(ops.reshape(kernel, (-1,))[0]))
    return ops.switch(ops.cast(usual, "int32"), (_itself, _times), x, ops.cast(usual, x.dtype))


def _itself(x: Any, one: Any) -> Any:
    return x


def _times(x: Any, one: Any) -> Any:
    return x * one
