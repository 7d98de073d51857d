"""What a Keras layer owes its users, beside the right numbers: of every family, on every backend.

Numbers come in here as well, since a duty is only done if the result stays right; they are judged
by the float64 reference, and peers are compared with the built-in layers of the same name.
"""

import contextlib
import copy
import itertools
import json
import pickle
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

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


# Built when first called.


@examples
def test_weights_are_made_by_the_first_call_and_kept(name, arguments):
    layer = ours(name)(**arguments)
    assert not layer.built
    assert layer.weights == []
    x = random_input(name, arguments)
    first = layer(x)
    assert layer.built
    made = list(layer.weights)
    assert_close(first, expected(name, arguments, layer, x))
    layer(random_input(name, arguments, seed=2))
    assert len(layer.weights) == len(made)
    assert all(now is then for now, then in zip(layer.weights, made, strict=True))


@every_built_in
def test_variables_are_those_of_the_built_in_layer(name):
    arguments = plain_arguments(name)
    layers = [
        built(name, arguments, make=make, name="same")
        for make in (ours(name), getattr(keras.layers, name))
    ]
    mine, theirs = (
        [(w.path, w.shape, w.dtype, w.trainable) for w in layer.weights] for layer in layers
    )
    assert mine == theirs


@pytest.mark.parametrize("name", CONVS)
def test_kernel_is_no_attribute_before_the_layer_is_built(name):
    with pytest.raises(AttributeError, match="kernel"):
        ours(name)(4, 3).kernel  # noqa: B018  (reading it is what is tested)


# Configuration.


@examples
def test_config_through_json_rebuilds_the_layer(name, arguments):
    layer = ours(name)(**arguments, name="mine", dtype="mixed_float16", trainable=False)
    config = json.loads(json.dumps(layer.get_config()))
    rebuilt = ours(name).from_config(config)
    assert rebuilt.get_config() == layer.get_config()
    assert (rebuilt.name, rebuilt.trainable) == ("mine", False)


@in_one_rank
def test_the_layer_that_the_config_rebuilds_computes_the_same(name, arguments):
    layer = built(name, arguments)
    rebuilt = ours(name).from_config(json.loads(json.dumps(layer.get_config())))
    rebuilt.build(input_shape(name, arguments))
    rebuilt.set_weights(layer.get_weights())
    x = random_input(name, arguments)
    assert_close(rebuilt(x), expected(name, arguments, layer, x))


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


def fully_configured(name, make):
    more = keras_objects(name) if name in WEIGHTED else {}
    return make(**plain_arguments(name), **more, name="layer", trainable=False)


@every_built_in
def test_config_is_the_built_in_layers_own(name):
    theirs = getattr(keras.layers, name)
    mine = fully_configured(name, ours(name)).get_config()
    assert mine == fully_configured(name, theirs).get_config()
    assert theirs.from_config(mine).get_config() == mine
    assert ours(name).from_config(mine).get_config() == mine


@pytest.mark.parametrize("name", ["DepthwiseConv3D", "SeparableConv3D"])
def test_config_of_a_layer_that_is_ours_alone_has_the_keys_of_its_2d_peer(name):
    mine = fully_configured(name, ours(name)).get_config()
    peer = name.replace("3D", "2D")
    assert set(mine) == set(fully_configured(peer, getattr(keras.layers, peer)).get_config())
    assert ours(name).from_config(mine).get_config() == mine


@every_weighted
def test_a_layer_as_activation_survives_the_config(name):
    arguments = plain_arguments(name) | {"activation": keras.layers.LeakyReLU(0.3)}
    layer = built(name, arguments)
    rebuilt = ours(name).from_config(json.loads(json.dumps(layer.get_config())))
    rebuilt.build(input_shape(name, arguments))
    rebuilt.set_weights(layer.get_weights())
    x = random_input(name, arguments)
    linear = expected(name, arguments | {"activation": None}, layer, x)
    for answer in (layer(x), rebuilt(x)):
        assert_close(answer, np.where(linear > 0, linear, 0.3 * linear))


