"""What the terminal shows: live progress on standard error, the table on standard output."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from rich import box
from rich.console import Console, Group
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from keras_convkit.parity.outcome import Outcome
from keras_convkit.parity.reports import overview
from keras_convkit.parity.runner import BackendRun
from keras_convkit.parity.verdicts import Cell, Kind, Verdict

_STYLES = {
    Verdict.AGREES: "green",
    Verdict.DISAGREES: "bold red",
    Verdict.FAILED: "bold red",
    Verdict.NOT_POSSIBLE: "dim",
}


class LiveProgress:
    """A line for each backend that shows what its worker does; plain lines outside a terminal."""

    def __init__(self, console: Console, backends: Sequence[str]) -> None:
        """Prepares the lines.

        Args:
            console: Where they are shown.
            backends: The backends.
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
        self._tasks = {
            backend: self._progress.add_task("waiting", backend=backend, total=None, start=False)
            for backend in backends
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
        self._progress.update(
            task, completed=run.done, total=run.tasks or None, description=escape(news) or None
        )
        if news and not self._console.is_terminal:
            # A log has no width: a line is one piece of news.
            line = f"{run.backend}: {news}"
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def summary(outcome: Outcome) -> Group:
    """Returns what is printed at the end: table, backends, what is amiss, the verdict."""
    return Group(_matrix(outcome), Text(), *_backends(outcome), Text(), *_remarks(outcome))


def _matrix(outcome: Outcome) -> Table:
    lost = overview.lost(outcome)
    without = f" (without {', '.join(lost)})" if lost else ""
    table = Table(
        title=f"Largest error over largest magnitude, the worst of all comparisons{without} with",
        title_style="",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    kinds = [kind for kind in Kind if any(cell.column.kind is kind for cell in outcome.cells)]
    for heading in ("subject", "quantity", "bound", *kinds):
        table.add_column(heading, no_wrap=True)
    for subject in outcome.subjects:
        own = overview.telling(outcome, subject.name)
        names = list(dict.fromkeys(cell.quantity for cell in outcome.of(subject.name)))
        for row, quantity in enumerate(names):
            cells = [cell for cell in own if cell.quantity == quantity]
            bounds = [cell.bound for cell in cells if cell.bound]
            table.add_row(
                "" if row else subject.name,
                quantity,
                f"{max(bounds):.1e}" if bounds else "exact",
                *(_worst([cell for cell in cells if cell.column.kind is kind]) for kind in kinds),
                end_section=1 < len(names) == row + 1,
            )
    return table


def _worst(cells: list[Cell]) -> Text:
    if (cell := overview.worst(cells)) is None:
        return Text("-", style="dim")
    return Text(overview.in_short(cell), style=_STYLES[cell.verdict])


def _backends(outcome: Outcome) -> list[Text]:
    lines = []
    for run in outcome.runs:
        line = Text(f"{run.backend:<11}")
        if run.status == "done":
            version = run.versions.get(run.backend, "")
            line.append(
                f"{version:<12} {', '.join(run.modes)}: {run.seconds:.1f} s, "
                f"{run.importing:.1f} s of it importing"
            )
        else:
            style = "yellow" if run.status == "missing" else "bold red"
            line.append(f"{run.status}: {run.reason}", style=style)
        lines.append(line)
    return lines


def _remarks(outcome: Outcome) -> list[Text]:
    lines = [
        Text(f"{subject}: not possible: {reason}", style="dim")
        for subject, reason in outcome.impossible.items()
    ]
    for cell in overview.disagreements(outcome):
        where = f"{cell.subject}, {cell.quantity}, {cell.column}"
        lines.append(Text(f"disagrees: {where}: ", "red") + Text(cell.in_words()))
        if cell.first:
            lines.append(Text(f"  first at {cell.first}", "dim"))
    for failure in overview.failures(outcome):
        where = f"failed: {failure.where}, {failure.cells} comparisons: "
        lines.append(Text(where, "red") + Text(failure.reason))
    if outcome.agrees:
        lines.append(Text(f"All {outcome.count(Verdict.AGREES)} comparisons agree.", "bold green"))
    lines += [Text(fault, "bold red") for fault in outcome.faults]
    return lines
