"""The table of cases: each is valid, and together they cover every option."""

import zlib

import numpy as np
import pytest

import keras_convkit
from keras_convkit import layers
from keras_convkit.parity.cases import (
    CASES,
    CONVOLUTION_FAMILIES,
    FAMILIES,
    RANKS,
    WINDOWED_FAMILIES,
)
from tests.once import ONCE

pytestmark = ONCE


def padding_entries(case):
    """One entry a dimension, a 1D layer's bare pair being the entry of its one dimension."""
    padding = case.config.get("padding", "valid")
    if case.rank == 1 and isinstance(padding, tuple) and all(isinstance(p, int) for p in padding):
        return (padding,)
    return tuple(padding) if isinstance(padding, (tuple, list)) else (padding,) * case.rank


def modes(case):
    return set(case.each("padding_mode", "zeros"))


def unequal(case, name):
    values = case.each(name)
    return max(values) > 1 and (case.rank == 1 or len(set(values)) > 1)


def strided_and_dilated(case):
    return any(
        s > 1 and d > 1
        for s, d in zip(case.each("strides"), case.each("dilation_rate"), strict=True)
    )


def shorter_than_stride(case):
    return any(k < s for k, s in zip(case.each("kernel_size"), case.each("strides"), strict=True))


def last_axis_as_long_as_bias(case):
    """The output, and not the input, is what the bias is added to."""
    if not (case.channels_first and case.config.get("use_bias", True)):
        return False
    output = getattr(keras_convkit, case.layer)(**case.config).compute_output_shape(case.shape)
    return output[-1] == output[-case.rank - 1]


# What every family has to show in each rank.
EVERYWHERE = {
    "channels_last": lambda case: not case.channels_first,
    "channels_first": lambda case: case.channels_first,
    "leading axes": lambda case: len(case.batch) > 1,
    "a length of 1": lambda case: case.family == "Cropping" or 1 in case.lengths,
}
CONVOLUTIONS = {
    "unequal kernel": lambda case: unequal(case, "kernel_size"),
    "even kernel": lambda case: any(k % 2 == 0 for k in case.each("kernel_size")),
    "odd kernel": lambda case: any(k % 2 for k in case.each("kernel_size")),
    "unequal strides": lambda case: unequal(case, "strides"),
    "unequal dilation": lambda case: unequal(case, "dilation_rate"),
    "strides with dilation": strided_and_dilated,
    "kernel shorter than stride": shorter_than_stride,
    "no bias": lambda case: not case.config.get("use_bias", True),
    "activation": lambda case: case.config.get("activation"),
    "filters as many as the last axis is long": last_axis_as_long_as_bias,
    "even kernel, 'same'": lambda case: (
        case.config.get("padding") == "same" and any(k % 2 == 0 for k in case.each("kernel_size"))
    ),
    "valid": lambda case: case.config.get("padding", "valid") == "valid",
    "an int": lambda case: isinstance(case.config.get("padding"), int),
    "unequal pairs": lambda case: any(
        isinstance(entry, tuple) and entry[0] != entry[1] for entry in padding_entries(case)
    ),
    "mixed padding": lambda case: case.rank == 1 or len(set(map(type, padding_entries(case)))) > 1,
}
WINDOWED = {
    "causal": lambda case: case.config.get("padding") == "causal",
    "'same' of one dimension": lambda case: (
        not isinstance(case.config.get("padding"), str) and "same" in padding_entries(case)
    ),
    # In 1D a tuple of one word is read alike for all words.
    "'causal' of one dimension": lambda case: (
        case.rank == 1
        or (not isinstance(case.config.get("padding"), str) and "causal" in padding_entries(case))
    ),
    **{
        mode: lambda case, mode=mode: mode in modes(case)
        for mode in ("zeros", "reflect", "replicate", "circular")
    },
    "mixed modes": lambda case: case.rank == 1 or len(modes(case)) > 1,
}
GROUPS = {
    "groups": lambda case: 1 < case.config.get("groups", 1) < case.channels,
    "groups as channels": lambda case: 1 < case.config.get("groups", 1) == case.channels,
    "groups, strides and dilation": lambda case: (
        case.config.get("groups", 1) > 1 and strided_and_dilated(case)
    ),
}
MULTIPLIER = {"depth multiplier": lambda case: case.config.get("depth_multiplier", 1) > 1}
AMOUNTS = {
    "int": lambda amount: isinstance(amount, int),
    "int a dimension": lambda amount: isinstance(amount, tuple) and isinstance(amount[0], int),
    "pairs": lambda amount: isinstance(amount, tuple) and len(set(np.ravel(amount))) > 1,
}
OF_FAMILY = {
    "Conv": GROUPS,
    "DepthwiseConv": MULTIPLIER,
    "SeparableConv": MULTIPLIER,
    "ConvTranspose": GROUPS
    | {
        "no output_padding": lambda case: case.config.get("output_padding") is None,
        "output_padding 0": lambda case: case.config.get("output_padding") == 0,
        "unequal output_padding": lambda case: (
            case.rank == 1 or len(set(case.each("output_padding"))) > 1
        ),
        "output_padding, 'same'": lambda case: (
            case.config.get("padding") == "same" and case.config.get("output_padding")
        ),
        "output_padding, a cut": lambda case: (
            case.config.get("output_padding")
            and not isinstance(case.config.get("padding", "valid"), str)
        ),
    },
    "Cropping": {
        form: lambda case, is_form=is_form: is_form(case.config.get("cropping"))
        for form, is_form in AMOUNTS.items()
    },
    "ZeroPadding": {
        form: lambda case, is_form=is_form: is_form(case.config.get("padding"))
        for form, is_form in AMOUNTS.items()
    },
    "Padding": {
        **{
            mode: lambda case, mode=mode: mode in modes(case)
            for mode in ("zeros", "reflect", "replicate", "circular")
        },
        "value": lambda case: case.config.get("value"),
        "mixed modes": lambda case: case.rank == 1 or len(modes(case)) > 1,
    },
    "UpSampling": {
        "unequal size": lambda case: unequal(case, "size"),
        **{
            method: lambda case, method=method: case.config.get("interpolation") == method
            for method in ("nearest", "cubic", "bicubic", "lanczos3", "lanczos5")
        },
        "linear": lambda case: "linear" in case.config.get("interpolation", ""),
        "the rank's name for linear": lambda case: (
            case.config.get("interpolation") == ("linear", "bilinear", "trilinear")[case.rank - 1]
        ),
    },
}


