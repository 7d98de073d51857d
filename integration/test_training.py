"""Whole models trained for a few steps."""

import keras
import numpy as np
import pytest

import keras_convkit
from integration.models import RANKS, ZOO, images, outputs_of, plain, randomize

STEPS = 6


def loss_curve(model, x, targets, rate=0.05):
    """The loss before each of a few steps of plain gradient descent on one batch."""
    model.compile(optimizer=keras.optimizers.SGD(rate), loss="mse")
    history = model.fit(x, targets, batch_size=len(x), epochs=STEPS, shuffle=False, verbose=0)
    return np.array(history.history["loss"])


def targets_of(model, x):
    """What a model of the same shape but other weights answers: something that can be learnt."""
    weights = model.get_weights()
    targets = outputs_of(randomize(model, seed=5), x)
    model.set_weights(weights)
    return targets if len(targets) > 1 else targets[0]


# Every rank trains in the tests below, and every family in `layer_duties/test_fit_and_predict.py`.
@pytest.mark.parametrize(
    ("kind", "rank"), [("functional", 3), ("sequential", 2), ("nested", 1), ("subclassed", 1)]
)
def test_the_loss_falls(kind, rank):
    model, x = randomize(ZOO[kind](rank)), images(rank)
    # A small step: random weights of several layers in a row make steep losses.
    curve = loss_curve(model, x, targets_of(model, x), rate=1e-3)
    assert np.isfinite(curve).all()
    assert (np.diff(curve) < 0).all(), curve


@pytest.mark.parametrize("rank", RANKS)
def test_the_loss_curve_is_that_of_built_in_layers(rank):
    mine, theirs = (randomize(plain(rank, package)) for package in (keras_convkit, keras.layers))
    x = images(rank)
    targets = targets_of(theirs, x)
    wanted = loss_curve(theirs, x, targets)
    assert wanted[-1] < wanted[0]
    np.testing.assert_allclose(loss_curve(mine, x, targets), wanted, rtol=1e-4)
    for trained, peer in zip(mine.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(trained, peer, rtol=0, atol=1e-4 * np.abs(peer).max())


@pytest.mark.parametrize("rank", RANKS)
def test_channels_first_trains_as_channels_last(rank):
    """On a CPU too, where TensorFlow itself doesn't."""
    curves = []
    for data_format in ("channels_last", "channels_first"):
        model = randomize(plain(rank, data_format=data_format))
        x = images(rank, data_format=data_format)
        targets = targets_of(model, x)
        curves.append(loss_curve(model, x, targets))
    last, first = curves
    assert first[-1] < first[0]
    np.testing.assert_allclose(first, last, rtol=1e-4)
