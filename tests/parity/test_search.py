"""`--search`: what it draws from, what it finds, how small it gets, what it says."""

import functools
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import keras
import pytest
from hypothesis import find, given, settings

from keras_convkit import cli, workers
from keras_convkit.parity import findings, runner, search, space, subjects
from keras_convkit.parity.inputs import parse_input
from keras_convkit.parity.worker import drawn
from tests.once import ONCE, QUICKEST

# What UpSampling2D of keras.layers takes, which it tells only when it is called.
BUILT_IN_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")

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


@ONCE
@pytest.mark.parametrize(
    "name", ["Conv1D", "Conv2D", "DepthwiseConv2D", "Conv2DTranspose", "UpSampling2D"]
)
def test_configs_of_built_in_classes_are_ones_that_they_take(name):
    @settings(max_examples=50)
    @given(space.examples(subject(f"keras.layers:{name}"), {}))
    def check(example):
        layer = getattr(keras.layers, name)(**example.config)
        (x,) = example.inputs
        assert len(x.shape) == int(re.search(r"\d", name)[0]) + 2
        assert getattr(layer, "interpolation", "nearest") in BUILT_IN_INTERPOLATIONS
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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["keras.layers:Dense", "--space", '{"unit": [1, 8]}'],
            "--space: keras.layers:Dense has no argument 'unit'. Did you mean 'units'? "
            'Received: {"unit": [1, 8]}',
        ),
        (
            ["keras.layers:Dense", "--config", '{"zzz": 1}', "--space", "{}"],
            "--config: keras.layers:Dense has no argument 'zzz'. It has units, activation",
        ),
        (
            ["keras.layers:Dense", "--config", '{"units": 1}', "--space", '{"units": 2}'],
            "the argument 'units' stands in --config and in --space",
        ),
        (
            ["keras.layers:Dense", "--space", '{"units": []}'],
            "--space: the argument 'units' has no values. Received: []",
        ),
        (
            ["keras.layers:Dense", "--space", '{"units": [1, NaN]}'],
            "--space: the argument 'units' must have finite values. Received: [1, NaN]",
        ),
        (["keras.layers:Dense", "--dtypes", "float16"], "--dtypes is not for --search"),
        (["keras.layers:Dense", "--resume", "here"], "--resume is not for --search"),
        (["keras.layers:Conv2D"], "--input is not for --search of keras.layers:Conv2D"),
        (["keras.layers:Dense", "keras.layers:Dense"], "--search takes one target"),
    ],
)
def test_what_a_search_is_not_told_in_vain(options, message, capsys):
    assert cli.main(["parity", *options, "--search", "5", "--input", "2,3"]) == 2
    assert message in capsys.readouterr().err


def test_what_may_be_is_for_searches(capsys):
    assert cli.main(["parity", "keras.layers:Dense", "--space", '{"units": 1}']) == 2
    assert "--space is for --search alone" in capsys.readouterr().err


@pytest.fixture
def pretended(monkeypatch):
    """Lets a function say what is wrong with an example on TensorFlow, or nothing."""

    def pretend(judge):
        def run(trying, example, plan, shrinking):
            told = replace(trying._subject, config=example.config, inputs=example.inputs)
            what = judge(example)
            key = (findings.DISAGREES, "tensorflow", what)
            return trying._finding(key, told, ["it is off"]) if what else None

        monkeypatch.setattr(search._Trying, "_run", run)

    return pretend


def bias_fault(cls, example):
    """Where TensorFlow adds a built-in layer's bias along the width."""
    try:
        layer = cls(**example.config)
        shape = layer.compute_output_shape(example.inputs[0].shape)
    except ValueError:
        return ""
    first = layer.data_format == "channels_first" and layer.use_bias
    return "output" if first and shape[1] == shape[3] > 1 else ""


@ONCE
@pytest.mark.parametrize("name", ["Conv2D", "SeparableConv2D"])
def test_two_numbers_that_have_to_meet_get_smaller_together(pretended, name):
    pretended(functools.partial(bias_fault, getattr(keras.layers, name)))
    found = search.search(subject(f"keras.layers:{name}"), 40)
    (finding,) = found.findings
    assert finding.subject.config == {
        "filters": 2,
        "kernel_size": 1,
        "data_format": "channels_first",
    }
    assert str(finding.subject.inputs[0]) == "1,1,1,2"
    assert finding.smallest


