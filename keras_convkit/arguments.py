"""What a user wrote -> checked, standard values; every message about an argument is born here.

Each function is named for what it returns and takes the value, the argument's name and its
`owner`: the layer or function that the user called. A value of a wrong type raises `TypeError`,
a value of the right type that isn't allowed `ValueError`. The checks read nothing of the backend,
so that the verdict and its words are the same on each.
"""

from __future__ import annotations

import difflib
import inspect
import numbers
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras

from keras_convkit.description import (
    Convolution,
    Cropping,
    Padding,
    SpatialAxes,
    TransposedConvolution,
    Upsampling,
)
from keras_convkit.geometry import PaddingEntry, Pair

DATA_FORMATS = ("channels_last", "channels_first")
PADDING_WORDS = ("valid", "same", "causal")
TRANSPOSED_PADDING_WORDS = ("valid", "same")
PADDING_MODES = ("zeros", "reflect", "replicate", "circular")
# TensorFlow ends the process, without an exception, on a stride that an int32 can't hold.
LARGEST = 2**31 - 1
# The name under which each rank's users know linear interpolation; `"linear"` is right in all.
LINEAR_NAMES = {1: "linear", 2: "bilinear", 3: "trilinear"}
CUBIC_NAMES = ("cubic", "bicubic")

# What users write, for their editors. A sequence has one entry per spatial dimension, except that
# in 1D two bare ints are `(before, after)`; the functions below hold the rest of the rules.
Size = int | Sequence[int]
Words = str | Sequence[str]
Amounts = int | Sequence[int | Sequence[int]]
PaddingArgument = str | int | Sequence[str | int | Sequence[int]]
# An activation, initializer, regularizer or constraint: its name, its config or itself.
KerasObject = str | dict[str, Any] | Callable[..., Any] | None


def wrong_type(owner: str, name: str, expected: str, value: Any) -> TypeError:
    return TypeError(_message(owner, name, expected, value))


def wrong_value(owner: str, name: str, expected: str, value: Any) -> ValueError:
    return ValueError(_message(owner, name, expected, value))


def _message(owner: str, name: str, expected: str, value: Any) -> str:
    return f"{owner}: `{name}` must be {expected}. Received: {name}={value!r}"


