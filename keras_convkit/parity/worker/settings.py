"""How this process computes: the same everywhere, whatever the user's settings say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras


def standardize() -> None:
    """Makes this process compute as the others do, whatever the user's `keras.json` says."""
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    keras.config.set_image_data_format("channels_last")
    # On a GPU the backends round the factors of float32 products to 10 bits by default.
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_tensor_float_32_execution(False)
    elif backend == "jax":
        import jax

        jax.config.update("jax_default_matmul_precision", "highest")
    elif backend == "torch":
        import torch

        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False


@contextmanager
def computing_in(dtype: str) -> Iterator[None]:
    """Within it, new layers compute and have their weights in `dtype`."""
    wide = dtype == "float64" and keras.backend.backend() == "jax"
    _wide_jax(wide)
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")
        _wide_jax(False)


def _wide_jax(wide: bool) -> None:
    if keras.backend.backend() == "jax":
        import jax

        if jax.config.jax_enable_x64 != wide:
            jax.config.update("jax_enable_x64", wide)


def limit_memory(gigabytes: float) -> None:
    """Lets this process take so much memory beyond what it has, where the system can."""
    if not gigabytes:
        return
    import resource
    from pathlib import Path

    status = Path("/proc/self/status").read_text(encoding="ascii")
    (used,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmData:"))
    most = int(used) * 1024 + int(gigabytes * 2**30)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
