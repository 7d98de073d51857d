"""Odd inputs that are right all the same, and the signatures that positional calls rely on.

`gives` is worked out from the contract's formulas by hand; where a row has none, the tests still
hold the output against `compute_output_shape` and the symbolic call.
"""

import keras
import numpy as np

from .families import (
    FAMILIES,
    FORWARD,
    RANKS,
    WEIGHTLESS,
    WITH_WEIGHTS,
    Accepted,
    channels_first,
    class_name,
    classes,
    image,
)

FIVE = {1: (2, 5, 2), 2: (2, 5, 4, 2), 3: (2, 5, 4, 3, 2)}


def kinds_of_numbers():
    three, two, one = np.int64(3), np.int32(2), np.uint8(1)
    yield Accepted("Conv1D", {"filters": np.int64(4), "kernel_size": three}, FIVE[1], (2, 3, 4))
    yield Accepted("Conv2D", {"kernel_size": (three, 2)}, FIVE[2], (2, 3, 3, 4))
    yield Accepted("Conv2D", {"strides": [two, one]}, FIVE[2], (2, 2, 2, 4))
    yield Accepted("Conv2D", {"groups": two, "filters": np.int16(6)}, FIVE[2], (2, 3, 2, 6))
    yield Accepted("Conv3D", {"padding": [one, (1, one), [0, 0]]}, FIVE[3], (2, 5, 4, 1, 4))
    yield Accepted("Conv2D", {"lora_rank": two}, FIVE[2], (2, 3, 2, 4))
    yield Accepted(
        "Conv2DTranspose",
        {"kernel_size": [3, two], "strides": [2, 2], "output_padding": [one, 0]},
        FIVE[2],
        (2, 12, 8, 4),
    )
    yield Accepted(
        "DepthwiseConv2D", {"depth_multiplier": three, "kernel_size": [2, 2]}, FIVE[2], (2, 4, 3, 6)
    )
    yield Accepted("SeparableConv3D", {"dilation_rate": [two, one, 1]}, FIVE[3], (2, 1, 2, 1, 4))
    yield Accepted("Cropping1D", {"cropping": [one, 2]}, FIVE[1], (2, 2, 2))
    yield Accepted("Cropping2D", {"cropping": [two, one]}, FIVE[2], (2, 1, 2, 2))
    yield Accepted("UpSampling2D", {"size": [two, three]}, FIVE[2], (2, 10, 12, 2))
    yield Accepted("ZeroPadding2D", {"padding": [[one, 2], [0, two]]}, FIVE[2], (2, 8, 6, 2))
    yield Accepted("Padding1D", {"padding": two, "value": np.float32(0.5)}, FIVE[1], (2, 9, 2))
    yield Accepted("Padding1D", {"padding": 1, "value": 3}, FIVE[1], (2, 7, 2))
    yield Accepted("Padding1D", {"padding": 0, "value": np.int64(-1)}, FIVE[1], (2, 5, 2))


def kinds_of_inputs():
    """An empty batch, length 1, ints and bools, every float, leading axes: all have a result."""
    for _, rank, layer in classes():
        yield Accepted(layer, {}, image(rank, 5, batch=0))
    for family, rank, layer in classes(WITH_WEIGHTS):
        result = image(rank, 1, channels=2 if family == "DepthwiseConv" else 4)
        yield Accepted(layer, {"padding": "same"}, image(rank, 1), result)
    for _, rank, layer in classes(("UpSampling", "ZeroPadding", "Padding")):
        yield Accepted(layer, {}, image(rank, 1))
    for rank in RANKS:
        layer = class_name("Cropping", rank)
        yield Accepted(layer, {"cropping": 0}, image(rank, 1), image(rank, 1))
        # One step is left over.
        yield Accepted(layer, {"cropping": 1}, image(rank, 3), image(rank, 1))
    for family in FAMILIES:
        layer = class_name(family, 2)
        for dtype in ("int32", "uint8", "bool", "float64"):
            yield Accepted(layer, {}, FIVE[2], dtype=dtype)
        for policy in ("float16", "bfloat16", "float64", "mixed_float16", "mixed_bfloat16"):
            yield Accepted(layer, {"dtype": policy}, FIVE[2])
    for family in WITH_WEIGHTS:
        yield Accepted(class_name(family, 2), {"dtype": "float64"}, FIVE[2], dtype="float16")
        yield Accepted(class_name(family, 2), {"dtype": "float16"}, FIVE[2], dtype="int64")
    for _, rank, layer in classes(ranks=(1, 2)):
        yield Accepted(layer, {}, (2, 3, *FIVE[rank][1:]))
    for family in FAMILIES:
        shape = (1, 2, 3, *FIVE[2][1:])
        yield Accepted(class_name(family, 2), {}, shape)
        first = {"data_format": "channels_first"}
        yield Accepted(class_name(family, 2), first, channels_first(shape, 2))
    yield Accepted("Conv3D", {}, (2, 2, *FIVE[3][1:]), (2, 2, 3, 2, 1, 4))
    yield Accepted("Conv2D", {}, (2, 0, 5, 5, 2), (2, 0, 3, 3, 4))
    # Without weights the channels are only carried along, and there may be none.
    for family in WEIGHTLESS:
        yield Accepted(class_name(family, 1), {}, (2, 5, 0))
    for _, rank, layer in classes():
        if layer != "Cropping1D":
            first = {"data_format": "channels_first"}
            yield Accepted(layer, first, channels_first(FIVE[rank], rank))


