"""Pairs, ratios and budgets, by a clock that tests wind themselves."""

import math
import random

import pytest

from keras_convkit.bench import timing
from tests.once import ONCE

pytestmark = ONCE


class Machine:
    """A clock that calls push on, each by its own seconds, and a record of who was called."""

    def __init__(self):
        self.now = 0.0
        self.calls = []

    def clock(self):
        return self.now

    def call(self, name, *seconds):
        """A call that takes the next of `seconds` each time, the last of them ever after."""
        left = list(seconds)

        def call():
            self.calls.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return call


def test_both_sides_are_called_alternately_and_in_changing_order():
    machine = Machine()
    calls = [machine.call("a", 0.01), machine.call("b", 0.02)]
    first, second = timing.time_pairs(calls, 0.25, machine.clock)
    assert first == pytest.approx([0.01] * 9) and second == pytest.approx([0.02] * 9)
    assert "".join(machine.calls) == "ab" + ("abba" * 5)[:18]  # one of each to know the time


def test_short_calls_are_repeated_until_a_sample_is_long_enough():
    machine = Machine()
    samples = timing.time_pairs(
        [machine.call("a", 1e-5), machine.call("b", 1e-3)], 0.01, machine.clock
    )
    assert samples[0] == pytest.approx([1e-5] * len(samples[0]))
    assert machine.calls.count("a") == 2 + 50 * len(samples[0])
    assert machine.calls.count("b") == 1 + len(samples[1])


@pytest.mark.parametrize(
    ("seconds", "budget", "rounds"),
    [
        (1e-3, 100.0, timing.MOST_PAIRS),
        (0.1, 0.5, timing.LEAST_PAIRS),
        (10.0, 0.5, timing.FEWEST_PAIRS),
    ],
)
def test_number_of_pairs(seconds, budget, rounds):
    machine = Machine()
    calls = [machine.call("a", seconds), machine.call("b", seconds)]
    assert [len(own) for own in timing.time_pairs(calls, budget, machine.clock)] == [rounds] * 2


def test_what_is_slow_can_be_timed_once_and_without_a_call_beforehand():
    machine = Machine()
    calls = [machine.call("a", 10.0), machine.call("b", 20.0)]
    samples = timing.time_pairs(calls, 0.5, machine.clock, fewest=1, warm_up=False)
    assert samples == [[10.0], [20.0]] and machine.calls == ["a", "b"]


def test_one_side_alone():
    machine = Machine()
    (samples,) = timing.time_pairs([machine.call("a", 0.1)], 0.5, machine.clock)
    assert samples == pytest.approx([0.1] * timing.LEAST_PAIRS)


def test_the_ratio_is_that_of_pairs_and_not_of_medians():
    # The machine was slow for both in the first round, and then for one of them.
    assert timing.median_ratio([20.0, 2.0, 9.0], [10.0, 1.0, 1.0]) == 2.0
    assert timing.median_ratio([1.0, 1.0, 8.0], [2.0, 4.0, 2.0]) == 0.5
    with pytest.raises(ValueError):
        timing.median_ratio([1.0], [1.0, 2.0])


@pytest.mark.parametrize(
    ("pairs", "rank"),
    # As in the tables of textbooks for 95%; beyond them, that of the sign test.
    [
        (6, 1),
        (7, 1),
        (8, 1),
        (9, 2),
        (12, 3),
        (14, 3),
        (15, 4),
        (17, 5),
        (20, 6),
        (25, 8),
        (101, 41),
    ],
)
def test_an_interval_lies_between_order_statistics(pairs, rank):
    ratios = random.Random(0).sample(range(1, pairs + 1), pairs)
    numerators = [2.0 * ratio for ratio in ratios]
    assert timing.ratio_interval(numerators, [2.0] * pairs) == (rank, pairs + 1 - rank)


def test_fewer_than_six_pairs_have_no_interval():
    for pairs in range(6):
        assert timing.ratio_interval([1.0] * pairs, [2.0] * pairs) is None
    with pytest.raises(ValueError):
        timing.ratio_interval([1.0] * 7, [2.0] * 8)


@pytest.mark.parametrize(("pairs", "covered"), [(6, 0.969), (7, 0.984), (9, 0.961), (25, 0.957)])
def test_an_interval_covers_the_median_as_often_as_it_says(pairs, covered):
    # Times of a machine that is now and then slow are skewed; the median of the ratios is 1.25.
    draw, trials = random.Random(0), 4000
    found = 0
    for _ in range(trials):
        ratios = [1.25 * math.exp(draw.expovariate(1) - math.log(2)) for _ in range(pairs)]
        low, high = timing.ratio_interval(ratios, [1.0] * pairs)
        found += low <= 1.25 <= high
    assert found / trials == pytest.approx(covered, abs=0.01)
