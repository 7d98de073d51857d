"""Wrong arguments: what each constructor must refuse, and with which error.

A wrong type is a `TypeError`, a right type with a wrong value a `ValueError`. `True` is no int
here, nor is 2.0, nor NumPy's bool; a tuple with one element of a wrong type is of a wrong type.
"""

import numpy as np

from .families import (
    FORWARD,
    RANKS,
    WITH_WEIGHTS,
    RefusedArguments,
    class_name,
    classes,
    refuse,
)

# Refused wherever one positive int is asked for.
NOT_A_COUNT = (
    (True, TypeError),
    (2.0, TypeError),
    ("2", TypeError),
    (None, TypeError),
    ((2,), TypeError),
    (np.True_, TypeError),
    (np.float32(2.0), TypeError),
    (0, ValueError),
    (-1, ValueError),
)

# Refused wherever a positive int, or one a dimension, is asked for.
NOT_A_SIZE = (
    (True, TypeError),
    (None, TypeError),
    (0, ValueError),
    (2.0, TypeError),
    ("2", TypeError),
    ({"height": 2, "width": 2}, TypeError),
    (((2, 2), (2, 2)), TypeError),
    ((2, None), TypeError),
    (["2", 2], TypeError),
    ([2], ValueError),
    ((-1, 2), ValueError),
    (-1, ValueError),
)


def not_a_tuple_of_sizes(rank):
    return (
        ((2,) * (rank + 1), ValueError),
        ((2,) * (rank - 1) + (True,), TypeError),
        ((2,) * (rank - 1) + (0,), ValueError),
    )


def sizes():
    # 2D gets every kind of value, the other ranks what depends on the rank. Each argument of a
    # window is tried, since a check is most easily forgotten on the one that is seldom used.
    for family, rank, layer in classes((*WITH_WEIGHTS, "UpSampling")):
        window = ("kernel_size", "strides", "dilation_rate")
        for argument in window if family in WITH_WEIGHTS else ("size",):
            rows = not_a_tuple_of_sizes(rank)
            if rank == 2:
                rows += NOT_A_SIZE if argument in ("kernel_size", "size") else NOT_A_SIZE[:4]
            elif argument == "dilation_rate":
                rows = rows[:1]
            for value, error in rows:
                yield refuse(layer, argument, value, error)


def counts():
    of_families = {
        "filters": ("Conv", "ConvTranspose", "SeparableConv"),
        "groups": ("Conv", "ConvTranspose"),
        "depth_multiplier": ("DepthwiseConv", "SeparableConv"),
    }
    for argument, families in of_families.items():
        for family in families:
            for value, error in NOT_A_COUNT:
                yield refuse(class_name(family, 2), argument, value, error)
            yield refuse(class_name(family, 1), argument, True, TypeError)
            yield refuse(class_name(family, 3), argument, 0, ValueError)
    for _, _, layer in classes(("Conv", "ConvTranspose")):
        yield refuse(layer, "groups", 3, ValueError, filters=4)
        yield refuse(layer, "groups", 8, ValueError, filters=4)


def lora():
    for value, error in NOT_A_COUNT:
        if value is not None:  # which asks for no LoRA
            yield refuse("Conv2D", "lora_rank", value, error)
    yield refuse("Conv1D", "lora_rank", True, TypeError)
    yield refuse("Conv3D", "lora_rank", 0, ValueError)
    yield refuse("Conv2D", "lora_alpha", "4", TypeError, lora_rank=2)
    yield refuse("Conv2D", "lora_alpha", True, TypeError, lora_rank=2)


OUTPUT_PADDINGS = (
    (3, ValueError),
    (-1, ValueError),
    ((-1, 1), ValueError),
    ([1], ValueError),
    ((), ValueError),
    (1.0, TypeError),
    ("same", TypeError),
    ((1, True), TypeError),
    ((1.0, 1), TypeError),
    ((1, None), TypeError),
    (((1, 0), (1, 0)), TypeError),
)


def output_paddings():
    for _, rank, layer in classes(("ConvTranspose",)):
        good = (1,) * (rank - 1)
        rows = (
            (2, ValueError),  # equal to the stride
            (True, TypeError),
            ((*good, 2), ValueError),
            ((1, *good, 1), ValueError),
        )
        if rank == 2:
            rows += OUTPUT_PADDINGS
        for value, error in rows:
            yield refuse(layer, "output_padding", value, error, strides=2)
        # A stride of 1 leaves no room for any.
        yield refuse(layer, "output_padding", 1, ValueError)
    # The stride that counts is that of the same dimension.
    yield refuse("Conv2DTranspose", "output_padding", (1, 1), ValueError, strides=(2, 1))
    yield refuse("Conv2DTranspose", "output_padding", (1, 1), ValueError, strides=(1, 2))


