"""What the tests of a layer's duties have in common: every class, made in two ways, and its input.

The duties are what a Keras layer owes its users beside the right numbers: of every family, on
every backend. Numbers come in as well, since a duty is only done if the result stays right; they
are judged by the float64 reference, and peers are compared with the built-in layers of the same
name.
"""

import itertools

import keras
import numpy as np
import pytest

import keras_convkit
from keras_convkit.parity import reference
from keras_convkit.parity.differentiation import differentiate, to_numpy

RANKS = (1, 2, 3)
FAMILIES = {
    "Conv": "Conv{}D",
    "ConvTranspose": "Conv{}DTranspose",
    "DepthwiseConv": "DepthwiseConv{}D",
    "SeparableConv": "SeparableConv{}D",
    "Cropping": "Cropping{}D",
    "UpSampling": "UpSampling{}D",
    "ZeroPadding": "ZeroPadding{}D",
    "Padding": "Padding{}D",
}
WITH_WEIGHTS = ("Conv", "ConvTranspose", "DepthwiseConv", "SeparableConv")
CLASSES = {
    pattern.format(rank): (family, rank) for family, pattern in FAMILIES.items() for rank in RANKS
}
WEIGHTED = [name for name, (family, _) in CLASSES.items() if family in WITH_WEIGHTS]
CONVS = [name for name, (family, _) in CLASSES.items() if family == "Conv"]
BUILT_IN = [name for name in CLASSES if hasattr(keras.layers, name)]
LENGTHS = {1: (9,), 2: (9, 8), 3: (6, 7, 5)}
# Two sizes a rank, of which each length differs in what strides of 2 and 3 leave over.
SIZES = {1: ((9,), (10,)), 2: ((9, 8), (10, 7)), 3: ((6, 7, 5), (7, 5, 6))}
CHANNELS = 4


def plain_arguments(name):
    """Arguments that the built-in layer of this name takes as well."""
    family, rank = CLASSES[name]
    sides = (1, 2) if rank == 1 else ((1, 2), (2, 0), (0, 1))[:rank]
    window = {"kernel_size": 3, "strides": 2, "padding": "same", "activation": "tanh"}
    return {
        "Conv": {"filters": 6, **window, "groups": 2},
        "ConvTranspose": {"filters": 6, **window, "output_padding": 1},
        "DepthwiseConv": {**window, "depth_multiplier": 2},
        "SeparableConv": {"filters": 6, **window, "depth_multiplier": 2},
        "Cropping": {"cropping": sides},
        "UpSampling": {"size": (2, 3, 2)[:rank] if rank > 1 else 3},
        "ZeroPadding": {"padding": sides},
        "Padding": {"padding": sides},
    }[family]


def added_arguments(name):
    """Arguments of which some are ours alone (of Cropping2D, for one, there are none)."""
    family, rank = CLASSES[name]
    sides = (1, 2) if rank == 1 else ((1, 2), (2, 0), (0, 1))[:rank]
    window = {"kernel_size": 3, "strides": 2, "dilation_rate": 2}
    return {
        "Conv": {
            "filters": 6,
            **window,
            "padding": ("causal", "same", (1, 3))[:rank],
            "padding_mode": ("reflect", "circular", "replicate")[:rank],
            "groups": 2,
        },
        "ConvTranspose": {
            "filters": 6,
            **window,
            "padding": ((1, 2), "same", (0, 3))[:rank],
            "output_padding": 1,
            "groups": 2,
        },
        "DepthwiseConv": {**window, "padding": "same", "padding_mode": "circular"},
        "SeparableConv": {"filters": 6, **window, "padding": 3, "padding_mode": "replicate"},
        "Cropping": {"cropping": sides, "data_format": "channels_first"},
        "UpSampling": {"size": 3, "interpolation": "cubic", "data_format": "channels_first"},
        "ZeroPadding": {"padding": sides, "data_format": "channels_first"},
        "Padding": {
            "padding": sides,
            "padding_mode": ("zeros", "reflect", "circular")[:rank],
            "value": 1.5,
        },
    }[family]


KINDS = {"plain": plain_arguments, "added": added_arguments}
EXAMPLES = [
    pytest.param(name, arguments(name), id=f"{name}-{kind}")
    for name in CLASSES
    for kind, arguments in KINDS.items()
]


