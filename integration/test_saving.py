"""Round trips of whole models on one backend, and copies by `clone_model`."""

import keras
import numpy as np
import pytest

import keras_convkit
from integration.models import (
    OF_LAYERS_ALONE,
    RANKS,
    ZOO,
    assert_same,
    images,
    outputs_of,
    plain,
    plain_layers,
    randomize,
)

# The same computation in the same process, but compiled anew: only rounding may differ.
TOLERANCE = 1e-6

every_rank = pytest.mark.parametrize("rank", RANKS)
every_model = pytest.mark.parametrize("kind", ZOO)
of_layers_alone = pytest.mark.parametrize("kind", OF_LAYERS_ALONE)


@pytest.fixture(scope="module")
def originals():
    return {}


@pytest.fixture
def original(kind, rank, originals):
    """A model of the zoo, an input, and what it answers: made once, since no test may change it."""
    if (kind, rank) not in originals:
        model, x = randomize(ZOO[kind](rank)), images(rank)
        originals[kind, rank] = model, x, outputs_of(model, x)
    return originals[kind, rank]


@every_rank
@every_model
def test_round_trips(kind, rank, original, tmp_path):
    model, x, wanted = original
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded) is type(model)
    assert_same(outputs_of(loaded, x), wanted, TOLERANCE)

    model.save_weights(tmp_path / "model.weights.h5")
    randomize(loaded, seed=9).load_weights(tmp_path / "model.weights.h5")
    for mine, saved in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, saved)
    assert_same(outputs_of(loaded, x), wanted, TOLERANCE)


@every_rank
@of_layers_alone
def test_json_and_weights(kind, rank, original, tmp_path):
    model, x, wanted = original
    model.save_weights(tmp_path / "model.weights.h5")
    loaded = keras.models.model_from_json(model.to_json())
    assert [type(layer) for layer in loaded.layers] == [type(layer) for layer in model.layers]
    loaded.load_weights(tmp_path / "model.weights.h5")
    assert_same(outputs_of(loaded, x), wanted, TOLERANCE)


@every_rank
@of_layers_alone
def test_clone_model(kind, rank, original):
    model, x, wanted = original
    clone = keras.models.clone_model(model)
    assert [(w.name, w.shape) for w in clone.weights] == [(w.name, w.shape) for w in model.weights]
    clone.set_weights(model.get_weights())
    assert_same(outputs_of(clone, x), wanted, TOLERANCE)
    randomize(clone, seed=9)
    assert_same(outputs_of(model, x), wanted, TOLERANCE)  # weights of its own


@every_rank
@pytest.mark.parametrize("to_ours", [True, False], ids=["to_ours", "to_built_in"])
def test_clone_model_exchanges_the_packages(rank, to_ours):
    """A user's migration in one call: each layer from its peer's config."""
    packages = [keras.layers, keras_convkit]
    before, after = packages if to_ours else reversed(packages)
    model = randomize(plain(rank, before))
    clone = keras.models.clone_model(
        model,
        clone_function=lambda it: getattr(after, type(it).__name__).from_config(it.get_config()),
    )
    clone.set_weights(model.get_weights())
    assert all(isinstance(it, getattr(after, type(it).__name__)) for it in clone.layers)
    x = images(rank)
    assert_same(outputs_of(clone, x), outputs_of(model, x), 1e-5)


@every_rank
@pytest.mark.parametrize("to_ours", [True, False], ids=["to_ours", "to_built_in"])
def test_weights_move_between_built_in_layers_and_ours(rank, to_ours, tmp_path):
    packages = [keras.layers, keras_convkit]
    before, after = packages if to_ours else reversed(packages)
    x = images(rank)
    giver = randomize(plain(rank, before))
    wanted = outputs_of(giver, x)

    by_value = plain(rank, after)
    by_value.set_weights(giver.get_weights())
    assert_same(outputs_of(by_value, x), wanted, 1e-5)

    by_file = randomize(plain(rank, after), seed=9)
    giver.save_weights(tmp_path / "giver.weights.h5")
    by_file.load_weights(tmp_path / "giver.weights.h5")
    assert_same(outputs_of(by_file, x), wanted, 1e-5)


@every_rank
@pytest.mark.parametrize("to_ours", [True, False], ids=["to_ours", "to_built_in"])
def test_weights_move_between_subclassed_models(rank, to_ours, tmp_path):
    """There the file is laid out by attributes, and layers are found by their class's name."""

    class Chain(keras.Model):
        def __init__(self, package):
            super().__init__()
            self.chain = plain_layers(rank, package)

        def call(self, x):
            for layer in self.chain:
                x = layer(x)
            return x

    packages = [keras.layers, keras_convkit]
    before, after = packages if to_ours else reversed(packages)
    x = images(rank)
    giver, taker = Chain(before), Chain(after)
    for model in (giver, taker):
        model(keras.KerasTensor(x.shape))
    randomize(giver).save_weights(tmp_path / "giver.weights.h5")
    taker.load_weights(tmp_path / "giver.weights.h5")
    assert_same(outputs_of(taker, x), outputs_of(giver, x), 1e-5)
