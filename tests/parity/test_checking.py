"""`parity.check`: a run from Python, the targets it takes, and what it says of a disagreement."""

import ast
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_convkit
from keras_convkit import parity
from keras_convkit.parity import handover, quantities, runner
from keras_convkit.workers import BACKENDS
from tests.once import ONCE, QUICKEST
from tests.parity.outcomes import fake_worker
from tests.parity.test_subjects import MINE

pytestmark = ONCE


@pytest.fixture
def fake(monkeypatch, tmp_path):
    """Workers that play the part: their answers for one of the package's models are perfect."""
    monkeypatch.setattr(runner, "is_installed", lambda backend: True)

    def fake(**behaviour):
        monkeypatch.setattr(runner, "WORKER", fake_worker(tmp_path, behaviour, "eeg"))

    fake()
    return fake


@pytest.fixture
def mine(monkeypatch, tmp_path):
    (tmp_path / "mine_to_check.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path)
    yield __import__("mine_to_check")
    del sys.modules["mine_to_check"]


def test_what_agrees(fake):
    result = parity.check("eeg", quantities=quantities.OF_EMBEDDED)
    assert isinstance(result, parity.Result)
    assert result.agrees and len(result.rows) == 40 and list(result.versions) == [*BACKENDS]
    assert result.worst.error <= result.worst.bound
    assert "40 agrees" in str(result)
    result.assert_ok()


def test_a_disagreement_shows_where_and_both_values(fake, monkeypatch):
    load = quantities.load

    def perturbed(path):
        results = load(path)
        results["output"]["output"].flat[5] += 0.5
        return results

    monkeypatch.setattr(quantities, "load", perturbed)
    result = parity.check("eeg", quantities=quantities.OF_EMBEDDED)
    assert not result.agrees and result.worst.quantity == "output"
    spot = result.worst.first
    assert spot.index == (0, 0, 5) and spot.left == pytest.approx(spot.right + 0.5)
    with pytest.raises(AssertionError) as caught:
        result.assert_ok()
    text = str(caught.value)
    assert f"first at [0, 0, 5]: {spot.left:.9g} against {spot.right:.9g}" in text
    # Each of the modes is named.
    assert text.count("disagrees: eeg, output, ") == 4 and "torch eager vs reference" in text


def test_each_failed_comparison_has_its_reason(fake):
    fake(torch="raises")
    result = parity.check("eeg", backends=["jax", "torch"], quantities=["output"])
    failed = [row for row in result.rows if row.verdict == "failed"]
    assert failed and result.worst in failed
    with pytest.raises(AssertionError) as caught:
        result.assert_ok()
    for row in failed:
        assert f"failed: eeg, output, {row.column}: {row.reason}" in str(caught.value)
    assert "ValueError: no" in str(caught.value)


def test_a_backend_that_is_asked_for_has_to_be_there(fake, monkeypatch):
    monkeypatch.setattr(runner, "is_installed", lambda backend: backend != "jax")
    assert parity.check("eeg", quantities=["output"]).agrees
    result = parity.check("eeg", backends=["jax", "torch"], quantities=["output"])
    with pytest.raises(AssertionError, match="jax is required: not installed"):
        result.assert_ok()


def test_a_layer_as_an_object_with_a_wrong_reference(mine):
    result = parity.check(
        mine.Scale(3.0, name="it"),
        inputs=np.ones((2, 5, 4)),
        reference=mine.wrong,
        backends=[QUICKEST],
        quantities=["output", "symbolic shape"],
    )
    assert {row.quantity: row.verdict for row in result.rows} == {
        "output": "disagrees", "symbolic shape": "agrees",
    }  # fmt: skip
    with pytest.raises(AssertionError, match=r"first at \[1, 2, 0\]: \S+ against \S+ \("):
        result.assert_ok()


@pytest.mark.parametrize(
    ("thing", "target"),
    [
        (keras.layers.Conv2D, "keras.layers:Conv2D"),
        (keras_convkit.Conv2D, "keras_convkit:Conv2D"),
        (fake_worker, "tests.parity.outcomes:fake_worker"),
    ],
)
def test_targets_have_the_names_that_users_import(thing, target):
    assert handover.target_of(thing) == target


def test_what_no_other_process_can_import_is_refused(mine, monkeypatch):
    class Local(keras.layers.Layer):
        pass

    with pytest.raises(ValueError, match=r"Local is defined inside a function"):
        parity.check(Local())
    replaced = mine.Scale
    monkeypatch.setattr(mine, "Scale", mine.Forgetful)
    with pytest.raises(ValueError, match=r"is not the Scale that was given"):
        parity.check(replaced, inputs=(2, 3))
    monkeypatch.setattr(replaced, "__module__", "__main__")
    with pytest.raises(ValueError, match=r"Scale is defined in the script .* module of its own"):
        parity.check(replaced, inputs=(2, 3))


def test_the_config_of_a_layer_leaves_out_what_a_worker_chooses():
    layer = keras.layers.Dense(3, activation="relu", name="mine", dtype="float16")
    config = handover.plain(handover.config_of(layer))
    assert config["units"] == 3 and config["activation"] == "relu" and "name" not in config
    assert config["dtype"]["config"] == {"name": "float16"}
    assert not {"dtype", "trainable"} & handover.config_of(keras.layers.Dense(3)).keys()
    frozen = keras.layers.Dense(3, trainable=False)
    assert handover.config_of(frozen)["trainable"] is False


def test_a_config_is_written_as_keras_does():
    config = {"layer": keras.layers.Dense(2), "sizes": (1, np.int64(2)), "name": None}
    plain = handover.plain(config)
    assert plain["sizes"] == [1, 2] and plain["name"] is None
    assert keras.saving.deserialize_keras_object(plain["layer"]).units == 2
    with pytest.raises(TypeError, match=r"config\['a'\]\[0\] must be"):
        handover.plain({"a": [object()]})


@pytest.mark.parametrize(
    ("given", "texts"),
    [
        (None, []),
        ((2, 3), ["2,3"]),
        ([(2, 3), "4:bool"], ["2,3", "4:bool"]),
        ({"ids": "2,3:int<5", "x": [2, 4]}, ["ids=2,3:int<5", "x=2,4"]),
        (np.zeros((2, 1)), ["array of 2x1 float64"]),
        ({"x": np.zeros(3, "int32")}, ["x=array of 3 int32"]),
    ],
)
def test_inputs(given, texts):
    assert [str(each) for each in handover.inputs_of(given)] == texts


@pytest.mark.parametrize(
    "options", [{"backends": "jax"}, {"backends": ["numpy"]}, {"dtypes": ["int3"]}]
)
def test_what_is_no_option_is_refused(options):
    with pytest.raises(ValueError, match="must be a list out of"):
        parity.check("eeg", **options)


def test_importing_the_package_is_cheap():
    """It imports nothing until it is asked for what it has."""
    source = ast.parse(Path(parity.__file__).read_text())
    imports = [node for node in source.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert [ast.unparse(node) for node in imports] == ["from typing import Any"]
    with pytest.raises(AttributeError, match="no attribute 'cheek'"):
        parity.cheek  # noqa: B018  (reading it is what is tested)
