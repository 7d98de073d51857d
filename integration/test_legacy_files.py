"""Files of Keras 2: the HDF5 format and the configs that TensorFlow 2.4 to 2.15 wrote.

They are written here by hand, as such a file's groups and attributes are, so that nothing of
today's Keras has a part in it. Keras 3 refuses these configs of its own depthwise, separable and
transposed layers (`groups`, `kernel_initializer`: keras-team/keras#19441); ours take them.
"""

import json

import h5py
import keras
import numpy as np
import pytest

import keras_convkit
from integration.models import (
    CHANNELS,
    FILTERS,
    RANKS,
    assert_same,
    images,
    input_shape,
    outputs_of,
    plain,
    randomize,
)
from keras_convkit import convert, to_builtin

OURS = {name: getattr(keras_convkit, name) for name in keras_convkit.layers.__all__}
every_rank = pytest.mark.parametrize("rank", RANKS)
every_form = pytest.mark.parametrize("form", ["sequential", "functional"])
pytestmark = [
    # What Keras says of a form that it hasn't written itself for long.
    pytest.mark.filterwarnings("ignore:Do not pass an `input_shape`:UserWarning"),
    pytest.mark.filterwarnings("ignore:The structure of `inputs` doesn't match:UserWarning"),
]


def initializer(name):
    config = {"seed": None} if name == "GlorotUniform" else {}
    return {"class_name": name, "config": config}


def convolution(family, name, rank, kernel_size, **options):
    """What Keras 2 wrote of all convolutions, groups and kernels of depthwise ones included."""
    return family, {
        "name": name,
        "trainable": True,
        "dtype": "float32",
        "kernel_size": [kernel_size] * rank,
        "strides": [1] * rank,
        "padding": "same",
        "data_format": "channels_last",
        "dilation_rate": [1] * rank,
        "groups": 1,
        "activation": "tanh",
        "use_bias": True,
        "kernel_initializer": initializer("GlorotUniform"),
        "bias_initializer": initializer("Zeros"),
        "kernel_regularizer": None,
        "bias_regularizer": None,
        "activity_regularizer": None,
        "kernel_constraint": None,
        "bias_constraint": None,
        **options,
    }


def reshaping(family, name, rank, **options):
    config = {"name": name, "trainable": True, "dtype": "float32", **options}
    return family, config if rank == 1 else {**config, "data_format": "channels_last"}


def each_way(rank, amount):
    return [amount, amount] if rank == 1 else [[amount, amount]] * rank


def depthwise(name, rank):
    family, config = convolution("DepthwiseConv{}D", name, rank, 3)
    for key in ("kernel_initializer", "kernel_regularizer", "kernel_constraint"):
        del config[key]
    return family, {
        **config,
        "depth_multiplier": 2,
        "depthwise_initializer": initializer("GlorotUniform"),
        "depthwise_regularizer": None,
        "depthwise_constraint": None,
    }


def separable(name, rank):
    part = {
        f"{prefix}_{kind}": initializer("GlorotUniform") if kind == "initializer" else None
        for prefix in ("depthwise", "pointwise")
        for kind in ("initializer", "regularizer", "constraint")
    }
    options = {"filters": FILTERS, "depth_multiplier": 1, **part}
    return convolution("SeparableConv{}D", name, rank, 3, **options)


def chain(rank, for_built_in):
    """The layers of `models.plain` in Keras 2's words; for built-in layers, what they read."""
    first = {"filters": FILTERS, "strides": [2] * rank, "padding": "valid", "activation": "relu"}
    dilated = {"filters": FILTERS, "dilation_rate": [2] * rank}
    transposed = {"filters": 2, "strides": [2] * rank, "activation": "linear"}
    upsampling = {"size": 2 if rank == 1 else [2] * rank}
    layers = [
        reshaping("ZeroPadding{}D", "pad", rank, padding=each_way(rank, 1)),
        convolution("Conv{}D", "conv", rank, 3, **first),
        depthwise("depthwise", rank),
        separable("separable", rank),
        reshaping("UpSampling{}D", "enlarge", rank, **upsampling),
        convolution("Conv{}D", "dilated", rank, 2, **dilated),
        convolution("Conv{}DTranspose", "transposed", rank, 3, output_padding=None, **transposed),
        reshaping("Cropping{}D", "crop", rank, cropping=each_way(rank, 1)),
    ]
    absent = ("DepthwiseConv{}D", "SeparableConv{}D") if rank == 3 or for_built_in else ()
    absent += ("Conv{}DTranspose",) if for_built_in else ()
    kept = [(family, config) for family, config in layers if family not in absent]
    return [{"class_name": family.format(rank), "config": config} for family, config in kept]


def model_config(rank, form, layers):
    shape = [None, *input_shape(rank)]
    start = {"batch_input_shape": shape, "dtype": "float32", "sparse": False, "ragged": False}
    first = {"class_name": "InputLayer", "config": {**start, "name": "input_1"}}
    if form == "sequential":
        layers[0]["config"]["batch_input_shape"] = shape
        return {"class_name": "Sequential", "config": {"name": "old", "layers": [first, *layers]}}
    layers, before = [first, *layers], None
    for layer in layers:
        layer["name"] = layer["config"]["name"]
        layer["inbound_nodes"] = [[[before, 0, 0, {}]]] if before else []
        before = layer["name"]
    config = {"name": "old", "trainable": True, "layers": layers}
    ends = {"input_layers": [["input_1", 0, 0]], "output_layers": [[before, 0, 0]]}
    return {"class_name": "Functional", "config": {**config, **ends}}


