"""Packages that only the tools need, and the extra that brings them."""

import importlib
from types import ModuleType


class MissingExtraError(Exception):
    """A package of the extra `parity` is not installed."""


def require(module: str, purpose: str) -> ModuleType:
    """Imports an optional module.

    Args:
        module: The module's name.
        purpose: What it is for, to end the sentence "is needed for ...".

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
            "Install it with: pip install 'keras-convkit[parity]'"
        ) from error
