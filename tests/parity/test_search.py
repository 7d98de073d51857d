"""`--search`: what it draws from, what it finds, how small it gets, what it says."""

import json
from pathlib import Path

import keras
import pytest
from hypothesis import find, given, settings

from keras_convkit import cli
from keras_convkit.parity import space, subjects
from keras_convkit.parity.inputs import parse_input
from keras_convkit.parity.worker import drawn
from tests.parity.test_subjects import ONCE

ODD = """
import keras
from typing import Literal


class Odd(keras.layers.Layer):
    def __init__(self, units, scale: bool = False, mode: Literal["a", "b"] = "a", **options):
        super().__init__(**options)
        self.units, self.scale, self.mode = units, scale, mode

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], self.units), name="kernel")

    def call(self, x):
        if self.units == 7:
            raise ValueError("never seven")
        return keras.ops.matmul(x, self.kernel)


def wrong(x, weights, config):
    return x @ weights[0] * (1.01 if config.get("scale") and config["units"] > 3 else 1.0)


def unknown(thing):
    pass
"""


@pytest.fixture
def odd(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("odd_to_search.py").write_text(ODD)


def subject(target, **options):
    return subjects.parse(target, **options)


@pytest.mark.parametrize("name", ["Conv1D", "Conv2D", "DepthwiseConv2D", "Conv2DTranspose"])
def test_configs_of_built_in_classes_are_ones_that_they_take(name):
    @settings(max_examples=30)
    @given(space.examples(subject(f"keras.layers:{name}"), {}))
    def check(example):
        layer = getattr(keras.layers, name)(**example.config)
        (x,) = example.inputs
        assert len(x.shape) == layer.rank + 2
        assert all(n > 0 for n in layer.compute_output_shape(x.shape))

    check()


def test_what_is_drawn_for_other_classes(odd):
    target = subject("odd_to_search:Odd", inputs=[parse_input("2,3,4")])
    drawn_ones = []

    @settings(max_examples=60)
    @given(space.examples(target, {"units": [2, 8]}))
    def collect(example):
        drawn_ones.append(example)

    collect()
    assert {key for each in drawn_ones for key in each.config} == {"units", "scale", "mode"}
    assert {each.config["mode"] for each in drawn_ones} == {"a", "b"}
    assert {each.config["scale"] for each in drawn_ones} == {True, False}
    units = {each.config["units"] for each in drawn_ones}
    assert min(units) >= 2 and max(units) <= 8 and len(units) > 3
    for each in drawn_ones:
        assert all(1 <= n <= m for n, m in zip(each.inputs[0].shape, (2, 3, 4), strict=True))


def test_a_dictionary_of_choices():
    target = subject("keras.layers:Dense", inputs=[parse_input("2,3")], config={"units": 5})
    strategy = space.examples(target, {"activation": ["tanh", "relu", "elu"], "use_bias": False})
    smallest = find(strategy, lambda example: example.config["activation"] == "elu")
    assert smallest.config["units"] == 5 and smallest.config["use_bias"] is False
    assert smallest.inputs[0].shape == (1, 1)


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ("eeg", {}, "a search takes a class"),
        ("keras.layers:Dense", {}, "say the largest input of keras.layers:Dense"),
        ("no_such_module:Thing", {"inputs": [parse_input("2,3")]}, "can't be imported"),
        ("odd_to_search:unknown", {"inputs": [parse_input("2,3")]}, "the argument thing may be"),
    ],
)
def test_what_cannot_be_searched(odd, target, options, message):
    with pytest.raises(subjects.SubjectError, match=message):
        space.examples(subject(target, **options), {})


@ONCE
def test_a_disagreement_is_found_and_made_small(odd, capsys):
    code = cli.main(
        [
            *("parity", "odd_to_search:Odd", "--search", "25", "--input", "2,3,4"),
            *("--space", '{"units": [1, 8]}', "--reference", "odd_to_search:wrong"),
            *("--backends", keras.backend.backend(), "--quantities", "output"),
            *("--json", "found.json"),
        ]
    )
    text = capsys.readouterr().out
    assert code == 1, text
    (finding,) = json.loads(Path("found.json").read_text())
    assert finding["kind"] == "disagrees" and finding["what"] == "output"
    # The argument that has nothing to do with it is left out.
    assert finding["config"] == {"units": 4, "scale": True} and finding["inputs"] == ["1,1,1"]
    assert finding["script"] in text and len(finding["script"].splitlines()) == 3
    script = {}
    with pytest.raises(AssertionError, match=r"first at \[0, 0, 0\]"):
        lines = finding["script"].replace("quantities=", "backends=[BACKEND], quantities=")
        exec(lines.replace("BACKEND", repr(keras.backend.backend())), script)
    assert script["result"].worst.part == "output"


def test_a_weight_of_one_number_is_drawn_here_too():
    """Keras draws it at random, and only a second time tells that it did."""

    def values():
        layer = keras.layers.Dense(1)
        model = keras.Sequential([keras.Input((1,)), layer])
        again = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        return drawn.weights(model, again.get_weights, 0, "float32")

    for one, other in zip(values(), values(), strict=True):
        assert one == other
