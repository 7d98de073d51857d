"""What else users do with Keras models: ours take part in it as built-in layers do."""

import copy
import os
import pickle
import shutil
import threading
import warnings

import keras
import numpy as np
import pytest

import keras_convkit
from integration.models import assert_same, outputs_of, randomize
from keras_convkit import lowering
from keras_convkit.lowering import preference
from keras_convkit.parity.differentiation import to_numpy

LONG = bool(os.environ.get("KERAS_CONVKIT_LONG"))
PACKAGES = {"ours": keras_convkit, "built_in": keras.layers}
BACKEND = keras.backend.backend()
SHAPE = (6, 6, 3)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, *SHAPE)).astype("float32")
# What a linear map makes of the images, so that there is something to learn.
Y = (X.reshape(8, -1) @ RNG.normal(size=(108, 2), scale=0.1)).astype("float32")


def small(package, **options):
    """One convolution of each kind, and a Dense layer behind them."""
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            package.Conv2D(4, 3, padding="same", activation="tanh", **options),
            package.DepthwiseConv2D(3, **options),
            package.SeparableConv2D(4, 2, activation="tanh", **options),
            package.Conv2DTranspose(3, 2, strides=2, **options),
            keras.layers.Flatten(**options),
            keras.layers.Dense(2, **options),
        ]
    )


@pytest.fixture(scope="module")
def shared():
    """A model of our layers that no test changes, and what it answers."""
    model = randomize(small(keras_convkit))
    return model, outputs_of(model, X)


def losses(model, epochs=5, **options):
    model.compile(keras.optimizers.SGD(0.05), "mse")
    return model.fit(X, Y, epochs=epochs, shuffle=False, verbose=0, **options).history["loss"]


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_trains_as_built_in_layers_do(policy):
    curves = {}
    for name, package in PACKAGES.items():
        model = randomize(small(package, dtype=policy))
        assert {v.dtype for v in model.trainable_variables} == {"float32"}
        dtype = keras.backend.standardize_dtype(model.layers[0](X).dtype)
        assert dtype == policy.removeprefix("mixed_")
        curves[name] = losses(model)
    assert curves["ours"][-1] < 0.7 * curves["ours"][0]
    # Both round each layer's output to the 8 or 11 bits of its type.
    np.testing.assert_allclose(curves["ours"], curves["built_in"], rtol=0.02)


class Interruption(Exception):
    pass


class Interrupting(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise Interruption


def test_callbacks(tmp_path):
    """Training with all of them at once, then cut short and resumed: the same weights."""
    model = randomize(small(keras_convkit))
    start = model.get_weights()
    best, log = tmp_path / "best.keras", tmp_path / "log.csv"
    callbacks = [
        keras.callbacks.ModelCheckpoint(best, monitor="loss", save_best_only=True),
        keras.callbacks.EarlyStopping("loss", min_delta=10, patience=3, restore_best_weights=True),
        keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, min_delta=10, patience=1),
        keras.callbacks.CSVLogger(log),
        keras.callbacks.TerminateOnNaN(),
    ]
    history = losses(model, epochs=9, callbacks=callbacks)
    assert len(history) == 4, "nothing improves by 10, so after 3 epochs it stops"
    assert len(log.read_text().splitlines()) == 5
    assert float(model.optimizer.learning_rate) < 0.05
    loaded = keras.saving.load_model(best)
    assert type(loaded.layers[0]) is keras_convkit.Conv2D
    first_epoch = keras.saving.load_model(best).get_weights()
    assert any(map(np.any, [a != b for a, b in zip(first_epoch, start, strict=True)]))

    backup = tmp_path / "backup"
    weights = []
    for interrupted in (False, True):
        model.set_weights(start)
        model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "mse")
        fit = {"x": X, "y": Y, "epochs": 4, "shuffle": False, "verbose": 0}
        if interrupted:
            saver = keras.callbacks.BackupAndRestore(backup)
            with pytest.raises(Interruption):
                model.fit(**fit, callbacks=[saver, Interrupting()])
            randomize(model, seed=9)
            resumed = model.fit(**fit, callbacks=[keras.callbacks.BackupAndRestore(backup)])
            assert resumed.epoch == [2, 3]
        else:
            model.fit(**fit)
        weights.append(model.get_weights())
    for resumed, straight in zip(*reversed(weights), strict=True):
        np.testing.assert_allclose(resumed, straight, rtol=0, atol=1e-5)


