"""Errors, bounds and verdicts."""

import math

import numpy as np
import pytest

from keras_convkit.parity import tolerance
from keras_convkit.parity.comparison import judge
from keras_convkit.parity.differences import difference, relative_errors
from keras_convkit.parity.verdicts import Verdict
from tests.once import ONCE

pytestmark = ONCE

FACTS = {"roundings": {"output": 100, "weight gradients": 100, "ten steps": 100}, "weights": {}}


def judged(left, right, quantity="output", dtype="float32"):
    wide = [{name: np.asarray(array) for name, array in side.items()} for side in (left, right)]
    return judge(quantity, *wide, dtype, FACTS)


@pytest.mark.parametrize(
    ("actual", "expected", "error"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([1.0, 2.5], [1.0, 2.0], 0.5),
        ([0.0, -4.0], [1.0, -4.0], 1.0),
        ([np.nan, 1.0], [1.0, 1.0], np.inf),
        ([1.0, 1.0], [1.0, np.nan], np.inf),
        ([np.inf, np.nan, 1.0], [np.inf, np.nan, 1.5], 0.5),
        ([np.inf], [-np.inf], np.inf),
        ([np.inf], [np.nan], np.inf),
        ([np.inf], [1.0], np.inf),
    ],
)
def test_errors(actual, expected, error):
    assert relative_errors(np.array(actual), np.array(expected), 1.0).max() == error


def test_a_difference_below_float32_is_seen():
    found = difference(np.float32([1.0]), np.array([1.0 + 1e-9]), 1.0, 0.0)
    assert found.error == pytest.approx(1e-9)


def test_where_it_differs():
    right = np.zeros((3, 40))
    left = right.copy()
    left[1, 5], left[2, 39] = 0.01, -0.5
    found = difference(left, right, 1.0, 1e-3)
    assert (found.first.index, found.first.left, found.first.right) == ((1, 5), 0.01, 0.0)
    assert found.worst.index == (2, 39) and found.error == 0.5
    assert found.over == (2, 120) and sum(found.histogram) == 120
    assert found.profile[0] == (0.0, 0.01, 0.5) and len(found.profile[1]) == 24
    assert str(found.worst) == "[2, 39]: -0.5 against 0"


def test_the_bound_is_that_of_the_theorem():
    """Rounded sums of random numbers stay below it, and come near it."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2000, 64)).astype("float32")
    total = np.zeros(2000, "float32")
    partial = 0.0
    for column in x.T:
        total = (total + column).astype("float32")
        partial = max(partial, float(np.abs(total).max()))
    error = np.abs(total - x.astype("float64").sum(1)).max() / partial
    bound = tolerance.bound("float32", 64, 2000, rounded_sides=1)
    assert bound / 50 < error < bound
    deviations = math.sqrt(2 * math.log(2 * 2000 / tolerance.CHANCE))
    assert bound == pytest.approx(deviations * 8 * 2.0**-24)
    assert tolerance.bound("float32", 64, 2000) == 2 * bound
    assert tolerance.bound("int32", 64, 2000) == 0.0


def test_verdicts():
    same = {"output": [1.0, 2.0]}
    assert judged(same, same).agrees
    off = judged({"output": [1.0, 2.1]}, same)
    assert not off.agrees and off.part == "output" and off.difference.first.index == (1,)
    assert "shape (1,) against (2,)" in judged({"output": [1.0]}, same).reason
    assert "0 arrays against 1" in judged({}, same).reason
    assert not judged({"output": [1.0, np.nan]}, same).agrees
    # Integers allow no error, and another name is no difference.
    assert judged({"a": [1, 2]}, {"b": [1, 2]}).agrees
    assert not judged({"output": [1, 2]}, {"output": [1, 3]}).agrees


def test_what_is_nowhere_finite_shows_nothing():
    broken = {"loss": [np.nan], "change of kernel": [np.nan, np.inf]}
    assert judged(broken, broken).verdict is Verdict.NOT_POSSIBLE
    other = broken | {"loss": [np.inf]}
    assert judged(other, broken).verdict is Verdict.DISAGREES
    # One number that could differ is enough.
    partly = broken | {"loss": [1.0]}
    assert judged(partly, partly).verdict is Verdict.AGREES
    assert judged({"output": []}, {"output": []}).verdict is Verdict.AGREES


def test_what_cancels_is_measured_by_what_it_is_summed_from():
    """The gradient of a bias before a normalization is rounding alone."""
    right = {"kernel": [1.0], "bias": [1e-9]}
    left = {"kernel": [1.0], "bias": [-1e-9]}
    assert judged(left, right, "weight gradients").agrees
    assert not judged(left | {"bias": [1e-3]}, right, "weight gradients").agrees
    assert not judged({"a": [1.0], "b": [-1e-9]}, {"a": [1.0], "b": [1e-9]}).agrees


def test_a_loss_is_measured_by_itself():
    right = {"loss": [1e-3], "change of kernel": [1.0]}
    left = {"loss": [1.1e-3], "change of kernel": [1.0]}
    assert not judged(left, right, "ten steps").agrees
