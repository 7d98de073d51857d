"""Upsampling by a whole factor in 1D, 2D and 3D."""

from __future__ import annotations

from typing import Any

from keras_convkit import arguments, lowering
from keras_convkit.arguments import Size
from keras_convkit.layers.base import ReshapingLayer, named, serializable


class UpSampling(ReshapingLayer):
    """Upsampling of `rank` spatial axes; the public classes document it."""

    lower = staticmethod(lowering.upsample)
    config_names = ("size", "data_format")
    added_defaults = {"interpolation": "nearest"}

    def __init__(self, *, size: Size, interpolation: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.description = arguments.upsampling(
            self.owner, self.axes, size=size, interpolation=interpolation
        )
        if self.description.interpolation != "nearest":
            arguments.check_dtype(self.compute_dtype, ("float",), self.owner)
        self.size = self.description.sizes
        self.interpolation = interpolation.lower()


@serializable
class UpSampling1D(UpSampling):
    """1D upsampling: makes a sequence `size` times as long.

    `"nearest"` repeats each step. The others weigh the input steps around the output step `o`,
    whose center lies at input position `(o + 0.5) / size - 0.5`: by a triangle, the cubic kernel of
    Keys ("Cubic convolution interpolation for digital image processing", 1981) with a = -0.5, or a
    Lanczos window of 3 or 5 steps (Duchon, "Lanczos filtering in one and two dimensions", 1979).
    Weights beyond the ends are left out and the rest is normalized. All backends give the same
    values.

    Args:
        size: Positive int, factor by which the length grows.
        interpolation: `"nearest"`, `"linear"`, `"cubic"` (or `"bicubic"`), `"lanczos3"` or
            `"lanczos5"`.
        data_format: `"channels_last"` (the default), `"channels_first"`, or `None` for
            `keras.config.image_data_format()`.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`, `dtype` and `input_shape`.

    Input shape:
        `(*batch, steps, channels)`, or `(*batch, channels, steps)` with
        `data_format="channels_first"`. `*batch` is one or more axes; lengths may be `None`.
        Integers and booleans are cast to the compute dtype.

    Output shape:
        `(*batch, new_steps, channels)`, or `(*batch, channels, new_steps)`. The length `n` becomes
        `n * size`.

    Raises:
        TypeError: If an argument has a wrong type, such as a float `size`.
        ValueError: If an argument has a wrong value: a size below 1, a tuple of the wrong length,
            an unknown word. When the layer is built or called: if the input has too few axes, an
            empty spatial axis or a complex dtype.

    Example:
        >>> import keras
        >>> import keras_convkit as kc
        >>> import numpy as np
        >>> x = np.array([0, 4]).reshape(1, 2, 1)
        >>> keras.ops.convert_to_numpy(kc.UpSampling1D(2)(x))[0, :, 0]
        array([0., 0., 4., 4.], dtype=float32)
        >>> keras.ops.convert_to_numpy(kc.UpSampling1D(2, interpolation="linear")(x))[0, :, 0]
        array([0., 1., 3., 4.], dtype=float32)
    """

    rank = 1
    # The 1D layer of built-in Keras has `size` alone, and shows it as one int.
    config_names = ("size",)
    added_defaults = {"interpolation": "nearest", "data_format": "channels_last"}

    def __init__(
        self,
        size: Size = 2,
        *,
        interpolation: str = "nearest",
        data_format: str | None = "channels_last",
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))
        (self.size,) = self.description.sizes


@serializable
class UpSampling2D(UpSampling):
    """2D upsampling: makes an image `size` times as high and wide.

    `"nearest"` repeats each row and column; the others interpolate one dimension after the other,
    as `UpSampling1D` explains: bicubic after Keys (1981, a = -0.5) and Lanczos after Duchon (1979),
    the same on every backend.

    Args:
        size: Factors by which the lengths grow: a positive int for both dimensions, or one per
            dimension.
        data_format: `"channels_last"`, `"channels_first"`, or `None` (the default) for
            `keras.config.image_data_format()`.
        interpolation: `"nearest"`, `"bilinear"` (or `"linear"`), `"bicubic"` (or `"cubic"`),
            `"lanczos3"` or `"lanczos5"`.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`, `dtype` and `input_shape`.

    Input shape:
        `(*batch, height, width, channels)`, or `(*batch, channels, height, width)` with
        `data_format="channels_first"`. `*batch` is one or more axes; lengths may be `None`.
        Integers and booleans are cast to the compute dtype.

    Output shape:
        `(*batch, new_height, new_width, channels)`, or `(*batch, channels, new_height, new_width)`.
        Each length `n` becomes `n * size`.

    Raises:
        TypeError: If an argument has a wrong type, such as a float `size`.
        ValueError: If an argument has a wrong value: a size below 1, a tuple of the wrong length,
            an unknown word. When the layer is built or called: if the input has too few axes, an
            empty spatial axis or a complex dtype.

    Example:
        >>> import keras_convkit as kc
        >>> import numpy as np
        >>> x = np.random.rand(2, 8, 8, 3)
        >>> tuple(kc.UpSampling2D((2, 3))(x).shape)
        (2, 16, 24, 3)
        >>> tuple(kc.UpSampling2D(4, interpolation="lanczos3")(x).shape)
        (2, 32, 32, 3)
    """

    rank = 2
    config_names = ("size", "data_format", "interpolation")
    added_defaults = {}

    def __init__(
        self,
        size: Size = (2, 2),
        data_format: str | None = None,
        interpolation: str = "nearest",
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))


@serializable
class UpSampling3D(UpSampling):
    """3D upsampling: makes a volume `size` times as deep, high and wide.

    Keras's own repeats only; this one interpolates as well, one dimension after the other, as
    `UpSampling1D` explains.

    Args:
        size: Factors by which the lengths grow: a positive int for all three dimensions, or one per
            dimension.
        data_format: `"channels_last"`, `"channels_first"`, or `None` (the default) for
            `keras.config.image_data_format()`.
        interpolation: `"nearest"`, `"trilinear"` (or `"linear"`), `"cubic"` (or `"bicubic"`),
            `"lanczos3"` or `"lanczos5"`.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`, `dtype` and `input_shape`.

    Input shape:
        `(*batch, depth, height, width, channels)`, or `(*batch, channels, depth, height, width)`
        with `data_format="channels_first"`. `*batch` is one or more axes; lengths may be `None`.
        Integers and booleans are cast to the compute dtype.

    Output shape:
        `(*batch, new_depth, new_height, new_width, channels)`, or
        `(*batch, channels, new_depth, new_height, new_width)`. Each length `n` becomes `n * size`.

    Raises:
        TypeError: If an argument has a wrong type, such as a float `size`.
        ValueError: If an argument has a wrong value: a size below 1, a tuple of the wrong length,
            an unknown word. When the layer is built or called: if the input has too few axes, an
            empty spatial axis or a complex dtype.

    Example:
        >>> import keras_convkit as kc
        >>> import numpy as np
        >>> video = np.random.rand(1, 4, 8, 8, 3)
        >>> layer = kc.UpSampling3D((1, 2, 2), interpolation="trilinear")
        >>> tuple(layer(video).shape)  # the frames are kept as they are in time
        (1, 4, 16, 16, 3)
    """

    rank = 3

    def __init__(
        self,
        size: Size = (2, 2, 2),
        data_format: str | None = None,
        *,
        interpolation: str = "nearest",
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))
