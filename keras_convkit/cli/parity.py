"""`keras-convkit parity`."""

from __future__ import annotations

import argparse

from keras_convkit.cli import types
from keras_convkit.parity.models import MODELS
from keras_convkit.parity.runner import ALL_MODES, MODES
from keras_convkit.workers import BACKENDS


def add(commands: argparse._SubParsersAction) -> None:
    """Adds the subcommand."""
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
        help="where to write the results as JSON; keras_convkit.parity.report documents them",
    )
    parser.add_argument(
        "--timeout",
        type=types.seconds,
        default=300.0,
        metavar="S",
        help="seconds that one backend may take",
    )
    parser.add_argument(
        "--seed", type=types.seed, default=0, metavar="N", help="seed of weights and targets"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
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