# Refused as `padding` of a convolution in 2D.
NOT_A_PADDING = (
    (-1, ValueError),
    (((1, -1), (1, 1)), ValueError),
    (1.5, TypeError),
    (("same", True), TypeError),
    ("", ValueError),
    ("full", ValueError),
    ((-1, 1), ValueError),
    (("same",), ValueError),
    ((), ValueError),
    (((1, 2, 3), (1, 1)), ValueError),
    (((1,), (1, 1)), ValueError),
    (True, TypeError),
    (b"valid", TypeError),
    (("same", None), TypeError),
    ((1.0, 1), TypeError),
    (((1, True), (1, 1)), TypeError),
    (((1, 1.0), (1, 1)), TypeError),
    ((("same", "same"), "same"), TypeError),
    ((((1, 1), 1), (1, 1)), TypeError),
    ({"left_pad": 1, "right_pad": 1}, TypeError),
)


def paddings_of_convolutions():
    for family, rank, layer in classes(WITH_WEIGHTS):
        yield refuse(layer, "padding", "vaild", ValueError, closest="valid")
        yield refuse(layer, "padding", None, TypeError)
        yield refuse(layer, "padding", ("valid",) * (rank + 1), ValueError)
        if family == "ConvTranspose":
            # Of a transposed convolution the future would be the past: there is no such thing.
            yield refuse(layer, "padding", "causal", ValueError)
        else:
            yield refuse(layer, "padding", "casual", ValueError, closest="causal")
        if rank == 2:
            yield refuse(layer, "padding", "smae", ValueError, closest="same")
            yield refuse(layer, "padding", ("same", "vald"), ValueError, closest="valid")
            # Every kind on one class that looks forward and one transposed, some on the others.
            whole = family in ("Conv", "ConvTranspose")
            for value, error in NOT_A_PADDING if whole else NOT_A_PADDING[:4]:
                yield refuse(layer, "padding", value, error)
    yield refuse("Conv2DTranspose", "padding", ("causal", "same"), ValueError)


NOT_A_PADDING_MODE = (
    (None, TypeError, None),
    (("zeros", "relfect"), ValueError, "reflect"),
    ("replicat", ValueError, "replicate"),
    ("circlar", ValueError, "circular"),
    ("zero", ValueError, "zeros"),
    ("", ValueError, None),
    ((), ValueError, None),
    (3, TypeError, None),
    (True, TypeError, None),
    (("zeros", None), TypeError, None),
    (("zeros", 1), TypeError, None),
)


def padding_modes():
    for family, rank, layer in classes((*FORWARD, "Padding")):
        yield refuse(layer, "padding_mode", "reflct", ValueError, closest="reflect")
        yield refuse(layer, "padding_mode", ("zeros",) * (rank + 1), ValueError)
        if rank == 2:
            whole = family in ("Conv", "Padding")
            for value, error, closest in NOT_A_PADDING_MODE if whole else NOT_A_PADDING_MODE[:2]:
                yield refuse(layer, "padding_mode", value, error, closest)


def data_formats():
    for _, _, layer in classes():
        if layer != "Cropping1D":  # which is asked for without one
            yield refuse(layer, "data_format", "channel_last", ValueError, "channels_last")
    for _, _, layer in classes(ranks=(2,)):
        yield refuse(layer, "data_format", 1, TypeError)
    yield refuse("Conv2D", "data_format", "channels_frist", ValueError, "channels_first")
    yield refuse("Conv2D", "data_format", "NHWC", ValueError)
    yield refuse("Conv2D", "data_format", True, TypeError)
    yield refuse("Conv2D", "data_format", ("channels_last",), TypeError)


def interpolations():
    for rank in RANKS:
        layer = class_name("UpSampling", rank)
        yield refuse(layer, "interpolation", "neerest", ValueError, closest="nearest")
        yield refuse(layer, "interpolation", "lanczos33", ValueError, closest="lanczos3")
        yield refuse(layer, "interpolation", None, TypeError)
        yield refuse(layer, "interpolation", ("linear",) * rank, TypeError)
    for value, error, closest in (
        ("biliner", ValueError, "bilinear"),
        ("bicubicc", ValueError, "bicubic"),
        ("area", ValueError, None),
        ("", ValueError, None),
        (3, TypeError, None),
        (True, TypeError, None),
    ):
        yield refuse("UpSampling2D", "interpolation", value, error, closest)
    yield refuse("UpSampling3D", "interpolation", "trilinaer", ValueError, closest="trilinear")
    # A name that says another number of dimensions.
    for rank, value, closest in (
        (1, "bilinear", "linear"),
        (1, "trilinear", "linear"),
        (2, "trilinear", "bilinear"),
        (3, "bilinear", "linear"),
    ):
        layer = class_name("UpSampling", rank)
        yield refuse(layer, "interpolation", value, ValueError, closest)


