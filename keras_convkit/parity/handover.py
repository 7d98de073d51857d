"""Objects of the user's process as what a worker, another process, can make again."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

import keras_convkit
from keras_convkit.parity.inputs import Input, parse_input

# Where users import a class from, which isn't where it is defined.
_PUBLIC = (("keras_convkit", keras_convkit), ("keras.layers", keras.layers), ("keras", keras))


def target_of(thing: Any) -> str:
    """Returns `module:Name` of a class or function.

    Raises:
        ValueError: No other process can import it under that name.
    """
    name = getattr(thing, "__qualname__", "")
    if not name:
        raise ValueError(f"must be a class or a function. Received: {thing!r}")
    for module, package in _PUBLIC:
        if getattr(package, name, None) is thing:
            return f"{module}:{name}"
    module = thing.__module__
    if module == "__main__":
        raise ValueError(
            f"{name} is defined in the script that is run (or a notebook), which the process of "
            "another backend can't import. Put it into a module of its own."
        )
    if "<" in name:
        raise ValueError(
            f"{module}:{name} is defined inside a function, where the process of another backend "
            "can't find it. Define it at the top level of a module."
        )
    found = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if inspect.unwrap(thing) is not (found and inspect.unwrap(found)):
        raise ValueError(f"{module}:{name} is not the {name} that was given, but {found!r}")
    return f"{module}:{name}"


def config_of(layer: keras.Layer) -> dict[str, Any]:
    """Returns the arguments that make a layer like this one, without its name.

    Its dtype isn't among them where it is the usual one, which leaves a worker free to choose.
    """
    config = layer.get_config()
    config.pop("name", None)
    if config.get("trainable") is True:
        del config["trainable"]
    policy = getattr(layer, "dtype_policy", None)
    if policy is not None and policy.name == keras.config.dtype_policy().name:
        config.pop("dtype", None)
    return config


def plain(value: Any, where: str = "config") -> Any:
    """Returns an argument as JSON can carry it; Keras objects as Keras writes them.

    Raises:
        TypeError: It can't be carried to another process.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {str(key): plain(each, f"{where}[{key!r}]") for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each, f"{where}[{i}]") for i, each in enumerate(value)]
    try:
        return keras.saving.serialize_keras_object(value)
    except Exception as error:
        raise TypeError(
            f"{where} must be what JSON or Keras can write down. Received: {value!r}"
        ) from error


def inputs_of(given: Any) -> tuple[Input, ...]:
    """Returns inputs from shapes, arrays, texts as of `--input`, or several of them.

    A list or tuple of ints is one shape; a mapping has the inputs by name.
    """
    if given is None:
        return ()
    if isinstance(given, Mapping):
        return tuple(_input(name, each) for name, each in given.items())
    several = isinstance(given, Sequence) and not isinstance(given, str)
    if several and not (given and all(isinstance(n, (int, np.integer)) for n in given)):
        return tuple(_input("", each) for each in given)
    return (_input("", given),)


def _input(name: str, given: Any) -> Input:
    if isinstance(given, Input):
        return given
    if isinstance(given, str):
        return parse_input(f"{name}={given}" if name else given)
    if isinstance(given, Sequence) and all(isinstance(n, (int, np.integer)) for n in given):
        return parse_input(f"{name}=" * bool(name) + ",".join(map(str, given)))
    array = np.asarray(given)
    if array.dtype == object:
        raise TypeError(f"an input must be a shape, an array or a text. Received: {given!r}")
    return Input(name, f"array of {'x'.join(map(str, array.shape))} {array.dtype}", array=array)
