"""Layers, models and files of other people, on one backend."""

import json
import os
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_convkit import cli
from keras_convkit.parity import subjects
from keras_convkit.parity.inputs import parse_input
from tests.once import INSTALLED, ONCE, QUICKEST

ROOT = Path(__file__).parents[2]
MINE = """
import keras
import numpy as np


class Scale(keras.layers.Layer):
    def __init__(self, factor=2.0, **options):
        super().__init__(**options)
        self.factor = factor

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1],), name="kernel")

    def call(self, x):
        return {"scaled": x * self.kernel * self.factor, "sum": keras.ops.sum(x, axis=-1)}

    def get_config(self):
        return super().get_config() | {"factor": self.factor}


class Forgetful(Scale):
    def get_config(self):
        return super().get_config() | {"factor": 7.0}


def right(x, weights, config):
    return {"scaled": x * weights[0] * config["factor"], "sum": x.sum(-1)}


def minus(x, weights, config):
    a, b = x.values()
    assert np.abs(a - b).min() > 1e-3
    return a - b


def wrong(x, weights, config):
    answer = right(x, weights, config)
    answer["scaled"][1, 2] += 0.01
    return answer


def build():
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    return keras.Model([a, b], keras.layers.Dense(3)(keras.layers.Add()([a, b])))


def hungry():
    np.ones(2**33)


class Idle(keras.layers.Dropout):
    pass


class Drawing(keras.layers.Layer):
    def call(self, x):
        return x + keras.random.normal(keras.ops.shape(x))


class Partly(keras.layers.Layer):
    def call(self, x):
        return keras.ops.where(x > 0.0, x, float("nan"))


class Wrong(keras.layers.Activation):
    def compute_output_spec(self, x):
        return keras.KerasTensor((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)


def nested():
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    dense = keras.layers.Dense(3)
    return keras.Model({"b": b, "a": [a]}, {"sum": dense(a) + dense(b), "parts": [dense(a), [b]]})


def stateful():
    x = keras.Input(batch_shape=(2, 6, 5))
    return keras.Model(x, keras.layers.GRU(4, stateful=True)(x))


def whole():
    x = keras.Input((4,))
    return keras.Model(x, keras.ops.mean(keras.layers.Dense(2)(x)))
"""


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(MINE)
    path = filter(None, [str(tmp_path), str(ROOT), os.environ.get("PYTHONPATH")])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments, backend=QUICKEST):
        options = ["--backends", backend, "--json", "out.json"]
        code = cli.main(["parity", *arguments, *options])
        return code, json.loads(Path("out.json").read_text())["cells"], capsys.readouterr().out

    return run


@ONCE
def test_a_layer_with_a_reference_a_wrong_one_and_a_config_that_lies(run):
    Path("list.json").write_text(
        json.dumps(
            [
                {"target": f"mine:{layer}", "config": {"factor": 3.0}, "inputs": ["2,5,4"]}
                | {"reference": f"mine:{reference}", "name": f"{layer} {reference}"}
                for layer, reference in (
                    ("Scale", "right"), ("Scale", "wrong"), ("Forgetful", "right"),
                )
            ]
            + [{"target": "mine:hungry"}, {"target": "mine:build", "inputs": ["b=3,4", "a=3,4"]}]
        )
    )  # fmt: skip
    code, cells, texts = run("list.json", "--memory", "8")
    assert code == 1
    disagreeing = {(c["subject"], c["quantity"]) for c in cells if c["verdict"] == "disagrees"}
    # What a file is made of is the config, too.
    assert disagreeing == {
        ("Scale wrong", "output"),
        ("Forgetful right", "config"),
        ("Forgetful right", "file"),
    }
    agreeing = {(c["subject"], c["quantity"]) for c in cells if c["verdict"] == "agrees"}
    for quantity in ("output", "symbolic shape", "config", "file"):
        assert ("Scale right", quantity) in agreeing
    assert {s for s, _ in agreeing} == {"Scale right", "Scale wrong", "Forgetful right", "build"}
    assert "first at [1, 2, 0]: " in texts and "Forgetful right, config" in texts
    # Memory runs out in one subject, and the one behind it is run.
    failed = {c["reason"] for c in cells if c["subject"] == "hungry"}
    assert failed and all("MemoryError" in reason or "killed" in reason for reason in failed)


