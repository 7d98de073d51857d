"""Every case of the table on this process's backend, against the float64 reference."""

import keras
import pytest

from keras_convkit.parity import reference
from keras_convkit.parity.cases import CASES
from keras_convkit.parity.differentiation import modes

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)


def chosen_modes(case):
    """Every case in the mode that costs least; the others, which trace and compile, take turns.

    In TensorFlow they are XLA and the graph, and `test_unknown_lengths_in_a_graph` has a turn of
    the same five; in JAX the eager mode, which compiles each operation by itself.
    """
    turn = CASES.index(case)
    if keras.backend.backend() == "tensorflow":
        return ["eager", *{0: ["xla"], 1: ["compiled"]}.get(turn % 5, [])]
    if keras.backend.backend() == "jax":
        return ["compiled", *(["eager"] if turn % 81 == 0 else [])]
    return modes()


@every_case
def test_output_and_gradients(case, check_numbers):
    check_numbers(case, chosen_modes(case))


@every_case
def test_shapes_and_dtype(case, check_shapes):
    check_shapes(case)


@pytest.mark.parametrize("case", CASES[2::5], ids=lambda case: case.id)
def test_unknown_lengths_in_a_graph(case, make, assert_close):
    """Only TensorFlow runs graphs whose lengths aren't known when they are made.

    What depends on a length is tried in `layer_duties/test_unknown_lengths.py`.
    """
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    x, weights, _ = case.arrays()
    graph = tf.function(
        make(case, weights), input_signature=[tf.TensorSpec(case.unknown_shape(), tf.float32)]
    )
    assert_close(graph(x), reference.layer(case.layer, case.config, weights, x))
