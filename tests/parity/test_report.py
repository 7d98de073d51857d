"""The reports: complete, self-contained, and never half written."""

import dataclasses
import json
import re
import sys
from html.parser import HTMLParser

import pytest

from keras_convkit import files
from keras_convkit.extras import MissingExtraError
from keras_convkit.parity import runner, subjects
from keras_convkit.parity.outcome import run_parity
from keras_convkit.parity.quantities import OF_EMBEDDED
from keras_convkit.parity.reports import report
from keras_convkit.parity.verdicts import Cell, Verdict
from tests.parity.outcomes import fake_worker

NAMES = ("eeg", "eeg-extended")
EMPTY_ELEMENTS = {"meta", "link", "rect", "line", "br"}


class Page(HTMLParser):
    """Collects what a page refers to, its texts, and elements that do not match."""

    def __init__(self, text):
        super().__init__()
        self.links, self.tags, self.open, self.texts = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [v for k, v in attrs if k in ("src", "href", "xlink:href", "srcset", "data")]
        if tag not in EMPTY_ELEMENTS:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture
def outcome(monkeypatch, tmp_path):
    def outcome(behaviour, required=()):
        monkeypatch.setattr(runner, "is_installed", lambda name: name != behaviour.get("missing"))
        monkeypatch.setattr(runner, "WORKER", fake_worker(tmp_path, behaviour, *NAMES))
        chosen = [subjects.embedded(name) for name in NAMES]
        done = run_parity(chosen, quantities=OF_EMBEDDED, seed=0, required=required)
        return dataclasses.replace(done, environment={"Python": "3.11.0 <&>"})

    return outcome


@pytest.fixture
def good(outcome):
    return outcome({"missing": "torch"})


@pytest.fixture
def bad(outcome):
    """Backends that raise, die, or write half a file."""
    return outcome({"tensorflow": "raises", "jax": "half a file", "torch": "killed"})


def test_verdict_of_the_whole(good, outcome):
    assert good.agrees and good.faults == []
    required = outcome({"missing": "torch"}, required=["torch"])
    assert not required.agrees and "torch is required: not installed" in required.faults[0]


def test_faults(bad):
    assert not bad.agrees and any("SIGKILL" in fault for fault in bad.faults)


def test_no_backend_at_all_is_no_agreement(good):
    none = dataclasses.replace(good, runs=[good.runs[-1]], cells=[])
    assert not none.agrees and report.as_json(none)["cells"] == []
    Page(report.as_html(none))


def test_json_schema(good, bad, tmp_path):
    for result in (good, bad):
        report.write_json(tmp_path / "report.json", result)
        document = json.loads((tmp_path / "report.json").read_text())
        assert set(document) == set(re.findall(r"`(\w+)`", _documented(top_level=True)))
        assert document["schema"] == "keras-convkit-parity/2"
        assert document["agrees"] is result.agrees and document["seed"] == 0
        assert len(document["cells"]) == len(result.cells)
        for entries in (document["backends"], document["subjects"], document["cells"]):
            for entry in entries:
                for key in entry:
                    assert f"`{key}`" in report.__doc__
        for entry, cell in zip(document["cells"], result.cells, strict=True):
            assert entry["verdict"] == cell.verdict.value
            assert entry["error"] == cell.error and entry["bound"] == cell.bound
            assert (
                set(entry["left"]) == set(entry["right"]) == {"side", "backend", "mode", "writer"}
            )


def _documented(top_level):
    """Returns what stands before the colon or bracket of each item of the module's text."""
    items = re.findall(r"^- (.*)$", report.__doc__, flags=re.MULTILINE)
    return " ".join(re.sub(r"objects? .*|: .*with `.*", "", item) for item in items)


@pytest.mark.parametrize("which", ["good", "bad"])
def test_html_is_self_contained(which, request):
    text = report.as_html(request.getfixturevalue(which))
    page = Page(text)
    assert page.open == []
    assert page.links == ["data:,"]
    assert not {"script", "iframe", "img", "object", "embed"} & set(page.tags)
    assert "http:" not in text and "https:" not in text
    assert "@import" not in text and "url(" not in text
    assert 'name="viewport"' in text and "prefers-color-scheme: dark" in text


@pytest.mark.parametrize("which", ["good", "bad"])
def test_html_has_every_cell_in_the_picture_and_in_words(which, request):
    result = request.getfixturevalue(which)
    page = Page(report.as_html(result))
    assert page.tags.count("svg") == len({cell.column.kind for cell in result.cells})
    titles = [text for text in page.texts if any(f"{v}, " in text for v in Verdict)]
    for cell in result.cells:
        assert any(
            text.startswith(f"{cell.subject}, {cell.quantity}, {cell.column}: {cell.verdict}, ")
            and text.endswith(cell.in_words())
            for text in titles
        )
    told = sum(text.strip() in ("agrees", "disagrees", "failed") for text in page.texts)
    assert told >= sum(cell.verdict is not Verdict.NOT_POSSIBLE for cell in result.cells)


def test_html_says_what_is_amiss_and_escapes_it(good, bad):
    text = report.as_html(bad)
    assert "Not all agree" in text and "killed by SIGKILL" in text
    assert "ValueError: no" in text and "unreadable results" in text
    assert "<details open>" in text
    text = report.as_html(good)
    assert "comparisons agree" in text and "<details open>" not in text
    assert "torch: not installed" in text and "3.11.0 &lt;&amp;&gt;" in text


@pytest.mark.parametrize(
    ("error", "step", "power"),
    [
        (0.0, 0, "0"),
        (1e-12, 0, "-12.0"),
        (9e-8, 1, "-7.0"),
        (2e-7, 2, "-6.7"),
        (2e-6, 3, "-5.7"),
        (2e-5, 4, "-4.7"),
        (5.0, 4, "0.7"),
    ],
)
def test_colour_and_number_of_an_error(good, error, step, power):
    cell = Cell("m", "output", good.cells[0].column, Verdict.AGREES, 1e-5, error)
    assert report._step(cell) == step
    assert report._power(cell) == power.replace("-", "\N{MINUS SIGN}")


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "report.html"
    files.write_atomically(path, lambda file: file.write(b"old"))

    def half(file):
        file.write(b"new")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.write_atomically(path, half)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    plain = tmp_path / "plain"
    plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode


def test_without_jinja2_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match=r"'jinja2'.*keras-convkit\[parity\]"):
        report.check_requirements()
