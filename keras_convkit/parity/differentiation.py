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
    run = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[keras.backend.backend()]
    output, input_gradient, weight_gradients = run(layer, x, cotangent, mode)
    return Differentiated(
        to_numpy(output), to_numpy(input_gradient), [to_numpy(g) for g in weight_gradients]
    )


def to_numpy(tensor: Any) -> np.ndarray:
    """A tensor as an array; bfloat16, which NumPy lacks, as float32."""
    if keras.backend.standardize_dtype(tensor.dtype) == "bfloat16":
        tensor = keras.ops.cast(tensor, "float32")
    return np.asarray(keras.ops.convert_to_numpy(tensor))


def _tensorflow(
    layer: Any, x: np.ndarray, cotangent: np.ndarray, mode: str
) -> tuple[Any, Any, Sequence[Any]]:
    import tensorflow as tf

    weights = [variable.value for variable in layer.trainable_variables]

    def run(x: Any, cotangent: Any) -> tuple[Any, Any, Any]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            output = layer(x)
            total = tf.reduce_sum(output * tf.cast(cotangent, output.dtype))
        zero = tf.UnconnectedGradients.ZERO
        return output, *tape.gradient(total, [x, weights], unconnected_gradients=zero)

    if mode != "eager":
        run = tf.function(run, jit_compile=mode == "xla")
    return run(tf.convert_to_tensor(x), tf.convert_to_tensor(cotangent))


def _jax(
    layer: Any, x: np.ndarray, cotangent: np.ndarray, mode: str
) -> tuple[Any, Any, Sequence[Any]]:
    import jax
    import jax.numpy as jnp

    fixed = [variable.value for variable in layer.non_trainable_variables]

    def total(x: Any, weights: Any, cotangent: Any) -> tuple[Any, Any]:
        output, _ = layer.stateless_call(weights, fixed, x)
        return jnp.sum(output * cotangent.astype(output.dtype)), output

    run = jax.value_and_grad(total, argnums=(0, 1), has_aux=True)
    if mode == "compiled":
        run = jax.jit(run)
    weights = [variable.value for variable in layer.trainable_variables]
    # Not `jnp.asarray`: to copy an array, it compiles a program for each shape.
    x, cotangent = jax.device_put((x, cotangent))
    (_, output), (input_gradient, weight_gradients) = run(x, weights, cotangent)
    return output, input_gradient, weight_gradients


def _torch(
    layer: Any, x: np.ndarray, cotangent: np.ndarray, mode: str
) -> tuple[Any, Any, Sequence[Any]]:
    import torch

    tensor = keras.ops.convert_to_tensor(x).detach().clone().requires_grad_(True)
    weights = [variable.value for variable in layer.trainable_variables]
    output = layer(tensor)
    pulled = keras.ops.cast(keras.ops.convert_to_tensor(cotangent), output.dtype)
    gradients = torch.autograd.grad(
        (output * pulled).sum(), [tensor, *weights], allow_unused=True, materialize_grads=True
    )
    return output.detach(), gradients[0], gradients[1:]