def rotated(turn, family, kind):
    """The class of a family in one rank, another at each turn, and its arguments.

    What has nothing to do with the rank needn't be tried in each: that would take minutes.
    """
    families = list(FAMILIES)
    rank = RANKS[(turn + families.index(family) + list(KINDS).index(kind)) % 3]
    name = FAMILIES[family].format(rank)
    return pytest.param(name, KINDS[kind](name), id=f"{name}-{kind}")


examples = pytest.mark.parametrize(("name", "arguments"), EXAMPLES)
in_one_rank = pytest.mark.parametrize(
    ("name", "arguments"), [rotated(0, family, kind) for family in FAMILIES for kind in KINDS]
)
each_class_in_one_way = pytest.mark.parametrize(
    ("name", "arguments"),
    # Three ranks a family: each family has both ways.
    [
        pytest.param(name, KINDS[kind](name), id=f"{name}-{kind}")
        for name, kind in zip(CLASSES, itertools.cycle(KINDS))
    ],
)
each_family = pytest.mark.parametrize(
    "name", [FAMILIES[family].format(RANKS[i % 3]) for i, family in enumerate(FAMILIES)]
)
every_class = pytest.mark.parametrize("name", CLASSES)
every_weighted = pytest.mark.parametrize("name", WEIGHTED)
every_built_in = pytest.mark.parametrize("name", BUILT_IN)


def ours(name):
    return getattr(keras_convkit, name)


def input_shape(name, arguments, batch=2, lengths=None):
    lengths = LENGTHS[CLASSES[name][1]] if lengths is None else lengths
    if arguments.get("data_format") == "channels_first":
        return (batch, CHANNELS, *lengths)
    return (batch, *lengths, CHANNELS)


def random_input(name, arguments, seed=1, **shape):
    rng = np.random.default_rng(seed)
    return rng.normal(size=input_shape(name, arguments, **shape)).astype("float32")


def randomize(layer, seed=2):
    """Random weights, biases too: a bias of zeros would hide that it is missing or misplaced."""
    rng = np.random.default_rng(seed)
    layer.set_weights([0.5 * rng.normal(size=w.shape) for w in layer.weights])
    return layer


def built(class_name, arguments, /, make=None, **more):
    layer = (make or ours(class_name))(**arguments, **more)
    layer.build(input_shape(class_name, arguments | more))
    return randomize(layer)


def weights_of(layer):
    return [to_numpy(w.value) for w in layer.weights]


def expected(name, arguments, layer, x):
    return reference.layer(name, arguments, weights_of(layer), x)


def assert_close(actual, desired, tolerance=1e-5):
    actual = actual if isinstance(actual, np.ndarray) else to_numpy(actual)
    assert actual.shape == desired.shape
    scale = np.abs(desired).max(initial=0.0)
    np.testing.assert_allclose(actual, desired, rtol=0, atol=tolerance * scale)


def gradients_of(layer, x, cotangent):
    # Eagerly, JAX would compile every operation of the gradient by itself.
    mode = "compiled" if keras.backend.backend() == "jax" else "eager"
    return differentiate(layer, x, cotangent, mode)


def keras_objects(name):
    """An initializer, regularizer and constraint for each weight that the layer has."""
    weights = ["bias"]
    family = CLASSES[name][0]
    weights += ["kernel"] if family in ("Conv", "ConvTranspose") else ["depthwise"]
    weights += ["pointwise"] if family == "SeparableConv" else []
    objects = {"activity_regularizer": keras.regularizers.L1(0.02)}
    for i, weight in enumerate(weights):
        objects[f"{weight}_initializer"] = keras.initializers.RandomNormal(stddev=0.1 + i, seed=i)
        objects[f"{weight}_regularizer"] = keras.regularizers.L2(0.01 * (i + 1))
        objects[f"{weight}_constraint"] = keras.constraints.MaxNorm(1.0 + i)
    return objects


def trained(layer, name, arguments, steps=1):
    """Each weight before and after `steps` steps of gradient descent to random targets."""
    model = keras.Sequential([keras.Input(input_shape(name, arguments)[1:]), layer])
    # The model builds the layer; its weights are given only then.
    before = weights_of(randomize(layer))
    x = random_input(name, arguments)
    y = np.random.default_rng(3).normal(size=layer.compute_output_shape(x.shape))
    # What costs least: TensorFlow traces a graph for long, JAX compiles each operation by itself.
    eagerly = keras.backend.backend() != "jax"
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse", run_eagerly=eagerly)
    model.fit(x, y, epochs=steps, verbose=0)
    return before, weights_of(layer)
