"""The command `keras-convkit` and its subcommands.

The installed command starts in `keras_convkit_launcher`, which sees to it that Keras can be
imported. `python -m keras_convkit` is the same where `import keras` works by itself.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from keras_convkit import __version__
from keras_convkit.bench.applications import APPLICATIONS
from keras_convkit.bench.picture import FORMATS
from keras_convkit.bench.workloads import matching
from keras_convkit.extras import MissingExtraError
from keras_convkit.parity.models import MODELS
from keras_convkit.parity.runner import ALL_MODES, MODES
from keras_convkit.workers import BACKENDS

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
    _add_parity(commands)
    _add_convert(commands)
    _add_bench(commands)
    arguments = parser.parse_args(argv)
    try:
        return arguments.run(arguments)
    except (MissingExtraError, OSError, CommandError) as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{PROGRAM}: interrupted", file=sys.stderr)
        return 130


class CommandError(Exception):
    """What a command could not do, in words for its user."""


def _add_parity(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "parity",
        help="compare the layers across backends, with a reference and with built-in Keras",
        description="Runs small models that use every layer, on real data, on each installed "
        "backend, and compares outputs, gradients and a training step with a float64 reference, "
        "with built-in Keras and with each other. Exit code 0 only where all agree.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--backends",
        type=_names(BACKENDS),
        default=",".join(BACKENDS),
        metavar="A,B",
        help="backends to run; one that is not installed is named as missing",
    )
    parser.add_argument(
        "--require",
        type=_names(BACKENDS),
        default="",
        metavar="A,B",
        help="backends that have to be installed",
    )
    parser.add_argument(
        "--models", type=_names(MODELS), default=",".join(MODELS), metavar="A,B", help="models"
    )
    parser.add_argument(
        "--all-modes",
        action="store_true",
        help="also run JAX without jit and TensorFlow with XLA, which takes minutes",
    )
    parser.add_argument(
        "--report",
        type=_file,
        default="parity-report.html",
        metavar="FILE.html",
        help="where to write the HTML report",
    )
    parser.add_argument(
        "--json",
        type=_file,
        metavar="FILE",
        help="where to write the results as JSON; keras_convkit.parity.report documents them",
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=300.0,
        metavar="S",
        help="seconds that one backend may take",
    )
    parser.add_argument(
        "--seed", type=_seed, default=0, metavar="N", help="seed of weights and targets"
    )
    parser.set_defaults(run=_parity)


def _parity(arguments: argparse.Namespace) -> int:
    # Not above: `--help` and the other commands work without what the reports need.
    from rich.console import Console

    from keras_convkit.parity import report, terminal
    from keras_convkit.parity.outcome import run_parity

    report.check_requirements()
    modes = ALL_MODES if arguments.all_modes else MODES
    # What is required is run, whether or not `--backends` names it.
    chosen = [name for name in BACKENDS if name in {*arguments.backends, *arguments.require}]
    modes = {name: modes[name] for name in chosen}
    models = [MODELS[name] for name in arguments.models]
    with terminal.LiveProgress(Console(stderr=True), modes, len(models)) as progress:
        outcome = run_parity(
            models,
            modes,
            seed=arguments.seed,
            timeout=arguments.timeout,
            required=arguments.require,
            notify=progress.notify,
        )
    console = Console()
    console.print(terminal.summary(outcome))
    report.write_html(arguments.report, outcome)
    console.print(f"Report: {arguments.report}", markup=False, highlight=False)
    if arguments.json:
        report.write_json(arguments.json, outcome)
    return 0 if outcome.agrees else 1


def _add_convert(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "convert",
        help="replace the built-in layers of a saved model by ours, or ours by built-in ones",
        description="Reads a .keras file, replaces its layers, and writes another one, whole or "
        "not at all. Names, weights, topology and the compiled state stay.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("source", type=_model_file, metavar="IN.keras", help="the model to read")
    parser.add_argument(
        "target", type=_model_file, metavar="OUT.keras", help="where to write it; may be the same"
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
    parser.set_defaults(run=_convert)


def _convert(arguments: argparse.Namespace) -> int:
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
        raise CommandError(f"{arguments.source}: nothing was written. {error}") from error
    for name, count in sorted(changes.items()):
        print(f"{count:6} {name}")
    print(f"{sum(changes.values()):6} layers changed: {arguments.source} -> {arguments.target}")
    return 0


def _add_bench(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "bench",
        help="time the layers beside the built-in ones, on every backend",
        description="Times layers of every family, and whole models, beside built-in Keras on each "
        "installed backend: forward and with gradients, compile time and peak memory. Exit code 0 "
        "unless something failed to run.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--backends",
        type=_names(BACKENDS),
        default=",".join(BACKENDS),
        metavar="A,B",
        help="backends to run; one that is not installed is named as missing",
    )
    parser.add_argument(
        "--workloads",
        type=_workloads,
        default="*",
        metavar="PATTERN,PATTERN",
        help="shell patterns of workloads, such as 'conv2d-*'; '' for none",
    )
    models = parser.add_mutually_exclusive_group()
    models.add_argument(
        "--models",
        type=_names(APPLICATIONS),
        default=",".join(APPLICATIONS),
        metavar="A,B",
        help="whole models of keras.applications",
    )
    models.add_argument(
        "--no-models", dest="models", action="store_const", const=[], help="no whole models"
    )
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=1.0,
        metavar="S",
        help="budget for timing a workload, compilation not included",
    )
    parser.add_argument("--json", type=_file, metavar="FILE", help="where to write JSON")
    parser.add_argument(
        "--markdown", type=_file, metavar="FILE.md", help="where to write the page of tables"
    )
    parser.add_argument(
        "--picture", type=_picture, metavar="FILE.svg", help="where to draw the ratios: SVG or PNG"
    )
    parser.add_argument(
        "--floor",
        type=_seconds,
        default=0.95,
        metavar="R",
        help="list what has a ratio, built-in by ours, under this",
    )
    parser.add_argument(
        "--enforce-floor", action="store_true", help="exit code 1 where something is under it"
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=300.0,
        metavar="S",
        help="seconds that one workload, or one step of a model, may take",
    )
    parser.set_defaults(run=_bench)


def _bench(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from keras_convkit.bench import picture, report, runner, terminal
    from keras_convkit.bench.outcome import run_bench

    if arguments.picture:
        picture.check_requirements()
    chosen = arguments.backends, arguments.workloads, arguments.models
    with terminal.LiveProgress(Console(stderr=True), runner.steps(*chosen)) as progress:
        outcome = run_bench(
            *chosen, seconds=arguments.seconds, timeout=arguments.timeout, notify=progress.notify
        )
    Console().print(terminal.summary(outcome, arguments.floor))
    if arguments.json:
        report.write_json(arguments.json, outcome)
    if arguments.picture:
        picture.write(arguments.picture, outcome)
    if arguments.markdown:
        report.write_markdown(
            arguments.markdown,
            outcome,
            arguments.floor,
            _from(arguments.markdown, arguments.picture),
        )
    low = arguments.enforce_floor and outcome.below(arguments.floor)
    return 1 if outcome.faults or low else 0


def _from(page: Path, picture: Path | None) -> str:
    """Where a picture lies, seen from a page."""
    if picture is None:
        return ""
    return Path(os.path.relpath(picture, page.parent)).as_posix()


def _workloads(text: str) -> list[str]:
    try:
        return matching([pattern.strip() for pattern in text.split(",") if pattern.strip()])
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _picture(text: str) -> Path:
    path = _file(text)
    if path.suffix not in FORMATS:
        raise argparse.ArgumentTypeError(f"must end with {' or '.join(FORMATS)}. Received: {text}")
    return path


def _names(known: Sequence[str]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
        unknown = [name for name in names if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(
                f"unknown: {', '.join(unknown)}. Allowed: {', '.join(known)}"
            )
        return names

    return parse


def _file(text: str) -> Path:
    path = Path(text)
    # Said now, and not when the work is done.
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{path} is a folder")
    if not path.absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.absolute().parent}")
    return path


def _model_file(text: str) -> Path:
    if not text.endswith(".keras"):
        raise argparse.ArgumentTypeError(f"must end in .keras. Received: {text}")
    return _file(text)


def _seconds(text: str) -> float:
    seconds = float(text)
    # The upper end is what Python's timers can count to on every system.
    if not 0 < seconds <= 1e6:
        raise argparse.ArgumentTypeError(f"must be over 0 and at most 1e6. Received: {text}")
    return seconds


def _seed(text: str) -> int:
    seed = int(text)
    if seed < 0:
        raise argparse.ArgumentTypeError(f"must not be negative. Received: {text}")
    return seed