def _is_int(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def flag(value: Any, name: str, owner: str) -> bool:
    if not isinstance(value, bool):
        raise wrong_type(owner, name, "True or False", value)
    return value


def number(value: Any, name: str, owner: str) -> float:
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise wrong_type(owner, name, "a real number", value)
    return float(value)


def integer(value: Any, name: str, owner: str, minimum: int = 1) -> int:
    expected = f"an integer of at least {minimum}"
    if not _is_int(value):
        raise wrong_type(owner, name, expected, value)
    if not minimum <= value <= LARGEST:
        raise wrong_value(owner, name, expected, value)
    return operator.index(value)


def integers(value: Any, rank: int, name: str, owner: str, minimum: int = 1) -> tuple[int, ...]:
    """One int a spatial dimension, from an int for all of them or a sequence of them."""
    expected = f"an integer of at least {minimum}, or {_counted(rank, 'of them')}"
    if _is_int(value):
        value_of_each = (value,) * rank
    elif _is_sequence(value) and all(map(_is_int, value)):
        value_of_each = tuple(value)
    else:
        raise wrong_type(owner, name, expected, value)
    in_range = all(minimum <= each <= LARGEST for each in value_of_each)
    if len(value_of_each) != rank or not in_range:
        raise wrong_value(owner, name, expected, value)
    return tuple(map(operator.index, value_of_each))


def _counted(rank: int, what: str) -> str:
    return f"a tuple of {rank} {what}" + (" (one a spatial dimension)" if rank > 1 else "")


def word(value: Any, allowed: Sequence[str], name: str, owner: str) -> str:
    """A word out of `allowed`, in any case; an unknown one is answered with the closest."""
    expected = _one_of(allowed)
    if not isinstance(value, str):
        raise wrong_type(owner, name, expected, value)
    if value.lower() not in allowed:
        raise wrong_value(owner, name, expected + _did_you_mean(value, allowed), value)
    return value.lower()


def _one_of(words: Iterable[str]) -> str:
    return "one of " + ", ".join(map(repr, words))


def _did_you_mean(value: str, allowed: Sequence[str]) -> str:
    close = difflib.get_close_matches(value.lower(), allowed, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def data_format(value: Any, owner: str) -> str:
    """`"channels_last"` or `"channels_first"`; `None` is Keras's global setting."""
    if value is None:
        return keras.config.image_data_format()
    return word(value, DATA_FORMATS, "data_format", owner)


def padding_entries(
    value: Any, rank: int, owner: str, words: Sequence[str] = PADDING_WORDS
) -> tuple[PaddingEntry, ...]:
    """One padding entry a spatial dimension, each a word or `(before, after)`.

    A 1D layer has one entry, so that two bare ints can only be its `(before, after)`.
    """
    expected = (
        f"{_one_of(words)}, an integer of at least 0, or a tuple of {rank} entries, one a "
        f"spatial dimension, each a word, an integer or a (before, after) pair"
    )
    if isinstance(value, str):
        return (word(value, words, "padding", owner),) * rank
    if _is_int(value):
        entries: tuple[Any, ...] = (value,) * rank
    elif not _is_sequence(value):
        raise wrong_type(owner, "padding", expected, value)
    elif rank == 1 and _is_pair(value):
        entries = (value,)
    else:
        entries = tuple(value)
    if not all(isinstance(entry, str) or _is_int(entry) or _is_pair(entry) for entry in entries):
        if all(isinstance(entry, str) or _is_int(entry) or _is_ints(entry) for entry in entries):
            raise wrong_value(owner, "padding", expected, value)
        raise wrong_type(owner, "padding", expected, value)
    if len(entries) != rank:
        raise wrong_value(owner, "padding", expected, value)
    return tuple(_padding_entry(entry, words, expected, value, owner) for entry in entries)


def _padding_entry(
    entry: Any, words: Sequence[str], expected: str, value: Any, owner: str
) -> PaddingEntry:
    if isinstance(entry, str):
        if entry.lower() not in words:
            raise wrong_value(owner, "padding", expected + _did_you_mean(entry, words), value)
        return entry.lower()
    before, after = (entry, entry) if _is_int(entry) else entry
    if min(before, after) < 0:
        raise wrong_value(owner, "padding", expected, value)
    return operator.index(before), operator.index(after)


def _is_ints(value: Any) -> bool:
    return _is_sequence(value) and all(map(_is_int, value))


def _is_pair(value: Any) -> bool:
    return _is_ints(value) and len(value) == 2


def padding_modes(value: Any, rank: int, owner: str) -> tuple[str, ...]:
    """One padding mode a spatial dimension, from one word or a sequence of them."""
    expected = f"{_one_of(PADDING_MODES)}, or {_counted(rank, 'of them')}"
    if isinstance(value, str):
        modes: tuple[Any, ...] = (value,) * rank
    elif _is_sequence(value):
        modes = tuple(value)
    else:
        raise wrong_type(owner, "padding_mode", expected, value)
    for mode in modes:
        if not isinstance(mode, str):
            raise wrong_type(owner, "padding_mode", expected, value)
        if mode.lower() not in PADDING_MODES:
            hint = _did_you_mean(mode, PADDING_MODES)
            raise wrong_value(owner, "padding_mode", expected + hint, value)
    if len(modes) != rank:
        raise wrong_value(owner, "padding_mode", expected, value)
    return tuple(mode.lower() for mode in modes)


def pairs(
    value: Any, rank: int, name: str, owner: str, also: str = "", received: Any = None
) -> tuple[Pair, ...]:
    """One `(before, after)` pair a spatial dimension.

    From an int for all sides, one int a dimension (both its sides) or one pair a dimension. In
    1D two bare ints are the pair. Messages name what is allowed `also`, and show `received`.
    """
    received = value if received is None else received
    expected = (
        "an integer of at least 0 or a (before, after) pair of them"
        if rank == 1
        else f"an integer of at least 0, {rank} of them, or {rank} (before, after) pairs"
    ) + also
    if _is_int(value):
        entries: tuple[Any, ...] = (value,) * rank
    elif rank == 1 and _is_pair(value):
        entries = (value,)
    elif _is_sequence(value) and all(_is_int(entry) or _is_ints(entry) for entry in value):
        entries = tuple(value)
    else:
        raise wrong_type(owner, name, expected, received)
    sides = tuple((entry, entry) if _is_int(entry) else tuple(entry) for entry in entries)
    if len(sides) != rank or any(len(side) != 2 or min(side) < 0 for side in sides):
        raise wrong_value(owner, name, expected, received)
    return tuple((operator.index(before), operator.index(after)) for before, after in sides)


def left_right_pairs(value: Any, rank: int, name: str, owner: str) -> tuple[Pair, ...]:
    """`pairs`, in 1D also from `{"left_pad": before, "right_pad": after}`."""
    if rank > 1:
        return pairs(value, rank, name, owner)
    also = ", or a dictionary of them with the keys 'left_pad' and 'right_pad'"
    if not isinstance(value, Mapping):
        return pairs(value, rank, name, owner, also)
    if set(value) != {"left_pad", "right_pad"}:
        raise wrong_value(owner, name, also.removeprefix(", or "), value)
    return pairs((value["left_pad"], value["right_pad"]), rank, name, owner, also, received=value)


def interpolation_method(value: Any, rank: int, owner: str) -> str:
    """The method's name that all ranks share: nearest, linear, cubic, lanczos3, lanczos5."""
    linear = LINEAR_NAMES[rank]
    allowed = tuple(dict.fromkeys(("nearest", "linear", linear, *CUBIC_NAMES)))
    name = word(value, (*allowed, "lanczos3", "lanczos5"), "interpolation", owner)
    return {linear: "linear", "bicubic": "cubic"}.get(name, name)


def keras_object(value: Any, get: Callable[[Any], Any], name: str, kind: str, owner: str) -> Any:
    """The activation, initializer, regularizer or constraint that Keras's `get` makes of it."""
    expected = f"the name, the config or an instance of a Keras {kind}, a callable, or None"
    is_class = kind == "activation" and inspect.isclass(value)
    if isinstance(value, (numbers.Number, bytes, set)) or _is_sequence(value) or is_class:
        raise wrong_type(owner, name, expected, value)
    try:
        return get(value)
    except Exception as error:  # whatever Keras's lookup trips over, the user reads one message
        raise wrong_value(owner, name, expected, value) from error


def check_dtype(dtype: str, kinds: Sequence[str], owner: str) -> None:
    """Raises unless a layer's compute dtype is one of these kinds, `"float"` and the like."""
    if not dtype.removeprefix("b").startswith(tuple(kinds)):
        raise wrong_value(owner, "dtype", f"a dtype to compute in ({', '.join(kinds)})", dtype)


def check_divides(groups: int, count: int, name: str, owner: str) -> None:
    """Raises unless `groups` divides `count`, the value of the argument `name`."""
    if count % groups:
        raise ValueError(
            f"{owner}: `groups` must divide `{name}`. Received: groups={groups}, {name}={count}"
        )


def output_paddings(
    value: Any, strides: tuple[int, ...], rank: int, owner: str
) -> tuple[int, ...] | None:
    """One int a spatial dimension, each less than its stride; `None` infers the length."""
    if value is None:
        return None
    amounts = integers(value, rank, "output_padding", owner, minimum=0)
    if any(o >= s for o, s in zip(amounts, strides, strict=True)):
        raise ValueError(
            f"{owner}: `output_padding` must be less than `strides` in every dimension. "
            f"Received: output_padding={value!r}, strides={strides!r}"
        )
    return amounts


def compact(entries: tuple[Any, ...]) -> Any:
    """One word where all `entries` are the same word: how built-in Keras writes it."""
    first = entries[0]
    return first if isinstance(first, str) and set(entries) == {first} else entries


def convolution(
    owner: str,
    axes: SpatialAxes,
    *,
    kernel_size: Any,
    strides: Any,
    padding: Any,
    dilation_rate: Any,
    padding_mode: Any,
    groups: Any = 1,
) -> Convolution:
    """The convolution, dense, grouped or depthwise, that the arguments describe."""
    rank = axes.rank
    return Convolution(
        axes=axes,
        kernel_size=integers(kernel_size, rank, "kernel_size", owner),
        strides=integers(strides, rank, "strides", owner),
        padding=padding_entries(padding, rank, owner),
        dilation_rate=integers(dilation_rate, rank, "dilation_rate", owner),
        padding_modes=padding_modes(padding_mode, rank, owner),
        groups=integer(groups, "groups", owner),
    )


def transposed_convolution(
    owner: str,
    axes: SpatialAxes,
    *,
    kernel_size: Any,
    strides: Any,
    padding: Any,
    output_padding: Any,
    dilation_rate: Any,
    groups: Any = 1,
) -> TransposedConvolution:
    """The transposed convolution that the arguments describe."""
    rank = axes.rank
    steps = integers(strides, rank, "strides", owner)
    return TransposedConvolution(
        axes=axes,
        kernel_size=integers(kernel_size, rank, "kernel_size", owner),
        strides=steps,
        padding=padding_entries(padding, rank, owner, TRANSPOSED_PADDING_WORDS),
        output_padding=output_paddings(output_padding, steps, rank, owner),
        dilation_rate=integers(dilation_rate, rank, "dilation_rate", owner),
        groups=integer(groups, "groups", owner),
    )


def padding(
    owner: str, axes: SpatialAxes, *, padding: Any, padding_mode: Any = "zeros", value: Any = 0.0
) -> Padding:
    """The padding that the arguments describe; a value that nothing would use is refused."""
    amounts = left_right_pairs(padding, axes.rank, "padding", owner)
    modes = padding_modes(padding_mode, axes.rank, owner)
    constant = number(value, "value", owner)
    if constant and "zeros" not in modes:
        expected = "0 where no dimension's `padding_mode` is 'zeros'"
        raise wrong_value(owner, "value", expected, value)
    return Padding(axes, amounts, modes, constant)


def cropping(owner: str, axes: SpatialAxes, *, cropping: Any) -> Cropping:
    """The cropping that the argument describes."""
    return Cropping(axes, pairs(cropping, axes.rank, "cropping", owner))


def upsampling(owner: str, axes: SpatialAxes, *, size: Any, interpolation: Any) -> Upsampling:
    """The upsampling that the arguments describe."""
    sizes = integers(size, axes.rank, "size", owner)
    return Upsampling(axes, sizes, interpolation_method(interpolation, axes.rank, owner))
