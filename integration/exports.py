"""Exports of small models, built-in and ours: each artifact is run by its own runtime.

    python -m integration.exports

measures every pair on every backend and writes `docs/exports.md`; `test_exports.py` asserts a part
of the same.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import keras
import numpy as np

import keras_convkit
from integration.models import randomize
from keras_convkit import lowering

# OpenVINO's exporter sends usage data, each time from a copy of this process; without this package
# it sends none.
sys.modules["openvino_telemetry"] = None

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "exports.md"
BACKENDS = ("tensorflow", "jax", "torch")
BATCHES = (1, 3)
TOLERANCE = 1e-5

LINE, IMAGE, VOLUME = (12, 4), (8, 9, 4), (5, 6, 7, 4)


def chain(shape: tuple[int, ...], *layers: keras.layers.Layer) -> keras.Model:
    return keras.Sequential([keras.Input(shape), *layers])


Build = Callable[[ModuleType], keras.Model]
# `new` is `keras.layers` or `keras_convkit`.
BOTH: dict[str, Build] = {
    "Conv1D": lambda new: chain(
        LINE,
        new.Conv1D(6, 3, padding="causal", dilation_rate=2),
        new.Conv1D(4, 3, strides=2, padding="same", activation="relu"),
    ),
    "Conv2D": lambda new: chain(
        IMAGE, new.Conv2D(6, 3, strides=2, padding="same"), new.Conv2D(4, 2, dilation_rate=2)
    ),
    "Conv2D, channels first": lambda new: chain(
        (4, 8, 9), new.Conv2D(6, 3, strides=2, padding="same", data_format="channels_first")
    ),
    "Conv3D": lambda new: chain(VOLUME, new.Conv3D(6, 3, strides=2, padding="same")),
    "Conv3D, dilated": lambda new: chain(VOLUME, new.Conv3D(6, 2, dilation_rate=2)),
    "Conv1D, 2 groups": lambda new: chain(LINE, new.Conv1D(6, 3, groups=2, padding="same")),
    "Conv2D, 4 groups": lambda new: chain(IMAGE, new.Conv2D(8, 3, groups=4, padding="same")),
    "Conv3D, 2 groups": lambda new: chain(VOLUME, new.Conv3D(6, 3, groups=2)),
    "DepthwiseConv1D": lambda new: chain(LINE, new.DepthwiseConv1D(3, depth_multiplier=2)),
    "DepthwiseConv2D": lambda new: chain(
        IMAGE,
        new.DepthwiseConv2D(3, padding="same", depth_multiplier=2),
        new.DepthwiseConv2D(3, dilation_rate=2),
    ),
    "SeparableConv1D": lambda new: chain(LINE, new.SeparableConv1D(6, 3, padding="same")),
    "SeparableConv2D": lambda new: chain(
        IMAGE, new.SeparableConv2D(6, 3, strides=2, padding="same")
    ),
    "Conv1DTranspose": lambda new: chain(
        LINE, new.Conv1DTranspose(6, 3, strides=2, padding="same")
    ),
    "Conv2DTranspose": lambda new: chain(
        IMAGE,
        new.Conv2DTranspose(6, 3, strides=2, padding="same", output_padding=1),
        new.Conv2DTranspose(3, 4, strides=2),
    ),
    "Conv3DTranspose": lambda new: chain(
        VOLUME, new.Conv3DTranspose(6, 3, strides=2, padding="same")
    ),
    "ZeroPadding, Cropping 1D": lambda new: chain(
        LINE, new.ZeroPadding1D((1, 2)), new.Cropping1D(2)
    ),
    "ZeroPadding, Cropping 2D": lambda new: chain(
        IMAGE, new.ZeroPadding2D(1), new.Cropping2D(((1, 2), (2, 3)))
    ),
    "ZeroPadding, Cropping 3D": lambda new: chain(VOLUME, new.ZeroPadding3D(1), new.Cropping3D(2)),
    "UpSampling1D": lambda new: chain(LINE, new.UpSampling1D(3)),
    "UpSampling2D": lambda new: chain(IMAGE, new.UpSampling2D((2, 3))),
    "UpSampling3D": lambda new: chain(VOLUME, new.UpSampling3D(2)),
    "UpSampling2D, bilinear, 2": lambda new: chain(
        IMAGE, new.UpSampling2D(2, interpolation="bilinear")
    ),
    "UpSampling2D, bilinear, 3": lambda new: chain(
        IMAGE, new.UpSampling2D(3, interpolation="bilinear")
    ),
    "UpSampling2D, bicubic": lambda new: chain(IMAGE, new.UpSampling2D(2, interpolation="bicubic")),
}
# What the layers are asked for while these are exported.
PREFERRED = {"UpSampling2D, bicubic, asked for": "export"}
BOTH |= {name: BOTH[name.removesuffix(", asked for")] for name in PREFERRED}
OURS_ALONE: dict[str, Build] = {
    "padding modes": lambda new: chain(
        IMAGE,
        new.Conv2D(4, 3, padding="same", padding_mode=("replicate", "circular")),
        new.Padding2D(1, padding_mode="reflect"),
        new.Padding2D(1, value=2.0),
    ),
    "stride with dilation": lambda new: chain(
        IMAGE, new.Conv2D(4, 3, strides=2, dilation_rate=2, padding="same")
    ),
    "Conv2DTranspose, 2 groups": lambda new: chain(
        IMAGE, new.Conv2DTranspose(6, 3, strides=2, padding="same", groups=2)
    ),
    "DepthwiseConv3D": lambda new: chain(VOLUME, new.DepthwiseConv3D(3, padding="same")),
    "UpSampling3D, linear": lambda new: chain(VOLUME, new.UpSampling3D(2, interpolation="linear")),
    "two batch axes": lambda new: chain((3, *IMAGE), new.Conv2D(4, 3)),
}


class Artifact(NamedTuple):
    """What was exported, read back: a function of an array, and the number of its operations."""

    run: Callable[[np.ndarray], np.ndarray]
    nodes: int


# Constants, inputs and outputs, which are no operations.
NO_OPERATION = {
    *("Const", "Constant", "Identity", "NoOp", "Parameter", "Placeholder", "Result"),
    *("builtin.module", "func.func", "func.return", "stablehlo.constant", "stablehlo.return"),
}


def count(operations: Any) -> int:
    kinds = Counter(operations)
    return sum(number for kind, number in kinds.items() if kind not in NO_OPERATION)


def saved_model(model: keras.Model, folder: Path) -> Artifact:
    import tensorflow

    model.export(folder / "artifact", verbose=False)
    loaded = tensorflow.saved_model.load(folder / "artifact")
    graph = loaded.signatures["serving_default"].graph.as_graph_def()
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    operations = [node.op for node in nodes]
    for node in nodes:
        if node.op == "XlaCallModule":  # what JAX exports is one node, with a program inside
            operations += stablehlo_operations(node.attr["module"].s)
    return Artifact(lambda x: loaded.serve(x).numpy(), count(operations))


def stablehlo_operations(program: bytes) -> list[str]:
    from jaxlib.mlir import ir
    from jaxlib.mlir.dialects import stablehlo

    names = []

    def note(operation: Any) -> Any:
        names.append(operation.name)
        return ir.WalkResult.ADVANCE

    with ir.Context() as context:
        stablehlo.register_dialect(context)
        stablehlo.deserialize_portable_artifact(context, program).operation.walk(note)
    return names


def onnx(model: keras.Model, folder: Path) -> Artifact:
    import onnx
    import onnxruntime

    path = str(folder / "artifact.onnx")
    _settled(keras.backend.backend())
    _export_onnx(model, path)
    loaded = onnx.load(path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    graphs = [loaded.graph, *loaded.functions]
    nodes = count(node.op_type for graph in graphs for node in graph.node)
    return Artifact(lambda x: session.run(None, {name: x})[0], nodes)


def _export_onnx(model: keras.Model, path: str) -> None:
    model(np.zeros((1, *model.input_shape[1:]), "float32"))  # Keras asks for it
    model.export(path, format="onnx", verbose=False)


@cache
def _settled(backend: str) -> None:
    """jax2onnx's first export in a process has other nodes than the same one later."""
    if backend == "jax":
        with tempfile.TemporaryDirectory() as folder:
            _export_onnx(chain(LINE, keras.layers.Cropping1D(1)), f"{folder}/first.onnx")


