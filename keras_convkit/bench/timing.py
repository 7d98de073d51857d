"""Timing in pairs: one call of each side at a time, so that both see the same machine."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

Call = Callable[[], Any]
Clock = Callable[[], float]

# A ratio needs this many pairs. Where so many would take more than `_PATIENCE` times the budget,
# fewer have to do.
LEAST_PAIRS = 7
FEWEST_PAIRS = 3
MOST_PAIRS = 101
_PATIENCE = 3
CONFIDENCE = 0.95
# A sample shorter than this would measure the clock, and what else the machine does, too.
_LEAST_SAMPLE = 500e-6


def time_pairs(
    calls: Sequence[Call],
    seconds: float,
    clock: Clock = time.perf_counter,
    *,
    fewest: int = FEWEST_PAIRS,
    warm_up: bool = True,
) -> list[list[float]]:
    """Times calls alternately.

    The calls have to be warm. The order changes from round to round, since a call finds the caches
    as the one before it has left them.

    Args:
        calls: One side, or both.
        seconds: The budget for all samples.
        clock: What tells the time, in seconds.
        fewest: The number of pairs where even a few take long.
        warm_up: Whether each is called beforehand, which also tells how many calls a sample needs;
            without, it is one.

    Returns:
        For each of `calls`, the seconds of one call in each round.
    """
    repeats = [_repeats(call, clock) if warm_up else 1 for call in calls]
    samples: list[list[float]] = [[] for _ in calls]
    order = list(range(len(calls)))
    start = clock()
    while _continues(len(samples[0]), clock() - start, seconds, fewest):
        for side in order:
            samples[side].append(_sample(calls[side], repeats[side], clock))
        order.reverse()
    return samples


def median_ratio(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    """Returns the median of the ratio of each pair."""
    return statistics.median(_ratios(numerators, denominators))


def ratio_interval(
    numerators: Sequence[float], denominators: Sequence[float]
) -> tuple[float, float] | None:
    """Returns an interval that covers the median of the pairs' ratios with `CONFIDENCE`, at least.

    Of n independent ratios, so many as Bin(n, 1/2) lie below the median of their distribution,
    whichever that is. So the k-th smallest and the k-th largest have it between them with a
    probability of 1 - 2 P(Bin(n, 1/2) < k); k is the largest for which that suffices (David and
    Nagaraja, Order Statistics, 3rd edition, section 7.1).

    The two ends tell how far the ratios of one process scatter. What differs from one process to
    the next, such as where arrays lie in memory, is the same in all of them.

    Args:
        numerators: One sample of each pair.
        denominators: The other.

    Returns:
        The two ends, or None for fewer than 6 pairs, where not even the smallest and the largest
        ratio suffice.
    """
    ratios = sorted(_ratios(numerators, denominators))
    rank = _interval_rank(len(ratios))
    return (ratios[rank - 1], ratios[-rank]) if rank else None


def _ratios(numerators: Sequence[float], denominators: Sequence[float]) -> list[float]:
    return [a / b for a, b in zip(numerators, denominators, strict=True)]


def _interval_rank(number: int) -> int:
    """Returns the k of `ratio_interval`, or 0."""
    rank, fewer = 0, 1
    # `fewer` of 2**number equally likely outcomes have at most `rank` ratios below the median.
    while 2 * fewer / 2**number <= 1 - CONFIDENCE:
        rank += 1
        fewer += math.comb(number, rank)
    return rank


def _continues(rounds: int, spent: float, budget: float, fewest: int) -> bool:
    if rounds >= MOST_PAIRS:
        return False
    if spent < budget:
        return True
    least = fewest if spent > _PATIENCE * budget else LEAST_PAIRS
    return rounds < least


def _repeats(call: Call, clock: Clock) -> int:
    """Returns how many calls make a sample."""
    estimate = _sample(call, 1, clock)
    if estimate < _LEAST_SAMPLE:
        estimate = min(estimate, _sample(call, 1, clock))
    return max(1, math.ceil(_LEAST_SAMPLE / max(estimate, 1e-9)))


def _sample(call: Call, repeats: int, clock: Clock) -> float:
    start = clock()
    for _ in range(repeats):
        call()
    return (clock() - start) / repeats