def options(family):
    """All that the cases of a family have to show, by name."""
    return (
        EVERYWHERE
        | (CONVOLUTIONS if family in CONVOLUTION_FAMILIES else {})
        | (WINDOWED if family in WINDOWED_FAMILIES else {})
        | OF_FAMILY[family]
    )


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_option_is_covered(family, rank):
    cases = [case for case in CASES if (case.family, case.rank) == (family, rank)]
    uncovered = {name for name, shows in options(family).items() if not any(map(shows, cases))}
    assert not uncovered


def test_every_layer_has_its_defaults_tried():
    """A case with the required arguments alone; `Padding` has none that is called so."""
    tried = {case.layer for case in CASES if case.what == "defaults"}
    assert tried | {"Padding1D", "Padding2D", "Padding3D"} == set(layers.__all__)
    required = {"filters", "kernel_size"}
    assert all(required.issuperset(case.config) for case in CASES if case.what == "defaults")


def test_ids_are_unique():
    ids = [case.id for case in CASES]
    assert len(set(ids)) == len(ids)
    # The data follows from the checksum, so that no two cases may share one either.
    assert len({zlib.crc32(name.encode()) for name in ids}) == len(ids)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_case_is_valid(case):
    layer = getattr(keras_convkit, case.layer)(**case.config)
    layer.build(case.shape)
    assert [tuple(weight.shape) for weight in layer.weights] == case.weight_shapes()
    assert (*case.batch, *sorted((case.channels, *case.lengths))) == (
        *case.shape[: len(case.batch)],
        *sorted(case.shape[len(case.batch) :]),
    )
    x, weights, cotangent = case.arrays()
    assert all(array.dtype == "float32" for array in (x, *weights, cotangent))
    assert cotangent.size > 0
    assert cotangent.shape == tuple(layer.compute_output_shape(x.shape))


def test_data_follows_from_id_and_seed():
    case, other = CASES[0], CASES[1]
    np.testing.assert_array_equal(case.arrays().x, case.arrays(seed=0).x)
    assert not np.array_equal(case.arrays().x, case.arrays(seed=1).x)
    assert case.shape == other.shape
    assert not np.array_equal(case.arrays().x, other.arrays().x)
