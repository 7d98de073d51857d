"""The reports of a benchmark: JSON, and the page of tables in Markdown.

The JSON document is one object:

- `schema`: `"keras-convkit-bench/1"`; the number changes when a reader of the old one would break.
- `faults`: all that failed to run. `created` (UTC, ISO 8601), `seconds`, `budget` (seconds given to
  the timing of a workload), `environment` (name to version or description).
- `limits`: what the machine can do a second, `multiply_adds` and `bytes`.
- `backends`: objects with `name`, `status` (`"done"` or `"missing"`), `reason` (`""` where done),
  `versions` (package to version), `seconds` (of the first look), and `limits` as measured on it.
- `workloads`: objects with `name`, `layer`, `peer` (the built-in layer), `shape`, `config`,
  `volume`.
- `results`: one object a comparison, with `backend`; `name` (a workload or a whole model);
  `quantity` (`"forward"`, `"gradients"`, for a model `"prediction"` or `"training step"`, each also
  followed by `" compile"` or `" memory"`); `built_in` and `ours` (medians in seconds, or bytes;
  `built_in` is null where there is none); `ratio` (the median of built-in by ours, pair by pair:
  over 1, ours takes less); `interval` (two numbers that have the median of the ratios of such pairs
  between them with a probability of 95% at least, or null: compile times and memory have none, nor
  have fewer than 6 pairs); `pairs`; `limit_fraction` (of a workload's time: the share of the
  machine's limit that ours reaches); `refused` (why there is no built-in side, or `""`).
- `models`: objects with `backend`, `name`, `quantity` and `by_yardstick`: ours on that backend by
  built-in TensorFlow, both in the same rounds.
- `floor`: a ratio; what was under it has been measured again.
- `below`: one object for each time with such a ratio, the lowest first, with `backend`, `name`,
  `quantity`, `first` and `second` (`built_in`, `ours`, `ratio`, `interval` and `pairs`, as in
  `results`; `second` is null where nothing could be measured again), `reason` (why not, or `""`),
  and `verdict`: `"both times"`, `"the first time only"` or `"not looked at again"`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from keras_convkit.bench import applications
from keras_convkit.bench.outcome import QUANTITIES, YARDSTICK, Low, Outcome, Verdict
from keras_convkit.bench.runner import ROUNDS, BackendRun, Comparison
from keras_convkit.bench.timing import CONFIDENCE
from keras_convkit.bench.workloads import WORKLOADS
from keras_convkit.files import write_text

SCHEMA = "keras-convkit-bench/1"

_NONE = "–"  # noqa: RUF001  (a dash, and meant)


def write_json(path: Path, outcome: Outcome) -> None:
    """Writes the JSON report, atomically."""
    write_text(path, json.dumps(as_json(outcome), indent=2, allow_nan=False) + "\n")


def write_markdown(path: Path, outcome: Outcome, picture: str = "") -> None:
    """Writes the page, atomically; the arguments are those of `as_markdown`."""
    write_text(path, as_markdown(outcome, picture))


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Returns the JSON document that the module describes."""
    return {
        "schema": SCHEMA,
        "faults": outcome.faults,
        "created": outcome.created,
        "seconds": round(outcome.seconds, 3),
        "budget": outcome.budget,
        "environment": dict(outcome.environment),
        "limits": outcome.limits(),
        "backends": [
            {
                "name": run.backend,
                "status": run.status,
                "reason": run.reason,
                "versions": run.versions,
                "seconds": round(run.seconds, 3),
                "limits": run.limits,
            }
            for run in outcome.runs
        ],
        "workloads": [
            {**asdict(WORKLOADS[name]), "shape": list(WORKLOADS[name].shape)}
            for name in outcome.workloads
        ],
        "results": [
            {
                "backend": run.backend,
                "name": name,
                "quantity": quantity,
                **comparison._asdict(),
                "limit_fraction": outcome.fraction(run, name, quantity)
                if quantity in QUANTITIES
                else None,
                "refused": run.refused.get((name, quantity.split(" ")[0]), ""),
            }
            for run in outcome.runs
            for name, quantity, comparison in _results(outcome, run)
        ],
        "models": [
            {
                "backend": run.backend,
                "name": model,
                "quantity": quantity,
                "by_yardstick": outcome.by_yardstick(run, model, quantity),
            }
            for run in outcome.runs
            for model in outcome.models
            for quantity in applications.QUANTITIES
            if (model, quantity) in run.turns
        ],
        "floor": outcome.floor,
        "below": [
            {
                **low._asdict(),
                "first": low.first._asdict(),
                "second": low.second and low.second._asdict(),
            }
            for low in outcome.below()
        ],
    }