def test_tensorboard(tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    board = keras.callbacks.TensorBoard(tmp_path, histogram_freq=1)
    losses(randomize(small(keras_convkit)), epochs=1, callbacks=[board])
    assert list(tmp_path.rglob("events.out.*"))


def test_time_distributed():
    """A wrapper's frames one by one are what the layer makes of all frames as batch axes."""
    video = np.stack([X, X[::-1]], axis=1)
    inner = keras_convkit.Conv2D(4, 3, strides=2)
    model = keras.Sequential([keras.Input(video.shape[1:]), keras.layers.TimeDistributed(inner)])
    wanted = to_numpy(inner(randomize(model) and video))
    assert_same(outputs_of(model, video), [wanted], 1e-5)


@pytest.mark.parametrize("family", ["Conv2D", "DepthwiseConv2D", "Conv2DTranspose"])
def test_spectral_normalization(family):
    """The built-in wrapper takes a layer with a `kernel`, ours as it takes Keras's own."""
    filters = () if family.startswith("Depthwise") else (4,)
    kernels = []
    for package in PACKAGES.values():
        layer = getattr(package, family)(*filters, 3)
        wrapped = keras.layers.SpectralNormalization(layer, power_iterations=3)
        wrapped.build(X.shape)
        randomize(wrapped)
        wrapped(X, training=True)
        kernels.append(to_numpy(layer.kernel.value))
    mine, theirs = kernels
    assert_same([mine], [theirs], 1e-5)


@pytest.mark.parametrize("package", PACKAGES.values(), ids=PACKAGES)
def test_spectral_normalization_refuses_two_kernels(package):
    wrapped = keras.layers.SpectralNormalization(package.SeparableConv2D(4, 3))
    with pytest.raises(ValueError, match="SeparableConv2D object has no attribute 'kernel'"):
        wrapped.build(X.shape)


@pytest.mark.parametrize("mode", ["int8", "float8"])
def test_quantizing_leaves_convolutions_whole(mode):
    """Keras can quantize no convolution, ours or its own, and says so; Dense layers it does."""
    told = {}
    for name, package in PACKAGES.items():
        model = randomize(small(package))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.quantize(mode)
        told[name] = {str(w.message) for w in caught if "quantize" in str(w.message)}
        *whole, dense = model.layers
        assert {layer.dtype_policy.name for layer in whole} == {"float32"}
        assert mode in dense.dtype_policy.name
        for layer, before in zip(whole, randomize(small(package)).layers, strict=False):
            for value, unquantized in zip(layer.get_weights(), before.get_weights(), strict=True):
                np.testing.assert_array_equal(value, unquantized)
    assert (
        told["ours"]
        == told["built_in"]
        > {"Layer Conv2D does not have a `quantize` method implemented."}
    )


@pytest.mark.parametrize("copied", [lambda it: pickle.loads(pickle.dumps(it)), copy.deepcopy])
def test_pickles_and_deep_copies(copied, shared):
    model, wanted = shared
    twin = copied(model)
    for layer, original in zip(twin.layers, model.layers, strict=True):
        assert type(layer) is type(original) and layer is not original
    assert_same(outputs_of(twin, X), wanted, 1e-6)
    randomize(twin, seed=9)
    assert_same(outputs_of(model, X), wanted, 1e-6)  # weights of its own

    layer = model.layers[0]
    layer.preferred = "native"
    for value, original in zip(copied(layer).get_weights(), layer.get_weights(), strict=True):
        np.testing.assert_array_equal(value, original)
    layer.preferred = None


def in_threads(function, count=6):
    """`function(0)`, `function(1)`, … at once, each in its thread; what any raises is raised."""
    results, start = [None] * count, threading.Barrier(count)

    def run(i):
        start.wait()
        try:
            results[i] = function(i)
        except Exception as error:
            results[i] = error

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, Exception):
            raise result
    return results


def test_threads_predict_at_once(shared):
    model, wanted = shared
    for answer in in_threads(lambda i: to_numpy(model(X, training=False))):
        assert_same([answer], wanted, 1e-5)


def test_threads_build_and_prefer_at_once():
    """What a thread prefers is its own affair, and an argument's checks share nothing."""
    together = threading.Barrier(6)
    x = keras.ops.convert_to_tensor(X)

    def run(i):
        name = ("native", "taps")[i % 2]
        layer = keras_convkit.DepthwiseConv2D(2 + i % 3)
        with lowering.prefer(depthwise_conv=name):
            together.wait()
            chosen = preference.choose("depthwise_conv", layer.description, x)
            layer.build(X.shape)
            layer.set_weights([np.ones(w.shape) for w in layer.get_weights()])
            output = to_numpy(layer(x))
            together.wait()
        return name, chosen, output

    for i, (name, chosen, output) in enumerate(in_threads(run)):
        assert chosen == name
        window = np.lib.stride_tricks.sliding_window_view(X, (2 + i % 3,) * 2, axis=(1, 2))
        np.testing.assert_allclose(output - 1, window.sum(axis=(-2, -1)), rtol=0, atol=1e-4)