@ONCE
def test_awkward_subjects_are_compared_or_refused_with_a_reason(run):
    entries = [
        {"target": "keras.layers:Subtract", "inputs": ["3,4", "3,4"], "reference": "mine:minus"},
        {"target": "mine:Idle", "config": {"rate": 0.0}, "inputs": ["3,4"]},
        {"target": "mine:Idle", "config": {"rate": 0.5}, "inputs": ["3,4"], "name": "busy"},
        {"target": "mine:Drawing", "inputs": ["3,4"]},
        {"target": "mine:Partly", "inputs": ["3,4"]},
        {"target": "mine:Wrong", "config": {"activation": "relu"}, "inputs": ["3,4"]},
        {"target": "mine:nested"},
        {"target": "mine:stateful"},
        {"target": "mine:whole"},
        {"target": "keras.layers:Dense", "config": {"units": 2}, "inputs": ["places=3,4"]},
    ]
    entries[-1]["name"] = "misnamed"
    Path("list.json").write_text(json.dumps(entries))
    quantities = "output,input gradient,training step,training output,symbolic shape,config,file"
    # JAX lets no layer draw without a seed while it traces.
    code, cells, _ = run("list.json", "--quantities", quantities, backend=INSTALLED[-1])
    assert code == 1
    verdicts = {(c["subject"], c["quantity"]): (c["verdict"], c["reason"]) for c in cells}
    # Two inputs that are written alike are different numbers, as the reference expects.
    for name in ("Subtract", "Idle", "Partly", "nested"):
        told = {verdict for (subject, _), verdict in verdicts.items() if subject == name}
        assert told == {("agrees", "")}, name
    assert ("Idle", "file") in verdicts and ("nested", "file") in verdicts
    agrees = ("agrees", "")
    assert verdicts["busy", "file"] == verdicts["stateful", "file"] == agrees
    assert verdicts["stateful", "config"] == verdicts["whole", "file"] == agrees
    twice = ("not possible", "called twice with the same, it gives two different outputs")
    assert verdicts["Drawing", "file"] == verdicts["Drawing", "config"] == twice
    wrong = verdicts["Wrong", "symbolic shape"]
    assert wrong == ("disagrees", "symbolic shape (None, 8) against (3, 4)")
    unknown = "its call has no argument places; it has inputs"
    assert unknown in verdicts["misnamed", "file"][1]


@ONCE
def test_a_model_file_is_loaded_safely_unless_told_otherwise(run, tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x * 2.0)])
    model.save(tmp_path / "lambda.keras")
    np.save(tmp_path / "x.npy", np.ones((2, 4)))
    arguments = ["lambda.keras", "--input", "x.npy", "--quantities", "output,symbolic shape"]
    code, cells, texts = run(*arguments)
    assert code == 1 and "Lambda" in texts
    assert {c["verdict"] for c in cells} == {"failed"}
    code, cells, _ = run(*arguments, "--unsafe")
    assert code == 0 and {c["verdict"] for c in cells} == {"agrees"}


@pytest.mark.parametrize(
    ("text", "shape", "dtype"),
    [("2,3", (2, 3), "float32"), ("ids=2,3:int<5", (2, 3), "int32"), ("4:bool", (4,), "bool")],
)
def test_inputs(text, shape, dtype):
    given = parse_input(text)
    ((name, array),) = given.load(0).items()
    assert (array.shape, array.dtype, str(given)) == (shape, dtype, text)
    assert name == given.name == text.partition("=")[0] * ("=" in text)
    np.testing.assert_array_equal(array, given.load(0)[name])


@pytest.mark.parametrize("target", ["cat", "no/such.keras", "a b:c"])
def test_what_is_no_subject_is_refused(target):
    with pytest.raises(subjects.SubjectError):
        subjects.parse(target)
    assert cli.main(["parity", target]) == 2


@pytest.mark.parametrize("text", ["cat", "x.npy", "2,3:cat", "a-b=2"])
def test_what_is_no_input_is_refused(text):
    with pytest.raises(ValueError, match=text):
        parse_input(text)
