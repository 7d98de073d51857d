"""The table of workloads, and the counts of what they are made of."""

import itertools
import math
import re

import keras
import pytest

import keras_convkit
from keras_convkit.bench import counts
from keras_convkit.bench.workloads import VOLUMES, WORKLOADS, matching
from tests.once import ONCE

pytestmark = ONCE

SAME = {"padding": "same"}
# What the table has to have: layer, shape, and the options that matter.
REQUIRED = [
    ("DepthwiseConv2D", (8, 56, 56, 64), SAME | {"kernel_size": 3}),
    ("DepthwiseConv2D", (8, 28, 28, 96), SAME | {"kernel_size": 7}),
    ("SeparableConv2D", (8, 56, 56, 64), SAME | {"kernel_size": 3, "filters": 64}),
    ("Conv2D", (8, 56, 56, 64), SAME | {"kernel_size": 3, "filters": 64, "groups": 8}),
    ("Conv2DTranspose", (8, 28, 28, 64), SAME | {"kernel_size": 4, "filters": 64, "strides": 2}),
    ("Conv3DTranspose", (8, 8, 8, 8, 32), SAME | {"kernel_size": 3, "filters": 32, "strides": 2}),
    ("Conv3D", (8, 16, 16, 16, 32), SAME | {"kernel_size": 3, "filters": 32, "strides": 2}),
    ("Conv3D", (8, 16, 16, 16, 32), SAME | {"kernel_size": 3, "filters": 32}),
    (
        "Conv3D",
        (8, 32, 16, 16, 16),
        SAME | {"kernel_size": 3, "filters": 32, "data_format": "channels_first"},
    ),
    ("UpSampling2D", (8, 56, 56, 64), {"size": 2, "interpolation": "bilinear"}),
    ("UpSampling3D", (8, 16, 16, 16, 32), {"size": 2}),
]


@pytest.mark.parametrize(("layer", "shape", "config"), REQUIRED)
def test_the_table_has(layer, shape, config):
    assert any((w.layer, w.shape, w.config) == (layer, shape, config) for w in WORKLOADS.values())


def test_the_table_is_complete():
    families = {}
    for workload in WORKLOADS.values():
        families.setdefault(re.sub("[123]D", "", workload.layer), []).append(workload)
    assert len(families) == 8
    for name, own in families.items():
        if name not in ("Padding", "Cropping", "ZeroPadding"):
            assert any(workload.volume == "small" for workload in own), name
        if name != "Padding":
            assert any("channels_first" in workload.config.values() for workload in own), name
    assert {workload.volume for workload in WORKLOADS.values()} == set(VOLUMES)


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=WORKLOADS)
def test_every_workload_is_a_layer_of_ours_that_takes_its_input(workload):
    layer = getattr(keras_convkit, workload.layer)(**workload.config)
    assert None not in layer.compute_output_shape(workload.shape)
    assert workload.name == workload.name.lower() and "," not in workload.name
    if workload.peer != workload.layer:
        assert hasattr(keras.layers, workload.peer)


def test_patterns():
    assert matching(["*"]) == list(WORKLOADS)
    assert matching(["cropping?d", "conv3d-3"]) == [
        "conv3d-3",
        "cropping1d",
        "cropping2d",
        "cropping3d",
    ]
    assert matching([]) == []
    with pytest.raises(ValueError, match=r"'conv4d'.*conv2d-1x1"):
        matching(["cropping*", "conv4d"])


def _products(layer, shape, config):
    """Counts the products of the direct method, one by one."""
    *lengths, channels = shape[1:]
    taps = list(itertools.product(range(config["kernel_size"]), repeat=len(lengths)))
    outputs = layer.compute_output_shape(shape)
    groups = config.get("groups", 1)
    filters = config.get("filters", 0)
    count = 0
    for _ in range(shape[0]):
        if "Transpose" in type(layer).__name__:
            for _ in itertools.product(*map(range, lengths)):
                for _ in range(channels):
                    # Each input value is spread over the outputs of its group.
                    count += len(taps) * (filters // groups)
            continue
        for _ in itertools.product(*map(range, outputs[1:-1])):
            if "Depthwise" in type(layer).__name__ or "Separable" in type(layer).__name__:
                between = channels * config.get("depth_multiplier", 1)
                count += between * len(taps)
                if filters:
                    count += filters * between
            else:
                for _ in range(filters):
                    count += (channels // groups) * len(taps)
    return count


@pytest.mark.parametrize(
    ("name", "shape", "config"),
    [
        ("Conv1D", (2, 7, 4), {"filters": 6, "kernel_size": 3}),
        ("Conv2D", (2, 5, 6, 4), {"filters": 6, "kernel_size": 3, "groups": 2, "strides": 2}),
        ("Conv2D", (1, 6, 6, 2), {"filters": 3, "kernel_size": 3, "padding": "same"}),
        ("Conv3D", (1, 3, 4, 5, 2), {"filters": 3, "kernel_size": 2}),
        ("Conv2DTranspose", (2, 3, 4, 4), {"filters": 6, "kernel_size": 3, "strides": 2}),
        ("Conv2DTranspose", (1, 3, 4, 4), {"filters": 6, "kernel_size": 3, "groups": 2}),
        ("DepthwiseConv2D", (2, 5, 6, 4), {"kernel_size": 3, "depth_multiplier": 2}),
        ("SeparableConv2D", (2, 5, 6, 4), {"filters": 3, "kernel_size": 3, "depth_multiplier": 2}),
    ],
)
def test_multiply_adds_and_bytes(name, shape, config):
    layer = getattr(keras_convkit, name)(**config)
    layer.build(shape)
    counted = counts.count(layer, shape)
    assert counted.multiply_adds == _products(layer, shape, config)
    sizes = [shape, layer.compute_output_shape(shape), *(w.shape for w in layer.weights)]
    assert counted.bytes == 4 * sum(math.prod(size) for size in sizes)
    first = getattr(keras_convkit, name)(**config, data_format="channels_first")
    turned = (shape[0], shape[-1], *shape[1:-1])
    first.build(turned)
    assert counts.count(first, turned) == counted


def test_reshaping_has_no_products():
    layer = keras_convkit.UpSampling2D(2)
    assert counts.count(layer, (2, 3, 4, 5)) == (0, 4 * (2 * 3 * 4 * 5 + 2 * 6 * 8 * 5))
    assert counts.passes("forward", True) == counts.passes("forward", False) == 1
    assert counts.passes("gradients", True) == 3 and counts.passes("gradients", False) == 2
