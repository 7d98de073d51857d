"""What a built subject gives: outputs, gradients, training steps, symbolic shapes, its file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_convkit.parity import differentiation, reference
from keras_convkit.parity.quantities import Results, training_step
from keras_convkit.parity.subjects import EMBEDDED
from keras_convkit.parity.worker import drawn, sums
from keras_convkit.parity.worker.build import (
    Built,
    RefusedError,
    custom_objects,
    load_object,
)

Array = np.ndarray
Facts = dict[str, Any]

# What `compile` has to be told so that a training step runs in each mode.
_COMPILE = {
    "eager": {"run_eagerly": True},
    "compiled": {"jit_compile": "auto"},
    "xla": {"jit_compile": True},
}
_COTANGENT, _TARGET = 2, 3
DRAWS = "it draws random numbers"
# By more than this, it is no rounding that two calls of the same differ by.
_ANOTHER = 1e-3
STEPS = 10


class Fixed:
    """Cotangents and targets of a subject, drawn once its outputs are known."""

    def __init__(self, seed: int, given: tuple[Array, Array] | None, rate: float) -> None:
        """Takes those of an embedded model, or the seed of others, and the learning rate."""
        self._seed = seed
        self._given = given
        self.rate = rate

    def cotangents(self, outputs: Sequence[Array]) -> list[Array]:
        """What outputs are multiplied with before they are summed and differentiated."""
        if self._given:
            return [self._given[0]]
        return drawn.like(outputs, self._seed, _COTANGENT)

    def targets(self, outputs: Sequence[Array]) -> list[Array]:
        """What training fits the outputs to."""
        if self._given:
            return [self._given[1]]
        return drawn.like(outputs, self._seed, _TARGET)


def measure(
    built: Built, fixed: Fixed, mode: str, training: bool, quantities: Sequence[str]
) -> tuple[Results, Facts]:
    """Measures what is asked for; afterwards, the model has its weights again.

    Raises:
        RefusedError: It draws random numbers.
    """
    empty = _empty_outputs(built)
    # Where nothing is a float, nothing has a gradient.
    floats = any(np.issubdtype(array.dtype, np.floating) for array in empty)
    wants_gradients = any("gradient" in name for name in quantities)
    cotangents = fixed.cotangents(empty) if floats and wants_gradients else None
    seeds = _seeds(built.model)
    pulled = differentiation.pull_back(
        built.model, built.inputs, cotangents, mode, training=training
    )
    built.reset()
    # A part can have a seed and draw nothing, as a dropout of 0 does: what it draws moves the seed.
    if any(not np.array_equal(pulled.state[index], before) for index, before in seeds.items()):
        raise RefusedError(DRAWS + " in training mode" * training)
    outputs = dict(zip(_output_names(built.model), pulled.outputs, strict=True))
    input_gradients = {
        key: gradient
        for key, gradient in zip(built.keys, pulled.input_gradients, strict=True)
        if gradient is not None
    }
    trainable = _names(built, trainable=True)
    weight_gradients = dict(zip(trainable, pulled.weight_gradients, strict=False))
    results: Results = {}
    lacking: dict[str, str] = {}
    if training:
        state = zip(_names(built, trainable=False), pulled.state, strict=True)
        # Seeds differ from process to process.
        kept_state = [pair for index, pair in enumerate(state) if index not in seeds]
        results["training output"] = outputs | {f"state {name}": v for name, v in kept_state}
        results["training gradients"] = input_gradients | weight_gradients
    else:
        results["output"] = outputs
        results["input gradient"] = input_gradients
        results["weight gradients"] = weight_gradients
        steps = [name for name in ("training step", "ten steps") if name in quantities]
        if not all(array.ndim for array in empty):
            lacking = dict.fromkeys(steps, "Keras fits no output without a batch axis")
        elif steps and floats and trainable:
            targets = fixed.targets(empty)
            seeds = _seeds(built.model)
            trained = _train(built, targets, fixed.rate, mode, "ten steps" in steps)
            if all(np.array_equal(seeds[i], now) for i, now in _seeds(built.model).items()):
                results |= trained
            else:
                lacking = dict.fromkeys(steps, f"{DRAWS} in training mode")
    kept = {name: parts for name, parts in results.items() if name in quantities and parts}
    return kept, _facts(built, pulled.outputs) | {"lacking": lacking}


def judge(
    subject: dict[str, Any], built: Built, fixed: Fixed, quantities: Sequence[str]
) -> tuple[Results, Facts]:
    """What the reference gives for the same inputs and weights, in float64.

    A function of the user's is called as `function(x, weights, config)`: the input, or a
    dictionary of several by name; the weights in Keras's order; the layer's config.
    """
    inputs = [_wide(x) for x in built.inputs]
    weights = [_wide(value) for value in built.weights]
    x = inputs[0] if len(inputs) == 1 else dict(zip(built.keys, inputs, strict=True))
    names = _output_names(built.model)
    if subject["reference"] != "auto":
        function = load_object(subject["reference"])
        outputs = keras.tree.flatten(function(x, weights, subject["config"]))
        arrays = [np.asarray(output) for output in outputs]
        return {"output": dict(zip(names, arrays, strict=True))}, _facts(built, arrays)
    layer = subject["target"].rpartition(":")[2], subject["config"], weights, x
    output = reference.layer(*layer)
    (cotangent,), (target,) = fixed.cotangents([output]), fixed.targets([output])
    input_gradient, weight_gradients = reference.layer_vjp(*layer, _as_float32(cotangent))
    difference = output - _as_float32(target)
    _, slopes = reference.layer_vjp(*layer, 2.0 * difference / difference.size)
    changes = [-fixed.rate * slope for slope in slopes]
    results = {
        "output": {names[0]: output},
        "input gradient": {built.keys[0]: input_gradient},
        "weight gradients": dict(zip(built.names, weight_gradients, strict=True)),
        "training step": training_step(built.names, np.mean(difference**2), changes),
    }
    kept = {name: parts for name, parts in results.items() if name in quantities and parts}
    return kept, _facts(built, [output])


def look_at(built: Built, path: Path, subject: dict[str, Any], quantities: Sequence[str]) -> tuple:
    """Symbolic shapes, the config's round trip and the model's file.

    Returns:
        Results, and facts with a finding a quantity: nothing, or what is wrong.

    Raises:
        RefusedError: It draws random numbers.
    """
    names = _output_names(built.model)
    results: Results = {}
    findings: dict[str, str] = {}
    shown = _predicted(built.model, built.inputs)
    built.reset()
    if not _alike(shown, _predicted(built.model, built.inputs)):
        raise RefusedError("called twice with the same, it gives two different outputs")
    built.reset()
    if "symbolic shape" in quantities:
        findings["symbolic shape"] = _shape_finding(built, shown)
    if "config" in quantities:
        copy, findings["config"] = _round_trip(built)
        if copy is not None:
            results["copy"] = dict(zip(names, _predicted(copy, built.inputs), strict=True))
    if "file" in quantities:
        built.model.save(path)
        results["original"] = dict(zip(names, shown, strict=True))
    results.setdefault("original", dict(zip(names, shown, strict=True)))
    return results, _facts(built, shown) | {"findings": findings}


def read(built: Built, path: Path, safe: bool) -> tuple[Results, Facts]:
    """What a model gives that was read from a file."""
    model = keras.saving.load_model(
        path,
        custom_objects=custom_objects(built.layer, built.model),
        compile=False,
        safe_mode=safe,
    )
    outputs = _predicted(model, built.inputs)
    names = _output_names(built.model)
    return {"original": dict(zip(names, outputs, strict=True))}, _facts(built, outputs)


def fixed_for(subject: dict[str, Any], case: Path, seed: int, rates: tuple[float, float]) -> Fixed:
    """Cotangents, targets and learning rate of a subject."""
    if subject["kind"] != EMBEDDED:
        return Fixed(seed, None, rates[0])
    with np.load(case, allow_pickle=False) as file:
        return Fixed(seed, (file["cotangent"], file["target"]), rates[1])


def _train(built: Built, targets: list[Array], rate: float, mode: str, long: bool) -> Results:
    model = built.model
    model.compile(
        keras.optimizers.SGD(rate), loss=["mean_squared_error"] * len(targets), **_COMPILE[mode]
    )
    x = built.inputs[0] if len(built.inputs) == 1 else list(built.inputs)
    y = targets[0] if len(targets) == 1 else targets
    names = _names(built, trainable=True)
    before = [np.asarray(w.numpy(), "float64") for w in model.trainable_variables]
    results: Results = {}
    for name, steps in (("training step", 1), ("ten steps", STEPS - 1)):
        if name == "ten steps" and not long:
            continue
        for _ in range(steps):
            loss = model.train_on_batch(x, y)
        after = [np.asarray(w.numpy(), "float64") for w in model.trainable_variables]
        changes = [new - old for new, old in zip(after, before, strict=True)]
        results[name] = training_step(names, np.ravel(loss)[0], changes)
    built.reset()
    return results


def _shape_finding(built: Built, shown: Sequence[Array]) -> str:
    """Compares what is foretold with what comes."""
    real = [tuple(array.shape) for array in shown]
    vague = [tuple(tensor.shape) for tensor in _outputs(built.model)]
    for foretold, shape in zip(vague, real, strict=True):
        if len(foretold) != len(shape) or any(
            n not in (None, m) for n, m in zip(foretold, shape, strict=True)
        ):
            return f"symbolic shape {foretold} against {shape}"
    symbols = _symbols(built)
    known = built.model(symbols[0] if len(symbols) == 1 else symbols)
    foretold = [tuple(tensor.shape) for tensor in keras.tree.flatten(known)]
    if any(
        len(a) != len(b) or any(n not in (None, m) for n, m in zip(a, b, strict=True))
        for a, b in zip(foretold, real, strict=True)
    ):
        return f"symbolic shapes {foretold} against {real}"
    dtypes = [_numpy(tensor) for tensor in _outputs(built.model)]
    if dtypes != [array.dtype for array in shown]:
        return f"symbolic dtypes {dtypes} against {[array.dtype for array in shown]}"
    return ""


def _round_trip(built: Built) -> tuple[Any, str]:
    """A model made of the layer's config, as JSON carries it, and what is wrong with that."""
    layer, objects = built.layer, custom_objects(built.layer, built.model)
    written = json.dumps(keras.saving.serialize_keras_object(layer))
    copy = keras.saving.deserialize_keras_object(
        json.loads(written), custom_objects=objects, safe_mode=False
    )
    again = json.loads(json.dumps(keras.saving.serialize_keras_object(copy)))
    if (before := json.loads(written)["config"]) != (after := again["config"]):
        keys = [key for key in before if before[key] != after.get(key)]
        return None, f"the config of the copy differs in {', '.join(keys) or 'its keys'}"
    if built.model is layer:
        model = copy
    else:
        whole = json.loads(json.dumps(keras.saving.serialize_keras_object(built.model)))
        model = keras.saving.deserialize_keras_object(
            whole, custom_objects=objects, safe_mode=False
        )
    for variable, value in zip(model.weights, built.weights, strict=True):
        variable.assign(value)
    return model, ""


