"""The zoo: small whole models that use every family in every rank, for all tests in this folder.

The models called plain keep to what built-in Keras has, and can be built from either package: a
user's model before and after the one import is changed. The others use what is ours alone.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import keras
import numpy as np

import keras_convkit

RANKS = (1, 2, 3)
# Odd and even lengths, all different, so that no axis can stand in for another.
LENGTHS = {1: (12,), 2: (9, 8), 3: (7, 5, 6)}
CHANNELS = 3
FILTERS = 4


def input_shape(rank: int, data_format: str = "channels_last") -> tuple[int, ...]:
    if data_format == "channels_first":
        return (CHANNELS, *LENGTHS[rank])
    return (*LENGTHS[rank], CHANNELS)


def plain_layers(
    rank: int, package: ModuleType = keras_convkit, data_format: str = "channels_last"
) -> list[keras.layers.Layer]:
    """A chain of every family that built-in Keras has in this rank."""

    def new(family: str, *args: Any, **kwargs: Any) -> Any:
        # The 1D layers of built-in Keras for cropping and upsampling know no data format.
        if data_format != "channels_last":
            kwargs["data_format"] = data_format
        return getattr(package, family.format(rank))(*args, **kwargs)

    same = {"padding": "same", "activation": "tanh"}
    layers = [
        new("ZeroPadding{}D", 1),
        # Not 'same': see `test_compiled.py` for what TensorFlow makes of that behind zeros.
        new("Conv{}D", FILTERS, 3, strides=2, activation="relu"),
    ]
    if rank < 3:
        layers += [
            new("DepthwiseConv{}D", 3, depth_multiplier=2, **same),
            new("SeparableConv{}D", FILTERS, 3, **same),
        ]
    return [
        *layers,
        new("UpSampling{}D", 2),
        new("Conv{}D", FILTERS, 2, dilation_rate=2, **same),
        new("Conv{}DTranspose", 2, 3, strides=2, padding="same"),
        new("Cropping{}D", 1),
    ]


def plain(
    rank: int, package: ModuleType = keras_convkit, data_format: str = "channels_last"
) -> keras.Model:
    inputs = keras.Input(input_shape(rank, data_format))
    return keras.Sequential([inputs, *plain_layers(rank, package, data_format)], name="plain")


def added_layers(rank: int) -> list[keras.layers.Layer]:
    """A chain of all eight families, each with options that built-in Keras hasn't."""

    def new(family: str, *args: Any, **kwargs: Any) -> Any:
        return getattr(keras_convkit, family.format(rank))(*args, **kwargs)

    causal_in_time = ("causal", "same", "same")[:rank]
    return [
        new("Padding{}D", 1, padding_mode="circular"),
        new("Conv{}D", FILTERS, 3, padding=causal_in_time, padding_mode="replicate"),
        new("DepthwiseConv{}D", 3, strides=2, dilation_rate=2, padding=2, activation="tanh"),
        new("UpSampling{}D", 2, interpolation="cubic"),
        new("SeparableConv{}D", FILTERS, 3, padding="same", padding_mode="reflect"),
        new(
            "Conv{}DTranspose", FILTERS, 3, strides=2, padding=(1, 0) if rank == 1 else 1, groups=2
        ),
        new("ZeroPadding{}D", 1),
        new("Cropping{}D", 2),
    ]


def sequential(rank: int) -> keras.Model:
    return keras.Sequential([keras.Input(input_shape(rank)), *added_layers(rank)])


