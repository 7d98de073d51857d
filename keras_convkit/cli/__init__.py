"""The command `keras-convkit` and its subcommands.

The installed command starts in `keras_convkit_launcher`, which sees to it that Keras can be
imported. `python -m keras_convkit` is the same where `import keras` works by itself.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from keras_convkit import __version__
from keras_convkit.cli import bench, convert, parity
from keras_convkit.cli.types import CommandError
from keras_convkit.extras import MissingExtraError

PROGRAM = "keras-convkit"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        argv: The arguments; those of the process by default.

    Returns:
        The exit code: 0 where all is well, 1 where something disagrees or failed, 2 where the
        command could not be carried out, 130 after Ctrl-C, 143 after SIGTERM.
    """
    parser = argparse.ArgumentParser(
        prog=PROGRAM, description="Tools around the convolution layers of keras_convkit."
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")
    for subcommand in (parity, convert, bench):
        subcommand.add(commands)
    arguments = parser.parse_args(argv)
    try:
        with _ended_by_sigterm():
            return arguments.run(arguments)
    except (MissingExtraError, OSError, CommandError) as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{PROGRAM}: interrupted", file=sys.stderr)
        return 130
    except _TerminatedError:
        print(f"{PROGRAM}: terminated", file=sys.stderr)
        return 143


class _TerminatedError(BaseException):
    """SIGTERM has come."""


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM, with which CI systems end a command, lets it end its workers as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminate(number: int, frame: FrameType | None) -> None:
        raise _TerminatedError

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