def strides_and_dilations():
    both = {"strides": 2, "dilation_rate": 2}
    for family, rank, layer in classes(WITH_WEIGHTS):
        channels = 2 if family == "DepthwiseConv" else 4
        # e = 5: (9 - 5) // 2 + 1 = 3, and transposed (4 - 1) * 2 + 5 = 11
        length, result = (4, 11) if family == "ConvTranspose" else (9, 3)
        yield Accepted(layer, both, image(rank, length), image(rank, result, channels))
        result = 8 if family == "ConvTranspose" else 5
        same = both | {"padding": "same"}
        yield Accepted(layer, same, image(rank, length), image(rank, result, channels))
    each = {"strides": (2, 1), "dilation_rate": (1, 3)}
    yield Accepted("Conv2D", each, (2, 5, 7, 2), (2, 2, 1, 4))
    yield Accepted("DepthwiseConv2D", each, (2, 5, 7, 2), (2, 2, 1, 2))
    # A stride beyond the kernel, and beyond the input.
    yield Accepted("Conv1D", {"kernel_size": 1, "strides": 7}, FIVE[1], (2, 1, 4))
    yield Accepted("Conv1DTranspose", {"kernel_size": 1, "strides": 3}, FIVE[1], (2, 15, 4))


def paddings():
    for family in FORWARD:
        channels = 2 if family == "DepthwiseConv" else 4
        for padding, lengths in (
            ("VALID", (3, 2)),
            ("Same", (5, 4)),
            ("causal", (5, 4)),
            (0, (3, 2)),
            (2, (7, 6)),
            ((1, 0), (5, 2)),
            (((1, 0), (0, 3)), (4, 5)),
            ([[1, 0], [0, 3]], (4, 5)),
            (("causal", "same"), (5, 4)),
            (("valid", 1), (3, 4)),
            (["Causal", (2, 1)], (5, 5)),
        ):
            result = image(2, lengths, channels)
            yield Accepted(class_name(family, 2), {"padding": padding}, FIVE[2], result)
    three = {"padding": ("causal", "same", (0, 1))}
    yield Accepted("Conv3D", three, FIVE[3], (2, 5, 4, 2, 4))
    yield Accepted("DepthwiseConv3D", three, FIVE[3], (2, 5, 4, 2, 2))
    yield Accepted("SeparableConv3D", three, FIVE[3], (2, 5, 4, 2, 4))
    for padding, length in (("causal", 5), (("same",), 5), (((2, 0),), 5), ((1,), 5), (1, 5)):
        yield Accepted("Conv1D", {"padding": padding}, FIVE[1], (2, length, 4))
    # Padding alone makes the window fit.
    yield Accepted("Conv1D", {"kernel_size": 9, "padding": "same"}, FIVE[1], (2, 5, 4))
    yield Accepted("Conv1D", {"kernel_size": 9, "padding": 2}, FIVE[1], (2, 1, 4))
    # The window is as large as the input.
    yield Accepted("Conv2D", {"kernel_size": (5, 4)}, FIVE[2], (2, 1, 1, 4))
    for padding, lengths in (
        ("Valid", (7, 6)),
        ("SAME", (5, 4)),
        (0, (7, 6)),
        (1, (5, 4)),
        ((1, 0), (5, 6)),
        (((1, 0), (0, 2)), (6, 4)),
        (("same", "valid"), (5, 6)),
        (["same", (0, 1)], (5, 5)),
    ):
        yield Accepted("Conv2DTranspose", {"padding": padding}, FIVE[2], image(2, lengths, 4))
    for strides, output_padding, lengths in (
        (2, None, (11, 9)),
        (2, 0, (11, 9)),
        (2, 1, (12, 10)),
        ((2, 3), (0, 2), (11, 14)),
        ((1, 2), (0, 1), (7, 10)),
    ):
        arguments = {"strides": strides, "output_padding": output_padding}
        yield Accepted("Conv2DTranspose", arguments, FIVE[2], image(2, lengths, 4))
    # (5 - 1) * 2 + 2 - 2 * (2 // 2) + 0 = 8; without an output padding it is 5 * 2.
    even = {"kernel_size": 2, "strides": 2, "padding": "same"}
    for rank in RANKS:
        layer = class_name("ConvTranspose", rank)
        given = even | {"output_padding": 0}
        yield Accepted(layer, given, image(rank, 5), image(rank, 8, 4))
        yield Accepted(layer, even, image(rank, 5), image(rank, 10, 4))


