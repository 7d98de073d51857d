"""Try the tables' rows on the package, and note what it says."""

import keras
import numpy as np

import keras_convkit

from .calls import REFUSED_INPUTS
from .constructor import REFUSED_ARGUMENTS
from .families import BUILD, CALL, SHAPE, SYMBOLIC

# Given to every layer, and the like to every symbolic input: the names that Keras makes up count
# on, and would differ from one run to the next.
NAME = "a_name_of_its_own"

# (the row, the way its input comes), one test each
REFUSED_WAYS = [(case, way) for case in REFUSED_INPUTS for way in case.ways]


def make(case):
    layer = getattr(keras_convkit, case.layer)
    positional = getattr(case, "positional", ())
    return layer(*positional, **case.constructor_arguments, name=NAME)


def array(shape, dtype):
    if dtype == "string":
        return np.full(shape, "word")
    values = np.random.default_rng(0).standard_normal(shape) * 3
    # By way of int, since a negative float has no unsigned value.
    return (abs(values).astype("int32") if dtype == "uint8" else values).astype(dtype)


def symbol(shape, dtype):
    return keras.KerasTensor(shape, dtype=dtype, name="an_input")


def raised(action):
    """The exception that `action` ends with, or None."""
    try:
        action()
    except Exception as error:
        return error
    return None


def give(layer, case, way):
    """Give a layer the input of a row of `REFUSED_INPUTS`, in one of its ways."""
    if case.built:
        layer.build(case.built)
    if way == SHAPE:
        return layer.compute_output_shape(case.shape)
    if way == BUILD:
        return layer.build(case.shape)
    tensor = {CALL: array, SYMBOLIC: symbol}[way]
    if case.instead is None:
        return layer(tensor(case.shape, case.dtype))
    makers = {
        "two tensors": lambda: [tensor(case.shape, case.dtype) for _ in range(2)],
        "no tensor in a list": list,
        "None": lambda: None,
        "a dictionary": lambda: {"image": tensor(case.shape, case.dtype)},
        "a word": lambda: "word",
    }
    return layer(makers[case.instead]())


def _verdict(action):
    error = raised(action)
    return ["accepted", ""] if error is None else [type(error).__name__, str(error)]


def verdicts():
    """`{id: [exception's type or "accepted", message]}` of every refused row.

    The accepted rows have no message to compare, and every backend by itself has to accept them.
    """
    refused = {case.id: _verdict(lambda case=case: make(case)) for case in REFUSED_ARGUMENTS}
    inputs = {
        f"{case.id} by {way}": _verdict(lambda case=case, way=way: give(make(case), case, way))
        for case, way in REFUSED_WAYS
    }
    return refused | inputs