# Refused as `cropping` or `padding` of the layers that only cut or pad: in any rank, …
NOT_AN_AMOUNT = (
    (-1, ValueError),
    (True, TypeError),
    (1.0, TypeError),
    ("same", TypeError),
    (None, TypeError),
)
# … in 1D, where a tuple is `(before, after)`, …
NOT_A_PAIR = (
    ((1, 2, 3), ValueError),
    ((), ValueError),
    ((1, -1), ValueError),
    ((True, 1), TypeError),
    ((1, 1.0), TypeError),
    ((1, None), TypeError),
)
# … and in 2D, where it has one entry a dimension.
NOT_TWO_AMOUNTS = (
    ((1,), ValueError),
    ((1, 1, 1), ValueError),
    (((1, 1),) * 3, ValueError),
    (((1, 1), (1, 2, 3)), ValueError),
    (((1, 1), (1,)), ValueError),
    ((-1, 1), ValueError),
    (((1, 1), (0, -1)), ValueError),
    ((1, True), TypeError),
    (((1, 1), (1, True)), TypeError),
    (((1.0, 1), (1, 1)), TypeError),
    (((1, 1), ((1, 1), 1)), TypeError),
    (("same", "same"), TypeError),
    ({"left_pad": 1, "right_pad": 1}, TypeError),
)
NOT_THREE_AMOUNTS = (
    (True, TypeError),
    ((1, 1), ValueError),
    (((1, 1),) * 2, ValueError),
    (((1, 1), (1, 1), (0, -1)), ValueError),
)


def amounts():
    for family, argument in (
        ("Cropping", "cropping"),
        ("ZeroPadding", "padding"),
        ("Padding", "padding"),
    ):
        for rank, rows in (
            (1, NOT_AN_AMOUNT + NOT_A_PAIR),
            (2, NOT_AN_AMOUNT + NOT_TWO_AMOUNTS),
            (3, NOT_THREE_AMOUNTS),
        ):
            for value, error in rows:
                yield refuse(class_name(family, rank), argument, value, error)
    # ZeroPadding1D takes a dictionary, of two keys and no others.
    for value, error in (
        ({}, ValueError),
        ({"left_pad": 1}, ValueError),
        ({"left": 1, "right": 1}, ValueError),
        ({"left_pad": 1, "right_pad": 1, "top_pad": 1}, ValueError),
        ({"left_pad": -1, "right_pad": 1}, ValueError),
        ({"left_pad": True, "right_pad": 1}, TypeError),
        ({"left_pad": 1, "right_pad": 1.0}, TypeError),
        ({"left_pad": 1, "right_pad": None}, TypeError),
    ):
        yield refuse("ZeroPadding1D", "padding", value, error)


def fill_values():
    for value in (True, "0", None, [1.0], 1j):
        yield refuse("Padding2D", "value", value, TypeError)
    # A value that no dimension would use is a mistake, and saying nothing would hide it.
    for rank in RANKS:
        layer = class_name("Padding", rank)
        yield refuse(layer, "value", 1.0, ValueError, padding_mode="reflect")
        modes = ("circular",) * (rank - 1) + ("replicate",)
        yield refuse(layer, "value", -2, ValueError, padding_mode=modes)


WEIGHTS_OF = {
    "Conv": ("kernel", "bias"),
    "ConvTranspose": ("kernel", "bias"),
    "DepthwiseConv": ("depthwise", "bias"),
    "SeparableConv": ("depthwise", "pointwise", "bias"),
}


def helpers_of_weights():
    """Bias, activation, initializers, regularizers and constraints."""
    for family, weights in WEIGHTS_OF.items():
        layer = class_name(family, 2)
        for value in (None, 1, 0.0, "True"):
            yield refuse(layer, "use_bias", value, TypeError)
        arguments = [
            f"{weight}_{helper}"
            for helper in ("initializer", "regularizer", "constraint")
            for weight in weights
        ]
        for argument in ("activation", *arguments, "activity_regularizer"):
            yield refuse(layer, argument, "no_such", ValueError)
            yield refuse(layer, argument, 3.5, TypeError)


def compute_dtypes():
    """Keras would take these, and leave it to each backend to fail in its own way, or not to."""
    for dtype in ("complex64", "int32", "bool", "string"):
        yield refuse("Conv2D", "dtype", dtype, ValueError)
    for dtype in ("complex64", "string"):
        yield refuse("Cropping2D", "dtype", dtype, ValueError)


def unknown_keywords():
    """A keyword that a layer has not, above all one that another family has."""
    rows = [(layer, "strids", 2) for _, _, layer in classes(ranks=(2,))]
    for rank in RANKS:
        transposed = class_name("ConvTranspose", rank)
        rows += [(transposed, "padding_mode", "zeros"), (transposed, "lora_rank", 2)]
    rows += [
        ("Conv2D", "depth_multiplier", 2),
        ("Conv2D", "output_padding", 1),
        ("DepthwiseConv2D", "filters", 4),
        ("SeparableConv2D", "lora_rank", 2),
        ("Cropping2D", "interpolation", "nearest"),
        ("UpSampling2D", "padding", 1),
        ("ZeroPadding2D", "value", 1.0),
        ("ZeroPadding2D", "padding_mode", "reflect"),
    ]
    for layer, keyword, value in rows:
        yield RefusedArguments(layer, {keyword: value}, ValueError, keyword, "", by_keras=True)


REFUSED_ARGUMENTS = [
    case
    for group in (
        sizes,
        counts,
        lora,
        output_paddings,
        paddings_of_convolutions,
        padding_modes,
        data_formats,
        interpolations,
        amounts,
        fill_values,
        helpers_of_weights,
        compute_dtypes,
        unknown_keywords,
    )
    for case in group()
]
