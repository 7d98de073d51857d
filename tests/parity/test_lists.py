"""The lists of `docs/parity-layers.md`: what they name exists, and nothing of ours is left out."""

from collections import Counter
from pathlib import Path

import keras
import pytest

import keras_convkit
from keras_convkit.parity import subjects
from keras_convkit.parity.worker import build

LISTS = Path(__file__).parents[2] / "integration" / "parity"


def read(name):
    return subjects.read_list(LISTS / f"{name}.json")


@pytest.mark.parametrize("name", ["families", "other_layers"])
def test_every_entry_can_be_made(name):
    found = read(name)
    assert not [subject.name for subject in found if subject.name.endswith(")")], "same name twice"
    assert all(subject.inputs for subject in found)
    for subject in found:
        # These import TensorFlow under every backend, for many seconds.
        if not subject.class_name.startswith(("Hash", "IntegerLookup")):
            assert isinstance(build.make(subject.for_worker()), keras.Layer)


def test_the_families_are_complete_and_judged():
    found = read("families")
    assert all(subject.reference == "auto" for subject in found)
    named = Counter(subject.target for subject in found)
    ours = {name for name in keras_convkit.layers.__all__ if subjects.FAMILIES.fullmatch(name)}
    built_in = {name for name in dir(keras.layers) if subjects.FAMILIES.fullmatch(name)}
    expected = {f"keras_convkit.layers:{name}" for name in ours}
    expected |= {f"keras.layers:{name}" for name in built_in}
    assert len(ours) == 24 and named.keys() == expected


def test_the_other_layers_are_others():
    targets = {subject.target for subject in read("other_layers")}
    assert len(targets) > 30
    assert not [t for t in targets if subjects.FAMILIES.fullmatch(t.partition(":")[2])]
