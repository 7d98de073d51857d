"""Configurations drawn from the whole of the contract, against the float64 reference.

50 a family; `HYPOTHESIS_PROFILE=deep` (or `--hypothesis-profile=deep`) draws 250.
"""

import zlib

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_convkit.parity import strategies
from keras_convkit.parity.cases import FAMILIES


def drawn_modes(case):
    """Eager, and TensorFlow's graph for one example in five; on JAX the compiled mode alone.

    JAX compiles in either case: called eagerly, each operation by itself, which takes longer.
    """
    if keras.backend.backend() == "jax":
        return ["compiled"]
    # By the configuration itself: the same example must take the same way when it is run again.
    in_graph = keras.backend.backend() == "tensorflow" and zlib.crc32(repr(case).encode()) % 5 == 0
    return ["eager", "compiled"] if in_graph else ["eager"]


@pytest.mark.parametrize("family", FAMILIES)
@given(data=st.data())
def test_drawn(family, data, check_numbers, check_shapes):
    case = data.draw(strategies.case(family))
    check_numbers(case, drawn_modes(case))
    check_shapes(case)
