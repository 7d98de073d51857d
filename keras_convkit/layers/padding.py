"""Padding in 1D, 2D and 3D: `Padding` in every mode, `ZeroPadding` as its zero case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras_convkit import arguments, input_checks, lowering
from keras_convkit.arguments import Amounts, Words
from keras_convkit.input_checks import Shape
from keras_convkit.layers.base import ReshapingLayer, named, serializable


class Padding(ReshapingLayer):
    """Padding of `rank` spatial axes; the public classes document it."""

    lower = staticmethod(lowering.pad)
    config_names = ("padding", "data_format", "padding_mode", "value")

    def __init__(self, *, padding: Any, padding_mode: Words, value: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.description = arguments.padding(
            self.owner, self.axes, padding=padding, padding_mode=padding_mode, value=value
        )
        self.padding = self.as_built_in(self.description.amounts)
        self.padding_mode = arguments.compact(self.description.modes)
        self.value = self.description.value

    def check_shape(self, shape: Shape) -> None:
        super().check_shape(shape)
        input_checks.check_padding(self.description, shape, self.owner)


class ZeroPadding(Padding):
    """Padding of `rank` spatial axes with zeros; the public classes document it."""

    config_names = ("padding", "data_format")

    def __init__(self, **kwargs: Any) -> None:
        for name in ("padding_mode", "value"):
            if name in kwargs:
                raise ValueError(
                    f"{self.owner}: unrecognized keyword argument `{name}`, which the Padding "
                    f"layers take. Received: {name}={kwargs[name]!r}"
                )
        super().__init__(padding_mode="zeros", value=0.0, **kwargs)


@serializable
class Padding1D(Padding):
    """1D padding in any mode: zeros or a constant, reflect, replicate, circular.

    PyTorch's ConstantPad, ReflectionPad, ReplicationPad and CircularPad in one. Adds `before` steps
    in front of a sequence and `after` behind it. Reflection reaches once across the input; circular
    padding goes around as often as it must.

    Args:
        padding: Steps added to either end: an int of at least 0, or `(before, after)`, also as
            `{"left_pad": before, "right_pad": after}`.
        padding_mode: What the padding is filled with: `"zeros"` (`value`), `"reflect"` (mirrored
            about the edge step, which isn't repeated), `"replicate"` (the edge step) or
            `"circular"` (the other end).
        value: Number that the `"zeros"` mode pads with; must be 0 where no dimension has that mode.
        data_format: `"channels_last"`, `"channels_first"`, or `None` (the default) for
            `keras.config.image_data_format()`.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`, `dtype` and `input_shape`.

    Input shape:
        `(*batch, steps, channels)`, or `(*batch, channels, steps)` with
        `data_format="channels_first"`. `*batch` is one or more axes; lengths may be `None`.
        Integers and booleans are cast to the compute dtype.

    Output shape:
        `(*batch, new_steps, channels)`, or `(*batch, channels, new_steps)`. The length `n` becomes
        `before + n + after`.

    Raises:
        TypeError: If an argument has a wrong type, such as a float `padding`.
        ValueError: If an argument has a wrong value: a negative amount, a tuple of the wrong
            length, an unknown word, a `value` that no dimension uses. When the layer is built or
            called: if the input has too few axes, an empty spatial axis or a complex dtype, or
            isn't longer than a reflect padding.

    Example:
        >>> import keras
        >>> import keras_convkit as kc
        >>> import numpy as np
        >>> x = np.array([1, 2, 3]).reshape(1, 3, 1)
        >>> y = kc.Padding1D((2, 1), padding_mode="reflect")(x)
        >>> keras.ops.convert_to_numpy(y)[0, :, 0]
        array([3., 2., 1., 2., 3., 2.], dtype=float32)
        >>> y = kc.Padding1D((2, 1), value=-1)(x)
        >>> keras.ops.convert_to_numpy(y)[0, :, 0]
        array([-1., -1.,  1.,  2.,  3., -1.], dtype=float32)
    """

    rank = 1

    def __init__(
        self,
        padding: Amounts | Mapping[str, int],
        padding_mode: Words = "zeros",
        value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))


@serializable
class Padding2D(Padding):
    """2D padding in any mode, or in one mode per dimension.

    Adds rows and columns around an image.

    Args:
        padding: Steps added to every side: an int of at least 0; or one entry per dimension, an int
            for both sides or a pair, as in `((top, bottom), (left, right))`.
        padding_mode: What the padding is filled with: `"zeros"` (`value`), `"reflect"` (mirrored
            about the edge step, which isn't repeated), `"replicate"` (the edge step) or
            `"circular"` (the other end); one word, or one per dimension.
        value: Number that the `"zeros"` mode pads with; must be 0 where no dimension has that mode.
        data_format: `"channels_last"`, `"channels_first"`, or `None` (the default) for
            `keras.config.image_data_format()`.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`, `dtype` and `input_shape`.

    Input shape:
        `(*batch, height, width, channels)`, or `(*batch, channels, height, width)` with
        `data_format="channels_first"`. `*batch` is one or more axes; lengths may be `None`.
        Integers and booleans are cast to the compute dtype.

    Output shape:
        `(*batch, new_height, new_width, channels)`, or `(*batch, channels, new_height, new_width)`.
        Each length `n` becomes `before + n + after`.

    Raises:
        TypeError: If an argument has a wrong type, such as a float `padding`.
        ValueError: If an argument has a wrong value: a negative amount, a tuple of the wrong
            length, an unknown word, a `value` that no dimension uses. When the layer is built or
            called: if the input has too few axes, an empty spatial axis or a complex dtype, or
            isn't longer than a reflect padding.

    Example:
        >>> import keras
        >>> import keras_convkit as kc
        >>> import numpy as np
        >>> x = np.array([[1, 2], [3, 4]]).reshape(1, 2, 2, 1)
        >>> y = kc.Padding2D(1, padding_mode=("replicate", "circular"))(x)
        >>> keras.ops.convert_to_numpy(y)[0, :, :, 0]
        array([[2., 1., 2., 1.],
               [2., 1., 2., 1.],
               [4., 3., 4., 3.],
               [4., 3., 4., 3.]], dtype=float32)
    """

    rank = 2

    def __init__(
        self,
        padding: Amounts,
        padding_mode: Words = "zeros",
        value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))


@serializable
class Padding3D(Padding):
    """3D padding in any mode, or in one mode per dimension.

    Adds slices around a volume, or frames and borders to a video.

    Args:
        padding: Steps added to every side: an int of at least 0; or one entry per dimension, an int
            for both sides or a pair, as in `((front, back), (top, bottom), (left, right))`.
        padding_mode: What the padding is filled with: `"zeros"` (`value`), `"reflect"` (mirrored
            about the edge step, which isn't repeated), `"replicate"` (the edge step) or
            `"circular"` (the other end); one word, or one per dimension.
        value: Number that the `"zeros"` mode pads with; must be 0 where no dimension has that mode.
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
        `before + n + after`.

    Raises:
        TypeError: If an argument has a wrong type, such as a float `padding`.
        ValueError: If an argument has a wrong value: a negative amount, a tuple of the wrong
            length, an unknown word, a `value` that no dimension uses. When the layer is built or
            called: if the input has too few axes, an empty spatial axis or a complex dtype, or
            isn't longer than a reflect padding.

    Example:
        >>> import keras_convkit as kc
        >>> import numpy as np
        >>> video = np.random.rand(1, 8, 16, 16, 3)
        >>> modes = ("replicate", "zeros", "zeros")
        >>> layer = kc.Padding3D(((2, 0), (1, 1), (1, 1)), padding_mode=modes)
        >>> tuple(layer(video).shape)  # the first frame twice more, a black border
        (1, 10, 18, 18, 3)
    """

    rank = 3

    def __init__(
        self,
        padding: Amounts,
        padding_mode: Words = "zeros",
        value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))


@serializable
class ZeroPadding1D(ZeroPadding):
    """1D zero padding: adds zeros at the ends of a sequence.

    `Padding1D` with zeros, under the name and with the configuration of Keras's own layer.

    Args:
        padding: Steps added to either end: an int of at least 0, or `(before, after)`, also as
            `{"left_pad": before, "right_pad": after}`.
        data_format: `"channels_last"`, `"channels_first"`, or `None` (the default) for
            `keras.config.image_data_format()`.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`, `dtype` and `input_shape`.

    Input shape:
        `(*batch, steps, channels)`, or `(*batch, channels, steps)` with
        `data_format="channels_first"`. `*batch` is one or more axes; lengths may be `None`.
        Integers and booleans are cast to the compute dtype.

    Output shape:
        `(*batch, new_steps, channels)`, or `(*batch, channels, new_steps)`. The length `n` becomes
        `before + n + after`.

    Raises:
        TypeError: If an argument has a wrong type, such as a float `padding`.
        ValueError: If an argument has a wrong value: a negative amount, a tuple of the wrong
            length, an unknown word. When the layer is built or called: if the input has too few
            axes, an empty spatial axis or a complex dtype.

    Example:
        >>> import keras
        >>> import keras_convkit as kc
        >>> import numpy as np
        >>> x = np.array([1, 2]).reshape(1, 2, 1)
        >>> y = kc.ZeroPadding1D({"left_pad": 2, "right_pad": 1})(x)
        >>> keras.ops.convert_to_numpy(y)[0, :, 0]
        array([0., 0., 1., 2., 0.], dtype=float32)
    """

    rank = 1

    def __init__(
        self,
        padding: Amounts | Mapping[str, int] = 1,
        *,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**named(locals()))


@serializable
class ZeroPadding2D(ZeroPadding):
    """2D zero padding: adds rows and columns of zeros around an image.

    `Padding2D` with zeros, under the name and with the configuration of Keras's own layer.

    Args:
        padding: Steps added to every side: an int of at least 0; or one entry per dimension, an int
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
        Each length `n` becomes `before + n + after`.

    Raises:
        TypeError: If an argument has a wrong type, such as a float `padding`.
        ValueError: If an argument has a wrong value: a negative amount, a tuple of the wrong
            length, an unknown word. When the layer is built or called: if the input has too few
            axes, an empty spatial axis or a complex dtype.

    Example:
        >>> import keras_convkit as kc
        >>> import numpy as np
        >>> x = np.random.rand(2, 32, 32, 3)
        >>> tuple(kc.ZeroPadding2D((1, 2))(x).shape)  # 1 at top and bottom, 2 at left and right
        (2, 34, 36, 3)
        >>> tuple(kc.ZeroPadding2D(((0, 1), (0, 1)))(x).shape)
        (2, 33, 33, 3)
    """

    rank = 2

    def __init__(
        self, padding: Amounts = (1, 1), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**named(locals()))


@serializable
class ZeroPadding3D(ZeroPadding):
    """3D zero padding: adds slices of zeros around a volume.

    `Padding3D` with zeros, under the name and with the configuration of Keras's own layer.

    Args:
        padding: Steps added to every side: an int of at least 0; or one entry per dimension, an int
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
        `before + n + after`.

    Raises:
        TypeError: If an argument has a wrong type, such as a float `padding`.
        ValueError: If an argument has a wrong value: a negative amount, a tuple of the wrong
            length, an unknown word. When the layer is built or called: if the input has too few
            axes, an empty spatial axis or a complex dtype.

    Example:
        >>> import keras_convkit as kc
        >>> import numpy as np
        >>> x = np.random.rand(1, 3, 4, 5, 5)
        >>> layer = kc.ZeroPadding3D(((2, 0), (1, 1), (1, 1)), data_format="channels_first")
        >>> tuple(layer(x).shape)
        (1, 3, 6, 7, 7)
    """

    rank = 3

    def __init__(
        self, padding: Amounts = (1, 1, 1), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**named(locals()))
