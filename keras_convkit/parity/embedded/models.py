"""The models that `keras-convkit parity` runs: described once, without a backend.

A model is a chain of layers, each a class name with constructor arguments. From the one
description come the Keras model of our layers or of the built-in ones (`measured.py`) and the
float64 reference (`expected.py`).

Each sample has a plain model, which built-in Keras can make too, and an extended one, which uses
what only this package has.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple


class Weight(NamedTuple):
    """A weight of a model: its layer's position, its name in the layer, and its shape."""

    layer: int
    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """A layer of a chain.

    Attributes:
        class_name: The class, by the name that it has here and in `keras.layers`.
        config: Arguments of its constructor.
    """

    class_name: str
    config: dict[str, Any]

    @property
    def rank(self) -> int:
        """The number of spatial dimensions."""
        return int(re.search(r"([123])D", self.class_name)[1])

    @property
    def family(self) -> str:
        """The class name without the rank."""
        return re.sub(r"[123]D", "", self.class_name)

    def weights(self, channels: int) -> list[tuple[str, tuple[int, ...]]]:
        """Returns names and shapes of the weights, in Keras's order."""
        size = self.config.get("kernel_size", ())
        taps = size if isinstance(size, tuple) else (size,) * self.rank
        groups = self.config.get("groups", 1)
        multiplier = self.config.get("depth_multiplier", 1)
        filters = self.config.get("filters")
        kernels = {
            "Conv": [("kernel", (*taps, channels // groups, filters))],
            "ConvTranspose": [("kernel", (*taps, (filters or 0) // groups, channels))],
            "DepthwiseConv": [("kernel", (*taps, channels, multiplier))],
            "SeparableConv": [
                ("depthwise_kernel", (*taps, channels, multiplier)),
                ("pointwise_kernel", (*(1,) * self.rank, channels * multiplier, filters)),
            ],
        }.get(self.family, [])
        if kernels and self.config.get("use_bias", True):
            kernels.append(("bias", (self.output_channels(channels),)))
        return kernels

    def output_channels(self, channels: int) -> int:
        """Returns the channels of the output for those of the input."""
        if self.family == "DepthwiseConv":
            return channels * self.config.get("depth_multiplier", 1)
        return self.config.get("filters", channels)


@dataclass(frozen=True)
class Model:
    """A chain of layers and the sample that it is run on.

    Attributes:
        name: What the command line calls it.
        summary: What it exercises, in a line.
        sample: A key of `samples.SAMPLES`; the sample is channels-last.
        data_format: The format that the model works in, and each of its layers.
        layers: The chain.
    """

    name: str
    summary: str
    sample: str
    data_format: str
    layers: tuple[Layer, ...]

    def weights(self, channels: int) -> Iterator[Weight]:
        """Yields all weights, in Keras's order, for the channels of the input."""
        for position, layer in enumerate(self.layers):
            for name, shape in layer.weights(channels):
                yield Weight(position, name, shape)
            channels = layer.output_channels(channels)


def _model(
    name: str, summary: str, *layers: tuple[str, dict[str, Any]], channels_first: bool = False
) -> Model:
    data_format = "channels_first" if channels_first else "channels_last"
    # Channels-last is the default and stays unsaid: built-in UpSampling1D has no such argument.
    extra = {"data_format": data_format} if channels_first else {}
    return Model(
        name,
        summary,
        name.removesuffix("-extended"),
        data_format,
        tuple(Layer(class_name, config | extra) for class_name, config in layers),
    )


# The activations are smooth: relu's derivative jumps at 0, where rounding alone decides its side.
_MODELS = (
    _model(
        "eeg",
        "1D: causal and dilated convolution, groups, depthwise, separable, transposed.",
        ("ZeroPadding1D", dict(padding=(3, 2))),
        (
            "Conv1D",
            dict(filters=8, kernel_size=5, padding="causal", dilation_rate=2, activation="gelu"),
        ),
        (
            "DepthwiseConv1D",
            dict(kernel_size=3, depth_multiplier=2, padding="same", activation="silu"),
        ),
        (
            "Conv1D",
            dict(filters=12, kernel_size=4, strides=2, padding="same", groups=4, activation="tanh"),
        ),
        (
            "SeparableConv1D",
            dict(filters=10, kernel_size=5, depth_multiplier=2, dilation_rate=2, activation="elu"),
        ),
        ("UpSampling1D", dict(size=2)),
        (
            "Conv1DTranspose",
            dict(filters=6, kernel_size=4, strides=2, padding="same", activation="tanh"),
        ),
        ("Cropping1D", dict(cropping=(2, 3))),
    ),
    _model(
        "eeg-extended",
        "1D: padding modes, stride with dilation, causal depthwise, cubic upsampling, groups in "
        "the transposed convolution.",
        ("Padding1D", dict(padding=(4, 3), padding_mode="reflect")),
        (
            "Conv1D",
            dict(
                filters=8,
                kernel_size=5,
                strides=2,
                dilation_rate=2,
                padding="same",
                padding_mode="replicate",
                groups=2,
                activation="gelu",
            ),
        ),
        (
            "DepthwiseConv1D",
            dict(kernel_size=3, depth_multiplier=2, padding=("causal",), activation="silu"),
        ),
        (
            "SeparableConv1D",
            dict(
                filters=12,
                kernel_size=4,
                padding=(2, 1),
                padding_mode="circular",
                activation="softplus",
            ),
        ),
        ("UpSampling1D", dict(size=3, interpolation="cubic")),
        (
            "Conv1DTranspose",
            dict(
                filters=8,
                kernel_size=4,
                strides=2,
                dilation_rate=2,
                groups=4,
                padding=(1, 2),
                activation="tanh",
            ),
        ),
    ),
    _model(
        "photo",
        "2D, channels first: strides, dilated depthwise, separable, bilinear upsampling, groups, "
        "transposed.",
        ("ZeroPadding2D", dict(padding=((1, 2), (2, 1)))),
        (
            "Conv2D",
            dict(filters=8, kernel_size=(3, 5), strides=(2, 1), padding="same", activation="silu"),
        ),
        (
            "DepthwiseConv2D",
            dict(
                kernel_size=3,
                depth_multiplier=2,
                dilation_rate=(2, 2),
                padding="same",
                activation="softplus",
            ),
        ),
        ("SeparableConv2D", dict(filters=10, kernel_size=3, activation="tanh")),
        ("UpSampling2D", dict(size=(2, 2), interpolation="bilinear")),
        (
            "Conv2D",
            dict(
                filters=12,
                kernel_size=3,
                groups=2,
                dilation_rate=2,
                padding="same",
                activation="sigmoid",
            ),
        ),
        ("Conv2DTranspose", dict(filters=6, kernel_size=3, strides=2, activation="gelu")),
        ("Cropping2D", dict(cropping=((2, 1), (3, 2)))),
        channels_first=True,
    ),
    _model(
        "photo-extended",
        "2D: a padding and a padding mode for each dimension, stride with dilation, Lanczos "
        "upsampling, groups in the transposed convolution.",
        ("Padding2D", dict(padding=((2, 2), (3, 3)), padding_mode=("replicate", "circular"))),
        (
            "Conv2D",
            dict(
                filters=8,
                kernel_size=3,
                strides=2,
                dilation_rate=2,
                padding="same",
                padding_mode=("reflect", "circular"),
                activation="gelu",
            ),
        ),
        (
            "DepthwiseConv2D",
            dict(
                kernel_size=(3, 5),
                depth_multiplier=2,
                padding=("causal", "same"),
                activation="silu",
            ),
        ),
        (
            "SeparableConv2D",
            dict(
                filters=12,
                kernel_size=3,
                padding=((1, 1), (2, 0)),
                padding_mode="replicate",
                activation="tanh",
            ),
        ),
        ("UpSampling2D", dict(size=2, interpolation="lanczos3")),
        (
            "Conv2DTranspose",
            dict(
                filters=8,
                kernel_size=3,
                strides=2,
                dilation_rate=2,
                groups=4,
                padding=1,
                activation="elu",
            ),
        ),
    ),
    _model(
        "mri",
        "3D: strides, groups, dilation, upsampling, transposed.",
        ("ZeroPadding3D", dict(padding=1)),
        (
            "Conv3D",
            dict(filters=6, kernel_size=3, strides=2, padding="same", activation="silu"),
        ),
        (
            "Conv3D",
            dict(
                filters=8,
                kernel_size=(3, 2, 3),
                groups=2,
                dilation_rate=2,
                padding="same",
                activation="gelu",
            ),
        ),
        ("UpSampling3D", dict(size=2)),
        (
            "Conv3DTranspose",
            dict(filters=4, kernel_size=3, strides=2, output_padding=1, activation="tanh"),
        ),
        ("Cropping3D", dict(cropping=((1, 2), (2, 1), (1, 1)))),
    ),
    _model(
        "mri-extended",
        "3D, channels first: a padding for each dimension, depthwise, separable, trilinear "
        "upsampling, groups and dilation in the transposed convolution.",
        (
            "Padding3D",
            dict(padding=((1, 2), (0, 1), 1), padding_mode=("reflect", "circular", "replicate")),
        ),
        (
            "Conv3D",
            dict(
                filters=6,
                kernel_size=3,
                strides=(1, 2, 1),
                dilation_rate=(1, 2, 1),
                padding=("causal", "same", "same"),
                activation="gelu",
            ),
        ),
        (
            "DepthwiseConv3D",
            dict(
                kernel_size=(2, 3, 2),
                strides=2,
                padding="same",
                padding_mode="replicate",
                activation="silu",
            ),
        ),
        (
            "SeparableConv3D",
            dict(filters=8, kernel_size=2, depth_multiplier=2, padding=1, activation="tanh"),
        ),
        ("UpSampling3D", dict(size=(1, 2, 2), interpolation="trilinear")),
        (
            "Conv3DTranspose",
            dict(
                filters=4,
                kernel_size=2,
                strides=2,
                dilation_rate=2,
                groups=2,
                padding="same",
                activation="softplus",
            ),
        ),
        channels_first=True,
    ),
)
MODELS = {model.name: model for model in _MODELS}
