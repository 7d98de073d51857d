"""JUnit XML, as Jenkins, GitLab and others read it.

A suite a subject, a case a comparison: what disagrees is a `failure`, what failed an `error`, what
is not possible `skipped`. One suite more has a case a backend. Only backends take time that is
known by itself; that of cells, which readers expect, is 0.
"""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as Tree

from keras_convkit.files import write_atomically
from keras_convkit.parity.outcome import Outcome
from keras_convkit.parity.runner import BackendRun
from keras_convkit.parity.verdicts import Cell, Verdict

PACKAGE = "keras-convkit.parity"
_CHILDREN = {
    Verdict.DISAGREES: "failure",
    Verdict.FAILED: "error",
    Verdict.NOT_POSSIBLE: "skipped",
}
# What XML 1.0 can't hold, not even escaped.
_NO_CHARACTERS = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(path: Path, outcome: Outcome) -> None:
    """Writes the file, atomically."""
    tree = Tree.ElementTree(as_xml(outcome))
    Tree.indent(tree)
    write_atomically(path, lambda file: tree.write(file, encoding="utf-8", xml_declaration=True))


def as_xml(outcome: Outcome) -> Tree.Element:
    """Returns the element `testsuites`."""
    root = Tree.Element("testsuites", name=PACKAGE)
    # The schema of readers has no place for a time zone.
    created = outcome.created.removesuffix("+00:00")
    backends = _suite(root, "backends", created)
    for run in outcome.runs:
        _backend(backends, run, run.backend in outcome.required)
    for subject in outcome.subjects:
        suite = _suite(root, subject.name, created)
        for cell in outcome.of(subject.name):
            _cell(suite, cell)
    for suite in root:
        _count(suite, [suite])
        suite.set("time", f"{sum(float(case.get('time')) for case in suite):.3f}")
    _count(root, list(root))
    root.set("time", f"{outcome.seconds:.3f}")
    return root


def _suite(root: Tree.Element, name: str, created: str) -> Tree.Element:
    return Tree.SubElement(root, "testsuite", name=_text(name), timestamp=created)


def _case(suite: Tree.Element, name: str, seconds: float = 0.0) -> Tree.Element:
    place = f"{PACKAGE}.{suite.get('name')}"
    return Tree.SubElement(
        suite, "testcase", classname=place, name=_text(name), time=f"{seconds:.3f}"
    )


def _backend(suite: Tree.Element, run: BackendRun, required: bool) -> None:
    case = _case(suite, run.backend, run.seconds)
    if run.status == "failed" or (run.status == "missing" and required):
        _child(case, "error", run.status, run.reason)
    elif run.status == "missing":
        Tree.SubElement(case, "skipped", message=_text(run.reason))


def _cell(suite: Tree.Element, cell: Cell) -> None:
    case = _case(suite, f"{cell.quantity}: {cell.column}")
    if cell.verdict is Verdict.NOT_POSSIBLE:
        Tree.SubElement(case, "skipped", message=_text(cell.reason))
    elif cell.verdict in _CHILDREN:
        first = f"\nfirst at {cell.first}" if cell.first else ""
        _child(case, _CHILDREN[cell.verdict], str(cell.verdict), cell.in_words(), first)


def _child(case: Tree.Element, tag: str, kind: str, message: str, more: str = "") -> None:
    child = Tree.SubElement(case, tag, type=kind, message=_text(message))
    child.text = _text(message + more)


def _count(element: Tree.Element, suites: list[Tree.Element]) -> None:
    element.set("tests", str(sum(len(suite) for suite in suites)))
    for tag, name in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        element.set(name, str(sum(len(suite.findall(f"*/{tag}")) for suite in suites)))


def _text(text: str) -> str:
    return _NO_CHARACTERS.sub("\N{REPLACEMENT CHARACTER}", text)
