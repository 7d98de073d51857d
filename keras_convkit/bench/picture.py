"""The picture of a benchmark: a bar for each ratio, one panel a backend."""

from __future__ import annotations

import io
from pathlib import Path
from types import ModuleType
from typing import Any

from keras_convkit.bench.outcome import QUANTITIES, Outcome
from keras_convkit.extras import require
from keras_convkit.files import write_atomically

FORMATS = (".svg", ".png")

# Told apart by those who see colours differently, too, and by their brightness.
_COLOURS = {"forward": "#0072b2", "gradients": "#e69f00"}
_BAR = 0.4
_TICKS = (0.03125, 0.0625, 0.125, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128)


def check_requirements() -> None:
    """Raises `extras.MissingExtraError` now if the picture could not be drawn later."""
    _matplotlib()


def write(path: Path, outcome: Outcome) -> None:
    """Draws the picture and writes it, atomically, in the format that the file's name ends with."""
    buffer = io.BytesIO()
    # The same results give the same file, byte by byte.
    settings = {"svg.hashsalt": "keras-convkit", "svg.fonttype": "none", "font.size": 8}
    with _matplotlib().rc_context(settings):
        kind = path.suffix.lstrip(".")
        metadata = {"Date": None} if kind == "svg" else None
        _draw(outcome).savefig(buffer, format=kind, metadata=metadata)
    write_atomically(path, lambda file: file.write(buffer.getvalue()))


def _matplotlib() -> ModuleType:
    return require("matplotlib", "the picture", "bench")


def _draw(outcome: Outcome) -> Any:
    figures = require("matplotlib.figure", "the picture", "bench")
    runs = [run for run in outcome.runs if run.status == "done"]
    names = outcome.workloads
    figure = figures.Figure(
        figsize=(3 + 3 * max(len(runs), 1), 1.2 + 0.2 * len(names)), layout="constrained"
    )
    if not runs or not names:
        figure.text(0.5, 0.5, "no results", ha="center")
        return figure
    panels = figure.subplots(1, len(runs), sharex=True, sharey=True, squeeze=False)[0]
    for panel, run in zip(panels, runs, strict=True):
        for offset, quantity in zip((-_BAR / 2, _BAR / 2), QUANTITIES, strict=True):
            found = [outcome.comparison(run, name, quantity) for name in names]
            bars = {
                position + offset: each.ratio - 1
                for position, each in enumerate(found)
                if each and each.ratio
            }
            # From 1, on a logarithmic axis: to the right where ours is faster.
            panel.barh(
                list(bars), list(bars.values()), _BAR, left=1, color=_COLOURS[quantity],
                label=quantity,
            )  # fmt: skip
        for position, name in enumerate(names):
            if name in run.failed or (name, "forward") in run.refused:
                word = "failed" if name in run.failed else "ours alone"
                panel.text(1.05, position, word, va="center", color="#767676", size=6)
        panel.set_xscale("log", base=2)
        panel.axvline(1, color="black", linewidth=0.8)
        panel.grid(axis="x", linewidth=0.4, color="#cccccc")
        panel.set_axisbelow(True)
        panel.set_title(run.backend)
        panel.set_xlabel("built-in / ours")
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylim(len(names) - 0.4, -0.6)
    low, high = panels[0].get_xlim()
    low, high = min(low, 0.5), max(high, 4)
    ticks = [tick for tick in _TICKS if low <= tick <= high]
    panels[0].set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    panels[0].set_xlim(low, high)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return figure
