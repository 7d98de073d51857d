"""Packages that only the tools need, and the extras that bring them."""

import importlib
from types import ModuleType


class MissingExtraError(Exception):
    """A package of one of the tools' extras is not installed."""


def require(module: str, purpose: str, extra: str = "parity") -> ModuleType:
    """Imports an optional module.

    Args:
        module: The module's name.
        purpose: What it is for, to end the sentence "is needed for ...".
        extra: The extra that brings it.

    Returns:
        The module.

    Raises:
        MissingExtraError: It is not installed; the message says which extra brings it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{error.name!r} is needed for {purpose} and is not installed. "
            f"Install it with: pip install 'keras-convkit[{extra}]'"
        ) from error
