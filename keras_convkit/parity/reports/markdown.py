"""A short summary in Markdown, for the page of a CI run: the verdict, the matrix, what is amiss."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from keras_convkit.files import write_text
from keras_convkit.parity.outcome import Outcome
from keras_convkit.parity.reports import overview
from keras_convkit.parity.verdicts import Cell, Verdict

# CI systems cut long summaries off; the other reports tell everything.
MOST = 25


def write(path: Path, outcome: Outcome) -> None:
    """Writes the file, atomically."""
    write_text(path, as_markdown(outcome))


def as_markdown(outcome: Outcome) -> str:
    """Returns the summary."""
    parts = [
        "## keras-convkit parity",
        _verdict(outcome),
        _backends(outcome),
        _matrix(outcome),
        _disagreements(overview.disagreements(outcome)),
        _failures(overview.failures(outcome)),
        _impossible(outcome),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _verdict(outcome: Outcome) -> str:
    if outcome.agrees:
        return f"✅ **All {outcome.count(Verdict.AGREES)} comparisons agree.**"
    faults = "".join(f"\n- {_plain(fault)}" for fault in outcome.faults)
    return f"❌ **Not all agree.**\n{faults}".rstrip()


def _backends(outcome: Outcome) -> str:
    told = (
        f"{run.backend} {run.versions.get(run.backend, '')}".strip()
        + ("" if run.status == "done" else f" ({run.status})")
        for run in outcome.runs
    )
    return f"{', '.join(told)}; seed {outcome.seed}, {outcome.seconds:.0f} s"


def _matrix(outcome: Outcome) -> str:
    quantities = list(dict.fromkeys(cell.quantity for cell in outcome.cells))
    rows = []
    for subject in outcome.subjects:
        own = overview.telling(outcome, subject.name)
        worst = [
            overview.worst(cell for cell in own if cell.quantity == quantity)
            for quantity in quantities
        ]
        rows.append([subject.name, *(overview.in_short(cell) if cell else "" for cell in worst)])
    # Those that need a look come first, where not all can be shown.
    wrong = {cell.subject for cell in outcome.cells if cell.verdict in overview.WRONG}
    rows.sort(key=lambda row: row[0] not in wrong)
    if not quantities:
        return ""
    lost = overview.lost(outcome)
    without = f" (without {', '.join(lost)})" if lost else ""
    title = f"Largest error over largest magnitude, the worst of all comparisons{without}:"
    return f"{title}\n\n" + _table(["subject", *quantities], rows, "subjects")


def _disagreements(cells: Sequence[Cell]) -> str:
    if not cells:
        return ""
    rows = []
    for cell in cells:
        index, left, right = cell.reason, "", ""
        if spot := cell.first:
            index = f"[{', '.join(map(str, spot.index))}]"
            left, right = f"{spot.left:.9g}", f"{spot.right:.9g}"
        error = "" if cell.error is None else f"{cell.error:.1e}"
        place = [cell.subject, cell.quantity, str(cell.column), cell.part]
        rows.append([*place, error, f"{cell.bound:.1e}", index, left, right])
    heads = ("subject", "quantity", "comparison", "array", "error", "bound", "first at")
    return "### Disagreements\n\n" + _table([*heads, "left", "right"], rows, "disagreements")


def _failures(failures: Sequence[overview.Failure]) -> str:
    if not failures:
        return ""
    rows = [[failure.where, str(failure.cells), failure.reason] for failure in failures]
    return "### Failures\n\n" + _table(["subjects", "comparisons", "reason"], rows, "failures")


def _impossible(outcome: Outcome) -> str:
    lines = [
        f"- {_plain(subject)}: not possible: {_plain(reason)}"
        for subject, reason in outcome.impossible.items()
    ]
    return "\n".join([*lines[:MOST], *_more(len(lines), "subjects")])


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], noun: str) -> str:
    lines = [_row(heads), _row(["---"] * len(heads)), *map(_row, rows[:MOST])]
    more = _more(len(rows), noun)
    return "\n".join([*lines, *([""] if more else []), *more])


def _row(entries: Iterable[str]) -> str:
    return "| " + " | ".join(map(_plain, entries)) + " |"


def _more(count: int, noun: str) -> list[str]:
    return [f"… and {count - MOST} more {noun}"] if count > MOST else []


def _plain(text: str) -> str:
    """Keeps text from being Markdown or HTML, and in one line."""
    return re.sub(r"([\\`*_\[\]<>|#&])", r"\\\1", " ".join(text.split()))
