"""What all tests share: settings of the backends and of hypothesis, and the comparison itself."""

import collections
import gc
import math
import os

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import keras_convkit
from keras_convkit.parity import reference
from keras_convkit.parity.differentiation import differentiate, to_numpy
from tests.once import ONCE, RUN_HERE

# Where the backends run side by side, JAX's tests, which compile most, would be the last by some
# minutes, and other cores idle meanwhile: the other backends give way to them, and torch, beside
# which run the tests that start processes, to TensorFlow.
side_by_side = "PYTEST_XDIST_WORKER" in os.environ and hasattr(os, "nice")
if side_by_side:
    os.nice({"jax": 0, "tensorflow": 17, "torch": 19}[keras.backend.backend()])

OUTPUT_TOLERANCE, GRADIENT_TOLERANCE = 1e-5, 1e-4
# All data is of order 1. Where a handful of numbers happen to cancel, the largest magnitude of an
# output of one element says nothing about the rounding that is to be expected.
LEAST_MAGNITUDE = 0.1

settings.register_profile(
    "ci",
    derandomize=True,
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("deep", settings.get_profile("ci"), derandomize=False, max_examples=250)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_collection_modifyitems(config, items):
    """Leaves out what another backend's run has."""
    if not RUN_HERE:
        elsewhere = [item for item in items if item.get_closest_marker(ONCE.name)]
        items[:] = [item for item in items if not item.get_closest_marker(ONCE.name)]
        config.hook.pytest_deselected(items=elsewhere)


def pytest_collection_finish():
    """What is there by now stays: a collection that looks at it again takes a second."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def the_same_numbers_everywhere():
    """Float32 that is computed in float32, in one thread, from `channels_last` data."""
    keras.config.set_floatx("float32")
    keras.config.set_image_data_format("channels_last")
    if keras.backend.backend() == "jax":
        import jax

        jax.config.update("jax_default_matmul_precision", "highest")


@pytest.fixture(scope="session", autouse=True)
def weights_drawn_without_the_backend():
    """On JAX the default initializers draw in NumPy: there JAX compiles 0.2 s for each new shape.

    What they draw is Keras's business; nearly every test sets its weights itself.
    """
    if keras.backend.backend() != "jax":
        yield
        return
    rng = np.random.default_rng(0)

    def glorot_uniform(self, shape, dtype=None):
        receptive = math.prod(shape[:-2])
        limit = math.sqrt(6 / (receptive * sum(shape[-2:])))
        return rng.uniform(-limit, limit, shape).astype(dtype or keras.config.floatx())

    def zeros(self, shape, dtype=None):
        return np.zeros(shape, dtype or keras.config.floatx())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.initializers.GlorotUniform, "__call__", glorot_uniform)
        patch.setattr(keras.initializers.Zeros, "__call__", zeros)
        yield


def relative_error(value, expected):
    """The largest error over the largest magnitude."""
    value, expected = np.asarray(value, "float64"), np.asarray(expected, "float64")
    assert value.shape == expected.shape
    assert np.isfinite(value).all()
    if expected.size == 0:
        return 0.0
    return np.abs(value - expected).max() / max(np.abs(expected).max(), LEAST_MAGNITUDE)


# The largest error of all that was compared, and the number of comparisons, by quantity and family.
WORST = collections.defaultdict(lambda: (0.0, 0))


def worst(case, quantity, value, expected):
    """`relative_error`, remembered for the summary."""
    error = relative_error(value, expected)
    largest, count = WORST[quantity, case.family]
    WORST[quantity, case.family] = max(largest, error), count + 1
    return error


def pytest_terminal_summary(terminalreporter):
    """Shows the largest errors; under pytest-xdist they stay with the workers."""
    for (quantity, family), (largest, count) in sorted(WORST.items()):
        terminalreporter.write_line(
            f"{quantity:8} {family:14} {count:6} times, worst {largest:.1e}"
        )


def make_layer(case, weights):
    """Our layer, built for the case and with its weights."""
    layer = getattr(keras_convkit, case.layer)(**case.config)
    layer.build(case.shape)
    layer.set_weights(weights)
    return layer


def assert_right_numbers(case, modes):
    """Output and gradients in each of `modes` are those of the float64 reference.

    The output's shape and dtype are checked as well, against the reference and a symbolic call.
    """
    x, weights, cotangent = case.arrays()
    output = reference.layer(case.layer, case.config, weights, x)
    input_gradient, weight_gradients = reference.layer_vjp(
        case.layer, case.config, weights, x, cotangent
    )
    layer = make_layer(case, weights)
    dtype = layer(keras.KerasTensor(case.shape, "float32")).dtype
    for mode in modes:
        result = differentiate(layer, x, cotangent, mode)
        assert result.output.dtype == dtype, mode
        assert worst(case, "output", result.output, output) <= OUTPUT_TOLERANCE, mode
        error = worst(case, "gradient", result.input_gradient, input_gradient)
        assert error <= GRADIENT_TOLERANCE, mode
        for variable, gradient, expected in zip(
            layer.trainable_variables, result.weight_gradients, weight_gradients, strict=True
        ):
            error = worst(case, "gradient", gradient, expected)
            assert error <= GRADIENT_TOLERANCE, (mode, variable.name)


def assert_right_shapes(case):
    """The reference's output has the shape that is foretold in every way of asking.

    Nothing is computed here, which on JAX would compile one operation after the other; that the
    real output is the reference's, in shape too, is what `assert_right_numbers` sees to.
    """
    _, weights, cotangent = case.arrays()
    layer = make_layer(case, weights)
    shape = cotangent.shape
    assert tuple(layer.compute_output_shape(case.shape)) == shape
    assert layer(keras.KerasTensor(case.shape)).shape == shape

    batch = len(case.batch)
    no_batch = (None,) * batch + case.shape[batch:]
    assert tuple(layer.compute_output_shape(no_batch)) == (None,) * batch + shape[batch:]
    assert layer(keras.KerasTensor(no_batch)).shape == (None,) * batch + shape[batch:]

    vague = layer(keras.KerasTensor(case.unknown_shape())).shape
    assert tuple(layer.compute_output_shape(case.unknown_shape())) == vague
    assert len(vague) == len(shape)
    assert all(n in (None, known) for n, known in zip(vague, shape, strict=True))
    channel_axis = -case.rank - 1 if case.channels_first else -1
    assert vague[channel_axis] == shape[channel_axis]


@pytest.fixture(scope="session")
def check_numbers():
    return assert_right_numbers


@pytest.fixture(scope="session")
def check_shapes():
    return assert_right_shapes


@pytest.fixture(scope="session")
def make():
    return make_layer


@pytest.fixture(scope="session")
def assert_close():
    """`assert_close(value, expected)` within what an output may be off."""

    def assert_close(value, expected):
        value = value if isinstance(value, np.ndarray) else to_numpy(value)
        assert relative_error(value, expected) <= OUTPUT_TOLERANCE

    return assert_close
