"""What all layers share: checked inputs, weights, activation and configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import keras

from keras_convkit import arguments, input_checks
from keras_convkit.description import Convolution, SpatialAxes, TransposedConvolution
from keras_convkit.geometry import Length, Pair
from keras_convkit.input_checks import Shape
from keras_convkit.lowering import preference
from keras_convkit.lowering.table import weights_by_value

# The kinds of Keras objects that a constructor takes, by the last word of the argument's name.
KERAS_OBJECTS = {
    "activation": keras.activations,
    "initializer": keras.initializers,
    "regularizer": keras.regularizers,
    "constraint": keras.constraints,
}


def _kind(argument: str) -> str:
    return argument.rpartition("_")[2]


serializable = keras.saving.register_keras_serializable(package="keras_convkit")


def named(arguments: dict[str, Any]) -> dict[str, Any]:
    """A constructor's arguments by name, from its `locals()`.

    The thin classes of each rank have signatures of their own, for editors and positional calls,
    and hand everything on; written out, each would name all its arguments twice.
    """
    kwargs = arguments["kwargs"]
    hidden = ("self", "kwargs", "__class__")
    return {name: value for name, value in arguments.items() if name not in hidden} | kwargs


class SpatialLayer(keras.layers.Layer):
    """A layer over `rank` spatial axes, behind any number of batch axes.

    Subclasses set `rank` and, when constructed, `description`. They name their constructor's
    arguments in `config_names`, and give those that built-in Keras doesn't know in
    `added_defaults`, with their defaults. `unused_in_keras_2` names what Keras 2 wrote into the
    layer's config though the layer didn't use it.
    """

    rank: ClassVar[int]
    dtypes: ClassVar[tuple[str, ...]] = ("float", "int", "uint")
    description: Any
    config_names: ClassVar[tuple[str, ...]] = ()
    added_defaults: ClassVar[dict[str, Any]] = {}
    unused_in_keras_2: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *, data_format: str | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        arguments.check_dtype(self.compute_dtype, self.dtypes, self.owner)
        self.data_format = arguments.data_format(data_format, self.owner)
        self.axes = SpatialAxes(self.rank, self.data_format)
        self.preferred = None

    @property
    def owner(self) -> str:
        """How messages name this layer."""
        return type(self).__name__

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        # Checked here and not in `call`: Keras adds to what `call` raises how each backend prints
        # its tensors, and the message is to be the same on all of them.
        inputs = input_checks.as_tensor(inputs, self.owner)
        self.check_shape(input_checks.static_shape(inputs.shape, self.owner))
        if not self._preferred:
            return super().__call__(inputs, *args, **kwargs)
        with preference.preferring(self._preferred):
            return super().__call__(inputs, *args, **kwargs)

    def __setattr__(self, name: str, value: Any) -> None:
        # Keras sets `built` and another flag at every call, and looks for weights in what is set:
        # of a small layer's time on torch, that was a fifth.
        if value is True and vars(self).get(name) is True:
            return
        super().__setattr__(name, value)

    @property
    def preferred(self) -> dict[str, str] | None:
        """How this layer's operations are carried out, where they can be; `None` by default.

        A word for all operations or `{operation: word}`, as `keras_convkit.lowering.prefer` takes
        them. It goes before the choice of a block and of the process, and isn't saved: it is about
        the machine that computes, not about the model.
        """
        return dict(self._preferred) or None

    @preferred.setter
    def preferred(self, value: str | dict[str, str] | None) -> None:
        owner = f"{self.owner}.preferred"
        operations = value if isinstance(value, dict) else {}
        word = None if isinstance(value, dict) else value
        self._preferred = preference.parse(word, operations, owner)

    def check_shape(self, shape: Shape) -> None:
        """Raises `ValueError` for an input shape that the layer can't take."""
        input_checks.check_spatial(self.axes, shape, self.owner)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        shape = input_checks.given_shape(input_shape, self.owner)
        self.check_shape(shape)
        return self.output_shape(shape)

    def output_shape(self, shape: Shape) -> Shape:
        """The output's shape for an input shape that has passed `check_shape`."""
        lengths = self.description.output_lengths(self.axes.lengths(shape))
        return self.axes.output_shape(shape, lengths, self.output_channels(shape))

    def output_channels(self, shape: Shape) -> Length:
        return self.axes.channels(shape)

    def cast_inputs(self, inputs: Any) -> Any:
        """Inputs in the compute dtype; Keras itself casts floats alone."""
        if input_checks.dtype_name(inputs.dtype) == self.compute_dtype:
            return inputs
        return keras.ops.cast(inputs, self.compute_dtype)

    def as_built_in(self, pairs: tuple[Pair, ...]) -> Any:
        """The pairs as built-in Keras shows them: in 1D the one pair itself."""
        return pairs[0] if self.rank == 1 else pairs

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        def unused(name: str) -> bool:
            # Other groups than one would have meant something.
            return name in cls.unused_in_keras_2 and (name != "groups" or config[name] == 1)

        return super().from_config({name: config[name] for name in config if not unused(name)})

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for name in self.config_names:
            kind = KERAS_OBJECTS.get(_kind(name))
            value = getattr(self, name)
            config[name] = kind.serialize(value) if kind else value
        # Only what differs, so that built-in Keras reads the config of a layer that it has.
        for name, default in self.added_defaults.items():
            value = getattr(self, name)
            if value != default:
                config[name] = value
        return config


