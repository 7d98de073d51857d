"""Small models trained on real recordings: the loss falls as with built-in layers.

Both sides start from the same weights and see the same batches, in 1D an electroencephalogram
(matplotlib's sample data), in 2D handwritten digits (scikit-learn), in 3D an MRI volume (nibabel).
`KERAS_CONVKIT_LONG=1` trains for longer.
"""

import os

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

import keras_convkit
from integration.models import randomize
from keras_convkit.parity.embedded import samples

EPOCHS = 60 if os.environ.get("KERAS_CONVKIT_LONG") else 15


def electroencephalogram():
    """The next sample of four channels, from those before it."""
    x = samples.eeg()
    return x[:, :-1], x[:, 1:]


def forecaster(package):
    return [
        package.Conv1D(8, 5, padding="causal", activation="tanh"),
        package.DepthwiseConv1D(3, padding="same", depth_multiplier=2, activation="tanh"),
        package.SeparableConv1D(8, 3, padding="same", activation="tanh"),
        package.Conv1D(8, 3, strides=3, padding="same", activation="tanh"),
        package.Conv1DTranspose(8, 3, strides=3, padding="same", activation="tanh"),
        package.Conv1D(4, 1),
    ]


def digits():
    """Which of ten digits it is, as one of ten outputs."""
    data = load_digits()
    x = data.images[:128, ..., None].astype("float32") / 8 - 1
    return x, np.eye(10, dtype="float32")[data.target[:128]]


def classifier(package):
    return [
        package.ZeroPadding2D(1),
        package.Conv2D(8, 3, activation="relu"),
        package.DepthwiseConv2D(3, strides=2, padding="same", activation="relu"),
        package.SeparableConv2D(16, 3, padding="same", activation="relu"),
        package.UpSampling2D(2, interpolation="bilinear"),
        package.Cropping2D(1),
        keras.layers.Flatten(),
        keras.layers.Dense(10),
    ]


def mri():
    """A volume out of one with noise on it."""
    x = samples.mri()
    return x + np.random.default_rng(0).normal(size=x.shape).astype("float32"), x


def denoiser(package):
    return [
        package.ZeroPadding3D(((0, 1), (0, 1), (0, 0))),
        package.Conv3D(6, 3, padding="same", activation="tanh"),
        package.Conv3D(6, 3, strides=2, padding="same", activation="tanh"),
        package.Conv3DTranspose(6, 3, strides=2, padding="same", activation="tanh"),
        package.Cropping3D(((0, 1), (0, 1), (0, 0))),
        package.Conv3D(1, 1),
    ]


TASKS = {
    "1D": (electroencephalogram, forecaster, 2),
    "2D": (digits, classifier, 32),
    "3D": (mri, denoiser, 1),
}


@pytest.mark.parametrize("task", TASKS)
def test_trains_on_real_data_as_built_in_layers_do(task):
    data, layers, batch = TASKS[task]
    x, y = data()
    curves = []
    for package in (keras_convkit, keras.layers):
        model = keras.Sequential([keras.Input(x.shape[1:]), *layers(package)])
        randomize(model)
        model.compile(keras.optimizers.Adam(0.01), "mse")
        history = model.fit(x, y, batch_size=batch, epochs=EPOCHS, shuffle=False, verbose=0)
        curves.append(history.history["loss"])
    mine, theirs = curves
    assert mine[-1] < 0.7 * mine[0]
    np.testing.assert_allclose(mine, theirs, rtol=1e-4)
