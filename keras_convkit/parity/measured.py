"""What a model gives on the Keras backend of this process, made of our layers or the built-in."""

from __future__ import annotations

import inspect
from types import ModuleType

import keras

import keras_convkit
from keras_convkit.parity import differentiation
from keras_convkit.parity.expected import LEARNING_RATE, Case, weight_names
from keras_convkit.parity.models import Layer, Model
from keras_convkit.parity.quantities import Results, training_step
from keras_convkit.workers import first_line

LIBRARIES: dict[str, ModuleType] = {"ours": keras_convkit.layers, "built-in": keras.layers}

# What `compile` has to be told so that a training step runs in each mode.
_COMPILE = {
    "eager": {"run_eagerly": True},
    "compiled": {"jit_compile": "auto"},
    "xla": {"jit_compile": True},
}


class RefusedError(Exception):
    """A library cannot build a model; the message says what it lacks."""


def standardize() -> None:
    """Makes this process compute as the others do, whatever the user's `keras.json` says."""
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    keras.config.set_image_data_format("channels_last")
    # On a GPU the backends round the factors of float32 products to 10 bits by default.
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_tensor_float_32_execution(False)
    elif backend == "jax":
        import jax

        jax.config.update("jax_default_matmul_precision", "highest")
    elif backend == "torch":
        import torch

        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False


def build(model: Model, case: Case, library: str) -> keras.Sequential:
    """Builds the Keras model that a description stands for.

    Args:
        model: The description.
        case: Its weights and input.
        library: A key of `LIBRARIES`.

    Returns:
        The model, with the weights of the case.

    Raises:
        RefusedError: The library lacks a layer or an option.
    """
    lacks = [reason for layer in model.layers if (reason := _lack(layer, library))]
    if lacks:
        raise RefusedError("; ".join(dict.fromkeys(lacks)))
    built = keras.Sequential(
        [
            keras.Input(case.x.shape[1:]),
            *(_make(layer, library) for layer in model.layers),
        ]
    )
    built.set_weights(case.weights)
    return built


def results(built: keras.Sequential, model: Model, case: Case, mode: str) -> Results:
    """Measures everything that is compared.

    Args:
        built: What `build` returned; it has the weights of the case again afterwards.
        model: The description.
        case: Its arrays.
        mode: One of `differentiation.modes()`.
    """
    output, input_gradient, weight_gradients = differentiation.differentiate(
        built, case.x, case.cotangent, mode
    )
    names = weight_names(model)
    return {
        "output": {"output": output},
        "input gradient": {"input": input_gradient},
        "weight gradients": dict(zip(names, weight_gradients, strict=True)),
        "training step": _train(built, names, case, mode),
    }


def _train(built: keras.Sequential, names: list[str], case: Case, mode: str) -> dict:
    optimizer = keras.optimizers.SGD(LEARNING_RATE)
    built.compile(optimizer, loss="mean_squared_error", **_COMPILE[mode])
    loss = built.train_on_batch(case.x, case.target)
    changes = [
        new.astype("float64") - old
        for new, old in zip(built.get_weights(), case.weights, strict=True)
    ]
    built.set_weights(case.weights)
    return training_step(names, loss, changes)


def _make(layer: Layer, library: str) -> keras.Layer:
    constructor = getattr(LIBRARIES[library], layer.class_name)
    # The weights are set afterwards, and drawing them first would take half the time on JAX.
    initializers = {
        name: "zeros"
        for name in inspect.signature(constructor).parameters
        if name.endswith("_initializer")
    }
    return constructor(**layer.config, **initializers)


def _lack(layer: Layer, library: str) -> str | None:
    """Returns what keeps a library from making a layer, or None."""
    constructor = getattr(LIBRARIES[library], layer.class_name, None)
    if constructor is None:
        return f"no {layer.class_name}"
    unknown = layer.config.keys() - inspect.signature(constructor).parameters.keys()
    if unknown:
        return f"{layer.class_name} has no {', '.join(sorted(unknown))}"
    try:
        _make(layer, library)
    except Exception as error:
        return f"{layer.class_name}: {first_line(error)}"
    return None
