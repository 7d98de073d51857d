"""`keras-convkit convert`."""

from __future__ import annotations

import argparse
import importlib

from keras_convkit.cli import types


def add(commands: argparse._SubParsersAction) -> None:
    """Adds the subcommand."""
    parser = commands.add_parser(
        "convert",
        help="replace the built-in layers of a saved model by ours, or ours by built-in ones",
        description="Reads a .keras file, replaces its layers, and writes another one, whole or "
        "not at all. Names, weights, topology and the compiled state stay.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "source", type=types.model_file, metavar="IN.keras", help="the model to read"
    )
    parser.add_argument(
        "target",
        type=types.model_file,
        metavar="OUT.keras",
        help="where to write it; may be the same",
    )
    parser.add_argument(
        "--to-builtin", action="store_true", help="the other way: from our layers to built-in ones"
    )
    parser.add_argument(
        "--lenient",
        action="store_true",
        help="leave a layer that can't be converted as it is, instead of writing nothing",
    )
    parser.add_argument(
        "--unsafe",
        action="store_true",
        help="read models that bring code of their own (Lambda layers), which is run",
    )
    parser.add_argument(
        "--import",
        dest="modules",
        action="append",
        default=[],
        metavar="MODULE",
        help="a module to import first, one that registers the model's own classes; repeatable",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from keras_convkit.conversion import convert, convert_file, to_builtin

    try:
        for module in arguments.modules:
            importlib.import_module(module)
        changes = convert_file(
            arguments.source,
            arguments.target,
            to_builtin if arguments.to_builtin else convert,
            strict=not arguments.lenient,
            safe=not arguments.unsafe,
        )
    except (ImportError, TypeError, ValueError) as error:
        raise types.CommandError(f"{arguments.source}: nothing was written. {error}") from error
    for name, count in sorted(changes.items()):
        print(f"{count:6} {name}")
    print(f"{sum(changes.values()):6} layers changed: {arguments.source} -> {arguments.target}")
    return 0
