"""Whole models of `keras.applications`, as they are and with our layers in place."""

from __future__ import annotations

import gc
from typing import Any

import keras
import numpy as np

import keras_convkit
from keras_convkit.bench import calls, timing
from keras_convkit.bench.applications import BATCH, IMAGE, QUANTITIES
from keras_convkit.bench.measured import SIDES, compare, duration
from keras_convkit.bench.timing import Call
from keras_convkit.workers import Send

_CLASSES = 100
# Small, so that many steps on the same random images leave the numbers ordinary.
_LEARNING_RATE = 1e-4
_TOLERANCE = 1e-3
# A call of so many seconds notices nothing of what stood in the caches, and there are `ROUNDS` of
# them at least: one pair a round is enough.
_SLOW = 1.0


class Pair:
    """A model twice, with the same weights, ready to be timed."""

    def __init__(self, name: str, send: Send) -> None:
        """Builds both and makes each call once.

        Args:
            name: A class of `keras.applications`.
            send: Is given a `comparison` for each compile time.

        Raises:
            ValueError: The two don't give the same.
        """
        keras.utils.set_random_seed(0)
        constructor = getattr(keras.applications, name)
        built_in = constructor(weights=None, input_shape=IMAGE, classes=_CLASSES)
        models = dict(zip(SIDES, (built_in, with_ours(built_in)), strict=True))
        for model in models.values():
            # As users leave it: `jit_compile="auto"`, which is not XLA on TensorFlow.
            model.compile(keras.optimizers.SGD(_LEARNING_RATE), "sparse_categorical_crossentropy")
        rng = np.random.default_rng(0)
        x = rng.standard_normal((BATCH, *IMAGE), dtype="float32")
        y = rng.integers(_CLASSES, size=BATCH)
        self._calls = {
            quantity: {side: _call(model, x, y, quantity) for side, model in models.items()}
            for quantity in QUANTITIES
        }
        self._slow: dict[str, bool] = {}
        for quantity, own in self._calls.items():
            first = {side: duration(call) for side, call in own.items()}
            if quantity == "prediction":
                _check(*(call() for call in own.values()))
            warm = first
            if calls.compiles():
                warm = {side: duration(call) for side, call in own.items()}
                seconds = {side: [max(first[side] - warm[side], 0.0)] for side in own}
                send("comparison", quantity=f"{quantity} compile", **compare(seconds))
            self._slow[quantity] = max(warm.values()) > _SLOW

    def time(self, seconds: float, send: Send) -> None:
        """Times both for about `seconds`, and reports `samples` for each quantity."""
        for quantity, own in self._calls.items():
            samples = timing.time_pairs(
                list(own.values()),
                seconds / len(self._calls),
                fewest=1,
                warm_up=not self._slow[quantity],
            )
            send("samples", quantity=quantity, **dict(zip(own, samples, strict=True)))

    def close(self) -> None:
        """Lets go of the models."""
        self._calls.clear()
        keras.utils.clear_session()
        gc.collect()


def with_ours(model: keras.Model) -> keras.Model:
    """Returns the model with our layers in place of the built-in ones, and the same weights."""

    def replace(layer: Any) -> Any:
        name = type(layer).__name__
        built_in = type(layer) is getattr(keras.layers, name, None)
        found = getattr(keras_convkit.layers, name, type(layer)) if built_in else type(layer)
        return found.from_config(layer.get_config())

    clone = keras.models.clone_model(model, clone_function=replace)
    clone.set_weights(model.get_weights())
    return clone


def _check(built_in: np.ndarray, ours: np.ndarray) -> None:
    error = np.abs(built_in - ours).max() / np.abs(built_in).max()
    if not error < _TOLERANCE:
        raise ValueError(f"with our layers the model gives other values: {error:.2g} off")


def _call(model: keras.Model, x: np.ndarray, y: np.ndarray, quantity: str) -> Call:
    if quantity == "prediction":
        return lambda: model.predict_on_batch(x)
    return lambda: model.train_on_batch(x, y)
