"""Every way in which Keras runs a model."""

import keras
import numpy as np
import pytest

from keras_convkit.parity import reference
from tests.layer_duties.examples import CHANNELS, LENGTHS, RANKS, assert_close, weights_of
from tests.layer_duties.one_of_each import assert_branches_are_right, channels_last, one_of_each

MODES = {
    "eagerly": {"run_eagerly": True},
    "compiled": {"jit_compile": False},
    "xla": {"jit_compile": True},
}
# Every rank in the mode in which Keras runs a model by itself; the others in one rank each.
BY_ITSELF = {"tensorflow": "compiled", "jax": "xla", "torch": "compiled"}
RANK_OF_OTHERS = {"eagerly": 1, "compiled": 1, "xla": 2}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("rank", RANKS)
def test_fit_and_predict(rank, mode):
    """One step of gradient descent on all branches is the step that the reference takes."""
    if mode == "xla" and keras.backend.backend() == "torch":
        pytest.skip("torch has no XLA: there jit_compile=True asks for torch.compile")
    if mode != BY_ITSELF[keras.backend.backend()] and rank != RANK_OF_OTHERS[mode]:
        return
    model = one_of_each(rank, LENGTHS[rank])
    x = np.random.default_rng(1).normal(size=(3, *LENGTHS[rank], CHANNELS)).astype("float32")
    model.compile(optimizer=keras.optimizers.SGD(1.0), loss="mse", **MODES[mode])
    before = model.predict(x, verbose=0)
    assert_branches_are_right(before, model, x)
    rng = np.random.default_rng(3)
    targets = {name: rng.normal(size=y.shape).astype("float32") for name, y in before.items()}
    steps = {}
    for name, y in before.items():
        weights = weights_of(model.get_layer(name))
        cotangent = 2.0 * (y.astype("float64") - targets[name]) / y.size
        _, gradients = reference.layer_vjp(name, channels_last(name), weights, x, cotangent)
        steps[name] = list(zip(weights, gradients, strict=True))
    model.fit(x, targets, batch_size=len(x), epochs=1, verbose=0)
    for name, of_branch in steps.items():
        after = weights_of(model.get_layer(name))
        for new, (old, gradient) in zip(after, of_branch, strict=True):
            assert_close(old.astype("float64") - new, gradient, 1e-4)
    assert_branches_are_right(model.predict(x, verbose=0), model, x)
