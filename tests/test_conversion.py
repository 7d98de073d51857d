"""`convert` and `to_builtin`: the same model, made of the other layers."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_convkit
from keras_convkit import conversion, convert, to_builtin
from tests.compiled import whole

RNG = np.random.default_rng(0)
SHAPE = (2, 12, 12, 3)
X = RNG.normal(size=SHAPE).astype("float32")
FACTOR = 3


def names_of(model):
    """The libraries and classes of all layers in the model, and their names."""
    flat = conversion._all_layers(model)
    return [(type(layer).__module__.split(".")[0], type(layer), layer.name) for layer in flat]


def libraries(model, *families):
    """The libraries that the layers of these families come from."""
    return {library for library, cls, _ in names_of(model) if cls.__name__ in families}


def convolutions(model):
    return libraries(model, *conversion.BUILT_IN)


def predict(model, x=X):
    return [keras.ops.convert_to_numpy(output) for output in keras.tree.flatten(whole(model)(x))]


def assert_same_model(model, converted, x=X):
    assert converted is not model
    assert [(layer.name, layer.trainable) for layer in conversion._all_layers(model)] == [
        (layer.name, layer.trainable) for layer in conversion._all_layers(converted)
    ]
    assert model.count_params() == converted.count_params()
    for old, new in zip(model.variables, converted.variables, strict=True):
        assert (old.name, old.dtype, old.trainable) == (new.name, new.dtype, new.trainable)
        np.testing.assert_array_equal(
            *(keras.ops.convert_to_numpy(keras.ops.cast(v, "float32")) for v in (old, new))
        )
    for a, b in zip(predict(model, x), predict(converted, x), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-5 * np.abs(a).max())


def functional():
    """Shared and nested layers, several outputs, an operation, lambdas that know names here."""
    inputs = keras.Input(SHAPE[1:])
    shared = layers.Conv2D(3, 3, padding="same", name="shared")
    x = shared(layers.Conv2D(3, 1, kernel_regularizer="l2")(shared(inputs)))
    x = layers.Lambda(lambda t: t * FACTOR)(x)
    inner = keras.Sequential(
        [layers.DepthwiseConv2D(3), layers.UpSampling2D(2), layers.Cropping2D(1)], name="inner"
    )
    y = keras.ops.relu(inner(layers.Dropout(0.5)(x)))
    y = layers.Conv2D(2, 3, activation=lambda t: t + FACTOR)(y)
    return keras.Model(inputs, [y, layers.BatchNormalization()(x)])


def sequential():
    return keras.Sequential(
        [
            keras.Input(SHAPE[1:]),
            layers.ZeroPadding2D(1),
            layers.SeparableConv2D(4, 3, activation="relu"),
            layers.Conv2DTranspose(3, 3, strides=2),
        ]
    )


def wrapped():
    inputs = keras.Input(SHAPE[1:])
    x = layers.TimeDistributed(layers.Conv1D(4, 3))(inputs)
    x = layers.SpectralNormalization(layers.Conv2D(3, 2))(x)
    x = layers.TimeDistributed(layers.Bidirectional(layers.SimpleRNN(2, return_sequences=True)))(x)
    return keras.Model(inputs, x)


def mixed_precision():
    policies = ("mixed_bfloat16", "float32")
    convs = [layers.Conv2D(2, 3, dtype=policy) for policy in policies]
    return keras.Sequential([keras.Input(SHAPE[1:]), *convs])


class Block(layers.Layer):
    """Layers on attributes, in a list, a dictionary, a tuple, a nested model, and twice."""

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.first = layers.Conv2D(filters, 3)
        self.chain = [layers.Conv2D(2, 3), layers.BatchNormalization()]
        self.table = {"a": layers.Conv2D(2, 1), "b": (layers.Conv2D(3, 1),)}
        self.model = keras.Sequential([layers.Conv2D(3, 1), layers.Dense(3)])
        self.again = self.first

    def path(self):
        return [self.first, self.model, *self.chain, self.table["a"], *self.table["b"], self.again]

    def build(self, shape):
        for layer in self.path():
            if not layer.built:
                layer.build(shape)
            shape = layer.compute_output_shape(shape)

    def call(self, x):
        for layer in self.path():
            x = layer(x)
        return x

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}


class Subclassed(keras.Model):
    def __init__(self, filters=3, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.block = Block(filters)
        self.last = layers.Conv2D(1, 1)

    def call(self, x):
        return self.last(self.block(x))

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}


def subclassed():
    model = Subclassed()
    model(keras.KerasTensor(SHAPE))
    return model


def custom_layer_in_a_graph():
    inputs = keras.Input(SHAPE[1:])
    return keras.Model(inputs, Block(3)(inputs))


MODELS = [
    functional,
    sequential,
    wrapped,
    mixed_precision,
    subclassed,
    custom_layer_in_a_graph,
]


@pytest.fixture(params=MODELS, ids=lambda make: make.__name__)
def model(request):
    keras.utils.set_random_seed(1)
    made = request.param()
    for variable in made.weights:
        values = RNG.normal(size=variable.shape, scale=0.2)
        variable.assign(np.abs(values) if "moving" in variable.name else values)
    return made


@pytest.mark.filterwarnings("ignore:.*includes a `lambda`:UserWarning")
def test_there_and_back(model):
    before = names_of(model)
    there = convert(model)
    assert convolutions(there) == {"keras_convkit"}
    assert_same_model(model, there)
    assert names_of(model) == before, "the model itself stays as it is"

    back = to_builtin(there)
    assert [cls for _, cls, _ in names_of(back)] == [cls for _, cls, _ in before]
    assert_same_model(there, back)
    for old, new in zip(model.weights, back.weights, strict=True):
        np.testing.assert_array_equal(
            *(keras.ops.convert_to_numpy(keras.ops.cast(v, "float32")) for v in (old, new))
        )


@pytest.mark.filterwarnings("ignore:.*includes a `lambda`:UserWarning")
def test_sharing_stays():
    keras.utils.set_random_seed(1)
    converted = convert(functional())
    shared = converted.get_layer("shared")
    assert len(shared._inbound_nodes) == 2
    there = convert(subclassed())
    assert there.block.again is there.block.first
    assert type(there.block.first) is keras_convkit.Conv2D
    assert isinstance(there.block.table["b"], tuple)


@pytest.mark.parametrize("make", [sequential, subclassed], ids=lambda make: make.__name__)
def test_training_goes_on_where_it_was(make):
    """Optimizer state, metrics and flags go along: two more epochs have the same losses."""
    keras.utils.set_random_seed(1)
    model = make()
    model.compile("adam", "mse", metrics=["mae"])
    y = RNG.normal(size=predict(model)[0].shape).astype("float32")
    model.fit(X, y, verbose=0)
    converted = convert(model)
    assert converted.compiled
    for old, new in zip(model.optimizer.variables, converted.optimizer.variables, strict=True):
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(old), keras.ops.convert_to_numpy(new)
        )
    histories = [m.fit(X, y, epochs=2, verbose=0).history for m in (model, converted)]
    assert histories[0].keys() == histories[1].keys()
    for name, values in histories[0].items():
        np.testing.assert_allclose(histories[1][name], values, rtol=1e-5)


def test_frozen_layers_stay_frozen():
    model = sequential()
    model.layers[1].trainable = False
    converted = convert(model)
    assert [layer.trainable for layer in converted.layers] == [True, False, True]
    assert len(converted.trainable_variables) == len(model.trainable_variables)
    model.trainable = False
    assert not convert(model).trainable_variables


def test_the_two_models_share_no_memory():
    model = sequential()
    converted = convert(model)
    before = [w.copy() for w in model.get_weights()]
    converted.set_weights([w + 1 for w in before])
    for weight, expected in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_unbuilt_models_and_single_layers():
    model = convert(keras.Sequential([layers.Conv2D(2, 3)]))
    assert not model.built
    assert type(model.layers[0]) is keras_convkit.Conv2D
    assert type(convert(layers.Conv1D(2, 3))) is keras_convkit.Conv1D
    assert type(to_builtin(keras_convkit.Conv1D(2, 3))) is layers.Conv1D


def test_what_is_ours_already_stays():
    model = keras.Sequential([keras.Input(SHAPE[1:]), keras_convkit.Conv2D(2, 3, padding=1)])
    assert_same_model(model, convert(model))


# What can't be converted.


class Mine(layers.Conv2D):
    pass


def test_a_subclass_is_named_or_left():
    model = keras.Sequential([keras.Input(SHAPE[1:]), Mine(2, 3, name="m"), layers.Conv2D(1, 1)])
    with pytest.raises(ValueError, match=r"keras_convkit.convert: .*\n  Mine 'm': a subclass"):
        convert(model)
    converted = convert(model, strict=False)
    assert [type(layer) for layer in converted.layers] == [Mine, keras_convkit.Conv2D]
    assert_same_model(model, converted)


BEYOND = [
    (lambda: keras_convkit.Conv2D(2, 3, padding=1), r"has no padding=\(\(1, 1\), \(1, 1\)\)"),
    (lambda: keras_convkit.Conv2D(2, 3, padding="causal"), "has no padding='causal'"),
    (
        lambda: keras_convkit.Conv2D(2, 3, padding="same", padding_mode="reflect"),
        r"has no padding_mode='reflect'",
    ),
    (lambda: keras_convkit.Conv2D(2, 3, strides=2, dilation_rate=2), "strides"),
    (lambda: keras_convkit.Conv2DTranspose(3, 3, groups=3), "has no groups=3"),
    (lambda: keras_convkit.Padding2D(1), "keras.layers has no such layer"),
    (lambda: keras_convkit.UpSampling2D(interpolation="cubic"), "has no interpolation='cubic'"),
]


@pytest.mark.parametrize(("make", "message"), BEYOND, ids=[message for _, message in BEYOND])
def test_what_keras_lacks_is_named_or_left(make, message):
    layer = make()
    model = keras.Sequential([keras.Input(SHAPE[1:]), layer, keras_convkit.Conv2D(1, 1)])
    with pytest.raises(ValueError, match=f"to_builtin: .*\n  .*{layer.name}.*{message}"):
        to_builtin(model)
    left = to_builtin(model, strict=False)
    assert [type(layer) for layer in left.layers] == [type(layer), layers.Conv2D]
    assert_same_model(model, left)


def test_all_obstacles_are_named_at_once():
    convs = [keras_convkit.Conv2D(2, 3, padding=i, name=f"c{i}") for i in (1, 2)]
    with pytest.raises(ValueError, match=r"(?s)'c1'.*'c2'"):
        to_builtin(keras.Sequential([keras.Input(SHAPE[1:]), *convs]))


class NoConfig(keras.Model):
    def __init__(self, function):
        super().__init__()
        self.function = function
        self.conv = layers.Conv2D(1, 1)

    def call(self, x):
        return self.function(self.conv(x))


def test_a_model_that_keras_cannot_rebuild_is_named():
    with pytest.raises(ValueError, match=r"convert: Keras can't rebuild NoConfig 'no_config"):
        convert(NoConfig(abs))


class OwnGraph(keras.Model):
    def __init__(self, filters=1, name=None, trainable=True, dtype=None):
        inputs = keras.Input(SHAPE[1:], name="inputs")
        conv = layers.Conv2D(filters, 1, name="hidden")
        super().__init__(inputs, conv(inputs), name=name)
        self.conv = conv


def test_layers_that_only_a_constructor_knows_are_named_or_left():
    model = OwnGraph()
    with pytest.raises(ValueError, match=r"OwnGraph has .*Conv2D 'hidden'"):
        convert(model)
    assert_same_model(model, convert(model, strict=False))


@pytest.mark.parametrize("function", [convert, to_builtin])
@pytest.mark.parametrize("value", [3, None, "model.keras", layers.Conv2D], ids=repr)
def test_what_is_no_model_is_refused(function, value):
    with pytest.raises(
        TypeError, match=r"`model` must be a Keras model or layer. Received: model="
    ):
        function(value)


@pytest.mark.filterwarnings("ignore:.*includes a `lambda`:UserWarning")
def test_what_cannot_be_compiled_again_is_said():
    model = sequential()
    model.compile("sgd", lambda y, z: keras.ops.mean(y - z))
    with pytest.warns(UserWarning, match="call `compile` on the converted one"):
        converted = convert(model)
    assert not converted.compiled
    assert_same_model(model, converted)


@pytest.mark.filterwarnings("ignore:.*includes a `lambda`:UserWarning")
def test_changes_are_counted():
    model = functional()
    changes = conversion.changed_layers(model, convert(model))
    assert changes == {"Conv2D": 3, "DepthwiseConv2D": 1, "UpSampling2D": 1, "Cropping2D": 1}
