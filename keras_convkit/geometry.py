"""Integer geometry of sliding windows: reach, padding amounts, output lengths.

Pure functions of integers, one spatial dimension at a time; no tensors, no Keras, no error
messages. Throughout, `n` is the input length, `k` the kernel size, `s` the stride, `d` the
dilation and `e` the kernel's reach. A length that is not known yet is `None`, and everything
that depends on it is `None` as well.

Source of the formulas: Dumoulin and Visin, "A guide to convolution arithmetic for deep
learning", https://arxiv.org/abs/1603.07285.
"""

from __future__ import annotations

import math

Pair = tuple[int, int]
# One dimension's padding: a word that stands for amounts, or the amounts themselves.
PaddingEntry = str | Pair
Length = int | None


def reach(k: int, d: int) -> int:
    """Number of input steps from a window's first tap to its last, both included."""
    return (k - 1) * d + 1


def same_amounts(n: int, s: int, e: int) -> Pair:
    """Padding that makes the output `ceil(n / s)` long; the smaller half stands in front."""
    total = max((-(-n // s) - 1) * s + e - n, 0)
    return total // 2, total - total // 2


def padding_amounts(entry: PaddingEntry, n: Length, s: int, e: int) -> Pair | None:
    """Steps added `(before, after)` a dimension; `None` where they depend on an unknown `n`."""
    if entry == "valid":
        return 0, 0
    if entry == "causal":
        return e - 1, 0
    if entry == "same":
        if s == 1:
            return same_amounts(e, 1, e)
        return None if n is None else same_amounts(n, s, e)
    return entry


def window_count(n: int, s: int, e: int) -> int:
    """Number of windows of reach `e` that fit into `n` steps; 0 or less where none does."""
    return (n - e) // s + 1


def conv_length(entry: PaddingEntry, n: Length, s: int, e: int) -> Length:
    """Output length of a convolution; 0 or less where no window fits."""
    if n is None:
        return None
    before, after = padding_amounts(entry, n, s, e)
    return window_count(n + before + after, s, e)


def full_transposed_length(n: int, s: int, e: int) -> int:
    """Length of the full transposed convolution, before anything is cut."""
    return (n - 1) * s + e


def transposed_cut(entry: PaddingEntry, s: int, e: int, output_padding: int | None) -> Pair:
    """Steps cut `(front, behind)` off the full transposed convolution.

    The cut does not depend on the input length. A negative amount behind means that the output
    reaches beyond the full one, by that many zeros.
    """
    if entry == "same":
        excess = e - s if output_padding is None else 2 * (e // 2) - output_padding
        front = max(excess, 0) // 2
        return front, excess - front
    if entry == "valid":
        return 0, (e - max(e, s) if output_padding is None else -output_padding)
    front, behind = entry
    return front, behind - (output_padding or 0)


def conv_transpose_length(
    entry: PaddingEntry, n: Length, s: int, e: int, output_padding: int | None
) -> Length:
    """Output length of a transposed convolution; 0 or less where all of it is cut."""
    if n is None:
        return None
    return full_transposed_length(n, s, e) - sum(transposed_cut(entry, s, e, output_padding))


def coprime_parts(s: int, d: int) -> tuple[int, int, int]:
    """`(g, s / g, d / g)` with `g` the greatest common divisor of stride and dilation.

    Only every `g`-th step of the longer side of a strided and dilated window is ever touched.
    """
    g = math.gcd(s, d)
    return g, s // g, d // g
