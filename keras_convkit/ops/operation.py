"""What all functions of `keras_convkit.ops` share: one path for tensors and for Keras tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import keras

from keras_convkit import input_checks
from keras_convkit.geometry import Length
from keras_convkit.input_checks import Shape

serializable = keras.saving.register_keras_serializable(package="keras_convkit.ops")


class SpatialOperation(keras.Operation):
    """A function of tensors, as the node that it becomes in a functional model.

    A subclass says, from the shapes of its tensors and the caller's options, what the checked
    description of the work is (`describe`), how many channels come out (`output_channels`) and how
    it is computed (`compute`).
    """

    function: ClassVar[str]
    tensor_names: ClassVar[tuple[str, ...]] = ("inputs",)

    def __init__(self, *, name: str | None = None, **options: Any) -> None:
        super().__init__(name=name)
        self.options = options

    @classmethod
    def describe(cls, owner: str, shapes: Sequence[Shape], **options: Any) -> Any:
        raise NotImplementedError

    @classmethod
    def output_channels(cls, shapes: Sequence[Shape], description: Any) -> Length:
        """As many as the input has, unless a subclass knows better."""
        return description.axes.channels(shapes[0])

    @classmethod
    def compute(cls, tensors: Sequence[Any], description: Any) -> Any:
        raise NotImplementedError

    @classmethod
    def output_shape(cls, shapes: Sequence[Shape], description: Any) -> Shape:
        axes, shape = description.axes, shapes[0]
        lengths = description.output_lengths(axes.lengths(shape))
        return axes.output_shape(shape, lengths, cls.output_channels(shapes, description))

    @classmethod
    def apply(cls, tensors: Sequence[Any], **options: Any) -> Any:
        """The result for tensors; for Keras tensors, a Keras tensor that stands for it."""
        tensors = [
            input_checks.as_tensor(tensor, cls.owner(), name)
            for tensor, name in zip(tensors, cls.tensor_names, strict=True)
        ]
        if any(map(keras.utils.is_keras_tensor, tensors)):
            return cls(**options).symbolic_call(*tensors)
        return cls._run(tensors, options)

    @classmethod
    def owner(cls) -> str:
        """How messages name the function."""
        return f"keras_convkit.ops.{cls.function}"

    def call(self, *tensors: Any) -> Any:
        return self._run(tensors, self.options)

    @classmethod
    def _run(cls, tensors: Sequence[Any], options: dict[str, Any]) -> Any:
        shapes = cls._shapes(tensors)
        description = cls.describe(cls.owner(), shapes, **options)
        dtype = cls._dtype(tensors)
        tensors = [keras.ops.convert_to_tensor(tensor) for tensor in tensors]
        return cls.compute([keras.ops.cast(tensor, dtype) for tensor in tensors], description)

    def compute_output_spec(self, *tensors: Any) -> keras.KerasTensor:
        shapes = self._shapes(tensors)
        description = self.describe(self.owner(), shapes, **self.options)
        shape = self.output_shape(shapes, description)
        return keras.KerasTensor(shape, dtype=self._dtype(tensors))

    @classmethod
    def _shapes(cls, tensors: Sequence[Any]) -> list[Shape]:
        return [input_checks.static_shape(tensor.shape, cls.owner()) for tensor in tensors]

    @classmethod
    def _dtype(cls, tensors: Sequence[Any]) -> str:
        """The dtype that all are promoted to; integers alone are promoted to a float."""
        return keras.backend.result_type(*(tensor.dtype for tensor in tensors), float)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, **self.options}