def _results(outcome: Outcome, run: BackendRun) -> Iterable[tuple[str, str, Comparison]]:
    for names, quantities in (
        (outcome.workloads, QUANTITIES),
        (outcome.models, applications.QUANTITIES),
    ):
        for name in names:
            for quantity in quantities:
                for kind in ("", " compile", " memory"):
                    found = outcome.comparison(run, name, quantity + kind)
                    if found is not None:
                        yield name, quantity + kind, found


def as_markdown(outcome: Outcome, picture: str = "") -> str:
    """Returns the page.

    Args:
        outcome: What the benchmark gave.
        picture: Where the picture lies, seen from the page.
    """
    ran = [run for run in outcome.runs if run.status == "done"]
    parts = [
        "# Performance",
        "Written by `keras-convkit bench`; don't edit it.",
        *_header(outcome),
        "## Geometric means",
        "Built-in by ours, over all workloads that both can do: over 1, ours takes less.",
        _means(outcome, ran),
    ]
    if picture:
        parts += [f"![Built-in by ours, workload by workload]({picture})"]
    if outcome.models:
        parts += ["## Whole models", *_models(outcome, ran)]
    parts += [f"## Under {outcome.floor:g}", *_below(outcome)]
    if outcome.faults:
        parts += ["## Failed", "\n".join(f"- {fault}" for fault in outcome.faults)]
    for run in ran:
        parts += [f"## {run.backend} {run.versions.get(run.backend, '')}".rstrip()]
        parts += _backend(outcome, run)
    if len(ran) > 1 and outcome.workloads:
        parts += ["## Between backends", *_spreads(outcome)]
    return "\n\n".join(parts) + "\n"


def _header(outcome: Outcome) -> list[str]:
    lines = [f"- {name}: {value}" for name, value in outcome.environment.items()]
    for run in outcome.runs:
        versions = ", ".join(f"{name} {version}" for name, version in run.versions.items())
        lines.append(f"- {run.backend}: {versions or run.reason}")
    limits = outcome.limits()
    if limits:
        lines.append(
            f"- limits of the machine: {limits['multiply_adds'] / 1e9:.0f} thousand million "
            f"multiply-adds a second in a large float32 matrix product, "
            f"{limits['bytes'] / 1e9:.1f} GB/s in a large copy"
        )
    lines.append(f"- date: {outcome.created}, {outcome.seconds / 60:.0f} minutes")
    return [
        "\n".join(lines),
        "Again, on another machine: `keras-convkit bench --json bench.json --markdown "
        "docs/performance.md --picture docs/performance.svg`.",
        "Both sides have the same weights and input, in float32, in one process; they are called "
        "alternately, and a ratio is the median of the ratios of the pairs. TensorFlow runs in a "
        "`tf.function` without XLA, JAX in `jax.jit`, torch eagerly, which is how Keras runs them. "
        "«Gradients» is the output with the gradients with respect to the input and every "
        "weight. «Compile» is JAX's own compilation, on TensorFlow by how much the first call "
        "takes longer. «Memory» is what "
        "temporaries and results need at their peak, by the backend's own books. «Limit» is the "
        "share of the machine's limit, of arithmetic or of memory, that ours reaches; in caches it "
        "can be over 100%. «–» stands for what is not there.",  # noqa: RUF001  (as `_NONE`)
        "An interval has the median of the ratios of such pairs between its ends with a "
        f"probability of {100 * CONFIDENCE:g}% at least, whatever their distribution; fewer than 6 "
        "pairs have none. It tells how far the pairs of one process scatter, and not how far "
        "processes differ. The JSON document has that of every ratio.",
    ]


def _means(outcome: Outcome, runs: Sequence[BackendRun]) -> str:
    quantities = [
        *QUANTITIES,
        *(f"{quantity}{kind}" for kind in (" compile", " memory") for quantity in QUANTITIES),
    ]
    rows = [
        [
            run.backend,
            *(ratio(outcome.geometric_mean(run, outcome.workloads, each)) for each in quantities),
        ]
        for run in runs
    ]
    return _table(["backend", *quantities], rows)


def _models(outcome: Outcome, runs: Sequence[BackendRun]) -> list[str]:
    batch, size = applications.BATCH, "x".join(map(str, applications.IMAGE))
    rows = []
    for model in outcome.models:
        for quantity in applications.QUANTITIES:
            for run in runs:
                found = outcome.comparison(run, model, quantity)
                if found is None:
                    continue
                compiled = outcome.comparison(run, model, f"{quantity} compile")
                rows.append(
                    [
                        model,
                        quantity,
                        run.backend,
                        milliseconds(found.built_in),
                        milliseconds(found.ours),
                        ratio(found.ratio),
                        ratio(outcome.by_yardstick(run, model, quantity)),
                        ratio(compiled and compiled.ratio),
                    ]
                )
    headings = [
        "model", "quantity", "backend", "built-in ms", "ours ms", "built-in / ours",
        f"ours / built-in {YARDSTICK}", "compile: built-in / ours",
    ]  # fmt: skip
    return [
        f"From `keras.applications`, on {batch} images of {size}, by `predict_on_batch` and "
        f"`train_on_batch`, as they are and with our layers in place. The backends take turns, "
        f"{ROUNDS} rounds a model, so that the last column but one compares what was measured in "
        f"the same minutes: ours on the backend by the built-in layers on {YARDSTICK} (under 1, "
        f"ours takes less).",
        _table(headings, rows),
    ]


