"""One call, as far as the choice of its formulation depends on it.

The backend and the device are read here, through Keras's public functions.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_convkit.description import Convolution, TransposedConvolution, Upsampling
from keras_convkit.input_checks import Shape, dtype_name, static_shape

Description = Convolution | TransposedConvolution | Upsampling


class Case(NamedTuple):
    """An operation, its description, and what it is applied to and where.

    `engine` is what the speed depends on: `"xla"` for whatever XLA compiles, else the backend.
    `exported` says that the call is traced for an export, as far as the backend shows it,
    `one_core` that this process may compute on one alone.
    """

    operation: str
    description: Any  # a `Description`: that of the operation
    shape: Shape
    dtype: str
    backend: str
    engine: str
    device: str
    exported: bool = False
    one_core: bool = False

    @property
    def float32(self) -> bool:
        return self.dtype == "float32"

    @property
    def linear(self) -> bool:
        return self.description.interpolation == "linear"

    @property
    def nearest(self) -> bool:
        return self.description.interpolation == "nearest"

    @property
    def lengths_known(self) -> bool:
        """Whether there is anything to upsample, and along axes of known lengths."""
        return None not in self.description.axes.lengths(self.shape) and 0 not in self.shape

    @property
    def gathers_well(self) -> bool:
        """Whether steps lie together, and aren't so many that XLA fuses one axis into another."""
        return self.description.axes.channels_last and self.description.interpolation != "lanczos5"

    @property
    def exact_centres(self) -> bool:
        """Whether float32 centres of the output's steps are exact enough to interpolate between.

        For powers of two they are exact; for others, 3 to 7 times, interpolating 64 steps is wrong
        by 5e-6, and twice as many steps by twice as much.
        """
        if all(size & (size - 1) == 0 for size in self.description.sizes):
            return True
        lengths = self.description.axes.lengths(self.shape)
        return None not in lengths and max(lengths) <= 64

    @property
    def depthwise(self) -> bool:
        """Whether each channel is a group of its own, and there is more than one."""
        return self.description.groups == self.description.axes.channels(self.shape) > 1

    @property
    def taps(self) -> int:
        return math.prod(self.description.kernel_size)

    @property
    def weights_a_filter(self) -> int:
        return self.taps * self.channels // self.description.groups

    @property
    def phases(self) -> int:
        """The number of convolutions that a transposed one is taken apart into."""
        return math.prod(map(min, self.description.strides, self.description.kernel_size))

    @property
    def flat(self) -> bool:
        """Whether it is 2D, of stride 1, and has a window."""
        return self.description.strides == (1, 1) and self.taps > 1

    @property
    def unpadded(self) -> bool:
        lengths = self.description.axes.lengths(self.shape)
        return not any(map(any, self.description.padding_amounts(lengths)))

    @property
    def channels(self) -> int:
        return self.description.axes.channels(self.shape)

    @property
    def positions(self) -> int:
        return math.prod(self.description.axes.lengths(self.shape))

    @property
    def numbers(self) -> int:
        """How many there are in the input, as far as they are known."""
        return math.prod([size for size in self.shape if size is not None])

    @property
    def summands(self) -> int:
        """The number of slices that the formulation as products gathers and sums."""
        description = self.description
        if isinstance(description, TransposedConvolution):
            first, *others = description.kernel_size
            return first + description.strides[0] * math.prod(others)
        gathered = [s > 1 for s in description.strides]
        gathered[0] |= not any(gathered)
        sizes = list(zip(description.kernel_size, gathered, strict=True))
        return math.prod(k for k, g in sizes if g) + math.prod(k for k, g in sizes if not g)

    @property
    def dilated(self) -> bool:
        return max(self.description.dilation_rate) > 1

    @property
    def strided(self) -> bool:
        return max(self.description.strides) > 1

    @property
    def unequal_strides(self) -> bool:
        return len(set(self.description.strides)) > 1

    @property
    def onednn(self) -> bool:
        """Whether TensorFlow computes it with oneDNN."""
        return self.backend == "tensorflow" and self.device == "cpu" and onednn()

    @property
    def strided_and_dilated(self) -> bool:
        return self.strided and self.dilated

    @property
    def grouped(self) -> bool:
        return self.description.groups > 1


def case_of(operation: str, description: Description, x: Any) -> Case:
    backend = keras.backend.backend()
    return Case(
        operation,
        description,
        static_shape(x.shape),
        dtype_name(x.dtype),
        backend,
        "xla" if backend == "jax" else backend,
        device_of(x),
        _exported(x.shape),
        # Nothing else asks, and torch.compile can't trace the question.
        backend == "jax" and on_one_core(),
    )


def _exported(shape: Any) -> bool:
    """Whether a length is a symbol, as JAX's exports and torch's traces have them.

    For nothing else does JAX leave a length open: a function that it compiles has a shape. A graph
    of TensorFlow has lengths that are `None`, exported or not.
    """
    return any([not isinstance(size, int) and size is not None for size in shape])


def device_of(x: Any) -> str:
    """`"cpu"`, `"gpu"` or another kind of device that will compute with `x`."""
    if keras.backend.backend() == "torch":
        return _kind_of(x.device)
    return default_device()


@lru_cache(maxsize=16)
def _kind_of(device: Any) -> str:
    return "cpu" if str(device).startswith("cpu") else "gpu"


@lru_cache(maxsize=1)
def on_one_core() -> bool:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) == 1
    return os.cpu_count() == 1


@lru_cache(maxsize=1)
def onednn() -> bool:
    """Whether TensorFlow computes on this CPU with oneDNN.

    By default it does where the processor has AVX-512 VNNI or the like, which many haven't, and
    an environment variable decides otherwise. So it is tried, in a thread, since in this one a
    graph may be in the making, which would fail later.
    """
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(_transposes_with_dilation).result()


def _transposes_with_dilation() -> bool:
    x, kernel = np.ones((1, 2, 2, 1), "float32"), np.ones((2, 2, 1, 1), "float32")
    try:
        with keras.device("cpu:0"):
            ops.conv_transpose(x, kernel, padding="valid", dilation_rate=2)
    # Of a class of TensorFlow's.
    except Exception:
        return False
    return True


@lru_cache(maxsize=1)
def default_device() -> str:
    return keras.distribution.list_devices()[0].partition(":")[0].lower()
