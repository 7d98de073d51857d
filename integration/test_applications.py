"""A member of every family of keras.applications, converted: the same model, and back again.

`KERAS_CONVKIT_LONG=1` takes all families, which is minutes of compiling on JAX; else a small model.
`python -m integration.applications_table` runs that under each backend, and writes the errors into
`docs/conversion.md`.
"""

import inspect
import os
import re

import keras
import numpy as np
import pytest
from keras import applications

from keras_convkit import conversion, convert, to_builtin
from keras_convkit.parity.differentiation import differentiate, to_numpy

# The smallest images that each takes; the larger ones of some would change nothing but the time.
MODELS = {
    "MobileNet": 32,
    "MobileNetV2": 32,
    "MobileNetV3Small": 32,
    "EfficientNetB0": 32,
    "EfficientNetV2B0": 32,
    "ResNet50": 32,
    "ResNet50V2": 32,
    "ConvNeXtTiny": 32,
    "DenseNet121": 32,
    "NASNetMobile": 32,
    "Xception": 71,
    "InceptionV3": 75,
    "InceptionResNetV2": 75,
    "VGG16": 32,
}
IN_SHORT = ("MobileNet",)
NOT_ON_TORCH = ("NASNetMobile",)  # Keras says so when it is made
# Its gates halve the numbers again and again, until the image is not to be seen in the output.
GAIN = {"EfficientNetB0": 1.2}
# Where an image makes the built-in model's own gradient jump if it is moved by a rounding error
# (by 4e-2: a ReLU or a maximum at its kink), another one is taken, where it moves by 2e-6.
SEED = {"Xception": 10}
LONG = bool(os.environ.get("KERAS_CONVKIT_LONG"))
CHOSEN = MODELS if LONG else IN_SHORT
# Eagerly TensorFlow is through with a few models before it has traced their graphs.
MODE = {"tensorflow": "compiled" if LONG else "eager", "jax": "compiled", "torch": "eager"}


def make(name):
    """The model with random weights that keep numbers of order 1 through all of its depth.

    With those that Keras draws they fade to nothing, and an error would fade with them.
    """
    size = MODELS[name]
    arguments = {"input_shape": (size, size, 3), "weights": None, "classes": 10}
    function = getattr(applications, name)
    if "include_preprocessing" in inspect.signature(function).parameters:
        arguments["include_preprocessing"] = False
    model = function(**arguments, classifier_activation=None)
    rng = np.random.default_rng(0)
    for layer in conversion._all_layers(model):
        for variable in [] if layer.built and getattr(layer, "_layers", None) else layer.weights:
            variable.assign(draw(rng, layer, variable, GAIN.get(name, 1.0)))
    return model


def draw(rng, layer, variable, gain):
    """He's normal distribution for kernels; scales around 1, shifts around 0."""
    shape = variable.shape
    if "kernel" in variable.name:
        depthwise = type(layer).__name__.startswith("Depthwise") or "depthwise" in variable.name
        fan_in = np.prod(shape[:-2] if depthwise else shape[:-1])
        return rng.normal(size=shape, scale=gain * np.sqrt(2 / fan_in))
    values = rng.normal(size=shape, scale=0.1)
    return values + (variable.name in ("gamma", "moving_variance", "variance"))


def error(value, expected):
    """The largest error over the largest magnitude."""
    return float(np.abs(value - expected).max() / np.abs(expected).max())


def summary_counts(model):
    """The totals that `summary` prints, and what it counts of each layer."""
    lines = []
    model.summary(print_fn=lines.append)
    totals = re.findall(r"(\S+ params|params): ([\d,]+)", "\n".join(lines))
    assert len(totals) == 3
    return totals, [layer.count_params() for layer in model.layers]


def differentiated(model, x, cotangent):
    result = differentiate(model, x, cotangent, MODE[keras.backend.backend()])
    return result.output, [result.input_gradient, *result.weight_gradients]


def test_every_family_has_a_member():
    """A family that a new version of Keras brings is to be seen here."""

    def family(function):
        return re.sub(r"\d+$", "", function.__module__)  # VGG16 and VGG19 are one

    functions = [value for _, value in inspect.getmembers(applications, inspect.isfunction)]
    assert {family(getattr(applications, name)) for name in MODELS} == set(map(family, functions))


@pytest.mark.parametrize("name", CHOSEN)
def test_converted_model_is_the_same_and_so_is_the_way_back(name, record_property):
    if name in NOT_ON_TORCH and keras.backend.backend() == "torch":
        with pytest.raises(ValueError, match="not available with the torch backend"):
            make(name)
        pytest.skip("Keras has it not on torch")
    model = make(name)
    there = convert(model)
    changes = conversion.changed_layers(model, there)
    assert changes
    assert summary_counts(there) == summary_counts(model)
    assert [layer.name for layer in there.layers] == [layer.name for layer in model.layers]

    rng = np.random.default_rng(SEED.get(name, 0))
    x = rng.uniform(-1, 1, size=(2, *model.input_shape[1:])).astype("float32")
    if any(isinstance(layer, keras.layers.Rescaling) for layer in model.layers):
        x *= 255  # a model that takes pixels and scales them itself
    cotangent = rng.normal(size=(2, 10)).astype("float32")
    output, gradients = differentiated(there, x, cotangent)
    expected, expected_gradients = differentiated(model, x, cotangent)
    assert error(*expected) > 1e-2, "the output depends on the image"
    output_error = error(output, expected)
    gradient_error = max(map(error, gradients, expected_gradients))
    record_property("layers", sum(changes.values()))
    record_property("output", output_error)
    record_property("gradient", gradient_error)
    assert output_error <= 1e-5
    assert gradient_error <= 1e-4

    back = to_builtin(there)
    assert not conversion.changed_layers(model, back)
    for old, new in zip(model.weights, back.weights, strict=True):
        np.testing.assert_array_equal(to_numpy(old.value), to_numpy(new.value))