def _below(outcome: Outcome) -> list[str]:
    found = outcome.below()
    if not found:
        return ["Nothing."]
    parts = [
        "Where ours takes longer than that, the worst first: built-in by ours, with intervals. "
        "All of it was measured a second time, in another process. Of so many ratios some are low "
        "by chance, and those are higher the next time; the other tables have the first look's "
        "figures alone, since a second one of the lowest only would favour ours."
    ]
    headings = [
        "backend", "workload or model", "quantity", "first look", "interval", "second look",
        "interval",
    ]  # fmt: skip
    for verdict in Verdict:
        rows = [_looks(low) for low in found if low.verdict is verdict]
        if rows:
            parts += [f"### {verdict.capitalize()}", _table(headings, rows)]
        elif verdict is Verdict.BOTH:
            parts += [f"### {verdict.capitalize()}", "Nothing."]
    return parts


def _looks(low: Low) -> list[str]:
    second = low.second
    return [
        low.backend,
        low.name,
        low.quantity,
        finely(low.first.ratio),
        _interval(low.first),
        finely(second.ratio) if second else low.reason or _NONE,
        _interval(second) if second else _NONE,
    ]


def _interval(comparison: Comparison) -> str:
    if comparison.interval is None:
        return _NONE
    return " to ".join(map(finely, comparison.interval))


def _backend(outcome: Outcome, run: BackendRun) -> list[str]:
    headings = ["workload", "", "built-in ms", "ours ms", "ratio", "limit", "compile", "memory"]
    rows = []
    for name in outcome.workloads:
        for quantity in QUANTITIES:
            found = outcome.comparison(run, name, quantity)
            label = f"`{name}`"
            if found is None:
                failed = "failed" if name in run.failed else _NONE
                rows.append([label, quantity, _NONE, failed, *[_NONE] * 4])
                continue
            others = [
                outcome.comparison(run, name, f"{quantity} {k}") for k in ("compile", "memory")
            ]
            rows.append(
                [
                    label,
                    quantity,
                    milliseconds(found.built_in),
                    milliseconds(found.ours),
                    ratio(found.ratio),
                    percent(outcome.fraction(run, name, quantity)),
                    *(ratio(each and each.ratio) for each in others),
                ]
            )
    reasons: dict[str, list[str]] = {}
    for (name, _), reason in run.refused.items():
        names = reasons.setdefault(reason, [])
        if name not in names:
            names.append(name)
    parts = [_table(headings, rows)]
    if reasons:
        parts += [
            "Ours alone, since the built-in layer can't do it here:",
            "\n".join(f"- {', '.join(names)}: {reason}" for reason, names in reasons.items()),
        ]
    return parts


def _spreads(outcome: Outcome) -> list[str]:
    rows = []
    for name in outcome.workloads:
        spreads = [outcome.spread(name, quantity) for quantity in QUANTITIES]
        if any(each.ours for each in spreads):
            cells = (ratio(value) for each in spreads for value in each)
            rows.append([f"`{name}`", *cells])
    headings = ["workload", *(f"{q}: {side}" for q in QUANTITIES for side in ("built-in", "ours"))]
    return [
        "How many times as long as the fastest backend the slowest takes.",
        _table(headings, rows),
    ]


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    # Words to the left, numbers to the right.
    body = [list(row) for row in rows]
    words = [
        all(not _is_number(row[column]) for row in body) and bool(body)
        for column in range(len(headings))
    ]
    marks = ["---" if word else "---:" for word in words]
    lines = [headings, marks, *([cell.replace("|", "\\|") for cell in row] for row in body)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _is_number(cell: str) -> bool:
    return cell.rstrip("%").replace(".", "", 1).isdigit()


def milliseconds(seconds: float | None) -> str:
    return (
        _NONE
        if seconds is None
        else f"{seconds * 1e3:.3g}"
        if seconds < 0.1
        else f"{seconds * 1e3:.0f}"
    )


def ratio(value: float | None) -> str:
    if value is None:
        return _NONE
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"


def finely(value: float) -> str:
    """A ratio near the floor, which two digits could show as the floor itself."""
    return f"{value:.3f}"


def percent(value: float | None) -> str:
    return _NONE if value is None else f"{100 * value:.0f}%"
