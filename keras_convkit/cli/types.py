"""What an option of a subcommand may be: text -> value, or the sentence that says what is wrong."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path


class CommandError(Exception):
    """What a command could not do, in words for its user."""


def names(known: Sequence[str]) -> Callable[[str], list[str]]:
    """Names out of a list, separated by commas."""

    def parse(text: str) -> list[str]:
        names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
        unknown = [name for name in names if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(
                f"unknown: {', '.join(unknown)}. Allowed: {', '.join(known)}"
            )
        return names

    return parse


def file(text: str) -> Path:
    """A file that can be written."""
    path = Path(text)
    # Said now, and not when the work is done.
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{path} is a folder")
    if not path.absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.absolute().parent}")
    return path


def model_file(text: str) -> Path:
    """A `.keras` file."""
    if not text.endswith(".keras"):
        raise argparse.ArgumentTypeError(f"must end in .keras. Received: {text}")
    return file(text)


def seconds(text: str) -> float:
    """A time, or another number over 0."""
    value = float(text)
    # The upper end is what Python's timers can count to on every system.
    if not 0 < value <= 1e6:
        raise argparse.ArgumentTypeError(f"must be over 0 and at most 1e6. Received: {text}")
    return value


def seed(text: str) -> int:
    """A seed of random numbers."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"must not be negative. Received: {text}")
    return value


def count(text: str) -> int:
    """How many of something."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1. Received: {text}")
    return value
