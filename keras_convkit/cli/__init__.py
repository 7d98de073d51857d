"""The command `keras-convkit` and its subcommands.

The installed command starts in `keras_convkit_launcher`, which sees to it that Keras can be
imported. `python -m keras_convkit` is the same where `import keras` works by itself.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

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
        command could not be carried out, 130 after Ctrl-C.
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
        return arguments.run(arguments)
    except (MissingExtraError, OSError, CommandError) as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{PROGRAM}: interrupted", file=sys.stderr)
        return 130
