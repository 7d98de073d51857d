"""The reports: complete, self-contained, and never half written."""

import dataclasses
import re
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from keras_convkit import files
from keras_convkit.extras import MissingExtraError
from keras_convkit.parity.differences import difference
from keras_convkit.parity.reports import report, shapes
from keras_convkit.parity.verdicts import Cell, Verdict
from tests.once import ONCE

pytestmark = ONCE

EMPTY_ELEMENTS = {"meta", "link", "br"}


class Page(HTMLParser):
    """Collects what a page refers to, its texts, and elements that do not match."""

    def __init__(self, text):
        super().__init__()
        self.links, self.tags, self.open, self.texts = [], [], [], []
        self.ids, self.classes = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in EMPTY_ELEMENTS:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.ids += [v for k, v in attrs if k == "id"]
        self.classes |= {word for k, v in attrs if k == "class" for word in v.split()}
        self.links += [v for k, v in attrs if k in ("src", "href", "xlink:href", "srcset", "data")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def test_verdict_of_the_whole(good, outcome):
    assert good.agrees and good.faults == []
    required = outcome({"missing": "torch"}, required=["torch"])
    assert not required.agrees and "torch is required: not installed" in required.faults[0]


def test_faults(bad):
    assert not bad.agrees and any("SIGKILL" in fault for fault in bad.faults)


def test_no_backend_at_all_is_no_agreement(good):
    none = dataclasses.replace(good, runs=[good.runs[-1]], cells=[])
    assert not none.agrees and none.faults == ["No backend is installed."]
    Page(report.as_html(none))


@pytest.mark.parametrize("which", ["good", "bad", "wrong"])
def test_html_is_self_contained(which, request):
    text = report.as_html(request.getfixturevalue(which))
    page = Page(text)
    assert page.open == []
    assert page.links[0] == "data:," and all(link.startswith("#") for link in page.links[1:])
    assert {link[1:] for link in page.links[1:]} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert not {"script", "iframe", "img", "object", "embed"} & set(page.tags)
    assert "http:" not in text and "https:" not in text
    assert "@import" not in text and "url(" not in text
    assert 'name="viewport"' in text and "prefers-color-scheme: dark" in text


@pytest.mark.parametrize("which", ["good", "bad", "wrong"])
def test_html_has_every_cell_in_the_picture_and_in_words(which, request):
    result = request.getfixturevalue(which)
    text = report.as_html(result)
    page = Page(text)
    titles = [text for text in page.texts if any(f"{v}, " in text for v in Verdict)]
    for cell in result.cells:
        assert any(
            text.startswith(f"{cell.subject}, {cell.quantity}, {cell.column}: {cell.verdict}, ")
            and text.endswith(cell.in_words())
            for text in titles
        )
    assert len([each for each in page.ids if each[0] == "c"]) == len(result.cells)
    told = re.findall(r'<span class="told[^>]*>([^<]*)</span>', text)
    assert told == [str(cell.verdict) for cell in result.cells]


def test_html_shows_where_a_disagreement_lies(wrong):
    """The first place, the worst ones with both values, the histogram, each axis."""
    page = Page(report.as_html(wrong))
    cell = next(cell for cell in wrong.cells if cell.verdict is Verdict.DISAGREES)
    found = cell.details
    assert len(found.places) == 2 == found.over[0]
    assert f"2 of {found.over[1]} over the bound" in page.texts
    assert any(text.strip() == f", the first at {cell.first}." for text in page.texts)
    for spot in found.places:
        row = [f"[{', '.join(map(str, spot.index))}]", f"{spot.left:.9g}", f"{spot.right:.9g}"]
        assert "".join(row) in "".join(page.texts)
    assert "nan" in page.texts and "over" in page.classes and "bound" in page.classes
    assert "axis 1 " in page.texts


def test_html_says_what_is_amiss_and_escapes_it(good, bad):
    text = report.as_html(bad)
    assert "Not all agree" in text and "killed by SIGKILL" in text
    assert "ValueError: no" in text and "unreadable results" in text
    assert "<details open>" in text
    text = report.as_html(good)
    assert "comparisons agree" in text and "<details open>" not in text
    assert "torch: not installed" in text and "3.11.0 &lt;&amp;&gt;" in text


def test_a_histogram_has_all_errors_and_its_bound():
    left = np.array([0.0, 2e-8, 3e-8, 1e-4, 0.5, np.inf])
    found = difference(left, np.zeros(6), 1.0, 1e-5)
    bars = shapes.bars(found, 1e-5)
    assert [(bar.count, bar.over) for bar in bars] == [
        ("1", False), ("2", False), ("1", True), ("1", True), ("1", True),
    ]  # fmt: skip
    # 1e-5 lies between the four decades from 1e-9, with what is below, and the rest.
    assert shapes.where(1e-5) == 5 * shapes.BAR
    assert shapes.where(1e-20) == shapes.where(0.0) == 0 and shapes.where(7.0) <= shapes.WIDTH
    (strip,) = shapes.strips(found, 1e-5)
    assert (strip.axis, strip.length, strip.parts) == (0, 6, 6)
    assert dict(strip.paths) == {"s0": "M0 0h3", "over": "M3 0h3"}


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
