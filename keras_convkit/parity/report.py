"""The reports of a parity run: a self-contained HTML page, and JSON.

The JSON document is one object:

- `schema`: `"keras-convkit-parity/1"`; the number changes when a reader of the old one would break.
- `agrees`: whether the command ended with exit code 0. `faults`: all reasons why it did not.
- `created` (UTC, ISO 8601), `seconds`, `seed`, `environment` (name to version or description).
- `backends`: objects with `name`, `status` (`"done"`, `"missing"` or `"failed"`), `reason`
  (`""` where done), `modes` (the default one first), `versions` (package to version), `seconds`.
- `models`: objects with `name`, `summary`, `sample`, `data_format`, `input_shape`, `layers`
  (objects with `class_name` and `config`).
- `cells`: one object a comparison, with `model`; `quantity` (`"output"`, `"input gradient"`,
  `"weight gradients"` or `"training step"`); `kind` (`"reference"`, `"built-in"` or `"backend"`:
  with what ours are compared); `left` and `right` (objects with `library`, `backend` and `mode`);
  `verdict` (`"agrees"`, `"disagrees"`, `"failed"` or `"not possible"`); `error` (largest error over
  largest magnitude; null where there is none, or it is not finite); `bound` (the largest error
  allowed); `part` (the array with that error) and `reason` (why `error` is null).
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

from keras_convkit.extras import require
from keras_convkit.files import write_text
from keras_convkit.parity import quantities
from keras_convkit.parity.comparison import BOUNDS, Cell, Column, Kind, Verdict
from keras_convkit.parity.outcome import Outcome

SCHEMA = "keras-convkit-parity/1"

_KINDS = {
    Kind.REFERENCE: "Ours against the float64 reference",
    Kind.BUILT_IN: "Ours against built-in Keras, same backend",
    Kind.BACKEND: "Ours on one backend against another",
}
# The colours of the picture: each step is one power of ten, from 1e-8 down to 1e-4 and up.
_FINEST, _COARSEST = -8, -4


def check_requirements() -> None:
    """Raises `extras.MissingExtraError` now if the reports could not be written later."""
    _jinja2()


def write_json(path: Path, outcome: Outcome) -> None:
    """Writes the JSON report, atomically."""
    write_text(path, json.dumps(as_json(outcome), indent=2, allow_nan=False) + "\n")


def write_html(path: Path, outcome: Outcome) -> None:
    """Writes the HTML report, atomically."""
    write_text(path, as_html(outcome))


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Returns the JSON document that the module describes."""
    return {
        "schema": SCHEMA,
        "agrees": outcome.agrees,
        "faults": outcome.faults,
        "created": outcome.created,
        "seconds": round(outcome.seconds, 3),
        "seed": outcome.seed,
        "environment": dict(outcome.environment),
        "backends": [
            {
                "name": run.backend,
                "status": run.status,
                "reason": run.reason,
                "modes": list(run.modes),
                "versions": run.versions,
                "seconds": round(run.seconds, 3),
            }
            for run in outcome.runs
        ],
        "models": [
            {**asdict(model), "input_shape": list(outcome.shapes[model.name])}
            for model in outcome.models
        ],
        "cells": [_json_cell(cell) for cell in outcome.cells],
    }


def as_html(outcome: Outcome) -> str:
    """Returns the HTML page: no scripts, and nothing that it loads from elsewhere."""
    jinja2 = _jinja2()
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["step"] = _step
    environment.filters["power"] = _power
    template = Path(__file__).with_name("report.html.jinja").read_text(encoding="utf-8")
    cells = {(cell.model, cell.quantity, cell.column): cell for cell in outcome.cells}
    columns = list(dict.fromkeys(cell.column for cell in outcome.cells))
    return environment.from_string(template).render(
        outcome=outcome,
        cells=cells,
        groups=[
            (title, own)
            for kind, title in _KINDS.items()
            if (own := [column for column in columns if column.kind is kind])
        ],
        quantities=quantities.QUANTITIES,
        steps=range(_COARSEST - _FINEST + 1),
        finest=_FINEST,
        bounds=BOUNDS,
        Verdict=Verdict,
        labels=_labels,
    )


def _jinja2() -> ModuleType:
    return require("jinja2", "the HTML report")


def _json_cell(cell: Cell) -> dict[str, Any]:
    return {
        "model": cell.model,
        "quantity": cell.quantity,
        "kind": cell.column.kind,
        "left": cell.column.left._asdict(),
        "right": cell.column.right._asdict(),
        "verdict": cell.verdict,
        "error": cell.error,
        "bound": cell.bound,
        "part": cell.part,
        "reason": cell.reason,
    }


def _step(cell: Cell) -> int:
    """Returns the colour of an error, from 0 for the finest."""
    if not cell.error:
        return 0
    return min(max(math.ceil(math.log10(cell.error)), _FINEST), _COARSEST) - _FINEST


def _power(cell: Cell) -> str:
    """Returns the power of ten of an error, as it is written into a cell."""
    if cell.error is None:
        return "∞"
    return f"{math.log10(cell.error):.1f}".replace("-", "\N{MINUS SIGN}") if cell.error else "0"


def _labels(column: Column) -> tuple[str, str]:
    """Returns the two lines over a column of the picture."""
    if column.kind is Kind.BACKEND:
        return column.left.backend, f"vs {column.right.backend}"
    return column.left.backend, column.left.mode
