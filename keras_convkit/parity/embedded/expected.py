"""What a model has to give: its data and weights, and the float64 reference's answers."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_convkit.parity import quantities, reference
from keras_convkit.parity.embedded.models import Model
from keras_convkit.parity.embedded.samples import SAMPLES
from keras_convkit.parity.quantities import Results, training_step

Array = np.ndarray

# Large: the step's change of a weight has to stand out from the rounding of the weight itself.
LEARNING_RATE = 10.0


@dataclass(frozen=True)
class Case:
    """The arrays that a model is run with, the same on every backend.

    Attributes:
        x: The sample, in the model's data format.
        weights: The weights, in Keras's order.
        cotangent: What is pulled back through the model: the output's gradient.
        target: What the training step fits the output to.
    """

    x: Array
    weights: list[Array]
    cotangent: Array
    target: Array

    def save(self, path: Path) -> None:
        """Writes the arrays to an `.npz` file, atomically."""
        weights = {f"weight {index:03}": weight for index, weight in enumerate(self.weights)}
        arrays = {"x": self.x, "cotangent": self.cotangent, "target": self.target, **weights}
        quantities.save_arrays(path, arrays)

    @classmethod
    def load(cls, path: Path) -> Case:
        """Reads what `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        weights = [arrays[name] for name in sorted(arrays) if name.startswith("weight ")]
        return cls(arrays["x"], weights, arrays["cotangent"], arrays["target"])


def draw(model: Model, seed: int) -> tuple[Case, Results]:
    """Loads the sample, draws the rest, and computes the reference.

    Args:
        model: The model.
        seed: Seed of weights, cotangent and target. Each model has a stream of its own, so that
            its numbers do not depend on which other models are run.

    Returns:
        The arrays, float32, and the results in float64.
    """
    rng = np.random.default_rng([seed, zlib.crc32(model.name.encode())])
    x = SAMPLES[model.sample]()
    channels = x.shape[-1]
    if model.data_format == "channels_first":
        x = np.ascontiguousarray(np.moveaxis(x, -1, 1))
    weights = [_weight(rng, weight.name, weight.shape) for weight in model.weights(channels)]
    output = forward(model, weights, x)[-1]
    cotangent = rng.standard_normal(output.shape).astype(np.float32)
    target = rng.standard_normal(output.shape).astype(np.float32)
    case = Case(x, weights, cotangent, target)
    return case, results(model, case)


def results(model: Model, case: Case) -> Results:
    """Computes what `measured.results` measures, in float64."""
    inputs = forward(model, case.weights, case.x)
    output = inputs[-1]
    input_gradient, weight_gradients = backward(model, case.weights, inputs, case.cotangent)
    difference = output - case.target
    _, loss_gradients = backward(model, case.weights, inputs, 2.0 * difference / difference.size)
    names = weight_names(model)
    return {
        "output": {"output": output},
        "input gradient": {"input": input_gradient},
        "weight gradients": dict(zip(names, weight_gradients, strict=True)),
        "training step": training_step(
            names, np.mean(difference**2), [-LEARNING_RATE * g for g in loss_gradients]
        ),
    }


def weight_names(model: Model) -> list[str]:
    """Returns a readable, unique name for each weight, as "2 DepthwiseConv1D kernel"."""
    return [
        f"{weight.layer + 1} {model.layers[weight.layer].class_name} {weight.name}"
        # The names do not depend on the number of channels.
        for weight in model.weights(channels=1)
    ]


def forward(model: Model, weights: list[Array], x: Array) -> list[Array]:
    """Returns the input of each layer, and the output of the last."""
    values = [x]
    for layer, own in zip(model.layers, _by_layer(model, weights), strict=True):
        values.append(reference.layer(layer.class_name, layer.config, own, values[-1]))
    return values


def backward(
    model: Model, weights: list[Array], inputs: list[Array], cotangent: Array
) -> tuple[Array, list[Array]]:
    """Returns the gradients of `sum(output * cotangent)`: for the input and for each weight."""
    gradients: list[Array] = []
    chain = list(zip(model.layers, _by_layer(model, weights), inputs[:-1], strict=True))
    for layer, own, x in reversed(chain):
        cotangent, own_gradients = reference.layer_vjp(
            layer.class_name, layer.config, own, x, cotangent
        )
        gradients = [*own_gradients, *gradients]
    return cotangent, gradients


def _by_layer(model: Model, weights: list[Array]) -> list[list[Array]]:
    """Returns the weights of each layer."""
    split: list[list[Array]] = [[] for _ in model.layers]
    for weight, array in zip(model.weights(channels=1), weights, strict=True):
        split[weight.layer].append(array)
    return split


def _weight(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> Array:
    """Draws a weight so that the size of the numbers stays about the same along the chain."""
    scale = 0.1 if name == "bias" else (2.0 / np.prod(shape[:-1])) ** 0.5
    return (scale * rng.standard_normal(shape)).astype(np.float32)
