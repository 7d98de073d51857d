"""The reports of a parity run: a self-contained HTML page, and JSON.

The JSON document is one object:

- `schema`: `"keras-convkit-parity/2"`; the number changes when a reader of the old one would break.
- `agrees`: whether the command ended with exit code 0. `faults`: all reasons why it did not.
- `created` (UTC, ISO 8601), `seconds`, `seed`, `environment` (name to version or description).
- `backends`: objects with `name`, `status` (`"done"`, `"missing"` or `"failed"`), `reason`
  (`""` where done), `modes` (the default one first), `versions` (package to version), `seconds`.
- `subjects`: objects with `name`, `kind` (`"embedded"`, `"object"` or `"file"`), `target`,
  `config`, `inputs`, `peer`, `reference`, `safe`, `summary`, `shapes` (of the inputs).
- `cells`: one object a comparison, with `subject`; `quantity`; `kind` (with what it is compared:
  `"reference"`, `"peer"`, `"backend"`, `"mode"`, `"itself"` or `"file"`); `left` and `right`
  (objects with `side`, `backend`, `mode` and `writer`); `verdict` (`"agrees"`, `"disagrees"`,
  `"failed"` or `"not possible"`); `error` (largest error over largest magnitude; null where there
  is none, or it is not finite); `bound` (the largest error allowed); `part` (the array with that
  error), `reason` (why `error` is null); `first` and `worst` (null, or objects with `index`, and
  `values` of both sides as texts: the first place over the bound, and the worst).
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import ModuleType
from typing import Any

from keras_convkit.extras import require
from keras_convkit.files import write_text
from keras_convkit.parity.differences import Spot
from keras_convkit.parity.outcome import Outcome
from keras_convkit.parity.verdicts import Cell, Column, Kind, Verdict

SCHEMA = "keras-convkit-parity/2"

_KINDS = {
    Kind.REFERENCE: "Against the float64 reference",
    Kind.PEER: "Against the peer, same backend",
    Kind.BACKEND: "One backend against another",
    Kind.MODE: "One mode against another, same backend",
    Kind.ITSELF: "Against what it foretells and copies of itself",
    Kind.FILE: "Written under one backend, read under another",
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
        "subjects": [
            subject.described() | {"shapes": outcome.shapes.get(subject.name, [])}
            for subject in outcome.subjects
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
    cells = {(cell.subject, cell.quantity, cell.column): cell for cell in outcome.cells}
    columns = list(dict.fromkeys(cell.column for cell in outcome.cells))
    return environment.from_string(template).render(
        outcome=outcome,
        cells=cells,
        groups=[
            (title, own)
            for kind, title in _KINDS.items()
            if (own := [column for column in columns if column.kind is kind])
        ],
        quantities={
            subject.name: list(dict.fromkeys(cell.quantity for cell in outcome.of(subject.name)))
            for subject in outcome.subjects
        },
        steps=range(_COARSEST - _FINEST + 1),
        finest=_FINEST,
        Verdict=Verdict,
        labels=_labels,
    )


def _jinja2() -> ModuleType:
    return require("jinja2", "the HTML report")


def _json_cell(cell: Cell) -> dict[str, Any]:
    return {
        "subject": cell.subject,
        "quantity": cell.quantity,
        "kind": cell.column.kind,
        "left": cell.column.left._asdict(),
        "right": cell.column.right._asdict(),
        "verdict": cell.verdict,
        "error": cell.error,
        "bound": cell.bound,
        "part": cell.part,
        "reason": cell.reason,
        "first": _json_spot(cell.first),
        "worst": _json_spot(cell.details.worst if cell.details else None),
    }


def _json_spot(spot: Spot | None) -> dict[str, Any] | None:
    # As texts, since JSON has no infinities.
    return (
        None if spot is None else {"index": spot.index, "values": [str(spot.left), str(spot.right)]}
    )


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
    if column.kind is Kind.FILE:
        return column.left.backend, f"reads {column.left.writer}"
    return column.left.backend, column.left.mode
