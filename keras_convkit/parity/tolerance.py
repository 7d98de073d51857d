"""How far apart two computations of the same number may lie, from dtype and length of the sums.

A sum of n terms in floating point takes about n roundings, each at most u times the partial sum
at that point, with u the unit roundoff of the dtype. Taken as independent with mean zero, they add
up to more than `t * sqrt(n) * u` times the largest partial sum with a probability of at most
`2 * exp(-t**2 / 2)` (Azuma and Hoeffding). That is the probabilistic form of the classical
`gamma(n) = n * u / (1 - n * u)`: N. J. Higham, T. Mary, "A New Approach to Probabilistic Rounding
Error Analysis", SIAM J. Sci. Comput. 41(5), 2019, theorem 2.4; the classical one is in
N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., SIAM 2002, section 3.1.

`t` is chosen so that for all elements of an array together the probability is `CHANCE`. Errors are
given in units of the largest magnitude of the array, which stands for the largest partial sum.
Two backends each round, so their difference may be twice that of one from an exact reference.
`docs/parity.md` has the derivation and what it assumes.
"""

from __future__ import annotations

import math

UNIT_ROUNDOFF = {"float64": 2.0**-53, "float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}

# The probability with which an array of right numbers is found to be wrong.
CHANCE = 1e-6


def bound(dtype: str, roundings: int, elements: int, rounded_sides: int = 2) -> float:
    """Returns the largest error allowed, in units of the largest magnitude.

    Args:
        dtype: What is computed in; a dtype without roundoff, such as int32, allows no error.
        roundings: The roundings on the longest way from the data to a number.
        elements: How many numbers are compared.
        rounded_sides: How many of the two sides have rounded: 2 for two backends, 1 where one is
            an exact reference.
    """
    if dtype not in UNIT_ROUNDOFF:
        return 0.0
    deviations = math.sqrt(2.0 * math.log(2.0 * max(elements, 1) / CHANCE))
    return rounded_sides * deviations * math.sqrt(max(roundings, 1)) * UNIT_ROUNDOFF[dtype]
