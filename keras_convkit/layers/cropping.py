"""Cropping in 1D, 2D and 3D."""

from __future__ import annotations

from typing import Any

from keras_convkit import arguments, input_checks, lowering
from keras_convkit.arguments import Amounts
from keras_convkit.input_checks import Shape
from keras_convkit.layers.base import ReshapingLayer, named, serializable


class Cropping(ReshapingLayer):
    """Cropping of `rank` spatial axes; the public classes document it."""

    lower = staticmethod(lowering.crop)
    config_names = ("cropping", "data_format")

    def __init__(self, *, cropping: Amounts, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.description = arguments.cropping(self.owner, self.axes, cropping=cropping)
        self.cropping = self.as_built_in(self.description.amounts)

    def check_shape(self, shape: Shape) -> None:
        super().check_shape(shape)
        input_checks.check_cropping(self.description, shape, self.owner)


@serializable
class Cropping1D(Cropping):
    """1D cropping: cuts steps off the ends of a sequence.

    `y[t] = x[before + t]`. There are no weights, and the gradient is zero in what was cut.

    Args:
        cropping: Steps cut off either end: an int of at least 0, or `(before, after)`.
        data_format: `"channels_last"` (the default), `"channels_first"`, or `None` for
            `keras.config.image_data_format()`.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`, `dtype` and `input_shape`.

    Input shape:
        `(*batch, steps, channels)`, or `(*batch, channels, steps)` with
        `data_format="channels_first"`. `*batch` is one or more axes; lengths may be `None`.
        Integers and booleans are cast to the compute dtype.

    Output shape:
        `(*batch, new_steps, channels)`, or `(*batch, channels, new_steps)`. The length `n` becomes
        `n - before - after`.

    Raises:
        TypeError: If an argument has a wrong type, such as a float `cropping`.
        ValueError: If an argument has a wrong value: a negative amount, a tuple of the wrong
            length, an unknown word. When the layer is built or called: if the input has too few
            axes, an empty spatial axis or a complex dtype, or isn't longer than what is cut.

    Example:
        >>> import keras
        >>> import keras_convkit as kc
        >>> import numpy as np
        >>> x = np.arange(6).reshape(1, 6, 1)
        >>> y = kc.Cropping1D((1, 2))(x)
        >>> keras.ops.convert_to_numpy(y)[0, :, 0]
        array([1., 2., 3.], dtype=float32)
    """

    rank = 1
    # The 1D layer of built-in Keras has no `data_format`.
    config_names = ("cropping",)
    added_defaults = {"data_format": "channels_last"}

    def __init__(
        self,
        cropping: Amounts = (1, 1),
        *,
        data_format: str | None = "channels_last",
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))


@serializable
class Cropping2D(Cropping):
    """2D cropping: cuts rows and columns off the edges of an image.

    `y[i, j] = x[top + i, left + j]`, for instance to fit a skip connection to a shorter map.

    Args:
        cropping: Steps cut off every side: an int of at least 0; or one entry per dimension, an int
            for both sides or a pair, as in `((top, bottom), (left, right))`.
        data_format: `"channels_last"`, `"channels_first"`, or `None` (the default) for
            `keras.config.image_data_format()`.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`, `dtype` and `input_shape`.

    Input shape:
        `(*batch, height, width, channels)`, or `(*batch, channels, height, width)` with
        `data_format="channels_first"`. `*batch` is one or more axes; lengths may be `None`.
        Integers and booleans are cast to the compute dtype.

    Output shape:
        `(*batch, new_height, new_width, channels)`, or `(*batch, channels, new_height, new_width)`.
        Each length `n` becomes `n - before - after`.

    Raises:
        TypeError: If an argument has a wrong type, such as a float `cropping`.
        ValueError: If an argument has a wrong value: a negative amount, a tuple of the wrong
            length, an unknown word. When the layer is built or called: if the input has too few
            axes, an empty spatial axis or a complex dtype, or isn't longer than what is cut.

    Example:
        >>> import keras_convkit as kc
        >>> import numpy as np
        >>> x = np.random.rand(2, 28, 28, 3)
        >>> tuple(kc.Cropping2D(((2, 2), (4, 4)))(x).shape)
        (2, 24, 20, 3)
        >>> tuple(kc.Cropping2D((1, 5))(x).shape)  # 1 from top and bottom, 5 from left and right
        (2, 26, 18, 3)
    """

    rank = 2

    def __init__(
        self, cropping: Amounts = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**named(locals()))


@serializable
class Cropping3D(Cropping):
    """3D cropping: cuts slices off the faces of a volume, or frames and borders off a video.

    `y[k, i, j] = x[front + k, top + i, left + j]`.

    Args:
        cropping: Steps cut off every side: an int of at least 0; or one entry per dimension, an int
            for both sides or a pair, as in `((front, back), (top, bottom), (left, right))`.
        data_format: `"channels_last"`, `"channels_first"`, or `None` (the default) for
            `keras.config.image_data_format()`.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`, `dtype` and `input_shape`.

    Input shape:
        `(*batch, depth, height, width, channels)`, or `(*batch, channels, depth, height, width)`
        with `data_format="channels_first"`. `*batch` is one or more axes; lengths may be `None`.
        Integers and booleans are cast to the compute dtype.

    Output shape:
        `(*batch, new_depth, new_height, new_width, channels)`, or
        `(*batch, channels, new_depth, new_height, new_width)`. Each length `n` becomes
        `n - before - after`.

    Raises:
        TypeError: If an argument has a wrong type, such as a float `cropping`.
        ValueError: If an argument has a wrong value: a negative amount, a tuple of the wrong
            length, an unknown word. When the layer is built or called: if the input has too few
            axes, an empty spatial axis or a complex dtype, or isn't longer than what is cut.

    Example:
        >>> import keras_convkit as kc
        >>> import numpy as np
        >>> x = np.random.rand(1, 10, 28, 28, 3)
        >>> tuple(kc.Cropping3D(((2, 0), (4, 4), (4, 4)))(x).shape)  # drops the first two frames
        (1, 8, 20, 20, 3)
    """

    rank = 3

    def __init__(
        self,
        cropping: Amounts = ((1, 1), (1, 1), (1, 1)),
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))
