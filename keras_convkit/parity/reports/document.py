"""The JSON document of a run; `parity.schema.json` beside this module says what is in it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from keras_convkit.files import write_text
from keras_convkit.parity.differences import Difference, Spot
from keras_convkit.parity.outcome import Outcome
from keras_convkit.parity.verdicts import Cell

SCHEMA = "keras-convkit-parity/2"
SCHEMA_FILE = Path(__file__).with_name("parity.schema.json")


def write(path: Path, outcome: Outcome) -> None:
    """Writes the document, atomically."""
    write_text(path, as_text(outcome))


def as_text(outcome: Outcome) -> str:
    """Returns the document with a line for each field, and for each entry of its lists."""
    fields = []
    for name, value in as_json(outcome).items():
        if isinstance(value, list) and value:
            entries = ",\n    ".join(json.dumps(entry, allow_nan=False) for entry in value)
            text = f"[\n    {entries}\n  ]"
        else:
            text = json.dumps(value, allow_nan=False)
        fields.append(f"  {json.dumps(name)}: {text}")
    return "{\n" + ",\n".join(fields) + "\n}\n"


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Returns the document that the schema describes."""
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
        "cells": [_cell(cell) for cell in outcome.cells],
    }


def _cell(cell: Cell) -> dict[str, Any]:
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
        "first": _spot(cell.first),
        "worst": _spot(cell.details.worst if cell.details else None),
        "details": _details(cell.details) if cell.details else None,
    }


def _details(found: Difference) -> dict[str, Any]:
    return {
        "shape": list(found.shape),
        "over": found.over[0],
        "histogram": list(found.histogram),
        "profile": [[_rounded(error) for error in axis] for axis in found.profile],
        "places": [_spot(spot) for spot in found.places],
    }


def _rounded(error: float) -> float | None:
    """What a picture needs of an error; JSON has no infinities."""
    return float(f"{error:.1e}") if math.isfinite(error) else None


def _spot(spot: Spot | None) -> dict[str, Any] | None:
    # As texts, since JSON has no infinities.
    return (
        None
        if spot is None
        else {"index": list(spot.index), "values": [str(spot.left), str(spot.right)]}
    )
