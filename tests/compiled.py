"""Functions compiled whole on JAX."""

import keras


def whole(function):
    """On JAX `function` as one program: eagerly, JAX compiles each small operation by itself.

    What it returns may be nested. Layers in it must have been built: the weights that a layer makes
    while it is traced would be lost with the trace.
    """
    if keras.backend.backend() != "jax":
        return function
    import jax

    return jax.jit(function)
