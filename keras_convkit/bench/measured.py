"""What a worker measures of one workload: our layer and the built-in one, side by side."""

from __future__ import annotations

import inspect
import statistics
import time
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import keras
import numpy as np

import keras_convkit
from keras_convkit.bench import calls, counts, timing
from keras_convkit.bench.calls import PreparedCall
from keras_convkit.bench.timing import Call
from keras_convkit.bench.workloads import Workload
from keras_convkit.workers import Send, first_line

# The order in which they are made and timed first.
SIDES = ("built_in", "ours")

# Different methods round differently; what is further off than this has computed something else,
# and its time says nothing.
_TOLERANCE = 1e-3
# Where the first calls together take longer than this many seconds, that is enough of them.
_LONG = 1.0


class RefusedError(Exception):
    """Built-in Keras can't do a workload; the message says why."""


def standardize() -> None:
    """Makes this process compute in float32 and `channels_last`, whatever `keras.json` says."""
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    keras.config.set_image_data_format("channels_last")


def measure(workload: Workload, seconds: float, send: Send) -> None:
    """Measures a workload and reports each quantity.

    Args:
        workload: The workload.
        seconds: The budget for timing, compilation not included.
        send: Is given the event `work` (`multiply_adds`, `bytes`, `weighted`); for each of
            `calls.QUANTITIES`, and its compile time and peak memory, a `comparison` (what `compare`
            returns, and `quantity`); before them `refused` (`quantity`, `reason`) where the
            built-in layer can't do it.
    """
    x = np.random.default_rng(0).standard_normal(workload.shape, dtype="float32")
    ours = _make(keras_convkit.layers, workload.layer, workload)
    work = counts.count(ours, workload.shape)
    send("work", **work._asdict(), weighted=bool(ours.weights))
    layers = {"ours": ours}
    refused = ""
    try:
        layers = {"built_in": _peer(workload, ours), **layers}
    except RefusedError as refusal:
        refused = str(refusal)
    for quantity in calls.QUANTITIES:
        if not refused:
            try:
                _measure(layers, x, quantity, seconds / len(calls.QUANTITIES), send)
                continue
            except RefusedError as refusal:
                refused = str(refusal)
        send("refused", quantity=quantity, reason=refused)
        _measure({"ours": ours}, x, quantity, seconds / len(calls.QUANTITIES), send)


def compare(samples: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Returns medians, the ratio with its interval, and the number of samples.

    Args:
        samples: Those of "ours" and, where there are any, of "built_in", in pairs.

    Returns:
        `built_in` and `ours`, `ratio`, which is the median of built-in by ours, its `interval`, and
        `pairs`. None stands for what there isn't.
    """
    ours, built_in = samples["ours"], samples.get("built_in")
    # A compilation can be too short to tell.
    told = built_in and min(ours) > 0
    return {
        "built_in": statistics.median(built_in) if built_in else None,
        "ours": statistics.median(ours),
        "ratio": timing.median_ratio(built_in, ours) if told else None,
        "interval": timing.ratio_interval(built_in, ours) if told else None,
        "pairs": len(ours),
    }


def _make(library: ModuleType, name: str, workload: Workload) -> Any:
    constructor = getattr(library, name)
    # Random weights are set afterwards: drawn by the layer, they would be compiled first on JAX.
    initializers = {
        name: "zeros"
        for name in inspect.signature(constructor).parameters
        if name.endswith("_initializer")
    }
    layer = constructor(**workload.config, **initializers)
    layer.build(workload.shape)
    rng = np.random.default_rng(1)
    layer.set_weights([rng.standard_normal(weight.shape, "float32") for weight in layer.weights])
    return layer


def _peer(workload: Workload, ours: Any) -> Any:
    if not hasattr(keras.layers, workload.peer):
        raise RefusedError(f"Keras has no {workload.peer}")
    unknown = (
        workload.config.keys()
        - inspect.signature(getattr(keras.layers, workload.peer)).parameters.keys()
    )
    if unknown:
        raise RefusedError(f"{workload.peer} has no {', '.join(sorted(unknown))}")
    try:
        peer = _make(keras.layers, workload.peer, workload)
    except Exception as error:
        raise RefusedError(first_line(error)) from error
    peer.set_weights(ours.get_weights())
    return peer


def _measure(
    layers: Mapping[str, Any], x: np.ndarray, quantity: str, seconds: float, send: Send
) -> None:
    warm, compiled = _compile(layers, x, quantity)
    if calls.compiles():
        send("comparison", quantity=f"{quantity} compile", **compare(compiled))
    samples = timing.time_pairs(list(warm.values()), seconds)
    send("comparison", quantity=quantity, **compare(dict(zip(warm, samples, strict=True))))
    peaks = {side: [call.peak_memory()] for side, call in warm.items()}
    if [None] not in peaks.values():
        send("comparison", quantity=f"{quantity} memory", **compare(peaks))


def _compile(
    layers: Mapping[str, Any], x: np.ndarray, quantity: str
) -> tuple[dict[str, PreparedCall], dict[str, list[float]]]:
    """Returns warm calls, and the seconds that compiling them took.

    Where the backend doesn't tell, that is by how much the first call took longer than a warm one.

    Whoever comes first also fills what the backend remembers of parts that both have. So each is
    compiled once before and once after the other, and the shorter time counts.

    Raises:
        RefusedError: The built-in layer fails, or gives something else than ours.
    """
    warm: dict[str, PreparedCall] = {}
    results: dict[str, Any] = {}
    seconds: dict[str, list[float]] = {side: [] for side in layers}

    def compile_again(side: str) -> None:
        warm[side] = calls.prepare(layers[side], x, quantity)
        first = duration(warm[side])
        start = time.perf_counter()
        results[side] = warm[side]()
        again = time.perf_counter() - start
        told = warm[side].compile_seconds
        seconds[side].append(max(first - again, 0.0) if told is None else told)

    start = time.perf_counter()
    if "built_in" in layers:
        try:
            compile_again("built_in")
        except Exception as error:
            raise RefusedError(first_line(error)) from error
    compile_again("ours")
    if "built_in" in layers:
        _check(results["built_in"], results["ours"])
    if time.perf_counter() - start < _LONG:
        for side in reversed(list(layers)):
            compile_again(side)
    shortest = {side: [min(own)] for side, own in seconds.items()}
    return {side: warm[side] for side in layers}, shortest


def _check(found: Any, wanted: Any) -> None:
    """Raises `RefusedError` unless the built-in layer gives what ours gives."""
    for one, other in zip(_arrays(found), _arrays(wanted), strict=True):
        if one.shape != other.shape:
            raise RefusedError(f"gives another shape: {one.shape}, not {other.shape}")
        error = np.abs(one - other).max() / np.abs(other).max()
        if not error < _TOLERANCE:
            raise RefusedError(f"gives other values: {error:.2g} of the largest off")


def _arrays(result: Any) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(leaf) for leaf in keras.tree.flatten(result)]


def duration(call: Call) -> float:
    """Returns the seconds that one call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