def _predicted(model: Any, inputs: list[Array]) -> list[Array]:
    outputs = model.predict_on_batch(inputs[0] if len(inputs) == 1 else list(inputs))
    return [np.asarray(output) for output in keras.tree.flatten(outputs)]


def _facts(built: Built, outputs: Sequence[Array]) -> Facts:
    largest = {
        name: float(np.max(np.abs(value.astype(np.float64)), initial=0.0))
        for name, value in zip(built.names, built.weights, strict=True)
        if "float" in str(value.dtype)
    }
    return {
        "roundings": sums.roundings(built.model, built.inputs, outputs),
        "weights": largest,
        "shapes": [list(x.shape) for x in built.inputs],
    }


def _alike(outputs: Sequence[Array], others: Sequence[Array]) -> bool:
    return all(
        np.allclose(a, b, rtol=_ANOTHER, atol=_ANOTHER, equal_nan=True)
        if np.issubdtype(a.dtype, np.number)
        else np.array_equal(a, b)
        for a, b in zip(outputs, others, strict=True)
    )


def _seeds(model: Any) -> dict[int, Array]:
    """The states of random generators among the variables that aren't trained."""
    return {
        index: differentiation.to_numpy(variable.value)
        for index, variable in enumerate(model.non_trainable_variables)
        if "seed" in variable.path
    }


