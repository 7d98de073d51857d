"""Numerical parity: what is compared with what, on which backends, and the float64 reference."""

from typing import Any

# Not imported here: a worker, and whoever wants the reference alone, has no need of it.
_LAZY = ("Result", "check")

__all__ = ["Result", "check"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from keras_convkit.parity import checking

        return getattr(checking, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
