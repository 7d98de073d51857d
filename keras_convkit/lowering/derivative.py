"""Operations that know their gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops


def with_gradient(compute: Callable[..., Any], gradient: Callable[..., Any]) -> Callable[..., Any]:
    """`compute`, of tensors to a tensor, with a gradient that is written out.

    `gradient` takes the same tensors and the output's cotangent, and returns a cotangent for each
    of them. Derivatives of every order are defined if its own are. Forward mode has none.
    """

    @ops.custom_gradient
    def run(*tensors: Any) -> Any:
        # Keras hands the cotangent over by position on one backend, by name on another.
        def pull_back(*args: Any, upstream: Any = None) -> Any:
            return gradient(*tensors, args[0] if upstream is None else upstream)

        return compute(*tensors), pull_back

    return run