# Activations, regularizers, constraints, trainable, use_bias.


@pytest.mark.parametrize(
    ("name", "activation"),
    [
        (FAMILIES[family].format(RANKS[(i + j) % 3]), activation)
        for i, family in enumerate(WITH_WEIGHTS)
        for j, activation in enumerate(
            (None, "relu", "tanh", "sigmoid", "softplus", "elu", "silu", "gelu")
        )
    ],
)
def test_activation_by_name(name, activation):
    arguments = plain_arguments(name) | {"activation": activation}
    layer = built(name, arguments)
    x = random_input(name, arguments)
    assert_close(layer(x), expected(name, arguments, layer, x))


@every_weighted
def test_activation_by_callable(name):
    arguments = plain_arguments(name)
    layer = built(name, arguments | {"activation": keras.ops.square})
    x = random_input(name, arguments)
    linear = expected(name, arguments | {"activation": None}, layer, x)
    assert_close(layer(x), linear**2)


def losses_of(name, make):
    arguments = plain_arguments(name)
    layer = built(name, arguments, make=make, **keras_objects(name))
    output = to_numpy(layer(random_input(name, arguments)))
    return layer, output, [float(to_numpy(loss)) for loss in layer.losses]


@every_weighted
def test_regularizers_add_their_losses(name):
    layer, output, losses = losses_of(name, ours(name))
    objects = keras_objects(name)
    wanted = [
        float(to_numpy(objects[f"{argument}_regularizer"](w.value)))
        for w, argument in zip(layer.weights, regularized(name), strict=True)
    ]
    # Keras divides the activity's loss by the batch size.
    wanted.append(0.02 * np.abs(output).sum() / len(output))
    np.testing.assert_allclose(sorted(losses), sorted(wanted), rtol=1e-5)


def regularized(name):
    """The argument's stem for each weight, in the weights' order."""
    return {
        "DepthwiseConv": ("depthwise", "bias"),
        "SeparableConv": ("depthwise", "pointwise", "bias"),
    }.get(CLASSES[name][0], ("kernel", "bias"))


@pytest.mark.parametrize("name", [name for name in WEIGHTED if name in BUILT_IN])
def test_losses_are_the_built_in_layers_in_the_same_order(name):
    _, _, mine = losses_of(name, ours(name))
    _, _, theirs = losses_of(name, getattr(keras.layers, name))
    np.testing.assert_allclose(mine, theirs, rtol=1e-5)


def trained(layer, name, arguments, steps=1):
    """Each weight before and after `steps` steps of gradient descent to random targets."""
    model = keras.Sequential([keras.Input(input_shape(name, arguments)[1:]), layer])
    # The model builds the layer; its weights are given only then.
    before = weights_of(randomize(layer))
    x = random_input(name, arguments)
    y = np.random.default_rng(3).normal(size=layer.compute_output_shape(x.shape))
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse", run_eagerly=True)
    model.fit(x, y, epochs=steps, verbose=0)
    return before, weights_of(layer)


@every_weighted
def test_constraints_hold_after_a_training_step(name):
    constraints = {
        argument: keras.constraints.NonNeg()
        for argument in keras_objects(name)
        if argument.endswith("_constraint")
    }
    arguments = plain_arguments(name)
    before, after = trained(ours(name)(**arguments, **constraints), name, arguments)
    for old, new in zip(before, after, strict=True):
        assert old.min() < 0
        assert new.min() == 0


@every_weighted
def test_a_layer_that_is_not_trainable_is_not_trained(name):
    arguments = plain_arguments(name)
    layer = ours(name)(**arguments, trainable=False)
    before, after = trained(layer, name, arguments)
    assert layer.trainable_weights == []
    assert len(layer.non_trainable_weights) == len(before) >= 2
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)
    layer.trainable = True
    assert len(layer.trainable_weights) == len(before)