class ReshapingLayer(SpatialLayer):
    """A spatial layer without weights, that keeps the channels."""

    lower: ClassVar[Callable[[Any, Any], Any]]

    def call(self, inputs: Any) -> Any:
        outputs = self.lower(self.cast_inputs(inputs), self.description)
        # Another tensor even where nothing changed: Keras hangs a mask on the input itself.
        return keras.ops.copy(outputs) if outputs is inputs else outputs


class WeightedLayer(SpatialLayer):
    """A spatial layer with kernels, a bias and an activation.

    The Keras objects among the arguments (initializers, regularizers, constraints, activation)
    are those of `config_names` that end in such a word.
    """

    dtypes = ("float",)

    def __init__(
        self, *, data_format: str | None, use_bias: bool, activity_regularizer: Any, **kwargs: Any
    ) -> None:
        keras_objects = {
            name: self._keras_object(name, kwargs.pop(name))
            for name in self.config_names
            if name in kwargs and _kind(name) in KERAS_OBJECTS
        }
        regularizer = self._keras_object("activity_regularizer", activity_regularizer)
        super().__init__(data_format=data_format, activity_regularizer=regularizer, **kwargs)
        self.use_bias = arguments.flag(use_bias, "use_bias", self.owner)
        for name, value in keras_objects.items():
            setattr(self, name, value)
        self.bias = None

    def _keras_object(self, name: str, value: Any) -> Any:
        kind = _kind(name)
        return arguments.keras_object(value, KERAS_OBJECTS[kind].get, name, kind, self.owner)

    def describe(self, description: Convolution | TransposedConvolution) -> None:
        """Takes over the description, and shows it under the names of Keras's attributes."""
        self.description = description
        self.kernel_size = description.kernel_size
        self.strides = description.strides
        self.padding = arguments.compact(description.padding)
        self.dilation_rate = description.dilation_rate

    def add_kernel(self, name: str, prefix: str, shape: tuple[int, ...]) -> Any:
        """A weight made, regularized and constrained as the arguments of this `prefix` say."""
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=getattr(self, f"{prefix}_initializer"),
            regularizer=getattr(self, f"{prefix}_regularizer"),
            constraint=getattr(self, f"{prefix}_constraint"),
            trainable=True,
            dtype=self.dtype,
        )

    def add_bias(self, channels: int) -> Any:
        return self.add_kernel("bias", "bias", (channels,)) if self.use_bias else None

    def bias_tensor(self, inputs: Any) -> Any:
        return None if self.bias is None else self.tensor(self.bias, inputs)

    def tensor(self, variable: Any, inputs: Any) -> Any:
        """The variable's value beside the cast `inputs`: slices and operators need a tensor."""
        if weights_by_value() and isinstance(variable, keras.Variable):
            value = variable.value
            if value.dtype == inputs.dtype and value.device == inputs.device:
                return value
        return keras.ops.convert_to_tensor(variable, dtype=self.compute_dtype)

    def activate(self, outputs: Any) -> Any:
        return outputs if self.activation is None else self.activation(outputs)
