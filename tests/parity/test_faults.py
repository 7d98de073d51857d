"""Every fault, forced on real workers in one run that is interrupted first and then resumed."""

import json
import re
import sys
from collections import Counter
from xml.etree import ElementTree

import jsonschema
import pytest

from keras_convkit.parity.reports import document
from tests.once import ONCE
from tests.parity.real_run import BROKEN, SUBJECTS, TIMEOUT, WORKING, real_run

pytestmark = ONCE


@pytest.fixture(scope="module")
def run():
    return real_run()


def reasons(run, subject):
    """What the cells of a subject on the working backend alone say, and their verdicts."""
    cells = [
        cell
        for cell in run.document()["cells"]
        if cell["subject"] == subject and BROKEN not in str(cell)
    ]
    return {(cell["verdict"], cell["reason"]) for cell in cells} if cells else shared(run, subject)


def shared(run, subject):
    """The same of a subject that is compared with the broken backend alone."""
    return {
        (cell["verdict"], cell["reason"])
        for cell in run.document()["cells"]
        if cell["subject"] == subject and cell["left"]["backend"] != cell["right"]["backend"]
    }


def test_ctrl_c_leaves_no_process_and_no_report(run):
    code, errors = run.interrupted
    assert code == 130 and "keras-convkit: interrupted" in errors, errors
    assert "Traceback" not in errors
    if sys.platform == "linux":
        # The command and its worker were seen, so that their absence says something.
        assert any("keras_convkit.parity.worker" in line for line in run.before)
        assert len(run.before) >= 2 and run.after == []
    assert run.left == sorted(["faulty.py", "list.json", "results", BROKEN])


def test_a_later_run_goes_on_and_repeats_only_what_has_failed(run):
    index = (run.folder / "results" / "results.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in index]
    results = Counter(
        (entry["backend"], json.dumps(entry["task"]))
        for entry in entries
        if entry["kind"] == "result"
    )
    assert results and set(results.values()) == {1}
    first, second = run.interrupted[1], run.resumed[2]
    for subject in ("good", "wrong", "prints"):
        line = f"{WORKING}: {subject} subject"
        assert line in first and line not in second
    assert f"{WORKING}: after killed subject" in second
    assert f"{WORKING}: after killed subject" not in first


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        ("hangs", f"time limit of {TIMEOUT} s exceeded"),
        ("crashes", "the worker ended with exit status 3"),
        ("killed", "the worker was killed by SIGKILL"),
        ("hungry", "MemoryError: Unable to allocate 8.00 TiB"),
    ],
)
def test_what_takes_its_worker_with_it_is_one_failure(run, subject, reason):
    ((verdict, told),) = reasons(run, subject)
    assert verdict == "failed" and f"subject on {WORKING}" in told and reason in told


@pytest.mark.parametrize(
    "subject", ["good", "prints", "after hangs", "after crashes", "after killed"]
)
def test_what_comes_beside_and_behind_is_measured(run, subject):
    assert reasons(run, subject) == {("agrees", "")}


def test_a_disagreement_and_what_a_peer_cannot_do(run):
    assert {verdict for verdict, _ in reasons(run, "wrong")} == {"disagrees"}
    ((verdict, reason),) = reasons(run, "no peer")
    assert verdict == "not possible" and reason == "ValueError: no such <peer> & no such layer"


def test_a_backend_that_cannot_be_imported_is_named_and_the_other_goes_on(run):
    code, out, _ = run.resumed
    assert code == 1
    status = {each["name"]: each for each in run.document()["backends"]}
    assert status[WORKING]["status"] == "done" and status[BROKEN]["status"] == "failed"
    assert "ImportError: libnothing.so: no such file" in status[BROKEN]["reason"]
    assert re.search(rf"{BROKEN} +failed: .*libnothing.so", out)
    # It is told once, and hides nothing in the table.
    assert out.count("libnothing.so") == 3
    assert re.search(r"after killed +output +\S+ +\S+ ✓", out)
    assert re.search(r"crashes +output +exact .*failed", out)


def test_every_report_is_there_and_whole(run):
    written = run.document()
    jsonschema.validate(written, json.loads(document.SCHEMA_FILE.read_text()))
    root = ElementTree.parse(run.folder / "out.xml").getroot()
    assert int(root.get("tests")) == len(written["cells"]) + 2
    assert int(root.get("failures")) == 1 and int(root.get("skipped")) == 1
    summary = (run.folder / "out.md").read_text()
    assert "❌ **Not all agree.**" in summary and "| wrong | output | " in summary
    assert (run.folder / "parity-report.html").read_text().rstrip().endswith("</html>")
    assert [s["name"] for s in written["subjects"]] == [s["name"] for s in SUBJECTS]
    assert not [path for path in run.folder.iterdir() if path.name.startswith(".")]