@every_weighted
def test_use_bias_false_leaves_out_the_bias(name):
    arguments = plain_arguments(name) | {"use_bias": False}
    layer = built(name, arguments)
    assert layer.bias is None
    assert not any(w.name == "bias" for w in layer.weights)
    x = random_input(name, arguments)
    assert_close(layer(x), expected(name, arguments, layer, x))


# LoRA.

LORA = {"lora_rank": 2, "lora_alpha": 3.0}


@pytest.mark.parametrize("name", CONVS)
def test_lora_is_the_built_in_layers(name):
    """Same weights, same names, same outputs, same training, same configuration."""
    arguments = plain_arguments(name)
    pair = []
    for make in (ours(name), getattr(keras.layers, name)):
        layer = make(**arguments, **LORA, name="layer")
        before, after = trained(layer, name, arguments, steps=2)
        pair.append((layer, before, after, to_numpy(layer(random_input(name, arguments)))))
    (mine, before, after, output), (theirs, _, wanted, wanted_output) = pair
    named = dict(zip([w.name for w in mine.weights], zip(before, after, strict=True), strict=True))
    for weight, (old, new) in named.items():
        assert (weight == "kernel") == np.array_equal(old, new), weight
    assert [w.name for w in mine.weights] == [w.name for w in theirs.weights]
    assert [w.trainable for w in mine.weights] == [w.trainable for w in theirs.weights]
    for new, target in zip(after, wanted, strict=True):
        assert_close(new, target)
    assert_close(output, wanted_output)
    assert mine.get_config() == theirs.get_config()


@pytest.mark.parametrize("name", CONVS)
def test_lora_enabled_later_trains_the_update_alone(name):
    arguments = plain_arguments(name)
    layer = built(name, arguments)
    x = random_input(name, arguments)
    without = to_numpy(layer(x))
    layer.enable_lora(2)
    assert_close(layer(x), without)  # b starts from zeros: nothing has changed yet
    assert [w.name for w in layer.trainable_weights] == ["bias", "lora_kernel_a", "lora_kernel_b"]
    assert [w.name for w in layer.non_trainable_weights] == ["kernel"]


@pytest.mark.parametrize("name", CONVS)
def test_lora_is_merged_when_saved(name, tmp_path):
    arguments = plain_arguments(name)
    x = random_input(name, arguments)

    def model(**lora):
        layer = ours(name)(**arguments, **lora, name="layer")
        return keras.Sequential([keras.Input(x.shape[1:]), layer])

    adapted = model(**LORA)
    randomize(adapted.layers[0])
    output = adapted(x)
    adapted.save_weights(tmp_path / "merged.weights.h5")
    for other in (model(), model(**LORA)):
        randomize(other.layers[0], seed=4)
        other.load_weights(tmp_path / "merged.weights.h5")
        assert_close(other(x), to_numpy(output))
    adapted.save(tmp_path / "model.keras")
    assert_close(keras.saving.load_model(tmp_path / "model.keras")(x), to_numpy(output))


@pytest.mark.parametrize("name", CONVS)
def test_lora_refuses_what_the_built_in_layer_refuses(name):
    make = ours(name)
    with pytest.raises(ValueError, match="built"):
        make(4, 3).enable_lora(2)
    constrained = make(4, 3, kernel_constraint="non_neg")
    constrained.build(input_shape(name, {}))
    with pytest.raises(ValueError, match="kernel_constraint"):
        constrained.enable_lora(2)
    twice = make(4, 3)
    twice.build(input_shape(name, {}))
    twice.enable_lora(2)
    with pytest.raises(ValueError, match="once"):
        twice.enable_lora(2)


# Dtypes.

