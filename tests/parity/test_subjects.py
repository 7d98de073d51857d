"""Layers, models and files of other people, on the backend of this process."""

import json
import os
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_convkit import cli
from keras_convkit.parity import subjects
from keras_convkit.parity.inputs import parse_input
from keras_convkit.workers import BACKENDS, is_installed

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


def wrong(x, weights, config):
    answer = right(x, weights, config)
    answer["scaled"][1, 2] += 0.01
    return answer


def build():
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    return keras.Model([a, b], keras.layers.Dense(3)(keras.layers.Add()([a, b])))


def hungry():
    np.ones(2**33)
"""


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(MINE)
    path = filter(None, [str(tmp_path), str(ROOT), os.environ.get("PYTHONPATH")])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments):
        options = ["--backends", keras.backend.backend(), "--json", "out.json"]
        code = cli.main(["parity", *arguments, *options])
        return code, json.loads(Path("out.json").read_text())["cells"], capsys.readouterr().out

    return run


# What a worker does with a model is tried on every backend by the main job, which CI runs.
ONCE = pytest.mark.skipif(
    keras.backend.backend() != [name for name in BACKENDS if is_installed(name)][-1],
    reason="starts workers of its own, whose backend makes no difference here",
)


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
