"""The workloads of `keras-convkit bench`: one layer and one input each, described once.

A small one shows what a call costs by itself, a typical one is what a network's middle has, a
large one is beyond the machine's caches. The same in `channels_first` has "-first" in its name.
What built-in Keras can't do on a backend is timed alone there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

VOLUMES = ("small", "typical", "large")

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Workload:
    """A layer and its input.

    Attributes:
        name: What it is called everywhere.
        layer: The class, by the name that it has here.
        shape: The input's shape, the batch included.
        config: Arguments of the layer's constructor.
        volume: One of `VOLUMES`.
        peer: The class of `keras.layers` that it is compared with.
    """

    name: str
    layer: str
    shape: Shape
    config: dict[str, Any]
    volume: str
    peer: str


# Inputs by rank, (batch, *spatial, channels).
_TYPICAL = {1: (8, 512, 64), 2: (8, 56, 56, 64), 3: (8, 16, 16, 16, 32)}
_SMALL = {1: (2, 32, 4), 2: (2, 8, 8, 4), 3: (2, 6, 6, 6, 4)}
# Half as long, where the output is twice as long.
_HALVED = {1: (8, 256, 64), 2: (8, 28, 28, 64), 3: (8, 8, 8, 8, 32)}
_LARGE = (16, 112, 112, 64)
_AS_MANY = "as many filters as the input has channels"


def _family(prefix: str, layer: str, lengths: dict[int, Shape], **defaults: Any) -> Callable:
    """Returns what makes a family's workloads, with "{}" in its names for the rank."""

    def make(
        name: str, rank: int, shape: Shape = (), volume: str = "typical", **config: Any
    ) -> Workload:
        shape = shape or lengths[rank]
        config = defaults | config
        if config.get("filters") == _AS_MANY:
            config["filters"] = shape[-1]
        name = "-".join(filter(None, (prefix.format(rank), name)))
        return Workload(name, layer.format(rank), shape, config, volume, layer.format(rank))

    return make


def _first(workload: Workload) -> Workload:
    """The same in `channels_first`."""
    batch, *spatial, channels = workload.shape
    return replace(
        workload,
        name=f"{workload.name}-first",
        shape=(batch, channels, *spatial),
        config=workload.config | {"data_format": "channels_first"},
    )


def _both(workload: Workload) -> tuple[Workload, Workload]:
    return workload, _first(workload)


def _conv() -> Iterator[Workload]:
    conv = _family("conv{}d", "Conv{}D", _TYPICAL, filters=_AS_MANY, padding="same")
    yield from _both(conv("1x1", 2, kernel_size=1))
    yield conv("1x1-large", 2, (8, 28, 28, 256), "large", kernel_size=1, filters=1024)
    yield from _both(conv("3x3", 2, kernel_size=3))
    yield conv("3x3-small", 2, _SMALL[2], "small", kernel_size=3)
    yield conv("3x3-large", 2, _LARGE, "large", kernel_size=3)
    yield conv("3x3-valid", 2, kernel_size=3, padding="valid")
    yield from _both(conv("3x3-strided", 2, kernel_size=3, strides=2))
    yield conv("3x3-dilated", 2, kernel_size=3, dilation_rate=2)
    yield conv("3x3-strided-dilated", 2, kernel_size=3, strides=2, dilation_rate=2)
    yield from _both(conv("3x3-grouped", 2, kernel_size=3, groups=8))
    yield conv("3x3-grouped-small", 2, _SMALL[2], "small", kernel_size=3, groups=2)
    yield conv("7x7-strided", 2, (8, 112, 112, 3), kernel_size=7, strides=2, filters=64)
    yield from _both(conv("5", 1, kernel_size=5))
    yield conv("5-causal", 1, kernel_size=5, padding="causal")
    yield conv("3-small", 1, _SMALL[1], "small", kernel_size=3)
    yield from _both(conv("3", 3, kernel_size=3))
    yield conv("3-strided", 3, kernel_size=3, strides=2)
    yield conv("3-small", 3, _SMALL[3], "small", kernel_size=3)


