"""What the tables are written in: the families, their ranks, and the rows.

The tables hold no layer objects, only names and arguments, so that they can be read, counted and
imported without a backend.
"""

from dataclasses import dataclass, field

import numpy as np

RANKS = (1, 2, 3)

# family -> (how its classes are called, the least that its constructor needs)
FAMILIES = {
    "Conv": ("Conv{}D", {"filters": 4, "kernel_size": 3}),
    "ConvTranspose": ("Conv{}DTranspose", {"filters": 4, "kernel_size": 3}),
    "DepthwiseConv": ("DepthwiseConv{}D", {"kernel_size": 3}),
    "SeparableConv": ("SeparableConv{}D", {"filters": 4, "kernel_size": 3}),
    "Cropping": ("Cropping{}D", {"cropping": 1}),
    "UpSampling": ("UpSampling{}D", {}),
    "ZeroPadding": ("ZeroPadding{}D", {}),
    "Padding": ("Padding{}D", {"padding": 1}),
}
WITH_WEIGHTS = ("Conv", "ConvTranspose", "DepthwiseConv", "SeparableConv")
# These three share `padding` a dimension at a time and `padding_mode`; a transposed one does not.
FORWARD = ("Conv", "DepthwiseConv", "SeparableConv")
WEIGHTLESS = ("Cropping", "UpSampling", "ZeroPadding", "Padding")

# What an argument may say. A misspelt word must be answered with the nearest of these.
WORDS = {
    "padding": ("valid", "same", "causal"),
    "padding_mode": ("zeros", "reflect", "replicate", "circular"),
    "data_format": ("channels_last", "channels_first"),
    "interpolation": (
        "nearest",
        "linear",
        "bilinear",
        "trilinear",
        "bicubic",
        "cubic",
        "lanczos3",
        "lanczos5",
    ),
}


def class_name(family, rank):
    return FAMILIES[family][0].format(rank)


def classes(families=tuple(FAMILIES), ranks=RANKS):
    """`(family, rank, class name)` of every class asked for."""
    return [(family, rank, class_name(family, rank)) for family in families for rank in ranks]


MINIMAL = {name: FAMILIES[family][1] for family, _, name in classes()}


def shown(value):
    """How a value looks in a message: words without quotes, NumPy scalars without their type."""
    return str(value) if isinstance(value, (str, np.generic)) else repr(value)


def written(arguments):
    """As in a call. An address would make another id in every process."""

    def told(value):
        addressed = " at 0x" in repr(value)
        return getattr(value, "__name__", type(value).__name__) if addressed else repr(value)

    return ", ".join(f"{name}={told(value)}" for name, value in arguments.items())


@dataclass(frozen=True)
class RefusedArguments:
    """A constructor that must raise.

    `argument` stands in backticks in the message and `received` after `Received:`. `closest` is
    the word that the message must offer instead.
    """

    layer: str
    arguments: dict
    error: type
    argument: str
    received: str
    closest: str | None = None
    # An unknown keyword is answered by Keras, in Keras's words.
    by_keras: bool = False

    @property
    def id(self):
        return f"{self.layer}({written(self.arguments)})"

    @property
    def constructor_arguments(self):
        return MINIMAL[self.layer] | self.arguments


def refuse(layer, argument, value, error, closest=None, **beside):
    """The usual row: `value` for `argument` is wrong; `beside` are good arguments that matter."""
    arguments = beside | {argument: value}
    return RefusedArguments(layer, arguments, error, argument, shown(value), closest)


# The ways by which a shape reaches a layer. `call` is eager, on an array.
CALL, SYMBOLIC, SHAPE, BUILD = "call", "symbolic", "compute_output_shape", "build"
EVERY_CALL = (CALL, SYMBOLIC)
EVERY_WAY = (CALL, SYMBOLIC, SHAPE)


@dataclass(frozen=True)
class RefusedInput:
    """A good layer, and an input that it must refuse with `ValueError`, in each of `ways`."""

    layer: str
    arguments: dict
    shape: tuple
    ways: tuple = EVERY_WAY
    dtype: str = "float32"
    # The shape that the layer was built with beforehand.
    built: tuple | None = None
    argument: str | None = None
    received: str | None = None
    # Instead of an array of `shape`: see `calls.NOT_A_TENSOR`.
    instead: str | None = None

    @property
    def id(self):
        given = self.instead or f"{self.dtype} {self.shape!r}"
        before = f" built for {self.built}" if self.built else ""
        return f"{self.layer}({written(self.arguments)}){before} <- {given}"

    @property
    def constructor_arguments(self):
        return MINIMAL[self.layer] | self.arguments

    @property
    def expected_after_received(self):
        return str(self.shape) if self.received is None else self.received


@dataclass(frozen=True)
class Accepted:
    """A layer and an input that it must take. `gives` is the output's shape, where worth saying."""

    layer: str
    arguments: dict
    shape: tuple
    gives: tuple | None = None
    dtype: str = "float32"
    positional: tuple = field(default=())

    @property
    def id(self):
        first = "".join(f"{value!r}, " for value in self.positional)
        return f"{self.layer}({first}{written(self.arguments)}) <- {self.dtype} {self.shape}"

    @property
    def constructor_arguments(self):
        # Nothing is filled in beside positional arguments: they would be given twice.
        return self.arguments if self.positional else MINIMAL[self.layer] | self.arguments


def image(rank, length, channels=2, batch=2):
    """A channels-last shape; `length` is one int for all dimensions or one a dimension."""
    lengths = (length,) * rank if isinstance(length, int) else length
    return (batch, *lengths, channels)


def channels_first(shape, rank):
    """The same shape with its channels in front of its spatial dimensions."""
    return (*shape[: -rank - 1], shape[-1], *shape[-rank - 1 : -1])
