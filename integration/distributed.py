"""Trains one small model on one device or several, and prints its losses: a script for a process.

    python -m integration.distributed LIBRARY SETTING

LIBRARY is `keras_convkit` or `keras.layers`; SETTING is `single`, or of JAX `data_parallel` or
`model_parallel` (4 virtual devices), of TensorFlow `mirrored` (2), of torch `ddp` (2 processes).
How many devices there are is settled when the backend starts, so each setting has a process.
"""

import importlib
import json
import os
import sys
from pathlib import Path

STEPS, BATCH, LENGTH, CHANNELS, CLASSES = 4, 8, 8, 4, 3
RATE = 0.05

if __name__ == "__main__" and os.environ["KERAS_BACKEND"] == "jax":
    flags = os.environ.get("XLA_FLAGS", "")
    os.environ["XLA_FLAGS"] = f"{flags} --xla_force_host_platform_device_count=4"

import keras  # noqa: E402
import numpy as np  # noqa: E402


def make_model(library):
    layers = importlib.import_module(library)
    return keras.Sequential(
        [
            keras.Input((LENGTH, LENGTH, CHANNELS)),
            layers.Conv2D(8, 3, padding="same", activation="relu", name="conv"),
            layers.DepthwiseConv2D(3, depth_multiplier=2, activation="tanh", name="depthwise"),
            layers.Conv2D(8, 3, groups=4, strides=2, name="grouped"),
            layers.UpSampling2D(2),
            layers.Conv2DTranspose(4, 3, strides=2, padding="same", name="transposed"),
            layers.SeparableConv2D(4, 3, activation="tanh", name="separable"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(CLASSES),
        ]
    )


def make(library):
    """The model with weights that don't depend on the library or the setting."""
    model, rng = make_model(library), np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape, scale=0.3) for w in model.get_weights()])
    return model


def data():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(STEPS * BATCH, LENGTH, LENGTH, CHANNELS)).astype("float32")
    return x, rng.normal(size=(STEPS * BATCH, CLASSES)).astype("float32")


def losses(model):
    """One loss a step, from `fit` with one step an epoch: an epoch's loss is that of its step."""
    model.compile(keras.optimizers.SGD(RATE), "mse")
    x, y = data()
    history = []
    for step in range(STEPS):
        part = slice(step * BATCH, (step + 1) * BATCH)
        fitted = model.fit(x[part], y[part], batch_size=BATCH, shuffle=False, verbose=0)
        history += fitted.history["loss"]
    return history


def single(library):
    return losses(make(library))


def data_parallel(library):
    keras.distribution.set_distribution(keras.distribution.DataParallel())
    return losses(make(library))


def model_parallel(library):
    """Output channels over two devices, the batch over two others."""
    devices = keras.distribution.list_devices()
    mesh = keras.distribution.DeviceMesh((2, 2), ("batch", "model"), devices)
    layout = keras.distribution.LayoutMap(mesh)
    layout["(.*/)?(conv|grouped)/kernel"] = (None, None, None, "model")
    layout["(.*/)?(conv|grouped)/bias"] = ("model",)
    layout["(.*/)?depthwise/kernel"] = (None, None, "model", None)
    layout["(.*/)?transposed/kernel"] = (None, None, "model", None)
    layout["(.*/)?separable/pointwise_kernel"] = (None, None, None, "model")
    distribution = keras.distribution.ModelParallel(layout_map=layout, batch_dim_name="batch")
    keras.distribution.set_distribution(distribution)
    model = make(library)
    spread = model.get_layer("conv").kernel.value.sharding
    assert not spread.is_fully_replicated, spread
    return losses(model)


def mirrored(library):
    import tensorflow as tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    halves = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, halves)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert strategy.num_replicas_in_sync == 2
    with strategy.scope():
        return losses(make(library))


def ddp(library):
    import multiprocessing
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        other = multiprocessing.get_context("spawn").Process(
            target=_ddp_process, args=(1, library, folder), daemon=True
        )
        other.start()
        _ddp_process(0, library, folder)  # One import of torch less than by torch's own `spawn`.
        other.join()
        assert other.exitcode == 0
        parts = [json.loads(Path(folder, f"{rank}.json").read_text()) for rank in range(2)]
    return np.mean(parts, axis=0).tolist()


def _ddp_process(rank, library, folder):
    import torch.distributed

    torch.distributed.init_process_group("gloo", f"file://{folder}/store", rank=rank, world_size=2)
    history = _ddp_losses(rank, library)
    Path(folder, f"{rank}.json").write_text(json.dumps(history))
    # The model is gone by now. Were it the last to hold the group, it would wait for the group's
    # thread with Python's lock in its hand, and that thread, now and then, for the lock.
    torch.distributed.destroy_process_group()


def _ddp_losses(rank, library):
    """Trains on its half of each batch; DDP averages the gradients."""
    import torch

    model = torch.nn.parallel.DistributedDataParallel(make(library))
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    x, y = map(torch.from_numpy, data())
    history = []
    for step in range(STEPS):
        start = step * BATCH + rank * BATCH // 2
        part = slice(start, start + BATCH // 2)
        loss = torch.mean((model(x[part]) - y[part]) ** 2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    return history


SETTINGS = {
    "jax": ("data_parallel", "model_parallel"),
    "tensorflow": ("mirrored",),
    "torch": ("ddp",),
}

if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[2]](sys.argv[1])))