def _depthwise_conv() -> Iterator[Workload]:
    conv = _family("depthwise{}d", "DepthwiseConv{}D", _TYPICAL, padding="same")
    yield from _both(conv("3x3", 2, kernel_size=3))
    yield conv("3x3-small", 2, _SMALL[2], "small", kernel_size=3)
    yield conv("3x3-large", 2, _LARGE, "large", kernel_size=3)
    yield from _both(conv("3x3-strided", 2, kernel_size=3, strides=2))
    yield conv("3x3-dilated", 2, kernel_size=3, dilation_rate=2)
    yield conv("3x3-multiplied", 2, kernel_size=3, depth_multiplier=2)
    yield conv("7x7", 2, (8, 28, 28, 96), kernel_size=7)
    yield conv("5", 1, kernel_size=5)
    yield conv("3", 3, kernel_size=3)


def _separable_conv() -> Iterator[Workload]:
    conv = _family("separable{}d", "SeparableConv{}D", _TYPICAL, filters=_AS_MANY, padding="same")
    yield from _both(conv("3x3", 2, kernel_size=3))
    yield conv("3x3-small", 2, _SMALL[2], "small", kernel_size=3)
    yield conv("3x3-strided", 2, kernel_size=3, strides=2)
    yield conv("5", 1, kernel_size=5)


def _conv_transpose() -> Iterator[Workload]:
    conv = _family("transposed{}d", "Conv{}DTranspose", _HALVED, filters=_AS_MANY, padding="same")
    yield from _both(conv("4x4", 2, kernel_size=4, strides=2))
    yield conv("4x4-small", 2, _SMALL[2], "small", kernel_size=4, strides=2)
    yield conv("4x4-grouped", 2, kernel_size=4, strides=2, groups=8)
    yield conv("3x3", 2, kernel_size=3, strides=2)
    yield conv("3x3-dilated", 2, kernel_size=3, dilation_rate=2)
    yield conv("2x2-valid", 2, kernel_size=2, strides=2, padding="valid")
    yield conv("4", 1, kernel_size=4, strides=2)
    yield from _both(conv("3", 3, kernel_size=3, strides=2))


def _resampling() -> Iterator[Workload]:
    twice = _family("upsampling{}d", "UpSampling{}D", _TYPICAL, size=2)
    yield from _both(twice("nearest", 2))
    yield from _both(twice("bilinear", 2, interpolation="bilinear"))
    yield twice("bilinear-small", 2, _SMALL[2], "small", interpolation="bilinear")
    yield twice("bilinear-large", 2, (4, 128, 128, 64), "large", interpolation="bilinear")
    yield twice("bilinear-x3", 2, interpolation="bilinear", size=3)
    yield twice("bicubic", 2, interpolation="bicubic")
    yield twice("lanczos3", 2, interpolation="lanczos3")
    yield twice("nearest", 1)
    yield from _both(twice("nearest", 3))


def _reshaping() -> Iterator[Workload]:
    crop = _family("cropping{}d", "Cropping{}D", _TYPICAL, cropping=2)
    yield crop("", 1)
    yield from _both(crop("", 2))
    yield crop("", 3)
    zeros = _family("zeropadding{}d", "ZeroPadding{}D", _TYPICAL, padding=2)
    yield zeros("", 1)
    yield from _both(zeros("", 2))
    yield zeros("", 3)
    pad = _family("padding{}d", "Padding{}D", _TYPICAL, padding=2)
    # Keras has the zeros of it under another name; the other modes, nowhere.
    yield replace(pad("zeros", 2), peer="ZeroPadding2D")
    yield pad("reflect", 2, padding_mode="reflect")


WORKLOADS: dict[str, Workload] = {
    workload.name: workload
    for family in (
        _conv, _depthwise_conv, _separable_conv, _conv_transpose, _resampling, _reshaping
    )
    for workload in family()
}  # fmt: skip


def matching(patterns: Sequence[str]) -> list[str]:
    """Returns the names that fit any of some shell patterns, in the table's order.

    Raises:
        ValueError: A pattern fits none.
    """
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in WORKLOADS):
            raise ValueError(
                f"no workload is called {pattern!r}. There are: {', '.join(WORKLOADS)}"
            )
    return [name for name in WORKLOADS if any(fnmatchcase(name, each) for each in patterns)]