def padding_modes():
    for family in FORWARD:
        channels = 2 if family == "DepthwiseConv" else 4
        for mode in (
            "REFLECT",
            "replicate",
            "circular",
            ("replicate", "circular"),
            ["Zeros", "reflect"],
        ):
            arguments = {"padding": "same", "padding_mode": mode}
            result = image(2, (5, 4), channels)
            yield Accepted(class_name(family, 2), arguments, FIVE[2], result)
    # Nothing is padded, so nothing need be there to reflect.
    yield Accepted("Conv1D", {"kernel_size": 1, "padding_mode": "reflect"}, (2, 1, 2), (2, 1, 4))
    # As wide as it can be.
    yield Accepted("Padding1D", {"padding": 4, "padding_mode": "reflect"}, FIVE[1], (2, 13, 2))
    yield Accepted("Padding1D", {"padding": 5, "padding_mode": "circular"}, FIVE[1], (2, 15, 2))
    yield Accepted("Padding1D", {"padding": 7, "padding_mode": "replicate"}, FIVE[1], (2, 19, 2))
    # 0 is no value that would be ignored, and -2 is used in one dimension.
    yield Accepted("Padding1D", {"padding_mode": "reflect", "value": 0}, FIVE[1], (2, 7, 2))
    mixed = {"padding_mode": ("circular", "zeros"), "value": -2.0}
    yield Accepted("Padding2D", mixed, FIVE[2], (2, 7, 6, 2))


def cuts_and_margins():
    for family, argument, grows in (
        ("Cropping", "cropping", -1),
        ("ZeroPadding", "padding", 1),
        ("Padding", "padding", 1),
    ):
        for rank, amount, added in (
            (1, 0, (0,)),
            (1, 2, (4,)),
            (1, (1, 2), (3,)),
            (1, (0, 2), (2,)),
            (2, 0, (0, 0)),
            (2, (2, 1), (4, 2)),
            (2, ((1, 2), (0, 3)), (3, 3)),
            (2, ([1, 0], [0, 0]), (1, 0)),
            (3, 1, (2, 2, 2)),
            (3, (1, 0, 1), (2, 0, 2)),
            (3, ((1, 2), (0, 1), (0, 0)), (3, 1, 0)),
        ):
            lengths = [n + grows * more for n, more in zip(FIVE[rank][1:-1], added, strict=True)]
            layer, arguments = class_name(family, rank), {argument: amount}
            yield Accepted(layer, arguments, FIVE[rank], image(rank, tuple(lengths)))
    # The contract's own example.
    crop = {"cropping": ((2, 2), (4, 4))}
    yield Accepted("Cropping2D", crop, (2, 28, 28, 3), (2, 24, 20, 3))
    sides = {"left_pad": 1, "right_pad": 2}
    yield Accepted("ZeroPadding1D", {"padding": sides}, FIVE[1], (2, 8, 2))
    first = {"padding": sides, "data_format": "channels_first"}
    yield Accepted("ZeroPadding1D", first, (2, 2, 5), (2, 2, 8))


