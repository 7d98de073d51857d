"""What is refused, how, and that nothing odd but right is refused with it."""

import ast
import inspect
import itertools
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_convkit
from tests.compiled import whole
from tests.once import INSTALLED
from tests.wrong_inputs.accepted import ACCEPTED
from tests.wrong_inputs.constructor import REFUSED_ARGUMENTS
from tests.wrong_inputs.families import MINIMAL, WITH_WEIGHTS, WORDS, classes, image
from tests.wrong_inputs.signatures import SIGNATURES, other_values
from tests.wrong_inputs.verdicts import (
    NAME,
    REFUSED_WAYS,
    array,
    give,
    make,
    raised,
    symbol,
    verdicts,
)

ROOT = Path(__file__).resolve().parents[1]


def said_of(message, word):
    return len(by_itself(word).findall(message))


def by_itself(word):
    """Find a word, but not within another: `linear` does not stand in `bilinear`."""
    return re.compile(rf"(?<!\w){re.escape(word)}(?!\w)")


def assert_offers(message, argument, closest, received):
    """The closest word is named beyond the list of all that are allowed."""
    message = by_itself(received).sub("", message)
    others = [said_of(message, word) for word in WORDS[argument] if word != closest]
    assert said_of(message, closest) > max(others), message


@pytest.mark.parametrize("case", REFUSED_ARGUMENTS, ids=lambda case: case.id)
def test_wrong_argument_is_refused(case):
    error = raised(lambda: make(case))
    assert type(error) is case.error, repr(error)
    message = str(error)
    assert said_of(message, case.layer), message
    if case.by_keras:
        assert said_of(message, case.argument), message
        return
    assert f"`{case.argument}`" in message
    _, stands, received = message.partition("Received:")
    assert stands, message
    assert case.received in received
    if case.closest is not None:
        assert_offers(message, case.argument, case.closest, case.received)


@pytest.mark.parametrize(
    ("case", "way"), REFUSED_WAYS, ids=[f"{case.id} by {way}" for case, way in REFUSED_WAYS]
)
def test_wrong_input_is_refused(case, way):
    layer = make(case)
    error = raised(lambda: give(layer, case, way))
    assert type(error) is ValueError, repr(error)
    message = str(error)
    assert said_of(message, case.layer) or said_of(message, NAME), message
    if case.argument is not None:
        assert f"`{case.argument}`" in message
    _, stands, received = message.partition("Received:")
    assert stands, message
    assert case.expected_after_received in received


def unknown_lengths(case, layer):
    """The input's shape with nothing known but its channels."""
    shape = [None] * len(case.shape)
    rank = int(re.search(r"(\d)D", case.layer).group(1))
    first = getattr(layer, "data_format", "channels_last") == "channels_first"
    axis = -rank - 1 if first else -1
    shape[axis] = case.shape[axis]
    return tuple(shape)


