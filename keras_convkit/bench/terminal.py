"""What the terminal shows: live progress on standard error, the tables on standard output."""

from __future__ import annotations

from types import TracebackType

from rich import box
from rich.console import Console, Group
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from keras_convkit.bench import applications
from keras_convkit.bench.outcome import QUANTITIES, YARDSTICK, Low, Outcome, Verdict
from keras_convkit.bench.report import finely, milliseconds, percent, ratio
from keras_convkit.bench.runner import BackendRun


class LiveProgress:
    """One line that shows what is being measured; a plain line a step outside a terminal."""

    def __init__(self, console: Console) -> None:
        """Prepares the line.

        Args:
            console: Where it is shown.
        """
        self._console = console
        self._progress = Progress(
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._steps = 0
        self._done = 0
        self._task = self._progress.add_task("", total=0)

    def __enter__(self) -> LiveProgress:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def expect(self, steps: int) -> None:
        """Adds to the steps that there are."""
        self._steps += steps
        self._progress.update(self._task, total=self._steps)

    def notify(self, backend: str, news: str) -> None:
        """Shows the step that begins."""
        self._progress.update(
            self._task, completed=self._done, description=escape(f"{backend}: {news}")
        )
        self._done += 1
        if not self._console.is_terminal:
            line = f"{self._done}/{self._steps} {backend}: {news}"
            self._console.print(line, markup=False, highlight=False)


def summary(outcome: Outcome) -> Group:
    """Returns what is printed at the end."""
    ran = [run for run in outcome.runs if run.status == "done"]
    parts = [_workloads(outcome, run) for run in ran if outcome.workloads]
    if outcome.models:
        parts.append(_models(outcome, ran))
    return Group(*parts, Text(), *_remarks(outcome))


def _workloads(outcome: Outcome, run: BackendRun) -> Table:
    table = _table(
        f"{run.backend} {run.versions.get(run.backend, '')}: milliseconds, and built-in by ours"
    )
    table.add_column("workload", no_wrap=True)
    for quantity in QUANTITIES:
        for heading in (quantity, "ours", "ratio", "limit"):
            table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("compile", justify="right")
    table.add_column("memory", justify="right")
    for name in outcome.workloads:
        cells: list[Text | str] = []
        for quantity in QUANTITIES:
            found = outcome.comparison(run, name, quantity)
            cells += [
                milliseconds(found and found.built_in),
                milliseconds(found and found.ours),
                _ratio(found and found.ratio, outcome.floor),
                percent(outcome.fraction(run, name, quantity)),
            ]
        for kind in ("compile", "memory"):
            found = outcome.comparison(run, name, f"{QUANTITIES[-1]} {kind}")
            cells.append(ratio(found and found.ratio))
        table.add_row(name, *cells)
    return table


def _models(outcome: Outcome, runs: list[BackendRun]) -> Table:
    table = _table("whole models: milliseconds")
    for heading in ("model", "quantity", "backend"):
        table.add_column(heading, no_wrap=True)
    for heading in ("built-in", "ours", "built-in / ours", f"ours / built-in {YARDSTICK}"):
        table.add_column(heading, justify="right")
    for model in outcome.models:
        for quantity in applications.QUANTITIES:
            for run in runs:
                found = outcome.comparison(run, model, quantity)
                if found is None:
                    continue
                table.add_row(
                    model,
                    quantity,
                    run.backend,
                    milliseconds(found.built_in),
                    milliseconds(found.ours),
                    _ratio(found.ratio, outcome.floor),
                    ratio(outcome.by_yardstick(run, model, quantity)),
                )
    return table


def _table(title: str) -> Table:
    return Table(
        title=title,
        title_style="",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )


def _ratio(value: float | None, floor: float) -> Text:
    if value is None:
        return Text(ratio(value), style="dim")
    style = "bold red" if value < floor else "green" if value > 1 / floor else ""
    return Text(ratio(value), style=style)


def _remarks(outcome: Outcome) -> list[Text]:
    lines = []
    for run in outcome.runs:
        if run.status == "missing":
            lines.append(Text(f"{run.backend}: missing: {run.reason}", "yellow"))
            continue
        means = ", ".join(
            f"{quantity} {ratio(outcome.geometric_mean(run, outcome.workloads, quantity))}"
            for quantity in QUANTITIES
        )
        lines.append(Text(f"{run.backend}: geometric means: {means}; {run.seconds:.0f} s"))
    lines += [_low(low, outcome.floor) for low in outcome.below()]
    return lines + [Text(f"failed: {fault}", "bold red") for fault in outcome.faults]


def _low(low: Low, floor: float) -> Text:
    line = f"under {floor:g} {low.verdict}: {low.backend}, {low.name}, {low.quantity}: "
    line += finely(low.first.ratio)
    if low.second:
        line += f", then {finely(low.second.ratio)}"
    elif low.reason:
        line += f" ({low.reason})"
    return Text(line, "dim" if low.verdict is Verdict.FIRST_ONLY else "red")
