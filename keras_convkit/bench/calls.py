"""A layer on the backend of this process, made ready to be called and timed.

TensorFlow compiles by `tf.function` without XLA, JAX by `jax.jit`, torch doesn't compile. A backend
is imported only if it is the one in use.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np

# What is timed: the layer's output; and, with it, the gradients with respect to the input and every
# weight, pulled back from one that is given, as a network's next layer would. (Of a loss that is a
# formula of the output, a compiler could simplify the layer away.)
QUANTITIES = ("forward", "gradients")


class PreparedCall(Protocol):
    """A call of a layer. The first one compiles.

    Attributes:
        compile_seconds: What that took, where the backend compiles as a step of its own.
    """

    compile_seconds: float | None

    def __call__(self) -> Any:
        """Returns the output or the gradients, when they are there."""

    def peak_memory(self) -> int | None:
        """Returns the bytes of temporaries and results that a warm call needs at its peak.

        These are what the backend has in its own books: the counter of TensorFlow's allocator,
        XLA's plan of the compiled function, torch's record of each allocation. What a kernel takes
        from elsewhere is in none of them, and None stands for what can't be told.
        """


def prepare(layer: Any, x: np.ndarray, quantity: str) -> PreparedCall:
    """Returns a call that has not been compiled yet.

    Args:
        layer: A built layer.
        x: Its input, which is handed to the backend beforehand.
        quantity: One of `QUANTITIES`.
    """
    return _BACKENDS[keras.backend.backend()](layer, x, quantity)


def compiles() -> bool:
    """Whether this backend compiles what it is given."""
    return keras.backend.backend() != "torch"


def _arrays(layer: Any, x: np.ndarray, quantity: str) -> list[np.ndarray]:
    """The input and, for gradients, what is pulled back."""
    if quantity == "forward":
        return [x]
    shape = layer.compute_output_shape(x.shape)
    return [x, np.random.default_rng(2).standard_normal(shape, dtype="float32")]


class _TensorFlow:
    compile_seconds: float | None = None

    def __init__(self, layer: Any, x: np.ndarray, quantity: str) -> None:
        import tensorflow as tf

        weights = [variable.value for variable in layer.trainable_variables]

        def forward(x: Any) -> Any:
            return layer(x)

        def gradients(x: Any, cotangent: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(x)
                output = layer(x)
            return output, tape.gradient(output, [x, *weights], output_gradients=cotangent)

        # Keras's trainer keeps AutoGraph away from layers, too.
        self._function = tf.function(
            forward if quantity == "forward" else gradients, autograph=False
        )
        self._arguments = [tf.convert_to_tensor(array) for array in _arrays(layer, x, quantity)]
        # On a CPU a function returns when all of it has been carried out.
        self._waits = bool(tf.config.list_physical_devices("GPU"))

    def __call__(self) -> Any:
        result = self._function(*self._arguments)
        if self._waits:
            import tensorflow as tf

            tf.test.experimental.sync_devices()
        return result

    def peak_memory(self) -> int | None:
        import tensorflow as tf

        device = "GPU:0" if self._waits else "CPU:0"
        try:
            tf.config.experimental.reset_memory_stats(device)
            before = tf.config.experimental.get_memory_info(device)["current"]
            self()
            added = tf.config.experimental.get_memory_info(device)["peak"] - before
        except ValueError:
            # Of the CPU's allocators that of oneDNN alone counts.
            return None
        # Small tensors come from an allocator that doesn't.
        return added or None


class _Jax:
    def __init__(self, layer: Any, x: np.ndarray, quantity: str) -> None:
        import jax
        import jax.numpy as jnp

        fixed = [variable.value for variable in layer.non_trainable_variables]

        def forward(weights: Any, x: Any) -> Any:
            return layer.stateless_call(weights, fixed, x)[0]

        def gradients(weights: Any, x: Any, cotangent: Any) -> Any:
            output, pull_back = jax.vjp(forward, weights, x)
            of_weights, of_x = pull_back(cotangent)
            return output, [of_x, *of_weights]

        self._function = jax.jit(forward if quantity == "forward" else gradients)
        self._arguments = (
            [variable.value for variable in layer.trainable_variables],
            *map(jnp.asarray, _arrays(layer, x, quantity)),
        )
        self._compiled: Any = None
        self.compile_seconds: float | None = None
        self._wait = jax.block_until_ready

    def __call__(self) -> Any:
        if self._compiled is None:
            start = time.perf_counter()
            self._compiled = self._function.lower(*self._arguments).compile()
            self.compile_seconds = time.perf_counter() - start
        return self._wait(self._compiled(*self._arguments))

    def peak_memory(self) -> int | None:
        plan = self._compiled.memory_analysis()
        return plan and plan.temp_size_in_bytes + plan.output_size_in_bytes


class _Torch:
    compile_seconds: float | None = None

    def __init__(self, layer: Any, x: np.ndarray, quantity: str) -> None:
        self._layer = layer
        self._weights = [variable.value for variable in layer.trainable_variables]
        self._x, *self._cotangent = (
            keras.ops.convert_to_tensor(array).detach().clone()
            for array in _arrays(layer, x, quantity)
        )
        self._x.requires_grad_(quantity == "gradients")

    def __call__(self) -> Any:
        import torch

        if self._cotangent:
            output = self._layer(self._x)
            sources = [self._x, *self._weights]
            result = output, torch.autograd.grad([output], sources, self._cotangent)
        else:
            with torch.no_grad():
                result = self._layer(self._x)
        if self._x.device.type == "cuda":
            torch.cuda.synchronize()
        return result

    def peak_memory(self) -> int | None:
        import torch

        if self._x.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            self()
            return torch.cuda.max_memory_allocated() - before
        with torch.profiler.profile(
            activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
        ) as profile:
            self()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "trace.json"
            profile.export_chrome_trace(str(path))
            trace = json.loads(path.read_text(encoding="utf-8"))
        # How much is allocated after each event, and by how much the event changed that.
        records = [e["args"] for e in trace["traceEvents"] if e.get("name") == "[memory]"]
        if not records:
            return None
        before = records[0]["Total Allocated"] - records[0]["Bytes"]
        return max(record["Total Allocated"] for record in records) - before


_BACKENDS: dict[str, Callable[[Any, np.ndarray, str], PreparedCall]] = {
    "tensorflow": _TensorFlow,
    "jax": _Jax,
    "torch": _Torch,
}
