"""What other programs read: JSON by its schema, JUnit XML, Markdown."""

import dataclasses
import json
import re
from xml.etree import ElementTree

import jsonschema
import pytest

from keras_convkit.parity.reports import document, junit, markdown
from keras_convkit.parity.verdicts import Verdict
from tests.once import ONCE

pytestmark = ONCE

SCHEMA = json.loads(document.SCHEMA_FILE.read_text())
OUTCOMES = pytest.mark.parametrize("which", ["good", "bad", "wrong"])


def read(path):
    """Reads JSON as strictly as its readers do."""

    def refuse(constant):
        raise ValueError(constant)

    return json.loads(path.read_text(), parse_constant=refuse)


@OUTCOMES
def test_json_is_what_its_schema_says(which, request, tmp_path):
    result = request.getfixturevalue(which)
    document.write(tmp_path / "report.json", result)
    written = read(tmp_path / "report.json")
    jsonschema.Draft202012Validator(SCHEMA).validate(written)
    assert written == json.loads(json.dumps(document.as_json(result)))
    assert written["agrees"] is result.agrees and written["seed"] == 0
    for entry, cell in zip(written["cells"], result.cells, strict=True):
        assert entry["verdict"] == cell.verdict.value
        assert entry["error"] == cell.error and entry["bound"] == cell.bound
        assert (entry["details"] is None) is (cell.details is None)


def test_json_has_where_errors_lie(wrong):
    cell, entry = next(
        pair
        for pair in zip(wrong.cells, document.as_json(wrong)["cells"], strict=True)
        if pair[0].verdict is Verdict.DISAGREES
    )
    details, size = entry["details"], cell.details.over[1]
    assert details["over"] == 2 and sum(details["histogram"]) == size
    assert entry["error"] is None and entry["reason"] == "numbers that are not finite"
    assert entry["worst"] == details["places"][0] and entry["worst"]["values"][0] == "nan"
    assert [len(axis) for axis in details["profile"]] == [min(n, 24) for n in details["shape"]]
    assert any(None in axis for axis in details["profile"])


def test_the_schema_is_one_and_lets_nothing_unknown_pass(good):
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    validator = jsonschema.Draft202012Validator(SCHEMA)
    whole = document.as_json(good)
    for wrong in (
        {"agrees": "yes"},
        {"new": 1},
        {"cells": [whole["cells"][0] | {"verdict": "fine"}]},
        {"cells": [{k: v for k, v in whole["cells"][0].items() if k != "bound"}]},
        {"schema": "keras-convkit-parity/1"},
    ):
        assert not validator.is_valid(json.loads(json.dumps(whole | wrong)))


@OUTCOMES
def test_junit_counts_and_names_every_cell(which, request, tmp_path):
    result = request.getfixturevalue(which)
    junit.write(tmp_path / "report.xml", result)
    root = ElementTree.parse(tmp_path / "report.xml").getroot()
    assert root.tag == "testsuites" and root.get("name") == "keras-convkit.parity"
    assert [suite.get("name") for suite in root] == [
        "backends", *(subject.name for subject in result.subjects),
    ]  # fmt: skip
    cases = root.findall("testsuite/testcase")
    assert len(cases) == len(result.runs) + len(result.cells) == int(root.get("tests"))
    for case in cases:
        assert case.get("classname") and case.get("name") and float(case.get("time")) >= 0
    names = [(case.get("classname"), case.get("name")) for case in cases]
    assert len(names) == len(set(names))
    tags = {"failure": "failures", "error": "errors", "skipped": "skipped"}
    for tag, count in tags.items():
        assert int(root.get(count)) == len(root.findall(f".//{tag}"))
        assert int(root.get(count)) == sum(int(suite.get(count)) for suite in root)
    assert len(root.findall(".//failure")) == result.count(Verdict.DISAGREES)
    assert len(root.findall(".//error")) == result.count(Verdict.FAILED) + sum(
        run.status == "failed" for run in result.runs
    )
    for suite in root:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp"))
        assert int(suite.get("tests")) == len(suite)


def test_junit_tells_both_values_and_why(wrong, bad):
    texts = [element.text for element in junit.as_xml(wrong).iter("failure")]
    cell = next(cell for cell in wrong.cells if cell.verdict is Verdict.DISAGREES)
    assert f"{cell.in_words()}\nfirst at {cell.first}" in texts
    errors = [element.get("message") for element in junit.as_xml(bad).iter("error")]
    assert any("killed by SIGKILL" in message for message in errors)


def test_junit_of_a_required_backend_and_of_what_xml_cannot_hold(outcome, tmp_path):
    result = outcome({"missing": "torch"}, required=["torch"])
    assert "not installed" in junit.as_xml(result).find("*/testcase/error").get("message")
    (run,) = (run for run in result.runs if run.status == "missing")
    rest = [dataclasses.replace(run, reason="\x1b[31mred\x00 <&> \ud800\N{SNOWMAN}")]
    junit.write(tmp_path / "x.xml", dataclasses.replace(result, runs=rest, required=()))
    case = ElementTree.parse(tmp_path / "x.xml").find("*/testcase")
    mark = "\N{REPLACEMENT CHARACTER}"
    assert case.find("skipped").get("message") == f"{mark}[31mred{mark} <&> {mark}\N{SNOWMAN}"


def test_markdown_of_an_agreement_is_short(good):
    text = markdown.as_markdown(good)
    lines = text.splitlines()
    assert lines[2] == f"✅ **All {good.count(Verdict.AGREES)} comparisons agree.**"
    assert "| subject | output | input gradient |" in text and "| eeg | " in text
    assert "✗" not in text and "Disagreements" not in text and "Failures" not in text
    assert "torch (missing)" in text


def test_markdown_tells_the_error_the_bound_the_place_and_both_values(wrong, monkeypatch):
    monkeypatch.setattr(markdown, "MOST", 3)
    text = markdown.as_markdown(wrong)
    count = wrong.count(Verdict.DISAGREES)
    assert f"- {count} of {len(wrong.cells)} comparisons: disagrees" in text
    cell = next(cell for cell in wrong.cells if cell.verdict is Verdict.DISAGREES)
    spot = cell.first
    index = ", ".join(map(str, spot.index))
    assert (
        f"| {cell.subject} | output | {cell.column} | output |  | {cell.bound:.1e} "
        f"| \\[{index}\\] | {spot.left:.9g} | {spot.right:.9g} |" in text
    )
    assert f"… and {count - 3} more disagreements" in text
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        assert len({re.sub(r"\\.", "", line).count("|") for line in block.splitlines()}) == 1


def test_markdown_tells_failures_once_and_escapes_them(bad, outcome):
    text = markdown.as_markdown(bad)
    assert "### Failures" in text and "ValueError: no" in text and "killed by SIGKILL" in text
    (run,) = (run for run in outcome({"torch": "killed"}).runs if run.status == "failed")
    told = dataclasses.replace(run, reason="<b>|*x*\nnext")
    text = markdown.as_markdown(dataclasses.replace(bad, runs=[told], cells=[]))
    assert "\\<b\\>\\|\\*x\\* next" in text
