"""`keras-convkit parity`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from keras_convkit.cli import output, searching, types
from keras_convkit.parity import subjects
from keras_convkit.parity.embedded.models import MODELS
from keras_convkit.parity.inputs import Input, parse_input
from keras_convkit.parity.quantities import OF_EMBEDDED, QUANTITIES
from keras_convkit.parity.tasks import ALL_MODES, MODES
from keras_convkit.parity.tolerance import UNIT_ROUNDOFF
from keras_convkit.workers import BACKENDS


def add(commands: argparse._SubParsersAction) -> None:
    """Adds the subcommand."""
    parser = commands.add_parser(
        "parity",
        help="compare the layers across backends, with a reference and with built-in Keras",
        description="Runs small models that use every layer, on real data, on each installed "
        "backend, and compares outputs, gradients and a training step with a float64 reference, "
        "with built-in Keras and with each other; with targets, does so with those instead. Exit "
        "code 0 only where all agree.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "targets",
        nargs="*",
        metavar="TARGET",
        help="module:Name of a layer or of a function that returns a layer or model, a .keras "
        "file, or a .json file with a list of targets; by default the models of --models",
    )
    parser.add_argument(
        "--config", type=_config, default={}, metavar="JSON", help="arguments of the targets"
    )
    parser.add_argument(
        "--input",
        dest="inputs",
        type=_input,
        action="append",
        default=[],
        metavar="[NAME=]SHAPE|FILE",
        help="what they are called with: a shape for random data, as 4,16,16,3 or 2,12:int<100, "
        "or a .npy, .npz, .png or .jpg file; repeatable",
    )
    parser.add_argument(
        "--peer", default="", metavar="TARGET", help="what to compare them with as well"
    )
    parser.add_argument(
        "--reference",
        default="auto",
        metavar="module:function",
        help="a NumPy function of the input, the list of weights and the config to compare them "
        "with; 'auto' is this package's own for the families that it has, '' is none",
    )
    parser.add_argument(
        "--unsafe",
        action="store_true",
        help="load files that bring code of their own (Lambda layers), which is run",
    )
    parser.add_argument(
        "--quantities",
        type=types.names(QUANTITIES),
        metavar="A,B",
        help="what to compare; by default all of targets, and the first four of the models: "
        + ", ".join(QUANTITIES),
    )
    parser.add_argument(
        "--dtypes",
        type=types.names(list(UNIT_ROUNDOFF)),
        default="",
        metavar="A,B",
        help="dtypes to compute in besides float32",
    )
    parser.add_argument(
        "--memory",
        type=types.seconds,
        default=None,
        metavar="GB",
        help="memory that a worker may take beyond what its backend takes",
    )
    parser.add_argument(
        "--resume",
        type=Path,
        metavar="FOLDER",
        help="keep results in this folder as they come, and go on from those that it has",
    )
    parser.add_argument(
        "--backends",
        type=types.names(BACKENDS),
        default=",".join(BACKENDS),
        metavar="A,B",
        help="backends to run; one that is not installed is named as missing",
    )
    parser.add_argument(
        "--require",
        type=types.names(BACKENDS),
        default="",
        metavar="A,B",
        help="backends that have to be installed",
    )
    parser.add_argument(
        "--models", type=types.names(MODELS), default=",".join(MODELS), metavar="A,B", help="models"
    )
    parser.add_argument(
        "--all-modes",
        action="store_true",
        help="also run JAX without jit and TensorFlow with XLA, which takes minutes",
    )
    parser.add_argument(
        "--report",
        type=types.file,
        default="parity-report.html",
        metavar="FILE.html",
        help="where to write the HTML report",
    )
    parser.add_argument(
        "--json",
        type=types.file,
        metavar="FILE",
        help="where to write the results as JSON, by parity/reports/parity.schema.json",
    )
    parser.add_argument(
        "--junit", type=types.file, metavar="FILE", help="where to write them as JUnit XML"
    )
    parser.add_argument(
        "--markdown",
        type=types.file,
        metavar="FILE",
        help="where to write a short summary for the page of a CI run",
    )
    parser.add_argument(
        "--timeout",
        type=types.seconds,
        default=300.0,
        metavar="S",
        help="seconds that a worker may take for each task; for its start, 120 at least",
    )
    parser.add_argument(
        "--seed", type=types.seed, default=0, metavar="N", help="seed of weights and targets"
    )
    searching.add(parser, _config)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    modes = ALL_MODES if arguments.all_modes else MODES
    # What is required is run, whether or not `--backends` names it.
    chosen = [name for name in BACKENDS if name in {*arguments.backends, *arguments.require}]
    if arguments.space and not arguments.search:
        raise types.CommandError("--space is for --search alone")
    if arguments.search:
        try:
            return searching.run(
                arguments, _subjects(arguments), {name: modes[name] for name in chosen}
            )
        except subjects.SubjectError as error:
            raise types.CommandError(str(error)) from error
    # Not above: `--help` and the other commands work without what the reports need.
    from rich.console import Console

    from keras_convkit.parity.outcome import run_parity
    from keras_convkit.parity.reports import document, junit, markdown, report, terminal

    report.check_requirements()
    try:
        with terminal.LiveProgress(Console(stderr=True), chosen) as progress:
            outcome = run_parity(
                _subjects(arguments),
                {name: modes[name] for name in chosen},
                quantities=arguments.quantities
                or (QUANTITIES if arguments.targets else OF_EMBEDDED),
                dtypes=arguments.dtypes,
                seed=arguments.seed,
                timeout=arguments.timeout,
                memory=arguments.memory or 0.0,
                required=arguments.require,
                results=arguments.resume,
                notify=progress.notify,
            )
    except ValueError as error:
        raise types.CommandError(str(error)) from error
    console = output.console()
    console.print(terminal.summary(outcome))
    report.write(arguments.report, outcome)
    console.print(f"Report: {arguments.report}", markup=False, highlight=False)
    formats = (
        (arguments.json, document),
        (arguments.junit, junit),
        (arguments.markdown, markdown),
    )
    for path, form in formats:
        if path:
            form.write(path, outcome)
    return 0 if outcome.agrees else 1


def _subjects(arguments: argparse.Namespace) -> list[subjects.Subject]:
    if not arguments.targets:
        return [subjects.embedded(name) for name in arguments.models]
    found: list[subjects.Subject] = []
    for target in arguments.targets:
        if target.endswith(".json"):
            found += subjects.read_list(Path(target))
        else:
            found.append(
                subjects.parse(
                    target,
                    config=arguments.config,
                    inputs=arguments.inputs,
                    peer=arguments.peer,
                    reference=arguments.reference,
                    safe=not arguments.unsafe,
                )
            )
    return subjects.unique(found)


def _config(text: str) -> dict[str, Any]:
    try:
        config = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"is no JSON: {error}") from None
    if not isinstance(config, dict):
        raise argparse.ArgumentTypeError(f"must be a JSON object. Received: {text}")
    return config


def _input(text: str) -> Input:
    try:
        return parse_input(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
