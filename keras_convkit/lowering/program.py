"""Several operations as one program, where nothing is compiled around them.

Outside of a compiled function JAX runs each operation as a program of its own: what XLA would have
fused into one pass over memory is one each, and a small image costs as many calls. A loop is
compiled whole wherever it stands. XLA takes one of a single step apart again before it fuses, so
in a compiled function it is as if there were none.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_convkit.lowering.table import compiles_loops

Compute = Callable[..., Any]


def one_program(compute: Compute) -> Compute:
    """`compute`, of tensors to a tensor, as one program.

    To be made once and kept: JAX compiles afresh for each new function.
    """
    if not compiles_loops():
        return compute

    def step(carry: None, tensors: Any) -> tuple[None, Any]:
        return carry, compute(*tensors)

    def run(*tensors: Any) -> Any:
        _, y = ops.scan(step, None, [ops.expand_dims(tensor, 0) for tensor in tensors])
        return ops.squeeze(y, 0)

    return keras.remat(run)


def as_one_program(tensors: int) -> Callable[[Compute], Compute]:
    """Decorates a function of so many tensors, and of what can be hashed behind them."""

    def decorate(compute: Compute) -> Compute:
        @functools.lru_cache(maxsize=1024)
        def made(*rest: Any) -> Compute:
            return one_program(lambda *first: compute(*first, *rest))

        @functools.wraps(compute)
        def run(*arguments: Any) -> Any:
            return made(*arguments[tensors:])(*arguments[:tensors])

        return run

    return decorate
