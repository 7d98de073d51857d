"""Outcomes of runs with workers that play the part, for all that reports them."""

import dataclasses

import pytest

from keras_convkit.parity import runner, subjects
from keras_convkit.parity.outcome import run_parity
from keras_convkit.parity.quantities import OF_EMBEDDED, load
from tests.parity.outcomes import fake_worker

NAMES = ("eeg", "eeg-extended")


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


@pytest.fixture
def wrong(outcome, monkeypatch):
    """One number of each output is off, and another one is none."""

    def perturbed(path):
        results = load(path)
        output = results["output"]["output"]
        output.flat[5] += 0.5
        output.flat[-1] = float("nan")
        return results

    monkeypatch.setattr("keras_convkit.parity.quantities.load", perturbed)
    return outcome({})
