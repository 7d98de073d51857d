"""`keras-convkit parity TARGET --search N`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any

from keras_convkit.cli import output, types
from keras_convkit.extras import require
from keras_convkit.files import write_text
from keras_convkit.parity import subjects


def add(parser: argparse.ArgumentParser, config: Any) -> None:
    """Adds the options to those of `parity`; `config` reads a JSON object."""
    parser.add_argument(
        "--search",
        type=types.count,
        metavar="N",
        help="draw N configurations of the target, run each on all backends, and make those that "
        "disagree as small as they can be; no report is written",
    )
    parser.add_argument(
        "--space",
        type=config,
        default={},
        metavar="JSON",
        help="with --search, what arguments may be: two numbers are a range, another list has the "
        'values, as \'{"units": [1, 8], "mode": ["a", "b"]}\'',
    )
    parser.add_argument(
        "--search-time",
        type=types.seconds,
        default=600.0,
        metavar="S",
        help="seconds after which a search tries nothing new",
    )


def run(
    arguments: argparse.Namespace,
    found: list[subjects.Subject],
    modes: Mapping[str, tuple[str, ...]],
) -> int:
    """Searches, prints what was found, and returns the exit code."""
    if len(found) != 1 or not arguments.targets:
        raise types.CommandError("--search takes one target")
    require("hypothesis", "searching", extra="search")
    from rich.console import Console

    from keras_convkit.parity.search import SEARCHED, search

    with Console(stderr=True).status("starting") as status:
        result = search(
            found[0],
            arguments.search,
            space=arguments.space,
            modes=modes,
            quantities=arguments.quantities or SEARCHED,
            seed=arguments.seed,
            timeout=arguments.timeout,
            memory=arguments.memory or 0.0,
            limit=arguments.search_time,
            tell=status.update,
        )
    console = output.console()

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    for finding in result.findings:
        say(f"{finding}\n")
    for each in result.runs:
        if each.status in ("missing", "failed"):
            say(f"{each.backend}: {each.status}: {each.reason}")
    for reason, times in list(result.refused.items())[:3]:
        say(f"not possible on any backend, {times} times: {reason}")
    if result.ended:
        say(f"ended early: {result.ended}")
    kinds = f"{len(result.findings)} kinds of disagreement" if result.findings else "all agree"
    say(f"{result.examples} configurations in {result.seconds:.0f} s: {kinds}")
    if arguments.json:
        document = [finding.described() for finding in result.findings]
        write_text(arguments.json, json.dumps(document, indent=2) + "\n")
    ran = result.examples > sum(result.refused.values())
    return 0 if ran and not result.findings and not result.broken else 1