def interpolations():
    names = ("nearest", "linear", "bicubic", "cubic", "lanczos3", "lanczos5")
    of_rank = {1: names, 2: (*names, "bilinear"), 3: (*names, "trilinear")}
    for rank, words in of_rank.items():
        layer = class_name("UpSampling", rank)
        doubled = image(rank, tuple(2 * n for n in FIVE[rank][1:-1]))
        for word in words:
            yield Accepted(layer, {"interpolation": word}, FIVE[rank], doubled)
        yield Accepted(layer, {"interpolation": "lanczos5"}, image(rank, 1), image(rank, 2))
        yield Accepted(layer, {"size": 1, "interpolation": "Linear"}, FIVE[rank], FIVE[rank])
    first = {"interpolation": "bilinear", "data_format": "channels_first"}
    yield Accepted("UpSampling2D", first | {"size": (1, 3)}, (2, 2, 5, 4), (2, 2, 5, 12))
    several = {"interpolation": "BILINEAR"}
    yield Accepted("UpSampling2D", several, (2, 3, 5, 4, 2), (2, 3, 10, 8, 2))


def helpers_of_weights():
    for arguments in (
        {"activation": None},
        {"activation": "relu"},
        {"activation": keras.activations.silu},
        {"use_bias": False},
        {"kernel_initializer": None},
        {"kernel_initializer": keras.initializers.Ones()},
        {"kernel_regularizer": keras.regularizers.L2(0.1), "kernel_constraint": "non_neg"},
        {"activity_regularizer": "l2"},
        {"groups": 2, "lora_rank": 2, "lora_alpha": 4},
        {"data_format": "CHANNELS_LAST"},
        {"data_format": None},
        {"input_shape": (None, None, 2)},
    ):
        yield Accepted("Conv2D", arguments, FIVE[2], (2, 3, 2, 4))
    for _, rank, layer in classes(("Conv", "ConvTranspose")):
        yield Accepted(layer, {"groups": 2}, FIVE[rank])
        yield Accepted(layer, {"groups": 4}, image(rank, 4, channels=4))


def positional_calls():
    """As in the contract's signatures; wrong order would give another shape, or be refused."""
    for layer, positional, shape, gives in (
        ("Conv1D", (4, 3, 2, "same", "channels_first", 1), (2, 2, 5), (2, 4, 3)),
        ("Conv2D", (4, 3, 2, "same", None, 2, "relu", False), FIVE[2], (2, 3, 2, 4)),
        ("Conv3D", (4, 1, 2, "valid", None, 1, None, True, "ones"), FIVE[3], (2, 3, 2, 2, 4)),
        ("SeparableConv1D", (4, 3, 2, "same", None, 1, 3, "relu"), FIVE[1], (2, 3, 4)),
        ("SeparableConv2D", (4, 3, 1, "valid", None, 1, 3, None, False), FIVE[2], (2, 3, 2, 4)),
        ("DepthwiseConv2D", (3, 1, "same", 3, None, 2, "relu"), FIVE[2], (2, 5, 4, 6)),
        ("Conv2DTranspose", (4, 3, 2, "valid", 1, None, 2), FIVE[2], (2, 14, 12, 4)),
        ("Conv3DTranspose", (4, 3, 2, "same", 1, None, "relu"), FIVE[3], (2, 10, 8, 6, 4)),
        ("Cropping1D", ((1, 2),), FIVE[1], (2, 2, 2)),
        ("Cropping2D", (1, "channels_first"), (2, 2, 5, 4), (2, 2, 3, 2)),
        ("Cropping3D", (((1, 0), (0, 1), (0, 0)), None), FIVE[3], (2, 4, 3, 3, 2)),
        ("UpSampling1D", (3,), FIVE[1], (2, 15, 2)),
        ("UpSampling2D", (2, None, "bilinear"), FIVE[2], (2, 10, 8, 2)),
        ("UpSampling3D", ((1, 2, 3), "channels_first"), (2, 2, 5, 4, 3), (2, 2, 5, 8, 9)),
        ("ZeroPadding1D", (2,), FIVE[1], (2, 9, 2)),
        ("ZeroPadding2D", (1, "channels_first"), (2, 2, 5, 4), (2, 2, 7, 6)),
        ("ZeroPadding3D", ((1, 0, 2), None), FIVE[3], (2, 7, 4, 7, 2)),
        ("Padding2D", (1, "reflect", 0.0, "channels_first"), (2, 2, 5, 4), (2, 2, 7, 6)),
        ("Padding3D", (1, "zeros", 2.0), FIVE[3], (2, 7, 6, 5, 2)),
    ):
        yield Accepted(layer, {}, shape, gives, positional=positional)


ACCEPTED = [
    case
    for group in (
        kinds_of_numbers,
        kinds_of_inputs,
        strides_and_dilations,
        paddings,
        padding_modes,
        cuts_and_margins,
        interpolations,
        helpers_of_weights,
        positional_calls,
    )
    for case in group()
]
