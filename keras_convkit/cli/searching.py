"""`keras-convkit parity TARGET --search N`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from keras_convkit.cli import output, types
from keras_convkit.extras import require
from keras_convkit.files import write_text
from keras_convkit.parity import subjects
from keras_convkit.parity.findings import Finding, counted

# Seconds between two lines of progress where there is no terminal.
_EVERY = 15.0


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
    _check(arguments, found)
    require("hypothesis", "searching", extra="search")
    from keras_convkit.parity.search import SEARCHED, search

    console = output.console()

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    with _Progress(say) as progress:
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
            tell=progress.tell,
            report=progress.report,
        )
    for each in result.runs:
        if each.status in ("missing", "failed"):
            say(f"{each.backend}: {each.status}: {each.reason}")
    for reason, times in list(result.refused.items())[:3]:
        say(f"not possible on any backend, {counted(times, 'time')}: {reason}")
    if result.ended:
        say(f"ended early: {result.ended}")
    kinds = counted(len(result.findings), "kind") + " of disagreement"
    if not result.findings:
        kinds = "all agree" if result.compared else "nothing could be compared"
    smaller = f", {result.tries} run with what makes findings smaller" if result.findings else ""
    drawn = counted(result.drawn, "configuration")
    say(f"{drawn} drawn{smaller}, {result.seconds:.0f} s: {kinds}")
    if arguments.json:
        document = [finding.described() for finding in result.findings]
        write_text(arguments.json, json.dumps(document, indent=2) + "\n")
    lacking = any(
        each.status == "missing" and each.backend in arguments.require for each in result.runs
    )
    good = result.compared and not (result.findings or result.broken or lacking)
    return 0 if good else 1


def _check(arguments: argparse.Namespace, found: list[subjects.Subject]) -> None:
    """Refuses what a search would pass over in silence."""
    if len(found) != 1 or not arguments.targets:
        raise types.CommandError("--search takes one target")
    if arguments.dtypes:
        raise types.CommandError(
            "--dtypes is not for --search, which takes --config '{\"dtype\": ...}'"
        )
    if arguments.resume:
        raise types.CommandError("--resume is not for --search, which starts afresh")
    if arguments.inputs and subjects.has_family(found[0]):
        raise types.CommandError(
            f"--input is not for --search of {found[0].target}, whose inputs are drawn with its "
            f"configurations. Received: {', '.join(map(str, arguments.inputs))}"
        )


class _Progress:
    """A line in a terminal that tells how far the search is; elsewhere a line now and then."""

    def __init__(self, say: Callable[[str], None]) -> None:
        from rich.console import Console

        console = Console(stderr=True)
        self._say = say
        self._status = console.status("") if console.is_terminal else None
        self._told = 0.0

    def __enter__(self) -> _Progress:
        if self._status:
            self._status.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._status:
            self._status.stop()

    def tell(self, text: str) -> None:
        if self._status:
            self._status.update(text)
        elif time.monotonic() - self._told > _EVERY:
            self._told = time.monotonic()
            print(text, file=sys.stderr, flush=True)

    def report(self, finding: Finding) -> None:
        """Prints a finding at once: a search that is interrupted has not been in vain."""
        # The line would be printed over, and takes standard output for its own.
        if self._status:
            self._status.stop()
        self._say(f"{finding}\n")
        if self._status:
            self._status.start()