POLICIES = {
    # policy: (dtype of the variables, dtype of the computation)
    "float16": ("float16", "float16"),
    "bfloat16": ("bfloat16", "bfloat16"),
    "float32": ("float32", "float32"),
    "float64": ("float64", "float64"),
    "mixed_float16": ("float32", "float16"),
    "mixed_bfloat16": ("float32", "bfloat16"),
}
# Twice the distance from 1 to the next larger number; sums over a window round a few times, at
# intermediate results that can be larger than their sum.
EPSILON = {"float16": 2**-10, "bfloat16": 2**-7, "float32": 2**-23, "float64": 2**-52}
ROUNDINGS = 16


@contextlib.contextmanager
def double_precision():
    """JAX makes float64 only where it is told to; the other backends always do."""
    if keras.backend.backend() != "jax":
        yield
        return
    import jax

    with jax.enable_x64(True):
        yield


def rounded(x, dtype):
    """`x` as the backend rounds it to `dtype`."""
    return to_numpy(keras.ops.cast(keras.ops.convert_to_tensor(x), dtype)).astype("float64")


@pytest.mark.parametrize(
    ("name", "arguments", "policy"),
    [
        pytest.param(*example.values, policy, id=f"{example.id}-{policy}")
        for turn, policy in enumerate(POLICIES)
        for i, family in enumerate(FAMILIES)
        # Families without weights only move numbers about: half of them at each turn.
        if family in WITH_WEIGHTS or (turn + i) % 2
        for example in [rotated(turn, family, ("plain", "added")[(turn // 3 + i) % 2])]
    ],
)
def test_dtype_policy(name, arguments, policy):
    variables, compute = POLICIES[policy]
    if "activation" in arguments:
        # Keras's tanh answers in float32 where JAX was told of float64 only after the import, and
        # the gradient of relu jumps where rounding changes a sign.
        arguments = arguments | {"activation": None}
    with double_precision():
        layer = ours(name)(**arguments, dtype=policy)
        layer.build(input_shape(name, arguments))
        randomize(layer)
        assert {keras.backend.standardize_dtype(w.dtype) for w in layer.weights} <= {variables}
        x = random_input(name, arguments)
        cotangent = np.random.default_rng(5).normal(size=layer.compute_output_shape(x.shape))
        # Given in float32, as users have it: the layer casts.
        result = layer(keras.ops.convert_to_tensor(x))
        assert keras.backend.standardize_dtype(result.dtype) == compute
        low_x, low_cotangent = rounded(x, compute), rounded(cotangent, compute)
        low_weights = [rounded(w, compute) for w in weights_of(layer)]
        tolerance = ROUNDINGS * EPSILON[compute]
        assert_close(result, reference.layer(name, arguments, low_weights, low_x), tolerance)

        gradients = gradients_of(layer, x, cotangent.astype("float32"))
        wanted = reference.layer_vjp(name, arguments, low_weights, low_x, low_cotangent)
    assert len(gradients.weight_gradients) == len(wanted[1])
    # Not the last digit, which is the business of the parity tests: each exists and is its own.
    for actual, desired in zip(
        [gradients.input_gradient, *gradients.weight_gradients],
        [wanted[0], *wanted[1]],
        strict=True,
    ):
        assert_close(actual, desired, 4 * max(tolerance, EPSILON["float32"]))


@pytest.mark.parametrize(
    ("name", "arguments", "dtype"),
    [
        pytest.param(*example.values, dtype, id=f"{example.id}-{dtype}")
        for turn, dtype in enumerate(("bool", "int8", "uint8", "int32", "int64"))
        for i, family in enumerate(FAMILIES)
        if (turn + i) % 2
        for example in [rotated(turn, family, "added")]
    ],
)
def test_integers_and_booleans_are_cast(name, arguments, dtype):
    layer = built(name, arguments)
    rng = np.random.default_rng(1)
    highest = 1 if dtype == "bool" else 100
    x = rng.integers(0, highest, input_shape(name, arguments), endpoint=True).astype(dtype)
    result = layer(x)
    assert keras.backend.standardize_dtype(result.dtype) == "float32"
    assert_close(result, expected(name, arguments, layer, x))
    symbol = layer(keras.Input(x.shape[1:], dtype=dtype))
    assert symbol.dtype == "float32"
    assert tuple(symbol.shape) == (None, *result.shape[1:])


# Every way in which Keras runs a model.

MODES = {
    "eagerly": {"run_eagerly": True},
    "compiled": {"jit_compile": False},
    "xla": {"jit_compile": True},
}


def channels_last(name):
    return added_arguments(name) | {"data_format": "channels_last"}


def one_of_each(rank, lengths):
    """A model of one branch for each class of a rank, with options of our own."""
    inputs = keras.Input((*lengths, CHANNELS))
    names = [name for name, (_, of_rank) in CLASSES.items() if of_rank == rank]
    outputs = {name: ours(name)(**channels_last(name), name=name)(inputs) for name in names}
    model = keras.Model(inputs, outputs)
    for name in names:
        randomize(model.get_layer(name))
    return model


def assert_branches_are_right(outputs, model, x):
    assert set(outputs) == {layer.name for layer in model.layers[1:]}
    for name, output in outputs.items():
        assert_close(output, expected(name, channels_last(name), model.get_layer(name), x))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("rank", RANKS)
def test_fit_and_predict(rank, mode):
    """One step of gradient descent on all branches is the step that the reference takes."""
    if mode == "xla" and keras.backend.backend() == "torch":
        pytest.skip("torch has no XLA: there jit_compile=True asks for torch.compile")
    model = one_of_each(rank, LENGTHS[rank])
    x = np.random.default_rng(1).normal(size=(3, *LENGTHS[rank], CHANNELS)).astype("float32")
    model.compile(optimizer=keras.optimizers.SGD(1.0), loss="mse", **MODES[mode])
    before = model.predict(x, verbose=0)
    assert_branches_are_right(before, model, x)
    rng = np.random.default_rng(3)
    targets = {name: rng.normal(size=y.shape).astype("float32") for name, y in before.items()}
    steps = {}
    for name, y in before.items():
        weights = weights_of(model.get_layer(name))
        cotangent = 2.0 * (y.astype("float64") - targets[name]) / y.size
        _, gradients = reference.layer_vjp(name, channels_last(name), weights, x, cotangent)
        steps[name] = list(zip(weights, gradients, strict=True))
    model.fit(x, targets, batch_size=len(x), epochs=1, verbose=0)
    for name, of_branch in steps.items():
        after = weights_of(model.get_layer(name))
        for new, (old, gradient) in zip(after, of_branch, strict=True):
            assert_close(old.astype("float64") - new, gradient, 1e-4)
    assert_branches_are_right(model.predict(x, verbose=0), model, x)


# Lengths that aren't known when the layer is traced.

# Two sizes a rank, of which each length differs in what strides of 2 and 3 leave over.
SIZES = {1: ((9,), (10,)), 2: ((9, 8), (10, 7)), 3: ((6, 7, 5), (7, 5, 6))}
PADDING_MODES = ("zeros", "reflect", "replicate", "circular")
DATA_FORMATS = ("channels_last", "channels_first")


def unknown_length_options():
    """`(family, options)` of what depends on a length: 'same' under strides above all."""
    # In front and behind 0 and 1, 1 and 1, or 1 and 2: the length decides.
    window = {"kernel_size": 4, "strides": 3, "padding": "same"}
    wide = {"kernel_size": 3, "strides": 2, "dilation_rate": 2, "padding": "same"}
    for mode, same in itertools.product(PADDING_MODES, (window, wide)):
        options = same | {"padding_mode": mode}
        yield "Conv", {"filters": 3, **options}
        yield "DepthwiseConv", options
        yield "SeparableConv", {"filters": 3, **options}
    for padding, more in itertools.product(("valid", "same", 1), (None, 0, 1)):
        window = {"kernel_size": 4, "strides": 2, "padding": padding, "output_padding": more}
        yield "ConvTranspose", {"filters": 3, **window}
    for interpolation in ("linear", "cubic", "lanczos3", "lanczos5"):
        yield "UpSampling", {"size": 2, "interpolation": interpolation}
    for mode in PADDING_MODES:
        yield "Padding", {"padding": 2, "padding_mode": mode}


def unknown_length_cases():
    """The options, ranks and data formats taking turns, and each class once with all we add."""
    for turn, (family, options) in enumerate(unknown_length_options()):
        # Families come round in threes: without the quotient each would keep one rank.
        name = FAMILIES[family].format(RANKS[(turn + turn // 3) % 3])
        yield name, options | {"data_format": DATA_FORMATS[turn % 2]}
    for name in CLASSES:
        yield name, added_arguments(name)


def described(arguments):
    hidden = ("filters", "kernel_size", "size")
    return "-".join(
        str(value).replace(" ", "") for name, value in arguments.items() if name not in hidden
    )


def for_unknown_lengths(layer, shape):
    """The layer as one function for all lengths; TensorFlow alone has graphs of that kind."""
    if keras.backend.backend() != "tensorflow":
        return layer
    import tensorflow as tf

    signature = [tf.TensorSpec(shape, "float32")]
    return tf.function(lambda x: layer(x), input_signature=signature)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        pytest.param(name, arguments, id=f"{name}-{described(arguments)}")
        for name, arguments in unknown_length_cases()
    ],
)
def test_unknown_lengths(name, arguments):
    rank = CLASSES[name][1]
    unknown = input_shape(name, arguments, batch=None, lengths=(None,) * rank)
    layer = ours(name)(**arguments)
    symbol = layer(keras.Input(batch_shape=unknown))
    randomize(layer)
    run = for_unknown_lengths(layer, unknown)
    for batch, lengths in enumerate(SIZES[rank], start=1):
        x = random_input(name, arguments, batch=batch, lengths=lengths)
        y = to_numpy(run(keras.ops.convert_to_tensor(x)))
        assert_close(y, expected(name, arguments, layer, x))
        assert layer.compute_output_shape(x.shape) == y.shape
        channel_axis = 1 if arguments.get("data_format") == "channels_first" else -1
        assert symbol.shape[channel_axis] == y.shape[channel_axis]
    assert [size for size in symbol.shape if size is not None] == [symbol.shape[channel_axis]]


@pytest.mark.parametrize("rank", RANKS)
def test_predict_on_several_sizes(rank):
    model = one_of_each(rank, (None,) * rank)
    for batch, lengths in enumerate(SIZES[rank], start=1):
        x = np.random.default_rng(batch).normal(size=(batch, *lengths, CHANNELS)).astype("float32")
        assert_branches_are_right(model.predict(x, verbose=0), model, x)


# Masks.


class SeesMask(keras.layers.Layer):
    """Remembers the mask that Keras hands it."""

    def call(self, inputs, mask=None):
        self.seen = mask
        return inputs


def masked_run(make, arguments, rank, symbolic):
    """The mask that comes out of a layer, and the warnings."""
    x = np.ones((2, *LENGTHS[rank], CHANNELS), "float32")
    x[0, 0] = 0.0
    masking, layer, probe = keras.layers.Masking(), make(**arguments, name="layer"), SeesMask()
    masked = masking(keras.Input(x.shape[1:]) if symbolic else x)
    probe(masked)
    assert probe.seen is not None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        probe(layer(masked))
    return probe.seen, [str(warning.message) for warning in caught]


@every_class
@pytest.mark.parametrize("symbolic", [False, True], ids=["eager", "symbolic"])
def test_masks_are_dropped_with_the_built_in_layers_warning(name, symbolic):
    rank = CLASSES[name][1]
    arguments = plain_arguments(name)
    mine = masked_run(ours(name), arguments, rank, symbolic)
    peer = name if name in BUILT_IN else "UpSampling1D"
    peer_rank = CLASSES[peer][1]
    theirs = masked_run(getattr(keras.layers, peer), plain_arguments(peer), peer_rank, symbolic)
    assert mine[0] is theirs[0] is None
    assert len(mine[1]) == 1
    assert mine[1] == [message.replace(peer, name) for message in theirs[1]]


UNCHANGING = [
    (name, {argument: value})
    for argument, value, families in (
        ("cropping", 0, ["Cropping"]),
        ("size", 1, ["UpSampling"]),
        ("padding", 0, ["ZeroPadding", "Padding"]),
    )
    for name, (family, _) in CLASSES.items()
    if family in families
]


@pytest.mark.parametrize(("name", "arguments"), UNCHANGING, ids=[name for name, _ in UNCHANGING])
def test_masks_are_dropped_where_the_layer_changes_nothing(name, arguments):
    """The warning says that the mask is gone, so the output can't be the masked input itself."""
    seen, messages = masked_run(ours(name), arguments, CLASSES[name][1], symbolic=False)
    assert seen is None
    assert len(messages) == 1


# Odd batches.


@in_one_rank
def test_empty_batch(name, arguments):
    layer = built(name, arguments)
    x = random_input(name, arguments, batch=0)
    shape = layer.compute_output_shape(x.shape)
    assert shape[0] == 0
    result = gradients_of(layer, x, np.zeros(shape, "float32"))
    assert result.output.shape == shape
    assert result.input_gradient.shape == x.shape
    for weight, gradient in zip(layer.weights, result.weight_gradients, strict=True):
        assert gradient.shape == tuple(weight.shape)
        assert not gradient.any()


@in_one_rank
def test_empty_batch_in_a_compiled_model(name, arguments):
    """Compiled for any batch size, the model learns only when it runs that the batch is empty.

    TensorFlow's own kernels then give a wrong shape, the built-in layers' among them (README.md,
    known limits): there the model runs eagerly, where each layer sees its batch.
    """
    inputs = keras.Input(input_shape(name, arguments)[1:])
    model = keras.Model(inputs, ours(name)(**arguments)(inputs))
    model.run_eagerly = keras.backend.backend() == "tensorflow"
    full, empty = (random_input(name, arguments, batch=batch) for batch in (2, 0))
    assert model.predict_on_batch(full).shape == model.compute_output_shape(full.shape)
    assert model.predict_on_batch(empty).shape == model.compute_output_shape(empty.shape)


@in_one_rank
def test_a_sample_that_is_not_finite_leaves_the_others_alone(name, arguments):
    layer = built(name, arguments)
    x = random_input(name, arguments, batch=4)
    cotangent = np.random.default_rng(5).normal(size=layer.compute_output_shape(x.shape))
    cotangent = cotangent.astype("float32")
    clean = gradients_of(layer, x, cotangent)
    spoilt = x.copy()
    spoilt[1], spoilt[2] = np.nan, np.inf
    dirty = gradients_of(layer, spoilt, cotangent)
    for sample in (0, 3):
        assert_close(dirty.output[sample], clean.output[sample])
        assert_close(dirty.input_gradient[sample], clean.input_gradient[sample])
    assert np.isnan(dirty.output[1]).any()
    # Weighted with both signs infinities meet as NaN, and an activation bounds them.
    assert not np.array_equal(dirty.output[2], clean.output[2])


# Keras's global data format.


@pytest.fixture
def channels_first_by_default():
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    yield
    keras.config.set_image_data_format(before)


# These have their data format by default and not from the global setting: API.md, part 1.
ALWAYS_CHANNELS_LAST = ("Conv1D", "SeparableConv1D", "Cropping1D", "UpSampling1D")


@every_class
def test_global_data_format_is_honoured(name, channels_first_by_default):
    arguments = plain_arguments(name)
    layer = ours(name)(**arguments)
    data_format = "channels_last" if name in ALWAYS_CHANNELS_LAST else "channels_first"
    assert layer.data_format == data_format
    keras.config.set_image_data_format("channels_last")
    assert layer.data_format == data_format, "the setting counts when the layer is made"
    assert ours(name)(**arguments).data_format == "channels_last"
    arguments["data_format"] = data_format
    layer.build(input_shape(name, arguments))
    x = random_input(name, arguments)
    assert_close(randomize(layer)(x), expected(name, arguments, layer, x))
    rebuilt = ours(name).from_config(layer.get_config())
    assert rebuilt.data_format == data_format


# First in a model.


@in_one_rank
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.filterwarnings("ignore:Do not pass an `input_shape`")
def test_input_shape_on_a_first_layer(name, arguments, known):
    lengths = LENGTHS[CLASSES[name][1]]
    shape = input_shape(name, arguments, None, lengths if known else (None,) * len(lengths))
    layer = ours(name)(**arguments, input_shape=shape[1:])
    model = keras.Sequential([layer])
    assert model.built
    assert model.input_shape == shape
    assert model.output_shape == layer.compute_output_shape(shape)
    assert model.count_params() == sum(w.size for w in built(name, arguments).get_weights())
    x = random_input(name, arguments)
    assert_close(model(x), expected(name, arguments, layer, x))


# Copies.

COPIES = {"pickle": lambda it: pickle.loads(pickle.dumps(it)), "deepcopy": copy.deepcopy}


@in_one_rank
@pytest.mark.parametrize("way", COPIES)
def test_copies_of_layers(name, arguments, way):
    unbuilt = COPIES[way](ours(name)(**arguments, name="layer"))
    assert not unbuilt.built
    assert unbuilt.get_config() == ours(name)(**arguments, name="layer").get_config()
    layer = built(name, arguments)
    copied = COPIES[way](layer)
    assert type(copied) is ours(name)
    x = random_input(name, arguments)
    wanted = expected(name, arguments, layer, x)
    assert_close(copied(x), wanted)
    randomize(copied, seed=7)
    assert_close(layer(x), wanted)  # the copy has weights of its own


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("way", COPIES)
def test_copies_of_models(rank, way):
    model = one_of_each(rank, LENGTHS[rank])
    x = np.random.default_rng(1).normal(size=(2, *LENGTHS[rank], CHANNELS)).astype("float32")
    assert_branches_are_right(COPIES[way](model)(x), model, x)


# Calls from several threads, calls without state.


@every_class
def test_calls_from_several_threads(name):
    """One layer, called by all at once with inputs of different lengths."""
    arguments = channels_last(name)
    layer = built(name, arguments)
    inputs = [
        random_input(name, arguments, seed=i, lengths=SIZES[CLASSES[name][1]][i % 2])
        for i in range(8)
    ]
    start = threading.Barrier(len(inputs))

    def call(x):
        start.wait(timeout=60)
        return [to_numpy(layer(x)) for _ in range(3)]

    with ThreadPoolExecutor(len(inputs)) as pool:
        results = list(pool.map(call, inputs))
    for x, repeated in zip(inputs, results, strict=True):
        wanted = expected(name, arguments, layer, x)
        for y in repeated:
            assert_close(y, wanted)


@in_one_rank
def test_stateless_call(name, arguments):
    layer = built(name, arguments)
    own = weights_of(layer)
    x = random_input(name, arguments)
    rng = np.random.default_rng(6)
    others = [rng.normal(size=w.shape).astype("float32") for w in own]
    tensors = [keras.ops.convert_to_tensor(w) for w in others]
    output, state = layer.stateless_call(tensors, [], keras.ops.convert_to_tensor(x))
    assert_close(output, reference.layer(name, arguments, others, x))
    assert list(state) == []
    for before, after in zip(own, weights_of(layer), strict=True):
        np.testing.assert_array_equal(before, after)
