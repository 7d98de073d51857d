"""Copies, calls from several threads, calls without state."""

import copy
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest

from keras_convkit.parity import reference
from keras_convkit.parity.differentiation import to_numpy
from tests.layer_duties.examples import (
    CHANNELS,
    CLASSES,
    LENGTHS,
    RANKS,
    SIZES,
    assert_close,
    built,
    each_family,
    expected,
    in_one_rank,
    ours,
    random_input,
    randomize,
    weights_of,
)
from tests.layer_duties.one_of_each import assert_branches_are_right, channels_last, one_of_each

COPIES = {"pickle": lambda it: pickle.loads(pickle.dumps(it)), "deepcopy": copy.deepcopy}


@in_one_rank
@pytest.mark.parametrize("way", COPIES)
def test_copies_of_layers(name, arguments, way):
    unbuilt = COPIES[way](ours(name)(**arguments, name="layer"))
    assert not unbuilt.built
    assert unbuilt.get_config() == ours(name)(**arguments, name="layer").get_config()
    layer = built(name, arguments)
    copied = COPIES[way](layer)
    assert type(copied) is ours(name)
    x = random_input(name, arguments)
    wanted = expected(name, arguments, layer, x)
    assert_close(copied(x), wanted)
    randomize(copied, seed=7)
    assert_close(layer(x), wanted)  # the copy has weights of its own


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("way", COPIES)
def test_copies_of_models(rank, way):
    model = one_of_each(rank, LENGTHS[rank])
    x = np.random.default_rng(1).normal(size=(2, *LENGTHS[rank], CHANNELS)).astype("float32")
    assert_branches_are_right(COPIES[way](model)(x), model, x)


@each_family
def test_calls_from_several_threads(name):
    """One layer, called by all at once with inputs of different lengths."""
    arguments = channels_last(name)
    layer = built(name, arguments)
    inputs = [
        random_input(name, arguments, seed=i, lengths=SIZES[CLASSES[name][1]][i % 2])
        for i in range(8)
    ]
    start = threading.Barrier(len(inputs))

    def call(x):
        start.wait(timeout=60)
        return [to_numpy(layer(x)) for _ in range(3)]

    with ThreadPoolExecutor(len(inputs)) as pool:
        results = list(pool.map(call, inputs))
    for x, repeated in zip(inputs, results, strict=True):
        wanted = expected(name, arguments, layer, x)
        for y in repeated:
            assert_close(y, wanted)


@in_one_rank
def test_stateless_call(name, arguments):
    layer = built(name, arguments)
    own = weights_of(layer)
    x = random_input(name, arguments)
    rng = np.random.default_rng(6)
    others = [rng.normal(size=w.shape).astype("float32") for w in own]
    tensors = [keras.ops.convert_to_tensor(w) for w in others]
    output, state = layer.stateless_call(tensors, [], keras.ops.convert_to_tensor(x))
    assert_close(output, reference.layer(name, arguments, others, x))
    assert list(state) == []
    for before, after in zip(own, weights_of(layer), strict=True):
        np.testing.assert_array_equal(before, after)