# JAX says that it makes 32 bits of 64, Keras that it would have an `Input` for `input_shape`.
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype", "ignore:Do not pass an")
@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case.id)
def test_odd_input_is_accepted(case):
    layer, given = make(case), array(case.shape, case.dtype)
    promised = layer.compute_output_shape(case.shape)
    unknown = keras.Input(batch_shape=unknown_lengths(case, layer), dtype=case.dtype)
    vague = layer(unknown)
    model = keras.Model(unknown, vague)
    # JAX compiles what a layer does twice where a model does it too: there they take turns.
    both = keras.backend.backend() != "jax" or ACCEPTED.index(case) % 8 == 0
    modelled, output = whole(lambda: (model(given), layer(given) if both else None))()
    output = output if both else modelled
    shape = tuple(output.shape)
    assert shape == tuple(promised)
    assert case.gives is None or shape == case.gives
    values = keras.ops.convert_to_numpy(keras.ops.cast(output, "float32"))
    assert np.isfinite(values).all()

    foretold = make(case)(symbol(case.shape, case.dtype))
    assert tuple(foretold.shape) == shape
    dtype = keras.backend.standardize_dtype(output.dtype)
    # Unless told otherwise, JAX makes float32 of float64.
    assert dtype in (foretold.dtype, foretold.dtype.replace("float64", "float32"))
    assert dtype == foretold.dtype or keras.backend.backend() == "jax"

    assert len(vague.shape) == len(shape)
    assert all(n in (None, known) for n, known in zip(vague.shape, shape, strict=True))
    assert tuple(modelled.shape) == shape
    modelled = keras.ops.convert_to_numpy(keras.ops.cast(modelled, "float32"))
    np.testing.assert_allclose(modelled, values, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("dtype", ("int32", "uint8", "bool"))
@pytest.mark.parametrize("layer", [name for _, _, name in classes(WITH_WEIGHTS)])
def test_whole_numbers_become_the_compute_dtype(layer, dtype):
    layer = getattr(keras_convkit, layer)(**MINIMAL[layer], dtype="float16")
    shape = image(len(layer.kernel_size), 3)
    layer.build(shape)
    output = whole(layer)(array(shape, dtype))
    assert keras.backend.standardize_dtype(output.dtype) == "float16"


def parameters(layer):
    """`(name, default)` of the arguments that may be given by position."""
    given = inspect.signature(getattr(keras_convkit, layer).__init__).parameters.values()
    positional = [p for p in given if p.kind is p.POSITIONAL_OR_KEYWORD][1:]
    return [(p.name, p.default) for p in positional]


def asked_for(layer):
    """The same of the contract's signature."""
    split = (argument.partition("=") for argument in SIGNATURES[layer].split())
    return [
        (name, ast.literal_eval(default) if equals else inspect.Parameter.empty)
        for name, equals, default in split
    ]


@pytest.mark.parametrize("layer", SIGNATURES)
def test_signature_is_the_one_asked_for(layer):
    asked = asked_for(layer)
    assert parameters(layer)[: len(asked)] == asked


@pytest.mark.parametrize("layer", SIGNATURES)
def test_positional_arguments_mean_what_their_names_say(layer):
    constructor = getattr(keras_convkit, layer)
    values = other_values(layer)
    by_position = constructor(*values.values(), name=NAME).get_config()
    assert by_position == constructor(**values, name=NAME).get_config()


def test_every_class_has_rows_and_every_row_its_own_id():
    refused = Counter(case.layer for case in REFUSED_ARGUMENTS)
    called = Counter(case.layer for case, _ in REFUSED_WAYS)
    taken = Counter(case.layer for case in ACCEPTED)
    for _, _, layer in classes():
        assert refused[layer] and called[layer] and taken[layer]
    ids = [case.id for case in (*REFUSED_ARGUMENTS, *ACCEPTED)]
    ids += [f"{case.id} by {way}" for case, way in REFUSED_WAYS]
    assert max(Counter(ids).values()) == 1


def next_backend():
    """The next of the installed backends, none for the last.

    Every process compares itself with its neighbour, so that all are compared when the suite has
    run on each, and none does what another has done.
    """
    return dict(itertools.pairwise(INSTALLED)).get(keras.backend.backend())


def test_verdicts_and_messages_are_those_of_the_next_backend(tmp_path):
    there, out = next_backend(), tmp_path / "verdicts.json"
    if there is None:
        pytest.skip("compared by the process of the backend before it, if there is one")
    subprocess.run(
        [sys.executable, "-m", "tests.wrong_inputs", str(out)],
        cwd=ROOT,
        env=os.environ | {"KERAS_BACKEND": there},
        check=True,
        timeout=300,
    )
    theirs, ours = json.loads(out.read_text()), verdicts()
    assert theirs.keys() == ours.keys()
    differing = [
        f"{id}\n  here:  {ours[id]}\n  {there}: {theirs[id]}"
        for id in ours
        if ours[id] != theirs[id]
    ]
    assert not differing, f"{len(differing)} of {len(ours)}:\n" + "\n".join(differing[:20])