def weights_of(layers, rank):
    """Random weights by layer, under Keras 2's names and in its layouts and order."""
    rng, channels, weights = np.random.default_rng(3), CHANNELS, {}
    for layer in layers:
        config, family = layer["config"], layer["class_name"]
        size = tuple(config.get("kernel_size", ()))
        filters = config.get("filters", 2 * channels)
        shapes = {"kernel": (*size, channels, filters), "bias": (filters,)}
        if family.endswith("Transpose"):
            shapes["kernel"] = (*size, filters, channels)
        if family.startswith("Depthwise"):
            shapes = {"depthwise_kernel": (*size, channels, 2), "bias": (filters,)}
        if family.startswith("Separable"):
            shapes = {
                "depthwise_kernel": (*size, channels, 1),
                "pointwise_kernel": (*(1,) * rank, channels, filters),
                "bias": (filters,),
            }
        if not size:
            shapes, filters = {}, channels
        weights[config["name"]] = {
            name: rng.normal(scale=0.3, size=shape).astype("float32")
            for name, shape in shapes.items()
        }
        channels = filters
    return weights


def write_weights(group, weights):
    group.attrs["layer_names"] = [name.encode() for name in weights]
    group.attrs["backend"], group.attrs["keras_version"] = b"tensorflow", b"2.15.0"
    for layer, values in weights.items():
        part = group.create_group(layer)
        part.attrs["weight_names"] = [f"{layer}/{name}:0".encode() for name in values]
        for name, value in values.items():
            part.create_dataset(f"{layer}/{name}:0", data=value)


def write_model(path, rank, form, for_built_in=False):
    """Writes the file, and gives the arrays in it in order."""
    layers = chain(rank, for_built_in)
    weights = weights_of(layers, rank)
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(model_config(rank, form, layers)).encode()
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.15.0"
        write_weights(file.create_group("model_weights"), weights)
    return [value for values in weights.values() for value in values.values()]


def load(path, **options):
    return keras.models.load_model(path, compile=False, **options)


@every_form
@every_rank
def test_an_old_model_loads_as_ours(rank, form, tmp_path):
    """Layers that Keras itself refuses as well: `custom_objects` maps the names to our classes."""
    arrays = write_model(tmp_path / "old.h5", rank, form)
    model = load(tmp_path / "old.h5", custom_objects=OURS)
    assert {type(it) for it in model.layers} - {keras.layers.InputLayer} <= set(OURS.values())
    for value, array in zip(model.get_weights(), arrays, strict=True):
        np.testing.assert_array_equal(value, array)
    builtin = to_builtin(model).layers
    assert {type(it).__module__.partition(".")[0] for it in builtin} == {"keras"}
    if form == "functional":  # the other form has the same layers in it
        today = plain(rank, keras.layers)
        today.set_weights(arrays)
        x = images(rank)
        assert_same(outputs_of(model, x), outputs_of(today, x), 1e-5)
    # What Keras 2 wrote and we drop is not to turn up again.
    again = keras.models.model_from_json(model.to_json())
    assert [it.get_config() for it in again.layers] == [it.get_config() for it in model.layers]


@every_form
@every_rank
def test_an_old_model_loads_as_built_in_layers_and_is_converted(rank, form, tmp_path):
    arrays = write_model(tmp_path / "old.h5", rank, form, for_built_in=True)
    model = load(tmp_path / "old.h5")
    ours = convert(model)
    assert {type(it) for it in ours.layers} - {keras.layers.InputLayer} <= set(OURS.values())
    for value, array in zip(ours.get_weights(), arrays, strict=True):
        np.testing.assert_array_equal(value, array)


@every_rank
def test_an_old_weights_file_loads_into_ours(rank, tmp_path):
    """`model.save_weights("….h5")` of Keras 2: the groups stand at the top of the file."""
    weights = weights_of(chain(rank, for_built_in=False), rank)
    with h5py.File(tmp_path / "old.h5", "w") as file:
        write_weights(file, weights)
    model = randomize(plain(rank))
    model.load_weights(tmp_path / "old.h5")
    arrays = [value for values in weights.values() for value in values.values()]
    for value, array in zip(model.get_weights(), arrays, strict=True):
        np.testing.assert_array_equal(value, array)


@every_rank
def test_hdf5_files_of_today(rank, tmp_path):
    """Keras 3 still writes the format, and finds our layers in it by their registered names."""
    model = randomize(plain(rank))
    model.save(tmp_path / "today.h5")
    loaded = load(tmp_path / "today.h5")
    assert [type(it) for it in loaded.layers] == [type(it) for it in model.layers]
    for value, array in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(value, array)


def test_groups_that_a_depthwise_layer_cannot_have_are_refused():
    _, config = depthwise("depthwise", 2)
    with pytest.raises(TypeError, match=r"DepthwiseConv2D: \{'groups': 2\}"):
        keras_convkit.DepthwiseConv2D.from_config({**config, "groups": 2})