def litert(model: keras.Model, folder: Path) -> Artifact:
    from ai_edge_litert.interpreter import Interpreter

    path = str(folder / "artifact.tflite")
    model.export(path, format="litert", verbose=False)
    interpreter = Interpreter(path)
    nodes = count(operation["op_name"] for operation in interpreter._get_ops_details())

    def run(x: np.ndarray) -> np.ndarray:
        index = interpreter.get_input_details()[0]["index"]
        interpreter.resize_tensor_input(index, x.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(index, x)
        interpreter.invoke()
        return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])

    return Artifact(run, nodes)


def openvino(model: keras.Model, folder: Path) -> Artifact:
    import openvino

    path = str(folder / "artifact.xml")
    model.export(path, format="openvino", verbose=False)
    core = openvino.Core()
    loaded = core.read_model(path)
    # On some CPUs it would compute in bfloat16 otherwise.
    compiled = core.compile_model(loaded, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    nodes = count(operation.get_type_name() for operation in loaded.get_ops())
    return Artifact(lambda x: compiled(x)[0], nodes)


def torch_export(model: keras.Model, folder: Path) -> Artifact:
    import torch

    path = str(folder / "artifact.pt2")
    batch = {0: torch.export.Dim("batch", min=1, max=64)}
    model.export(path, format="torch", verbose=False, dynamic_shapes=batch)
    loaded = torch.export.load(path)
    nodes = count(str(n.target) for n in loaded.graph.nodes if n.op == "call_function")
    module = loaded.module()
    return Artifact(lambda x: module(torch.from_numpy(x)).detach().numpy(), nodes)


class Format(NamedTuple):
    title: str
    export: Callable[[keras.Model, Path], Artifact]
    # By backend, the packages that the exporter and the runtime need.
    packages: dict[str, tuple[str, ...]]


FORMATS: dict[str, Format] = {
    "tf_saved_model": Format(
        "SavedModel, run by TensorFlow",
        saved_model,
        {"tensorflow": ("tensorflow",), "jax": ("tensorflow",)},
    ),
    "onnx": Format(
        "ONNX, run by ONNX Runtime",
        onnx,
        {
            "tensorflow": ("tf2onnx", "onnxruntime"),
            "jax": ("jax2onnx", "onnxruntime"),
            "torch": ("onnx", "onnxruntime"),
        },
    ),
    "litert": Format(
        "LiteRT, run by its interpreter", litert, {"tensorflow": ("tensorflow", "ai_edge_litert")}
    ),
    "openvino": Format(
        "OpenVINO, run by its runtime",
        openvino,
        {
            "tensorflow": ("tensorflow", "openvino"),
            "jax": ("tensorflow", "openvino"),
            "torch": ("openvino",),
        },
    ),
    "torch": Format("torch.export, run by torch", torch_export, {"torch": ()}),
}


def missing_packages(form: str, backend: str) -> list[str]:
    needed = FORMATS[form].packages[backend]
    return [name for name in needed if importlib.util.find_spec(name) is None]


class Outcome(NamedTuple):
    """What became of one export: `reason` says why there is no artifact, or why it doesn't run."""

    reason: str = ""
    nodes: int = 0
    error: float = 0.0
    other_batch: bool = False


def measure(model: keras.Model, form: str) -> Outcome:
    """Exports `model`, runs the artifact on two batch sizes, and compares with `predict`."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        try:
            artifact = FORMATS[form].export(model, Path(folder))
            error = error_of(artifact, model, BATCHES[0])
        except Exception as problem:
            return Outcome(reason=in_few_words(problem))
        try:
            error = max(error, error_of(artifact, model, BATCHES[1]))
        except Exception:
            return Outcome(nodes=artifact.nodes, error=error)
        return Outcome(nodes=artifact.nodes, error=error, other_batch=True)


def error_of(artifact: Artifact, model: keras.Model, batch: int) -> float:
    """The largest error over the largest magnitude."""
    shape = (batch, *model.input_shape[1:])
    x = np.random.default_rng(1).normal(size=shape).astype("float32")
    wanted = np.asarray(model.predict_on_batch(x))
    answer = np.asarray(artifact.run(x))
    if answer.shape != wanted.shape:
        raise ValueError(f"answers {answer.shape} for {wanted.shape}")
    return float(np.abs(answer - wanted).max() / np.abs(wanted).max())


# What is too long or too cryptic to be quoted: a part of the message, and what it comes to.
KNOWN_REASONS = {
    "Select TensorFlow op": "needs TensorFlow's own operations in the interpreter",
    "memory_format support": "the exporter has no memory_format",
    "XlaCallModule": "OpenVINO doesn't read JAX's programs",
    "InconclusiveDimensionOperation": "the batch size must be known",
    "used in a context that requires a constant": "the batch size must be known",
    "Unsupported conv layouts": "the exporter has no 3D convolution",
    "conv3d.cc": "the interpreter has no groups in 3D",
    "INVALID_GRAPH": "ONNX Runtime: invalid graph",
}


def in_few_words(problem: Exception) -> str:
    text = " ".join(str(problem).split())
    known = next((words for part, words in KNOWN_REASONS.items() if part in text), None)
    return known or f"{type(problem).__name__}: {text[:80]}".replace("|", "/")


def measured_here() -> dict[str, Any]:
    """Everything under this process's backend."""
    backend = keras.backend.backend()
    results: dict[str, Any] = {}
    for form in (form for form in FORMATS if backend in FORMATS[form].packages):
        if missing := missing_packages(form, backend):
            raise SystemExit(f"{form} on {backend} needs {', '.join(missing)}")
        rows = results[form] = {}
        for name, build in {**BOTH, **OURS_ALONE}.items():
            keras.utils.clear_session()
            built_in = randomize(build(keras.layers)) if name in BOTH else None
            model = built_in and keras_convkit.convert(built_in)
            model = model or randomize(build(keras_convkit))
            with lowering.prefer(PREFERRED.get(name)):
                rows[name] = [built_in and measure(built_in, form), measure(model, form)]
            print(backend, form, name, *rows[name], file=sys.stderr, flush=True)
    return results


def page(results: dict[str, dict[str, Any]]) -> str:
    template = (Path(__file__).parent / "exports.md").read_text()
    summary = [
        "| backend | format | built-in | ours | options of ours alone |",
        "| --- | --- | --- | --- | --- |",
    ]
    details = []
    for backend, forms in results.items():
        for form, rows in forms.items():
            pairs = [tuple(it and Outcome(*it) for it in row) for row in rows.values()]
            both = [pair for pair in pairs if pair[0]]
            alone = [mine for theirs, mine in pairs if not theirs]
            cells = [
                working([theirs for theirs, _ in both]),
                working([mine for _, mine in both]),
                working(alone),
            ]
            summary.append(f"| {backend} | {form} | {' | '.join(cells)} |")
            details += [
                f"\n### {backend}: {FORMATS[form].title}\n",
                "| model | built-in: nodes | error | ours: nodes | error |",
                "| --- | --- | --- | --- | --- |",
                *(
                    f"| {name} | {cell(theirs)} | {cell(mine)} |"
                    for name, (theirs, mine) in zip(rows, pairs, strict=True)
                ),
            ]
    packages = ("keras", "tensorflow", "jax", "torch", "onnxruntime", "tf2onnx", "jax2onnx")
    versions = ", ".join(f"{it} {version(it)}" for it in (*packages, "openvino", "ai-edge-litert"))
    return template.format(
        summary="\n".join(summary), details="\n".join(details), versions=versions
    )


def working(outcomes: list[Outcome]) -> str:
    right = sum(not it.reason and it.error <= TOLERANCE for it in outcomes)
    return f"{right} of {len(outcomes)}"


def cell(outcome: Outcome | None) -> str:
    if outcome is None:
        return "- | -"
    if outcome.reason:
        return f"fails: {outcome.reason} | -"
    fixed = "" if outcome.other_batch else ", batch fixed"
    return f"{outcome.nodes}{fixed} | {outcome.error:.0e}"


def main() -> None:
    if sys.argv[1:]:
        Path(sys.argv[1]).write_text(json.dumps(measured_here()))
        return
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for backend in BACKENDS:
            path = Path(folder) / f"{backend}.json"
            command = [sys.executable, "-m", "integration.exports", str(path)]
            subprocess.run(
                command, check=True, cwd=ROOT, env={**os.environ, "KERAS_BACKEND": backend}
            )
            results[backend] = json.loads(path.read_text())
    PAGE.write_text(page(results))


if __name__ == "__main__":
    main()
