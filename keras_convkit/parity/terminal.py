"""What the terminal shows: live progress on standard error, the table on standard output."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from types import TracebackType

from rich import box
from rich.console import Console, Group
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from keras_convkit.parity.comparison import Cell, Kind, Verdict
from keras_convkit.parity.outcome import Outcome
from keras_convkit.parity.quantities import QUANTITIES
from keras_convkit.parity.runner import BackendRun

_STYLES = {
    Verdict.AGREES: "green",
    Verdict.DISAGREES: "bold red",
    Verdict.FAILED: "bold red",
    Verdict.NOT_POSSIBLE: "dim",
}
_SIGNS = {Verdict.AGREES: "✓", Verdict.DISAGREES: "✗"}
# From the one that is shown first, where a table has room for one of several.
_SEVERITY = (Verdict.FAILED, Verdict.DISAGREES, Verdict.AGREES, Verdict.NOT_POSSIBLE)


class LiveProgress:
    """A line for each backend that shows what its worker does; plain lines outside a terminal."""

    def __init__(self, console: Console, modes: Mapping[str, tuple[str, ...]], models: int) -> None:
        """Prepares the lines.

        Args:
            console: Where they are shown.
            modes: The backends and the modes of each.
            models: The number of models.
        """
        self._console = console
        self._progress = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.fields[backend]:<10}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=console,
            disable=not console.is_terminal,
        )
        # Ours in each mode, and the built-in layers.
        self._tasks = {
            backend: self._progress.add_task(
                "waiting", backend=backend, total=models * (len(own) + 1), start=False
            )
            for backend, own in modes.items()
        }

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

    def notify(self, run: BackendRun, news: str) -> None:
        """Shows how far a worker is, and the news about it; called from any thread."""
        task = self._tasks[run.backend]
        if run.status == "running":
            self._progress.start_task(task)
        else:
            self._progress.stop_task(task)
        done = len(run.results) + len(run.refused) + len(run.failed)
        self._progress.update(task, completed=done, description=escape(news) or None)
        if news and not self._console.is_terminal:
            self._console.print(f"{run.backend}: {news}", markup=False, highlight=False)


def summary(outcome: Outcome) -> Group:
    """Returns what is printed at the end: table, backends, what is amiss, the verdict."""
    return Group(_matrix(outcome), Text(), *_backends(outcome), Text(), *_remarks(outcome))


def _matrix(outcome: Outcome) -> Table:
    table = Table(
        title="Largest error over largest magnitude, the worst of all comparisons with",
        title_style="",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    for heading in ("model", "quantity", "bound", "reference", "built-in", "backends"):
        table.add_column(heading, no_wrap=True)
    for model in outcome.models:
        for row, quantity in enumerate(QUANTITIES):
            cells = [c for c in outcome.cells if (c.model, c.quantity) == (model.name, quantity)]
            if not cells:
                continue
            table.add_row(
                "" if row else model.name,
                quantity,
                f"{cells[0].bound:.0e}",
                *(_worst([cell for cell in cells if cell.column.kind is kind]) for kind in Kind),
                end_section=row == len(QUANTITIES) - 1,
            )
    return table


def _worst(cells: list[Cell]) -> Text:
    if not cells:
        return Text("-", style="dim")
    verdict = min((cell.verdict for cell in cells), key=_SEVERITY.index)
    alike = [cell for cell in cells if cell.verdict is verdict]
    if verdict is Verdict.FAILED:
        return Text("failed", style=_STYLES[verdict])
    if verdict is Verdict.NOT_POSSIBLE:
        return Text("n/a", style=_STYLES[verdict])
    worst = max(math.inf if cell.error is None else cell.error for cell in alike)
    return Text(f"{worst:.1e} {_SIGNS[verdict]}", style=_STYLES[verdict])


def _backends(outcome: Outcome) -> list[Text]:
    lines = []
    for run in outcome.runs:
        line = Text(f"{run.backend:<11}")
        if run.status == "done":
            version = run.versions[run.backend]
            line.append(f"{version:<12} {', '.join(run.modes)}: {run.seconds:.0f} s")
        else:
            style = "yellow" if run.status == "missing" else "bold red"
            line.append(f"{run.status}: {run.reason}", style=style)
        lines.append(line)
    return lines


def _remarks(outcome: Outcome) -> list[Text]:
    lines = [
        Text(f"{model}: built-in Keras cannot make it: {reason}", style="dim")
        for model, reason in outcome.impossible.items()
    ]
    for cell in outcome.cells:
        if cell.verdict is Verdict.DISAGREES:
            where = f"{cell.model}, {cell.quantity}, {cell.column}"
            lines.append(Text(f"disagrees: {where}: ", "red") + Text(cell.in_words()))
    # One failure takes many cells with it: it is told once, with their number.
    failures = Counter(
        (cell.model, cell.reason) for cell in outcome.cells if cell.verdict is Verdict.FAILED
    )
    for (model, reason), count in failures.items():
        lines.append(Text(f"failed: {model}, {count} comparisons: ", "red") + Text(reason))
    if outcome.agrees:
        lines.append(Text(f"All {outcome.count(Verdict.AGREES)} comparisons agree.", "bold green"))
    lines += [Text(fault, "bold red") for fault in outcome.faults]
    return lines
