"""`keras-convkit bench`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from keras_convkit.bench.applications import APPLICATIONS
from keras_convkit.bench.picture import FORMATS
from keras_convkit.bench.workloads import matching
from keras_convkit.cli import output, types
from keras_convkit.workers import BACKENDS


def add(commands: argparse._SubParsersAction) -> None:
    """Adds the subcommand."""
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
        type=types.names(BACKENDS),
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
        type=types.names(APPLICATIONS),
        default=",".join(APPLICATIONS),
        metavar="A,B",
        help="whole models of keras.applications",
    )
    models.add_argument(
        "--no-models", dest="models", action="store_const", const=[], help="no whole models"
    )
    parser.add_argument(
        "--seconds",
        type=types.seconds,
        default=1.0,
        metavar="S",
        help="budget for timing a workload, compilation not included",
    )
    parser.add_argument("--json", type=types.file, metavar="FILE", help="where to write JSON")
    parser.add_argument(
        "--markdown", type=types.file, metavar="FILE.md", help="where to write the page of tables"
    )
    parser.add_argument(
        "--picture", type=_picture, metavar="FILE.svg", help="where to draw the ratios: SVG or PNG"
    )
    parser.add_argument(
        "--floor",
        type=types.seconds,
        default=0.95,
        metavar="R",
        help="measure again, and list, what has a ratio, built-in by ours, under this",
    )
    parser.add_argument(
        "--enforce-floor",
        action="store_true",
        help="exit code 1 where something is under it, and not only the first time",
    )
    parser.add_argument(
        "--timeout",
        type=types.seconds,
        default=300.0,
        metavar="S",
        help="seconds that one workload, or one step of a model, may take",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from keras_convkit.bench import picture, report, terminal
    from keras_convkit.bench.outcome import run_bench

    if arguments.picture:
        picture.check_requirements()
    with terminal.LiveProgress(Console(stderr=True)) as progress:
        outcome = run_bench(
            arguments.backends,
            arguments.workloads,
            arguments.models,
            floor=arguments.floor,
            seconds=arguments.seconds,
            timeout=arguments.timeout,
            progress=progress,
        )
    output.console().print(terminal.summary(outcome))
    if arguments.json:
        report.write_json(arguments.json, outcome)
    if arguments.picture:
        picture.write(arguments.picture, outcome)
    if arguments.markdown:
        seen = _from(arguments.markdown, arguments.picture)
        report.write_markdown(arguments.markdown, outcome, seen)
    slow = arguments.enforce_floor and outcome.slow
    return 1 if outcome.faults or slow else 0


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
    path = types.file(text)
    if path.suffix not in FORMATS:
        raise argparse.ArgumentTypeError(f"must end with {' or '.join(FORMATS)}. Received: {text}")
    return path
