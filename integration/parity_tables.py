"""Puts layers through `keras-convkit parity` on three backends, and writes tables into the docs.

    python -m integration.parity_tables [FOLDER]

Runs the command on `parity/families.json` (our layers, and the built-in ones of the same families)
and on `parity/other_layers.json` (further built-in layers), half an hour each on two cores, and
replaces the tables in `docs/parity-layers.md`; what it found is written there by hand. A FOLDER
keeps results as they come, and a later run goes on from those.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LISTS = ROOT / "integration" / "parity"
PAGE = ROOT / "docs" / "parity-layers.md"
BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "torch"}
START, END = "<!-- table: {} -->\n", "<!-- end of table: {} -->\n"


def run(name, folder):
    """What the command finds, as its JSON."""
    report = Path(folder) / f"{name}.json"
    command = [sys.executable, "-m", "keras_convkit_launcher", "parity", f"{LISTS}/{name}.json"]
    options = [
        "--resume",
        f"{folder}/{name}",
        "--json",
        report,
        "--report",
        f"{folder}/{name}.html",
    ]
    code = subprocess.run([*command, *options], cwd=ROOT, stdout=subprocess.DEVNULL).returncode
    if code not in (0, 1):
        raise SystemExit(f"the command ended with {code}")
    return json.loads(report.read_text(encoding="utf-8"))


def of_backend(cells, backend):
    """How a backend does: the worst of its comparisons, over the bound, or a word.

    It is held against the reference and itself; without a reference against the other backend that
    it is nearer to, so that one which is wrong alone is seen to be.
    """
    own = [c for c in cells if c["left"]["backend"] == backend]
    if any(c["verdict"] == "failed" and backend in c["reason"] for c in cells):
        return "fails"
    judged = any(c["kind"] == "reference" for c in cells)
    found = [_excess(c) for c in own if c["kind"] in ("reference", "mode", "itself")]
    nearest = {}
    for cell in cells:
        pair = {cell["left"]["backend"], cell["right"]["backend"]}
        if judged or cell["kind"] not in ("backend", "file") or backend not in pair:
            continue
        other = (pair - {backend} or {backend}).pop()
        nearest[other] = max(nearest.get(other, 0.0), _excess(cell))
    found += [nearest.pop(backend, 0.0)] + ([min(nearest.values())] if nearest else [])
    worst = max(found, default=0.0)
    if worst <= 1.0:
        return f"{worst:.2f}"
    return "**differs**" if worst == float("inf") else f"**{worst:.1e}**"


def _excess(cell):
    """The error over its bound."""
    if cell["verdict"] in ("failed", "not possible"):
        return 0.0
    if cell["error"] is None:
        return float("inf") if cell["verdict"] == "disagrees" else 0.0
    if cell["verdict"] == "agrees" and not cell["bound"]:
        return 0.0
    return cell["error"] / cell["bound"] if cell["bound"] else float("inf")


def verdict(cells):
    """Whether all agree, and what does not, in words."""
    wrong = dict.fromkeys(c["quantity"] for c in cells if c["verdict"] == "disagrees")
    failed = dict.fromkeys(
        BACKENDS[b]
        for b in BACKENDS
        if any(c["verdict"] == "failed" and b in c["reason"] for c in cells)
    )
    words = [f"fails on {', '.join(failed)}"] if failed else []
    words += [f"disagrees: {', '.join(wrong)}"] if wrong else []
    words = words or ["agrees"]
    drawn = any("random" in c["reason"] for c in cells if c["verdict"] == "not possible")
    return "; ".join(words) + " (random in training)" * drawn


def cells_of(document):
    found = {}
    for cell in document["cells"]:
        found.setdefault(cell["subject"], []).append(cell)
    return found


def families(document):
    """A row a layer and configuration, ours beside the built-in one."""
    by_subject = cells_of(document)
    sides = ("ours", "built-in")
    names = dict.fromkeys(name.split(" ", 1)[1] for name in by_subject)
    heads = ["layer", *(f"{side}, {BACKENDS[b]}" for side in sides for b in BACKENDS)]
    rows = [[*heads, "built-in, verdict"]]
    for name in names:
        cells = [by_subject.get(f"{side} {name}") for side in sides]
        shown = [of_backend(c, b) if c else "" for c in cells for b in BACKENDS]
        rows.append([name, *shown, verdict(cells[1]) if cells[1] else "no such layer or option"])
    return rows


def other_layers(document):
    rows = [["layer", *BACKENDS.values(), "verdict"]]
    for name, cells in cells_of(document).items():
        rows.append([name, *(of_backend(cells, b) for b in BACKENDS), verdict(cells)])
    return rows


def table(rows):
    lines = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def counted(document):
    """What was run, in a sentence."""
    cells = document["cells"]
    count = {v: sum(c["verdict"] == v for c in cells) for v in ("agrees", "disagrees", "failed")}
    versions = {}
    for each in document["backends"]:
        versions |= each["versions"]
    return (
        f"{len(document['subjects'])} layers and configurations. Of {len(cells)} comparisons "
        f"{count['agrees']} agree, {count['disagrees']} disagree, {count['failed']} failed, and "
        "the others are not possible. Versions: "
        f"{', '.join(f'{name} {versions[name]}' for name in ('keras', *BACKENDS))}.\n\n"
    )


def main(folder):
    for name, rows in (("families", families), ("other_layers", other_layers)):
        document = run(name, folder)
        start, end = START.format(name), END.format(name)
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(start)
        after = rest.partition(end)[2]
        text = before + start + counted(document) + table(rows(document)) + end + after
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(sys.argv[1] if len(sys.argv) > 1 else temporary)
