"""Converts a member of every family of keras.applications, and writes the errors into the docs.

    python -m integration.applications_table [FOLDER]

Runs `test_applications.py` in its long form under each backend (about 6, 2 and 20 minutes on two
cores under TensorFlow, torch and JAX) and replaces the table in `docs/conversion.md`. A FOLDER
keeps what pytest reports, `BACKEND.xml`; a backend whose report is there already isn't run again.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "conversion.md"
BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "torch"}
START, END = "<!-- table: integration/applications_table.py -->\n", "<!-- end of table -->\n"


def run(backend, report):
    command = [sys.executable, "-m", "pytest", "-q", "-o", "addopts=", "-o", "junit_family=xunit1"]
    subprocess.run(
        [*command, f"--junitxml={report}", "integration/test_applications.py"],
        cwd=ROOT,
        env=os.environ | {"KERAS_BACKEND": backend, "KERAS_CONVKIT_LONG": "1"},
        check=True,
    )


def figures(report):
    """What was recorded of each model: layers converted, output and gradient error."""
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        recorded = {it.get("name"): it.get("value") for it in case.iter("property")}
        if recorded:
            found[case.get("name").partition("[")[2].rstrip("]")] = recorded
    return found


def table(by_backend):
    quantities = [(b, q) for b in BACKENDS for q in ("output", "gradient")]
    heads = ["model", "layers", *(f"{BACKENDS[b]}, {q}" for b, q in quantities)]
    lines = [heads, ["---"] * len(heads)]
    for name, of_first in by_backend["tensorflow"].items():
        cells = [by_backend[b].get(name, {}).get(q) for b, q in quantities]
        shown = ["none" if cell is None else f"{float(cell):.1e}" for cell in cells]
        lines.append([name, of_first["layers"], *shown])
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def main(folder):
    reports = {backend: Path(folder) / f"{backend}.xml" for backend in BACKENDS}
    for backend, report in reports.items():
        if not report.exists():
            run(backend, report)
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    after = rest.partition(END)[2]
    rows = table({backend: figures(report) for backend, report in reports.items()})
    PAGE.write_text(before + START + rows + END + after, encoding="utf-8")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(sys.argv[1] if len(sys.argv) > 1 else temporary)
