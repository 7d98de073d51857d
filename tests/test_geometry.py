"""Lengths and amounts against counting: positions are laid out one by one and looked at."""

import itertools
import math

import pytest

from keras_convkit import geometry
from tests.once import ONCE

pytestmark = ONCE

LENGTHS = range(1, 11)
KERNEL_SIZES, STRIDES, DILATIONS = range(1, 6), range(1, 5), range(1, 4)

every_window = pytest.mark.parametrize(
    ("k", "s", "d"),
    [
        pytest.param(k, s, d, id=f"k{k}-s{s}-d{d}")
        for k, s, d in itertools.product(KERNEL_SIZES, STRIDES, DILATIONS)
    ],
)


def taps(k, d):
    """The steps that a window at 0 looks at."""
    return [j * d for j in range(k)]


def windows(padded, k, s, d):
    """The windows, each a list of its steps, that have every step of theirs among `padded`."""
    starts = range(padded.start, padded.stop, s)
    every = ([start + tap for tap in taps(k, d)] for start in starts)
    return [steps for steps in every if set(steps) <= set(padded)]


def padded_steps(n, before, after):
    return range(-before, n + after)


def written_steps(n, k, s, d):
    """The steps that a transposed convolution of `n` steps writes to."""
    return {i * s + tap for i in range(n) for tap in taps(k, d)}


@every_window
def test_reach_spans_the_first_tap_to_the_last(k, s, d):
    steps = taps(k, d)
    assert geometry.reach(k, d) == len(range(min(steps), max(steps) + 1))


# Convolution.


@every_window
def test_same_is_the_least_padding_that_keeps_one_window_a_stride(k, s, d):
    e = geometry.reach(k, d)
    for n in LENGTHS:
        wanted = len(range(0, n, s))
        total = next(
            p for p in itertools.count() if len(windows(padded_steps(n, 0, p), k, s, d)) == wanted
        )
        before, after = geometry.same_amounts(n, s, e)
        assert before + after == total
        assert after - before in (0, 1)
        assert geometry.padding_amounts("same", n, s, e) == (before, after)
        assert geometry.conv_length("same", n, s, e) == math.ceil(n / s) == wanted


@every_window
def test_causal_windows_end_where_their_output_stands(k, s, d):
    e = geometry.reach(k, d)
    assert geometry.padding_amounts("causal", None, s, e) == (e - 1, 0)
    for n in LENGTHS:
        amounts = geometry.padding_amounts("causal", n, s, e)
        ends = [steps[-1] for steps in windows(padded_steps(n, *amounts), k, s, d)]
        assert ends == list(range(0, n, s))
        assert geometry.conv_length("causal", n, s, e) == len(ends)


@every_window
def test_length_is_the_number_of_windows_that_fit(k, s, d):
    e = geometry.reach(k, d)
    entries = ("valid", (0, 0), (1, 1), (2, 0), (0, 3), (5, 4))
    for entry, n in itertools.product(entries, LENGTHS):
        amounts = (0, 0) if entry == "valid" else entry
        assert geometry.padding_amounts(entry, n, s, e) == amounts
        count = len(windows(padded_steps(n, *amounts), k, s, d))
        # Where no window fits, how far it is from fitting is left open.
        assert max(geometry.conv_length(entry, n, s, e), 0) == count
        assert max(geometry.window_count(n + sum(amounts), s, e), 0) == count


@every_window
def test_an_unknown_length_makes_unknown_only_what_depends_on_it(k, s, d):
    e = geometry.reach(k, d)
    for entry in ("valid", "causal", (1, 2), "same"):
        known = {geometry.padding_amounts(entry, n, s, e) for n in LENGTHS}
        amounts = geometry.padding_amounts(entry, None, s, e)
        if amounts is not None:
            assert known == {amounts}
        else:
            assert entry == "same" and s > 1
        assert geometry.conv_length(entry, None, s, e) is None
    for entry in ("valid", "same", (1, 0)):
        assert geometry.conv_transpose_length(entry, None, s, e, None) is None


# Transposed convolution.


@every_window
def test_full_transposed_length_ends_at_the_last_step_written(k, s, d):
    for n in LENGTHS:
        full = geometry.full_transposed_length(n, s, geometry.reach(k, d))
        assert full == max(written_steps(n, k, s, d)) + 1


def contract(padding, n, k, s, d, output_padding):
    """The output's length and what is cut in front, in the contract's words."""
    e = max(taps(k, d)) + 1
    full = max(written_steps(n, k, s, d)) + 1
    if padding not in ("valid", "same"):
        front, behind = padding
        return full - front - behind + (output_padding or 0), front
    if output_padding is not None:
        out = (n - 1) * s + e - 2 * (e // 2 if padding == "same" else 0) + output_padding
    else:
        out = n * s if padding == "same" else (n - 1) * s + max(e, s)
    return out, max(full - out, 0) // 2 if padding == "same" else 0


@every_window
def test_transposed_cuts_are_the_contracts(k, s, d):
    e = geometry.reach(k, d)
    entries = ("valid", "same", (0, 0), (2, 1), (0, 3))
    for padding, output_padding in itertools.product(entries, (None, *range(s))):
        cut_front, cut_behind = geometry.transposed_cut(padding, s, e, output_padding)
        for n in LENGTHS:
            length, front = contract(padding, n, k, s, d, output_padding)
            full = geometry.full_transposed_length(n, s, e)
            assert cut_front == front
            assert full - cut_front - cut_behind == length
            assert geometry.conv_transpose_length(padding, n, s, e, output_padding) == length


@every_window
def test_some_output_padding_inverts_each_convolution(k, s, d):
    """What output padding is for: the lengths that a stride makes one are told apart again."""
    e = geometry.reach(k, d)
    for padding in ("valid", "same"):
        if padding == "same" and e % 2 == 0:
            continue  # The contract cuts 2 * (e // 2) there: one step more than was added.
        for n in range(e, e + len(LENGTHS)):
            shorter = geometry.conv_length(padding, n, s, e)
            assert n in [
                geometry.conv_transpose_length(padding, shorter, s, e, output_padding)
                for output_padding in range(s)
            ]


# Stride and dilation together.


@pytest.mark.parametrize("s", range(1, 13))
def test_coprime_parts(s):
    for d in range(1, 13):
        divisors = [g for g in range(1, 13) if s % g == d % g == 0]
        g, stride, dilation = geometry.coprime_parts(s, d)
        assert g == max(divisors)
        assert (g * stride, g * dilation) == (s, d)
        assert not [c for c in range(2, 13) if stride % c == dilation % c == 0]
        assert all(step % g == 0 for step in written_steps(5, 4, s, d))
