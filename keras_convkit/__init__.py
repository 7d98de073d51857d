"""Convolution layers for Keras 3: every option, in every rank, the same on every backend."""

from keras_convkit import layers, lowering, ops
from keras_convkit.conversion import convert, to_builtin
from keras_convkit.layers import *  # noqa: F403  (the public names are those of `layers`)

__version__ = "0.1.0"

__all__ = [*layers.__all__, "convert", "layers", "lowering", "ops", "to_builtin"]
