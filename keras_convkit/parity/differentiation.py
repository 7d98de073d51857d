"""Outputs and gradients of a Keras layer or model on the backend of this process.

The one place that speaks to the backends' automatic differentiation: Keras has no function for
it. A backend is imported only if it is the one in use.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

MODES = {
    "tensorflow": ("eager", "compiled", "xla"),
    "jax": ("eager", "compiled"),
    "torch": ("eager",),
}


class Differentiated(NamedTuple):
    """What `<cotangent, layer(x)>` has been differentiated to, as float NumPy arrays."""

    output: np.ndarray
    input_gradient: np.ndarray
    weight_gradients: list[np.ndarray]


class Pulled(NamedTuple):
    """The same of any number of inputs and outputs.

    Attributes:
        outputs: One array an output.
        input_gradients: One an input; None for an input that is no float.
        weight_gradients: One a trainable weight; none where no output is a float.
        state: The other variables after the call.
    """

    outputs: list[np.ndarray]
    input_gradients: list[np.ndarray | None]
    weight_gradients: list[np.ndarray]
    state: list[np.ndarray]


def modes() -> tuple[str, ...]:
    """The ways in which this process's backend can run a layer."""
    return MODES[keras.backend.backend()]


def differentiate(
    layer: Any, x: np.ndarray, cotangent: np.ndarray, mode: str = "eager"
) -> Differentiated:
    """Runs a built `layer` on `x` and pulls `cotangent` back through it.

    Args:
        layer: A built Keras layer or model with one input and one output.
        x: The input, of a float dtype.
        cotangent: What the output is multiplied with before it is summed, of the output's shape.
        mode: One of `modes()`.

    Returns:
        The output, and the gradients with respect to `x` and each trainable weight.
    """
    pulled = pull_back(layer, [x], [cotangent], mode)
    return Differentiated(pulled.outputs[0], pulled.input_gradients[0], pulled.weight_gradients)


def pull_back(
    layer: Any,
    inputs: Sequence[np.ndarray],
    cotangents: Sequence[np.ndarray] | None,
    mode: str = "eager",
    **options: Any,
) -> Pulled:
    """Runs a built `layer` and pulls cotangents of its outputs back through it.

    Args:
        layer: A built Keras layer or model. It is called with the input itself where there is
            one, else with a list.
        inputs: The inputs.
        cotangents: One an output, or None: then nothing is differentiated.
        mode: One of `modes()`.
        **options: Further arguments of the call, such as `training=True`.
    """
    run = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[keras.backend.backend()]
    floats = [index for index, x in enumerate(inputs) if np.issubdtype(x.dtype, np.floating)]
    outputs, gradients, weight_gradients, state = run(
        layer, list(inputs), cotangents, mode, floats, options
    )
    input_gradients: list[np.ndarray | None] = [None] * len(inputs)
    for index, gradient in zip(floats, gradients, strict=False):
        input_gradients[index] = to_numpy(gradient)
    return Pulled(
        [to_numpy(output) for output in outputs],
        input_gradients,
        [to_numpy(gradient) for gradient in weight_gradients],
        [to_numpy(value) for value in state],
    )


def to_numpy(tensor: Any) -> np.ndarray:
    """A tensor as an array; bfloat16, which NumPy lacks, as float32."""
    if keras.backend.standardize_dtype(tensor.dtype) == "bfloat16":
        tensor = keras.ops.cast(tensor, "float32")
    return np.asarray(keras.ops.convert_to_numpy(tensor))


def _one_or_all(values: Sequence[Any]) -> Any:
    return values[0] if len(values) == 1 else list(values)


def _is_float(tensor: Any) -> bool:
    return "float" in keras.backend.standardize_dtype(tensor.dtype)


def _values(variables: Sequence[Any]) -> list[Any]:
    return [variable.value for variable in variables]


def _pulled_sum(outputs: Sequence[Any], cotangents: Sequence[Any]) -> Any:
    """The sum of all outputs that are floats, each times its cotangent."""
    for output, cotangent in zip(outputs, cotangents, strict=True):
        real, foretold = tuple(output.shape), tuple(cotangent.shape)
        if len(real) != len(foretold) or any(
            n not in (None, m) for n, m in zip(real, foretold, strict=True)
        ):
            raise ValueError(f"its output has shape {real}; its symbolic one is {foretold}")
    terms = [
        keras.ops.sum(output * keras.ops.cast(cotangent, output.dtype))
        for output, cotangent in zip(outputs, cotangents, strict=True)
        if _is_float(output)
    ]
    return sum(terms[1:], terms[0])


