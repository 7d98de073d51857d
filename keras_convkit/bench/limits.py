"""What the machine can do at most: arithmetic by a large matrix product, memory by a large copy."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np

from keras_convkit.workers import cores

_SIDE = 2048
# By thread; all of them together are far beyond any cache.
_COPIED = 1 << 26
_FEWEST, _MOST, _SECONDS = 3, 20, 1.0


def multiply_adds_per_second() -> float:
    """Returns the rate of this backend's float32 matrix product, the best of some."""
    rng = np.random.default_rng(0)
    a, b = (
        keras.ops.convert_to_tensor(rng.standard_normal((_SIDE, _SIDE), dtype="float32"))
        for _ in range(2)
    )

    def product() -> Any:
        # A single number is fetched, so that the product has to be there, and not copied.
        return keras.ops.convert_to_numpy(keras.ops.matmul(a, b)[0, 0])

    product()
    return _SIDE**3 / _fastest(product)


def bytes_per_second() -> float:
    """Returns the rate of a copy in the CPU's memory by all cores, read and written bytes both."""
    number = cores()
    sources = [np.ones(_COPIED // 4, "float32") for _ in range(number)]
    targets = [np.empty_like(source) for source in sources]
    with ThreadPoolExecutor(number) as pool:

        def copy() -> None:
            list(pool.map(np.copyto, targets, sources))

        copy()
        return 2 * _COPIED * number / _fastest(copy)


def _fastest(call: Any) -> float:
    times: list[float] = []
    while len(times) < _FEWEST or (len(times) < _MOST and sum(times) < _SECONDS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)
