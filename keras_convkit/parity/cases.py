"""The one table of cases: what is tested, compared between backends, and timed.

A case is a layer's class, its configuration and an input shape. `CASES` covers every option of
the contract in every family and rank; a case names in `what` the options that it is there for,
and leaves the others at their defaults. The data that goes with a case follows from its id.
"""

from __future__ import annotations

import dataclasses
import math
import re
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_convkit.parity import reference

RANKS = (1, 2, 3)
WINDOWED_FAMILIES = ("Conv", "DepthwiseConv", "SeparableConv")
CONVOLUTION_FAMILIES = (*WINDOWED_FAMILIES, "ConvTranspose")
FAMILIES = (*CONVOLUTION_FAMILIES, "Cropping", "UpSampling", "ZeroPadding", "Padding")

# The name under which each rank's users know linear interpolation.
_LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


class Arrays(NamedTuple):
    """The data of a case, in float32."""

    x: np.ndarray
    weights: list[np.ndarray]
    cotangent: np.ndarray


@dataclasses.dataclass(frozen=True)
class Case:
    """A layer and what it is called with.

    Attributes:
        layer: Name of the layer's class, as `"Conv2DTranspose"`.
        config: Arguments of its constructor. Where `data_format` isn't among them, the case is
            `"channels_last"`, which is Keras's global setting unless the user has changed it.
        shape: Shape of the input, all its batch axes included.
        what: The options that the case is there for.
    """

    layer: str
    config: dict[str, Any] = dataclasses.field(hash=False)
    shape: tuple[int, ...]
    what: str

    @property
    def id(self) -> str:
        return f"{self.layer}-{self.what}"

    @property
    def family(self) -> str:
        """The class's name without its rank, as `"ConvTranspose"`."""
        return re.sub(r"\dD", "", self.layer)

    @property
    def rank(self) -> int:
        return int(re.search(r"(\d)D", self.layer)[1])

    @property
    def channels_first(self) -> bool:
        return self.config.get("data_format") == "channels_first"

    @property
    def channels(self) -> int:
        return self.shape[-self.rank - 1 if self.channels_first else -1]

    @property
    def lengths(self) -> tuple[int, ...]:
        """The spatial part of `shape`."""
        end = len(self.shape) - (not self.channels_first)
        return self.shape[end - self.rank : end]

    @property
    def batch(self) -> tuple[int, ...]:
        """The batch axes of `shape`."""
        return self.shape[: -self.rank - 1]

    def unknown_shape(self) -> tuple[int | None, ...]:
        """`shape` with nothing known but the number of channels."""
        return _shape((None,) * len(self.batch), (None,) * self.rank, self.channels, self.config)

    def each(self, name: str, default: Any = 1) -> tuple[Any, ...]:
        """One value a dimension of an option that is an int or a sequence of ints."""
        value = self.config.get(name, default)
        return tuple(value) if isinstance(value, (tuple, list)) else (value,) * self.rank

    def weight_shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the weights in Keras's order: the kernel or kernels, then the bias."""
        if self.family not in CONVOLUTION_FAMILIES:
            return []
        channels, size = self.channels, self.each("kernel_size")
        groups = self.config.get("groups", 1)
        filters = self.config.get("filters")
        multiplied = channels * self.config.get("depth_multiplier", 1)
        if self.family == "Conv":
            shapes = [(*size, channels // groups, filters)]
        elif self.family == "ConvTranspose":
            shapes = [(*size, filters // groups, channels)]
        else:
            shapes = [(*size, channels, multiplied // channels)]
        if self.family == "SeparableConv":
            shapes.append((*(1,) * self.rank, multiplied, filters))
        if self.config.get("use_bias", True):
            shapes.append((filters or multiplied,))
        return shapes

    def arrays(self, seed: int = 0) -> Arrays:
        """Input, weights and a cotangent of the output, the same for the same id and seed.

        All are standard normal, the kernels over the square root of how many terms are summed, so
        that the outputs are of order 1 as well.
        """
        rng = np.random.default_rng([zlib.crc32(self.id.encode()), seed])

        def normal(shape: Sequence[int], scale: float = 1.0) -> np.ndarray:
            return (scale * rng.standard_normal(shape)).astype("float32")

        x = normal(self.shape)
        weights = [normal(shape, self._scale(shape)) for shape in self.weight_shapes()]
        output = reference.layer(self.layer, self.config, weights, x)
        return Arrays(x, weights, normal(output.shape))

    def _scale(self, shape: tuple[int, ...]) -> float:
        """One over the square root of a kernel's fan-in; 1 for a bias."""
        if len(shape) == 1:
            return 1.0
        *size, a, b = shape
        pointwise = math.prod(size) == 1
        if self.family == "ConvTranspose":
            channels = b // self.config.get("groups", 1)
        elif self.family == "Conv" or (self.family == "SeparableConv" and pointwise):
            channels = a
        else:
            channels = 1
        return 1.0 / math.sqrt(math.prod(size) * channels)


def _shape(
    batch: Sequence[Any], lengths: Sequence[Any], channels: int, config: dict[str, Any]
) -> tuple[Any, ...]:
    if config.get("data_format") == "channels_first":
        return (*batch, channels, *lengths)
    return (*batch, *lengths, channels)


def make_case(
    family: str,
    rank: int,
    what: str,
    config: dict[str, Any],
    *,
    channels: int,
    lengths: Sequence[int],
    batch: Sequence[int] = (2,),
) -> Case:
    """The case with an input of these sizes, laid out as the config's `data_format` says.

    Args:
        family: One of `FAMILIES`.
        rank: Number of spatial dimensions, 1 to 3.
        what: The options that the case is there for.
        config: Arguments of the layer's constructor.
        channels: Number of input channels.
        lengths: Spatial lengths of the input, one a dimension.
        batch: Batch axes of the input, one or more.
    """
    name, transpose, _ = family.partition("Transpose")
    shape = _shape(batch, lengths, channels, config)
    return Case(f"{name}{rank}D{transpose}", config, shape, what)


class _Draft(NamedTuple):
    """A case of a family that other families share; the channels are added by each."""

    what: str
    config: dict[str, Any]
    lengths: tuple[int, ...]
    batch: tuple[int, ...] = (2,)


def _lengths(rank: int) -> tuple[int, ...]:
    """Lengths, no two of them equal, that all kernels of the table fit into."""
    return (9, 7, 6)[:rank]


def _windows(rank: int) -> Iterator[_Draft]:
    """Strides, dilation, padding and layout: what all but the transposed convolutions share."""

    def each(*values: Any) -> tuple[Any, ...]:
        return values[:rank]

    lengths = _lengths(rank)
    yield _Draft("defaults", {"kernel_size": 3}, lengths)
    yield _Draft(
        "even_kernel-strides-same",
        {
            "kernel_size": each(4, 2, 2),
            "strides": each(2, 3, 1),
            "padding": "same",
            "activation": "relu",
        },
        lengths,
    )
    yield _Draft(
        "dilation-same-no_bias",
        {
            "kernel_size": each(3, 3, 2),
            "dilation_rate": each(2, 1, 3),
            "padding": "same",
            "use_bias": False,
        },
        lengths,
    )
    yield _Draft(
        "strides-dilation",
        {
            "kernel_size": each(2, 3, 2),
            "strides": list(each(2, 3, 2)),
            "dilation_rate": list(each(3, 2, 2)),
            "padding": "valid",
            "activation": "gelu",
        },
        lengths,
    )
    # 4 and 6 share a factor and yet neither divides the other.
    yield _Draft(
        "strides-dilation-same-leading_axes-channels_first",
        {
            "kernel_size": 3,
            "strides": each(4, 2, 1),
            "dilation_rate": each(6, 2, 3),
            "padding": "same",
            "data_format": "channels_first",
        },
        lengths,
        (2, 2),
    )
    yield _Draft(
        "kernel_shorter_than_stride",
        {"kernel_size": each(1, 2, 1), "strides": each(2, 3, 3)},
        lengths,
    )
    yield _Draft(
        "causal-dilation",
        {
            "kernel_size": each(3, 2, 3),
            "strides": 2,
            "dilation_rate": each(2, 3, 1),
            "padding": "causal",
        },
        lengths,
    )
    yield _Draft(
        "int_padding-reflect",
        {"kernel_size": each(4, 3, 2), "padding": 2, "padding_mode": "reflect"},
        lengths,
    )
    yield _Draft(
        "pair_padding-replicate",
        {
            "kernel_size": 3,
            "strides": each(1, 2, 1),
            "padding": (1, 2) if rank == 1 else each((1, 2), (0, 3), (4, 0)),
            "padding_mode": "replicate",
            "activation": "silu",
        },
        lengths,
    )
    # 10 steps around a length of 9: more than once around.
    yield _Draft(
        "mixed_padding-circular",
        {
            "kernel_size": each(3, 2, 4),
            "padding": each((10, 1), "causal", "same"),
            "padding_mode": "circular",
        },
        lengths,
    )
    yield _Draft(
        "mixed_padding-mixed_modes-channels_first",
        {
            "kernel_size": each(3, 2, 3),
            "strides": each(2, 1, 1),
            "padding": list(each("same", 1, (2, 0))),
            "padding_mode": each("reflect", "circular", "zeros"),
            "data_format": "channels_first",
            "activation": "tanh",
        },
        lengths,
    )
    yield _Draft(
        "length_1-leading_axes",
        {"kernel_size": 3, "padding": "same", "padding_mode": "replicate"},
        (1,) * rank,
        (1, 3),
    )


def _last_axis(rank: int) -> _Draft:
    """An output whose last axis is as long as it has channels, 6.

    Built-in Keras on TensorFlow adds the bias along that axis.
    """
    return _Draft(
        "channels_first-channels_as_last_axis",
        {"kernel_size": 3, "padding": "same", "data_format": "channels_first"},
        (4, 5, 6)[-rank:],
    )


def _conv(rank: int) -> Iterator[Case]:
    def case(draft: _Draft, channels: int = 3, **added: Any) -> Case:
        what, config, lengths, batch = draft
        config = config | {"filters": 5} | added
        return make_case(
            "Conv", rank, what, config, channels=channels, lengths=lengths, batch=batch
        )

    lengths = _lengths(rank)
    for draft in _windows(rank):
        yield case(draft)
    yield case(_last_axis(rank), filters=6)
    yield case(
        _Draft("groups", {"kernel_size": 3, "strides": 2, "padding": "same"}, lengths),
        channels=4,
        filters=6,
        groups=2,
    )
    yield case(
        _Draft("groups_as_channels", {"kernel_size": (3, 2, 2)[:rank]}, lengths),
        channels=4,
        filters=8,
        groups=4,
        activation="sigmoid",
    )
    yield case(
        _Draft(
            "groups-strides-dilation-channels_first",
            {
                "kernel_size": 2,
                "strides": (3, 2, 2)[:rank],
                "dilation_rate": (2, 2, 3)[:rank],
                "padding": 1,
                "data_format": "channels_first",
                "use_bias": False,
            },
            lengths,
            (3, 2),
        ),
        channels=6,
        filters=3,
        groups=3,
    )
    # JAX has other formulations for so many numbers.
    if rank == 2:
        many = _Draft("many_numbers", {"kernel_size": (3, 2), "padding": "same"}, (64, 66))
        yield case(many, channels=16)
        yield case(many._replace(what="many_numbers-groups"), channels=16, filters=8, groups=4)
    if rank == 3:
        strided = {"kernel_size": (3, 2, 3), "strides": (1, 2, 2), "padding": "same"}
        yield case(_Draft("many_numbers-strides", strided, (17, 18, 29)), channels=8)


def _depthwise_conv(rank: int) -> Iterator[Case]:
    def case(draft: _Draft, **added: Any) -> Case:
        what, config, lengths, batch = draft
        config = config | added
        return make_case(
            "DepthwiseConv", rank, what, config, channels=3, lengths=lengths, batch=batch
        )

    lengths = _lengths(rank)
    for draft in _windows(rank):
        yield case(draft)
    yield case(_last_axis(rank), depth_multiplier=2)
    yield case(
        _Draft("depth_multiplier", {"kernel_size": (2, 3, 2)[:rank], "strides": 2}, lengths),
        depth_multiplier=3,
        activation="elu",
    )
    yield case(
        _Draft(
            "depth_multiplier-strides-dilation-channels_first",
            {
                "kernel_size": 2,
                "strides": (2, 3, 2)[:rank],
                "dilation_rate": (2, 2, 3)[:rank],
                "padding": "same",
                "data_format": "channels_first",
            },
            lengths,
        ),
        depth_multiplier=2,
    )


def _separable_conv(rank: int) -> Iterator[Case]:
    for what, config, lengths, batch in (*_windows(rank), _last_axis(rank)):
        # Twice as many channels between the two convolutions wherever the defaults aren't meant.
        multiplier = {} if what == "defaults" else {"depth_multiplier": 2}
        config = config | {"filters": 6} | multiplier
        yield make_case(
            "SeparableConv", rank, what, config, channels=3, lengths=lengths, batch=batch
        )


def _conv_transpose(rank: int) -> Iterator[Case]:
    def each(*values: Any) -> tuple[Any, ...]:
        return values[:rank]

    def case(what: str, channels: int = 3, **config: Any) -> Case:
        batch, lengths = config.pop("batch", (2,)), config.pop("lengths", each(5, 4, 3))
        config = {"filters": 4} | config
        return make_case(
            "ConvTranspose", rank, what, config, channels=channels, lengths=lengths, batch=batch
        )

    yield case("defaults", kernel_size=3)
    yield case(
        "even_kernel-strides-same",
        kernel_size=each(4, 2, 2),
        strides=each(2, 3, 1),
        padding="same",
        activation="relu",
    )
    # Fails in built-in Keras on TensorFlow.
    yield case(
        "even_kernel-output_padding_0-same",
        kernel_size=each(4, 2, 2),
        strides=2,
        padding="same",
        output_padding=0,
    )
    yield case(
        "output_padding",
        kernel_size=each(3, 2, 3),
        strides=each(2, 3, 2),
        output_padding=each(1, 2, 0),
        padding="valid",
    )
    yield case(
        "output_padding-strides-dilation-same",
        kernel_size=each(3, 3, 2),
        strides=each(3, 2, 2),
        dilation_rate=list(each(2, 1, 3)),
        padding="same",
        output_padding=1,
        activation="tanh",
    )
    yield case("dilation-no_bias", kernel_size=3, dilation_rate=each(2, 3, 1), use_bias=False)
    yield case(
        "strides-dilation-leading_axes-channels_first",
        kernel_size=each(3, 2, 2),
        strides=each(4, 2, 3),
        dilation_rate=each(6, 2, 2),
        data_format="channels_first",
        batch=(2, 2),
    )
    yield case("kernel_shorter_than_stride", kernel_size=each(1, 2, 1), strides=each(3, 3, 2))
    yield case(
        "kernel_shorter_than_stride-same-channels_first",
        kernel_size=each(1, 2, 1),
        strides=each(3, 3, 2),
        padding="same",
        data_format="channels_first",
    )
    yield case("int_padding", kernel_size=4, strides=2, padding=1, activation="softplus")
    yield case(
        "pair_padding-output_padding",
        kernel_size=each(4, 3, 3),
        strides=each(3, 2, 2),
        padding=(2, 1) if rank == 1 else each((2, 1), (0, 3), (1, 0)),
        output_padding=1,
    )
    if rank > 1:
        yield case(
            "mixed_padding-channels_first",
            kernel_size=each(3, 4, 3),
            strides=2,
            padding=each("same", 1, (0, 2)),
            data_format="channels_first",
        )
    yield case(
        "groups-strides-dilation",
        channels=6,
        filters=4,
        groups=2,
        kernel_size=each(3, 2, 2),
        strides=each(2, 3, 2),
        dilation_rate=each(3, 2, 2),
        padding="same",
    )
    yield case(
        "groups_as_channels-channels_first",
        channels=4,
        filters=8,
        groups=4,
        kernel_size=3,
        strides=2,
        data_format="channels_first",
    )
    yield case(
        "length_1-leading_axes",
        kernel_size=each(3, 2, 3),
        strides=2,
        padding="same",
        lengths=(1,) * rank,
        batch=(1, 3),
    )
    yield case(
        "channels_first-channels_as_last_axis",
        filters=6,
        kernel_size=3,
        strides=2,
        padding="same",
        data_format="channels_first",
        lengths=(2, 4, 3)[-rank:],
    )


def _cropping(rank: int) -> Iterator[Case]:
    lengths = _lengths(rank)
    pairs = ((2, 1), (0, 3), (4, 0))[:rank]
    first = {"data_format": "channels_first"}
    drafts = [
        _Draft("defaults", {}, lengths),
        _Draft("int", {"cropping": 2}, lengths, (2, 3)),
        _Draft(
            "pairs-channels_first", {"cropping": pairs[0] if rank == 1 else pairs} | first, lengths
        ),
    ]
    if rank > 1:
        drafts.append(_Draft("int_a_dimension", {"cropping": (1, 3, 0)[:rank]}, lengths))
    yield from _without_weights("Cropping", rank, drafts)


def _zero_padding(rank: int) -> Iterator[Case]:
    lengths = _lengths(rank)
    pairs = ((2, 1), (0, 3), (4, 0))[:rank]
    first = {"data_format": "channels_first"}
    drafts = [
        _Draft("defaults", {}, lengths),
        _Draft("int", {"padding": 2}, (1,) * rank, (2, 3)),
        _Draft(
            "pairs-channels_first", {"padding": pairs[0] if rank == 1 else pairs} | first, lengths
        ),
        _Draft("dictionary", {"padding": {"left_pad": 3, "right_pad": 1}}, lengths)
        if rank == 1
        else _Draft("int_a_dimension", {"padding": (1, 3, 0)[:rank]}, lengths),
    ]
    yield from _without_weights("ZeroPadding", rank, drafts)


def _padding(rank: int) -> Iterator[Case]:
    lengths = _lengths(rank)
    pairs = ((2, 1), (0, 3), (4, 0))[:rank]
    drafts = [
        _Draft("int", {"padding": 2}, lengths),
        _Draft(
            "value-pairs",
            {"padding": pairs[0] if rank == 1 else pairs, "value": -1.5},
            lengths,
        ),
        # As wide as reflect padding can be.
        _Draft(
            "reflect-pairs-channels_first",
            {
                "padding": [(8, 1), (0, 6), (5, 5)][:rank],
                "padding_mode": "reflect",
                "data_format": "channels_first",
            },
            lengths,
            (2, 2),
        ),
        _Draft(
            "replicate-length_1",
            {"padding": ((3, 0), (1, 2), (0, 1))[:rank], "padding_mode": "replicate"},
            (1,) * rank,
        ),
        # More than once around.
        _Draft(
            "circular-leading_axes",
            {"padding": ((10, 20), (1, 0), (0, 7))[:rank], "padding_mode": "circular"},
            lengths,
            (1, 3),
        ),
    ]
    if rank == 1:
        drafts.append(_Draft("dictionary", {"padding": {"left_pad": 3, "right_pad": 1}}, lengths))
    else:
        modes = ("circular", "zeros", "reflect")[:rank]
        config = {"padding": (1, 2, 3)[:rank], "padding_mode": modes, "value": 2.0}
        first = {"data_format": "channels_first"}
        drafts.append(_Draft("mixed_modes-value-channels_first", config | first, lengths))
    yield from _without_weights("Padding", rank, drafts)


def _up_sampling(rank: int) -> Iterator[Case]:
    lengths, sizes = (5, 4, 3)[:rank], (3, 2, 4)[:rank]
    first = {"data_format": "channels_first"}
    drafts = [
        _Draft("defaults", {}, lengths),
        _Draft(
            "nearest-channels_first",
            {"size": list(sizes), "interpolation": "nearest"} | first,
            lengths,
        ),
        _Draft("linear", {"size": sizes, "interpolation": _LINEAR[rank]}, lengths),
        _Draft("cubic-length_1", {"size": 3, "interpolation": "cubic"}, (1,) * rank),
        _Draft(
            "bicubic-channels_first", {"size": sizes, "interpolation": "bicubic"} | first, lengths
        ),
        _Draft(
            "lanczos3-leading_axes", {"size": sizes, "interpolation": "lanczos3"}, lengths, (2, 3)
        ),
        _Draft("lanczos5", {"size": 2, "interpolation": "lanczos5"}, lengths),
    ]
    if rank > 1:
        drafts.append(_Draft("linear_of_any_rank", {"interpolation": "linear"}, lengths))
    yield from _without_weights("UpSampling", rank, drafts)


def _without_weights(family: str, rank: int, drafts: Sequence[_Draft]) -> Iterator[Case]:
    for what, config, lengths, batch in drafts:
        yield make_case(family, rank, what, config, channels=3, lengths=lengths, batch=batch)


_TABLE = {
    "Conv": _conv,
    "DepthwiseConv": _depthwise_conv,
    "SeparableConv": _separable_conv,
    "ConvTranspose": _conv_transpose,
    "Cropping": _cropping,
    "UpSampling": _up_sampling,
    "ZeroPadding": _zero_padding,
    "Padding": _padding,
}

CASES = tuple(case for family in FAMILIES for rank in RANKS for case in _TABLE[family](rank))
