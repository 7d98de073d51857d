"""Every public class documents what it takes, gives and raises, and its example runs."""

import doctest
import inspect
import re
from collections.abc import Iterator

import pytest

import keras_convkit
from keras_convkit import layers

CLASSES = [getattr(layers, name) for name in layers.__all__]
SECTIONS = ["Args", "Input shape", "Output shape", "Raises", "Example"]
WITH_REACH = [cls for cls in CLASSES if "Conv" in cls.__name__]

every_class = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)


def docstring(cls: type) -> str:
    """The docstring of the class itself: one inherited from its family says too little."""
    return inspect.cleandoc(cls.__dict__["__doc__"])


def sections(cls: type) -> dict[str, str]:
    """The text of each section by its title, in the order of the docstring."""
    parts = re.split(r"^(\w[\w ]*):$", docstring(cls), flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def entries(section: str) -> list[str]:
    """The names that a section explains, in its order."""
    return re.findall(r"^ {4}(\**\w+): \S", section, flags=re.MULTILINE)


def arguments(cls: type) -> Iterator[str]:
    stars = {inspect.Parameter.VAR_KEYWORD: "**", inspect.Parameter.VAR_POSITIONAL: "*"}
    for parameter in inspect.signature(cls).parameters.values():
        yield stars.get(parameter.kind, "") + parameter.name


def test_all_the_layers_are_public():
    assert len(CLASSES) == 24
    assert set(layers.__all__) <= set(keras_convkit.__all__)


@every_class
def test_starts_with_one_line_that_says_what_it_is(cls):
    summary, blank, *_ = docstring(cls).splitlines()
    assert summary.startswith(f"{cls.rank}D ") and summary.endswith(".")
    assert blank == ""


@every_class
def test_sections_come_in_keras_order(cls):
    assert list(sections(cls)) == SECTIONS


@every_class
def test_every_argument_is_explained_in_the_signature_order(cls):
    assert entries(sections(cls)["Args"]) == list(arguments(cls))


@every_class
def test_shapes_are_given_in_both_data_formats(cls):
    channels = r"(channels|filters|channels \* depth_multiplier)"
    for title in ("Input shape", "Output shape"):
        text = sections(cls)[title]
        assert re.search(rf"`\(\*batch, (\w+, ){{{cls.rank}}}{channels}\)`", text), title
        assert re.search(rf"`\(\*batch, {channels}(, \w+){{{cls.rank}}}\)`", text), title


@pytest.mark.parametrize("cls", WITH_REACH, ids=lambda cls: cls.__name__)
def test_convolutions_give_the_length_by_the_reach(cls):
    assert "`e = (kernel_size - 1) * dilation_rate + 1`" in sections(cls)["Output shape"]


@every_class
def test_both_errors_are_explained(cls):
    assert entries(sections(cls)["Raises"]) == ["TypeError", "ValueError"]


@every_class
def test_example_runs_by_itself(cls):
    example = doctest.DocTestParser().get_doctest(
        docstring(cls), globs={}, name=cls.__name__, filename=inspect.getfile(cls), lineno=None
    )
    assert any(f"kc.{cls.__name__}(" in line.source for line in example.examples)
    assert any(line.want for line in example.examples)
    report: list[str] = []
    result = doctest.DocTestRunner().run(example, out=report.append)
    assert not result.failed, "".join(report)
