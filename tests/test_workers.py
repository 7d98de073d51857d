"""What the tools and their workers tell each other."""

import keras
import numpy as np
import pytest

from keras_convkit.workers import first_line


class Refusing(keras.layers.Layer):
    def call(self, x):
        raise TypeError("no such kernel\nnor any other")


def test_an_error_is_told_by_what_it_says_and_not_by_where_keras_caught_it():
    with pytest.raises(TypeError) as caught:
        Refusing()(np.ones((2, 3), "float32"))
    assert str(caught.value).startswith("Exception encountered when calling")
    assert first_line(caught.value) == "TypeError: no such kernel"


def test_an_error_of_a_traced_function_is_told_by_its_last_line():
    text = 'in user code:\n\n    File "model.py", line 3, in call  *\n        return x + 1\n\n    '
    assert first_line(ValueError(f"{text}ValueError: too short\n")) == "ValueError: too short"
    assert first_line(ValueError("in user code: none")) == "ValueError: in user code: none"


def test_an_error_without_words():
    assert first_line(KeyError()) == "KeyError: "
    assert first_line(ValueError("\n\n  what is wrong  \nand more")) == "ValueError: what is wrong"
