"""Every case of the table on this process's backend, against the float64 reference."""

import keras
import pytest

from keras_convkit.parity import reference
from keras_convkit.parity.cases import CASES
from keras_convkit.parity.differentiation import modes

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)


def chosen_modes(case):
    """All modes for some of the cases; the others go without the mode that compiles longest.

    In TensorFlow that is XLA, in JAX the eager one, which compiles each operation by itself.
    """
    slowest, period = {"tensorflow": ("xla", 3), "jax": ("eager", 9), "torch": (None, 1)}[
        keras.backend.backend()
    ]
    with_all = CASES.index(case) % period == 0
    return [mode for mode in modes() if with_all or mode != slowest]


@every_case
def test_output_and_gradients(case, check_numbers):
    check_numbers(case, chosen_modes(case))


@every_case
def test_shapes_and_dtype(case, check_shapes):
    check_shapes(case)


@every_case
def test_unknown_lengths_in_a_graph(case, make, assert_close):
    """Only TensorFlow runs graphs whose lengths aren't known when they are made."""
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    x, weights, _ = case.arrays()
    graph = tf.function(
        make(case, weights), input_signature=[tf.TensorSpec(case.unknown_shape(), tf.float32)]
    )
    assert_close(graph(x), reference.layer(case.layer, case.config, weights, x))