@ONCE
def test_the_lines_say_how_the_search_was_asked(pretended):
    pretended(lambda example: "output")
    target = subject("keras.layers:Dense", inputs=[parse_input("2,3")])
    (usual,) = search.search(target, 3).findings
    modes = {"jax": ("compiled", "eager")}
    (finding,) = search.search(target, 3, modes=modes, seed=7).findings
    assert "backends" not in usual.script and "seed" not in usual.script
    assert "backends=['jax'], all_modes=True, seed=7)" in finding.script


@ONCE
def test_each_kind_is_found_and_told_when_it_is(pretended):
    def judge(example):
        units = example.config["units"]
        return "output" if units > 5 else "input gradient" if units > 3 else ""

    pretended(judge)
    target = subject("keras.layers:Dense", inputs=[parse_input("2,3")])
    news = []
    found = search.search(target, 60, space={"units": [2, 9]}, report=news.append)
    assert found.findings == tuple(news) and found.drawn <= 60 < found.tries
    smallest = {finding.key[-1]: finding.subject.config for finding in news}
    assert smallest == {"output": {"units": 6}, "input gradient": {"units": 4}}


@ONCE
def test_smaller_ones_stay_within_what_may_be(pretended):
    pretended(lambda example: "output")
    target = subject("keras.layers:Dense", inputs=[parse_input("2,3")])
    choices = {"units": [3, 9], "use_bias": [False], "activation": ["tanh", None]}
    (finding,) = search.search(target, 20, space=choices).findings
    assert finding.subject.config == {"units": 3, "use_bias": False}


@ONCE
@pytest.mark.parametrize(("limit", "smallest"), [(4.0, False), (30.0, True)])
def test_the_time_of_a_search(pretended, monkeypatch, limit, smallest):
    """It ends on time, whether examples are new or known, with what it has found."""
    ticks = itertools.count()
    clock = SimpleNamespace(monotonic=lambda: next(ticks) / 10)
    monkeypatch.setattr(search, "time", clock)
    run = []

    def judge(example):
        run.append(clock.monotonic())
        return "output" if example.config["units"] > 4 else ""

    pretended(judge)
    target = subject("keras.layers:Dense", inputs=[parse_input("6,6")])
    found = search.search(target, 10**6, space={"units": [1, 9]}, limit=limit)
    # The clock has ticked once since the last look at it.
    assert max(run) <= limit + 0.2 and found.seconds > limit
    assert f"its time of {limit:g} s is over" in found.ended
    (finding,) = found.findings
    assert finding.smallest == smallest == ("when the time was over" not in str(finding))


def test_nothing_that_can_be_compared_is_a_failure(pretended, capsys):
    pretended(lambda example: "")
    code = cli.main(["parity", "keras.layers:Dense", "--search", "5", "--input", "2,3"])
    assert code == 1 and "nothing could be compared" in capsys.readouterr().out


HANGS = """
import sys, time
print('{"event": "ready", "versions": {}}', flush=True)
sys.stdin.readline()
time.sleep(60)
"""


@ONCE
def test_a_search_that_is_interrupted_leaves_nothing_behind(monkeypatch, capsys):
    started = []

    class Noted(subprocess.Popen):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            started.append(self)
            threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT]).start()

    monkeypatch.setattr(runner, "WORKER", (sys.executable, "-c", HANGS))
    monkeypatch.setattr(workers.subprocess, "Popen", Noted)
    # A shell's background job inherits that Ctrl-C is ignored.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    backend = ["--backends", keras.backend.backend(), "--quantities", "output"]
    try:
        search = ["parity", "keras.layers:Dense", "--search", "5", "--input", "2,3"]
        assert cli.main([*search, *backend]) == 130
    finally:
        signal.signal(signal.SIGINT, handler)
    assert "interrupted" in capsys.readouterr().err
    assert len(started) == 1 and started[0].poll() is not None


@ONCE
def test_a_disagreement_is_found_and_made_small(odd, capsys):
    code = cli.main(
        [
            *("parity", "odd_to_search:Odd", "--search", "25", "--input", "2,3,4"),
            *("--space", '{"units": [1, 8]}', "--reference", "odd_to_search:wrong"),
            *("--backends", QUICKEST, "--quantities", "output"),
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
        exec(finding["script"], script)
    assert script["result"].worst.part == "output"
    assert list(script["result"].versions) == [QUICKEST]


def test_a_weight_of_one_number_is_drawn_here_too():
    """Keras draws it at random, and only a second time tells that it did."""

    def values():
        layer = keras.layers.Dense(1)
        model = keras.Sequential([keras.Input((1,)), layer])
        again = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        return drawn.weights(model, again.get_weights, 0, "float32")

    for one, other in zip(values(), values(), strict=True):
        assert one == other