@pytest.mark.skipif(BACKEND != "jax", reason="JAX's transformations")
def test_jax_transformations(shared):
    import jax
    import jax.numpy as jnp

    model, (wanted,) = shared
    weights = [v.value for v in model.trainable_variables]

    def call(weights, x):
        return model.stateless_call(weights, [], x)[0]

    def loss(weights, x, y):
        return jnp.mean((call(weights, x) - y) ** 2)

    assert_same([np.asarray(jax.jit(call)(weights, X))], [wanted], 1e-5)
    one_by_one = jax.jit(jax.vmap(lambda x: call(weights, x[None])[0]))
    assert_same([np.asarray(one_by_one(X))], [wanted], 1e-5)
    gradient = jax.jit(jax.grad(loss))(weights, X, Y)
    each = jax.jit(jax.vmap(jax.grad(loss), in_axes=(None, 0, 0)))(weights, X[:, None], Y[:, None])
    for whole, parts in zip(gradient, each, strict=True):
        assert_same([np.asarray(parts.mean(axis=0))], [np.asarray(whole)], 1e-4)
    # The derivative along the gradient is its square.
    _, along = jax.jit(lambda w, v: jax.jvp(lambda w: loss(w, X, Y), (w,), (v,)))(weights, gradient)
    square = sum(float((g**2).sum()) for g in gradient)
    np.testing.assert_allclose(float(along), square, rtol=1e-4)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="TensorFlow's functions")
def test_tf_function_of_unknown_shapes():
    """One trace for all batch sizes and image sizes, with gradients."""
    import tensorflow as tf

    model = randomize(keras.Sequential([keras.Input((None, None, 3)), *small_layers()]))
    variables = [v.value for v in model.trainable_variables]

    def run(x):
        with tf.GradientTape() as tape:
            y = model(x)
            loss = tf.reduce_sum(y**2)
        return [y, *tape.gradient(loss, variables)]

    traced = tf.function(run, input_signature=[tf.TensorSpec((None, None, None, 3), tf.float32)])
    for n, h, w in [(8, 6, 6), (1, 6, 9), (3, 11, 7)]:
        x = tf.constant(RNG.normal(size=(n, h, w, 3)), tf.float32)
        pairs = [[to_numpy(value) for value in f(x)] for f in (traced, run)]
        assert_same(*pairs, 1e-4)
    assert traced.experimental_get_tracing_count() == 1


def small_layers():
    return small(keras_convkit).layers[:4]


@pytest.mark.skipif(BACKEND != "torch", reason="torch's compiler")
@pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`:UserWarning")
def test_torch_compile(shared, monkeypatch):
    """By torch's default compiler with `KERAS_CONVKIT_LONG=1`; else as far as it traces.

    The graph is whole (`fullgraph=True`), as that of built-in layers is.
    """
    import torch

    if LONG and not shutil.which(os.environ.get("CXX", "g++")):
        pytest.skip("torch's default compiler needs a C++ compiler")
    # A block of `lowering.prefer`, if there has been one in the process, is asked at each call.
    monkeypatch.setattr(preference, "_blocks_in_use", False)
    model, (wanted,) = shared
    compiled = torch.compile(model, backend="inductor" if LONG else "eager", fullgraph=True)
    x = torch.from_numpy(X)
    assert_same([to_numpy(compiled(x).detach())], [wanted], 1e-5)

    def gradients(call):
        values = [v.value for v in model.trainable_variables]
        return [to_numpy(g) for g in torch.autograd.grad((call(x) ** 2).sum(), values)]

    assert_same(gradients(compiled), gradients(model), 1e-4)


@pytest.mark.skipif(BACKEND != "torch", reason="torch's compiler")
@pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`:UserWarning")
def test_torch_compile_takes_the_filters(monkeypatch):
    """An input large enough for the formulation that has constants of the lengths."""
    import torch

    monkeypatch.setattr(preference, "_blocks_in_use", False)
    layer = keras_convkit.UpSampling2D(2, interpolation="bicubic")
    x = torch.randn(2, 34, 33, 32)
    expected = layer(x)
    compiled = torch.compile(layer, backend="eager", fullgraph=True)
    np.testing.assert_allclose(compiled(x).numpy(), expected.numpy(), rtol=1e-5, atol=1e-6)