def functional(rank: int) -> keras.Model:
    """One layer shared by two branches, which meet again, and an output from half way."""

    def new(family: str, *args: Any, **kwargs: Any) -> Any:
        return getattr(keras_convkit, family.format(rank))(*args, **kwargs)

    inputs = keras.Input(input_shape(rank))
    shared = new("Conv{}D", FILTERS, 3, padding="same", activation="tanh", name="shared")
    widen = new("Conv{}D", CHANNELS, 1, name="widen")
    once = shared(inputs)
    twice = shared(widen(once))
    branches = [
        new("Conv{}D", FILTERS, 3, dilation_rate=2, padding="same", groups=2)(twice),
        new("DepthwiseConv{}D", 3, padding="same", padding_mode="circular")(twice),
        new("SeparableConv{}D", FILTERS, 3, padding="same")(twice),
        new("Cropping{}D", 1)(new("ZeroPadding{}D", 1)(twice)),
        new("Cropping{}D", 2)(new("Padding{}D", 2, padding_mode="reflect")(twice)),
    ]
    merged = keras.layers.Concatenate()([*branches, once])
    enlarged = new("UpSampling{}D", 2)(merged)
    large = new("Conv{}DTranspose", 2, 2, padding="same", name="large")(enlarged)
    small = keras.layers.Add(name="small")([once, branches[0]])
    return keras.Model(inputs, [large, small])


def nested(rank: int) -> keras.Model:
    """A model within a model within a model, the innermost called twice."""
    pattern = f"Conv{rank}D"
    new = getattr(keras_convkit, pattern)
    block = keras.Sequential(
        [keras.Input((*LENGTHS[rank], FILTERS)), new(FILTERS, 3, padding="same", groups=2)],
        name="block",
    )
    inputs = keras.Input(input_shape(rank))
    x = new(FILTERS, 1)(inputs)
    encoder = keras.Model(inputs, block(block(x)), name="encoder")
    outer = keras.Input(input_shape(rank))
    return keras.Model(outer, keras.Sequential(added_layers(rank), name="decoder")(encoder(outer)))


@keras.saving.register_keras_serializable(package="integration")
class Subclassed(keras.Model):
    """A user's own class around our layers, which are built when it is first called."""

    def __init__(self, rank: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rank = rank
        self.chain = added_layers(rank)
        self.head = getattr(keras_convkit, f"Conv{rank}D")(2, 1)

    def call(self, inputs: Any) -> Any:
        x = inputs
        for layer in self.chain:
            x = layer(x)
        return self.head(x)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rank": self.rank}


def subclassed(rank: int) -> keras.Model:
    model = Subclassed(rank)
    model(keras.KerasTensor((1, *input_shape(rank))))
    return model


Builder = Callable[[int], keras.Model]
# What loads in a process that has `keras_convkit` and nothing else of ours.
OF_LAYERS_ALONE: dict[str, Builder] = {
    "plain": plain,
    "sequential": sequential,
    "functional": functional,
    "nested": nested,
}
ZOO: dict[str, Builder] = {**OF_LAYERS_ALONE, "subclassed": subclassed}


def images(rank: int, batch: int = 4, seed: int = 1, data_format: str = "channels_last") -> Any:
    """Random inputs; the same values in both data formats."""
    x = np.random.default_rng(seed).normal(size=(batch, *input_shape(rank))).astype("float32")
    return np.moveaxis(x, -1, 1) if data_format == "channels_first" else x


def randomize(model: keras.Model, seed: int = 2) -> keras.Model:
    """Random weights, biases too: a bias of zeros would hide that it is lost or misplaced."""
    rng = np.random.default_rng(seed)
    model.set_weights([0.3 * rng.normal(size=w.shape) for w in model.get_weights()])
    return model


# The way that takes least. Eagerly, JAX compiles each operation by itself; TensorFlow traces the
# graph of a small model for longer than it computes.
COMPILED = keras.backend.backend() == "jax"


def outputs_of(model: keras.Model, x: np.ndarray, compiled: bool = COMPILED) -> list[np.ndarray]:
    """What the model answers, as a list whatever the number of its outputs."""
    answer = model.predict_on_batch(x) if compiled else model(x)
    return [np.asarray(keras.ops.convert_to_numpy(y)) for y in keras.tree.flatten(answer)]


def assert_same(actual: list[np.ndarray], desired: list[np.ndarray], tolerance: float = 0) -> None:
    """Asserts equality up to `tolerance` times the largest magnitude of each output."""
    assert len(actual) == len(desired)
    for mine, wanted in zip(actual, desired, strict=True):
        assert mine.shape == wanted.shape
        assert np.abs(wanted).max() > 0.01, "an output of zeros would prove nothing"
        np.testing.assert_allclose(mine, wanted, rtol=0, atol=tolerance * np.abs(wanted).max())
