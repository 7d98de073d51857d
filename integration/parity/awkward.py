"""Layers and models that a harness could stumble over, for `awkward.json`."""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("awkward")
class TwoInputs(layers.Layer):
    """Two inputs by name, one of them integers, and a dictionary of outputs."""

    def __init__(self, units=4, **options):
        super().__init__(**options)
        self.units = units
        self.dense = layers.Dense(units)
        self.table = layers.Embedding(10, units)

    def build(self, x_shape, indices_shape):
        self.dense.build(x_shape)
        self.table.build(indices_shape)

    def call(self, x, indices):
        both = ops.tanh(self.dense(x) + self.table(indices))
        return {"both": both, "largest": ops.argmax(both, axis=-1), "mean": ops.mean(both)}

    def get_config(self):
        return super().get_config() | {"units": self.units}


@keras.saving.register_keras_serializable("awkward")
class Counting(layers.Layer):
    """State that training mode changes: a count of calls and a running mean."""

    def build(self, shape):
        self.calls = self.add_weight(shape=(), dtype="int32", trainable=False, name="calls")
        self.mean = self.add_weight(shape=(shape[-1],), trainable=False, name="mean")

    def call(self, x, training=False):
        if training:
            self.calls.assign_add(1)
            self.mean.assign(0.9 * self.mean + 0.1 * ops.mean(x, axis=0))
        return x - self.mean


@keras.saving.register_keras_serializable("awkward")
class Block(keras.Model):
    """A subclassed model with a subclassed model in it, neither of them with known inputs."""

    def __init__(self, depth=2, units=5, **options):
        super().__init__(**options)
        self.depth, self.units = depth, units
        self.dense = layers.Dense(units, activation="relu")
        self.inner = Block(depth - 1, units) if depth > 1 else layers.LayerNormalization()

    def build(self, shape):
        self.dense.build(shape)
        self.inner.build((*shape[:-1], self.units))
        super().build(shape)

    def call(self, x):
        return self.inner(self.dense(x))

    def get_config(self):
        return super().get_config() | {"depth": self.depth, "units": self.units}


@keras.saving.register_keras_serializable("awkward")
class Unbuilt(Block):
    """The same without `build`, as Keras lets one write it: it is built when it is called."""

    def build(self, shape):
        keras.Model.build(self, shape)


@keras.saving.register_keras_serializable("awkward")
class Drawing(layers.Layer):
    """Random numbers in inference, too."""

    def __init__(self, **options):
        super().__init__(**options)
        self.seeds = keras.random.SeedGenerator(1)

    def call(self, x):
        return x + keras.random.normal(ops.shape(x), seed=self.seeds)


@keras.saving.register_keras_serializable("awkward")
class DrawingWithoutSeeds(layers.Layer):
    """Random numbers of Keras's global generator, of which the layer keeps no state."""

    def call(self, x):
        return x + keras.random.normal(ops.shape(x))


@keras.saving.register_keras_serializable("awkward")
class Infinite(layers.Layer):
    """Infinities and NaN that are the same everywhere."""

    def call(self, x):
        return ops.where(x > 1.0, float("inf"), ops.where(x < -1.0, float("nan"), x))


@keras.saving.register_keras_serializable("awkward")
class InNumPy(layers.Layer):
    """Computes outside the backend, so that nothing symbolic can come in."""

    def call(self, x):
        return ops.convert_to_tensor(ops.convert_to_numpy(x) ** 2)


class NoConfig(layers.Layer):
    """An argument without which its config can't make it again."""

    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = units

    def call(self, x):
        return x[..., : self.units]


def masked():
    """A mask that travels from an embedding through a recurrent layer to an average."""
    return keras.Sequential(
        [
            keras.Input((8,), dtype="int32"),
            layers.Embedding(10, 4, mask_zero=True),
            layers.GRU(5, return_sequences=True),
            layers.GlobalAveragePooling1D(),
        ]
    )


def masking_and_attention():
    """Steps that a mask hides, some in the middle, from an LSTM and from attention."""
    x = keras.Input((6, 3))
    zeroed = layers.ReLU(threshold=0.9)(x)
    masked = layers.Masking()(zeroed)
    sequence = layers.LSTM(4, return_sequences=True)(masked)
    return keras.Model(x, layers.MultiHeadAttention(2, 3)(sequence, sequence))


def stateful():
    """An LSTM that goes on from one call to the next."""
    x = keras.Input(batch_shape=(2, 6, 5))
    return keras.Model(x, layers.LSTM(4, stateful=True)(x))


def shared():
    """One layer called twice, and nested dictionaries of inputs and outputs."""
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    dense = layers.Dense(3)
    outputs = {"sum": dense(a) + dense(b), "parts": [dense(a), {"b": dense(b)}]}
    return keras.Model({"b": b, "a": a}, outputs)


def integers():
    """Nothing that has a gradient."""
    x = keras.Input((5,), dtype="int32")
    return keras.Model(x, ops.cumsum(x, axis=-1))