def _tensorflow(
    layer: Any, inputs: list, cotangents: Any, mode: str, floats: list[int], options: dict
) -> tuple[Any, Any, Any, Any]:
    import tensorflow as tf

    weights = _values(layer.trainable_variables)

    def run(inputs: Any, cotangents: Any) -> tuple[Any, Any, Any]:
        with tf.GradientTape() as tape:
            watched = [inputs[index] for index in floats]
            tape.watch(watched)
            outputs = keras.tree.flatten(layer(_one_or_all(inputs), **options))
            if cotangents is None:
                return outputs, [], []
            total = _pulled_sum(outputs, cotangents)
        zero = tf.UnconnectedGradients.ZERO
        gradients = tape.gradient(total, [watched, weights], unconnected_gradients=zero)
        return outputs, *tf.nest.map_structure(tf.convert_to_tensor, gradients)

    if mode != "eager":
        run = tf.function(run, jit_compile=mode == "xla")
    if cotangents is not None:
        cotangents = [tf.convert_to_tensor(cotangent) for cotangent in cotangents]
    result = run([tf.convert_to_tensor(x) for x in inputs], cotangents)
    return *result, _values(layer.non_trainable_variables)


def _jax(
    layer: Any, inputs: list, cotangents: Any, mode: str, floats: list[int], options: dict
) -> tuple[Any, Any, Any, Any]:
    import jax

    fixed = _values(layer.non_trainable_variables)

    def call(watched: Any, weights: Any, inputs: Any) -> tuple[Any, Any]:
        inputs = list(inputs)
        for index, x in zip(floats, watched, strict=True):
            inputs[index] = x
        outputs, state = layer.stateless_call(weights, fixed, _one_or_all(inputs), **options)
        return keras.tree.flatten(outputs), state

    def total(watched: Any, weights: Any, inputs: Any, cotangents: Any) -> tuple[Any, Any]:
        outputs, state = call(watched, weights, inputs)
        return _pulled_sum(outputs, cotangents), (outputs, state)

    weights = _values(layer.trainable_variables)
    # Not `jnp.asarray`: to copy an array, it compiles a program for each shape.
    inputs, cotangents = jax.device_put((inputs, cotangents))
    watched = [inputs[index] for index in floats]
    jit = mode == "compiled" and _can_be_compiled(layer)
    compiled = jax.jit if jit else lambda function: function
    if cotangents is None:
        outputs, state = compiled(call)(watched, weights, inputs)
        return outputs, [], [], state
    run = compiled(jax.value_and_grad(total, argnums=(0, 1), has_aux=True))
    (_, (outputs, state)), gradients = run(watched, weights, inputs, cotangents)
    return outputs, *gradients, state


def _torch(
    layer: Any, inputs: list, cotangents: Any, mode: str, floats: list[int], options: dict
) -> tuple[Any, Any, Any, Any]:
    import torch

    tensors = [keras.ops.convert_to_tensor(x).detach().clone() for x in inputs]
    watched = [tensors[index].requires_grad_(True) for index in floats]
    weights = _values(layer.trainable_variables)
    outputs = keras.tree.flatten(layer(_one_or_all(tensors), **options))
    gradients = [torch.zeros_like(tensor) for tensor in (*watched, *weights)]
    if cotangents is None:
        gradients = []
    elif (total := _pulled_sum(outputs, _to_tensors(cotangents))).requires_grad:
        gradients = torch.autograd.grad(
            total, [*watched, *weights], allow_unused=True, materialize_grads=True
        )
    split = len(watched)
    state = _values(layer.non_trainable_variables)
    return [o.detach() for o in outputs], gradients[:split], gradients[split:], state


def _can_be_compiled(layer: Any) -> bool:
    """What layers say of themselves: those that hash can't. Keras doesn't compile their models."""
    return layer.supports_jit and all(map(_can_be_compiled, getattr(layer, "layers", ())))


def _to_tensors(arrays: Sequence[np.ndarray]) -> list[Any]:
    return [keras.ops.convert_to_tensor(array) for array in arrays]