def _names(built: Built, trainable: bool) -> list[str]:
    """The names of the model's trainable variables, or of the others, in Keras's order."""
    by_id = {id(w): name for w, name in zip(built.model.weights, built.names, strict=True)}
    variables = (
        built.model.trainable_variables if trainable else built.model.non_trainable_variables
    )
    return [by_id.get(id(variable), variable.path) for variable in variables]


def _outputs(model: Any) -> list[Any]:
    return keras.tree.flatten(model.outputs)


def _output_names(model: Any) -> list[str]:
    count = len(_outputs(model))
    return ["output"] if count == 1 else [f"output {index}" for index in range(count)]


def _empty_outputs(built: Built) -> list[Array]:
    """Arrays of the shapes and dtypes that the outputs will have."""
    symbols = _symbols(built)
    known = keras.tree.flatten(built.model(symbols[0] if len(symbols) == 1 else symbols))
    if any(None in tensor.shape for tensor in known):
        return _predicted(built.model, built.inputs)
    return [np.empty(tensor.shape, _numpy(tensor)) for tensor in known]


def _symbols(built: Built) -> list[Any]:
    return [keras.KerasTensor(x.shape, str(x.dtype)) for x in built.inputs]


def _numpy(tensor: Any) -> np.dtype:
    dtype = keras.backend.standardize_dtype(tensor.dtype)
    return np.dtype("float32" if dtype == "bfloat16" else "object" if dtype == "string" else dtype)


def _wide(array: Array) -> Array:
    return array.astype(np.float64) if np.issubdtype(array.dtype, np.floating) else array


def _as_float32(array: Array) -> Array:
    return array.astype(np.float32)
