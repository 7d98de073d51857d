"""Wrong inputs: layers that are well made, and what they must not be given.

Always a `ValueError`, with the same message by every way that the input can come: an array, a
symbolic tensor, a shape to compute with.
"""

from .families import (
    BUILD,
    CALL,
    EVERY_CALL,
    EVERY_WAY,
    FAMILIES,
    FORWARD,
    SHAPE,
    SYMBOLIC,
    WITH_WEIGHTS,
    RefusedInput,
    channels_first,
    class_name,
    classes,
    image,
)

# `build` makes the weights, so it must look at what they depend on.
WITH_BUILD = (*EVERY_WAY, BUILD)
# A length that is unknown cannot be made an array of.
WITHOUT_ARRAY = (SYMBOLIC, SHAPE)


def too_few_axes():
    for family, rank, layer in classes():
        ways = WITH_BUILD if family in WITH_WEIGHTS else EVERY_WAY
        yield RefusedInput(layer, {}, image(rank, 5)[1:], ways)
    # Far too few: no axis is there to look at.
    for family in FAMILIES:
        yield RefusedInput(class_name(family, 2), {}, (2,))
        yield RefusedInput(class_name(family, 2), {}, ())


def channels():
    for _, rank, layer in classes(WITH_WEIGHTS):
        without_array = (*WITHOUT_ARRAY, BUILD)
        yield RefusedInput(layer, {}, image(rank, 5, channels=None), without_array)
        yield RefusedInput(layer, {}, image(rank, 5, channels=0), WITH_BUILD)
        built = image(rank, 5, channels=2)
        yield RefusedInput(layer, {}, image(rank, 5, channels=3), EVERY_CALL, built=built)
    for family in WITH_WEIGHTS:
        layer, first = class_name(family, 2), {"data_format": "channels_first"}
        unknown, none, other = ((2, c, 5, 6) for c in (None, 0, 3))
        yield RefusedInput(layer, first, unknown, (*WITHOUT_ARRAY, BUILD))
        yield RefusedInput(layer, first, none, WITH_BUILD)
        yield RefusedInput(layer, first, other, EVERY_CALL, built=(2, 2, 5, 6))
        # The channels are counted from behind, whatever stands in front.
        several = (2, 4, 3, 5, 6)
        yield RefusedInput(layer, first, several, EVERY_CALL, built=(2, 4, 2, 5, 6))
    for _, rank, layer in classes(("Conv", "ConvTranspose")):
        groups = {"groups": 2}
        shape = image(rank, 5, channels=3)
        yield RefusedInput(layer, groups, shape, WITH_BUILD, argument="groups")
        groups = groups | {"data_format": "channels_first"}
        shape = channels_first(image(rank, 4, channels=3), rank)
        yield RefusedInput(layer, groups, shape, WITH_BUILD, argument="groups")


def dtypes():
    for family in FAMILIES:
        layer = class_name(family, 2)
        for dtype in ("complex64", "string"):
            # How an array of words calls its dtype is NumPy's matter: `<U1`, not `string`.
            received = dtype if dtype == "complex64" else ""
            yield RefusedInput(layer, {}, image(2, 5), EVERY_CALL, dtype=dtype, received=received)
    for layer in ("Conv1D", "Conv3DTranspose", "Cropping1D", "UpSampling3D"):
        rank = int(layer[layer.index("D") - 1])
        yield RefusedInput(
            layer, {}, image(rank, 5), EVERY_CALL, dtype="complex128", received="complex128"
        )


# Given in place of one tensor. The keys are names, so that the table stays data; the tests make
# the thing itself.
NOT_A_TENSOR = ("two tensors", "no tensor in a list", "None", "a dictionary", "a word")


def not_a_tensor():
    for family in FAMILIES:
        for instead in NOT_A_TENSOR:
            tensors = instead in ("two tensors", "a dictionary")
            yield RefusedInput(
                class_name(family, 2),
                {},
                image(2, 5),
                EVERY_CALL if tensors else (CALL,),
                received="None" if instead == "None" else "",
                instead=instead,
            )


# Not a shape at all, or one of no array.
NOT_A_SHAPE = (None, 5, "2552", (2, -5, 5, 2), (2, 5.0, 5, 2), (2, "5", 5, 2), (2, True, 5, 2))


def shapes():
    for family in FAMILIES:
        # Every kind where a shape is worked with, and where it is only passed on.
        whole = family in ("Conv", "UpSampling")
        for shape in NOT_A_SHAPE if whole else NOT_A_SHAPE[:4]:
            yield RefusedInput(class_name(family, 2), {}, shape, (SHAPE,))


def empty_space():
    for _, rank, layer in classes():
        yield RefusedInput(layer, {}, image(rank, (5,) * (rank - 1) + (0,)))
    for family in FORWARD:
        # Padding makes the window fit, and there is still nothing to look at.
        yield RefusedInput(class_name(family, 2), {"padding": "same"}, (2, 0, 5, 2))
        yield RefusedInput(class_name(family, 2), {"padding": 3}, (2, 0, 5, 2))
    for family in FAMILIES:
        first = {"data_format": "channels_first"}
        yield RefusedInput(class_name(family, 2), first, (2, 2, 5, 0))


def eaten_inputs():
    for rank, cropping in (
        (1, 2),
        (1, (1, 3)),
        (1, (4, 0)),
        (2, 2),
        (2, (0, 2)),
        (2, ((0, 5), (0, 0))),
        (3, 2),
        (3, ((0, 0), (0, 0), (3, 1))),
    ):
        layer, arguments = class_name("Cropping", rank), {"cropping": cropping}
        yield RefusedInput(layer, arguments, image(rank, 4), argument="cropping")
    # An unknown length may be long enough; the other one is known not to be.
    unknown = (None, None, 4, 2)
    yield RefusedInput("Cropping2D", {"cropping": 2}, unknown, WITHOUT_ARRAY, argument="cropping")
    several = (2, 3, 4, 9, 2)
    yield RefusedInput("Cropping2D", {"cropping": 2}, several, argument="cropping")
    first = {"cropping": 2, "data_format": "channels_first"}
    yield RefusedInput("Cropping2D", first, (2, 9, 9, 4), argument="cropping")


def too_large_windows():
    for _, rank, layer in classes(FORWARD):
        for arguments, length in (
            ({"kernel_size": 5}, 4),
            ({"kernel_size": 3, "dilation_rate": 3}, 6),
            ({"kernel_size": 7, "padding": 1}, 4),
        ):
            last = (9,) * (rank - 1) + (length,)
            yield RefusedInput(layer, arguments, image(rank, last), argument="kernel_size")
    for family in FORWARD:
        layer = class_name(family, 2)
        arguments = {"kernel_size": 5, "padding": ((1, 0), "same")}
        yield RefusedInput(layer, arguments, (2, 3, 3, 2), argument="kernel_size")
        yield RefusedInput(
            layer, {"kernel_size": 5}, (None, None, 4, 2), WITHOUT_ARRAY, argument="kernel_size"
        )
        yield RefusedInput(layer, {"kernel_size": 5}, (2, 3, 4, 9, 2), argument="kernel_size")


def too_wide_reflections():
    """Reflecting `p` steps needs `p + 1` of them, since the edge itself is not repeated."""
    reflect = {"padding_mode": "reflect"}
    for _, rank, layer in classes(FORWARD):
        last = (9,) * (rank - 1)
        for arguments, length in (
            ({"kernel_size": 5, "padding": "same"}, 2),
            ({"padding": 3}, 3),
            ({"padding": ((3, 0),) * rank}, 1),
        ):
            yield RefusedInput(layer, arguments | reflect, image(rank, (*last, length)))
    for rank in (1, 2, 3):
        layer = class_name("Padding", rank)
        yield RefusedInput(layer, {"padding": 3} | reflect, image(rank, 3))
        yield RefusedInput(layer, {"padding": 1} | reflect, image(rank, 1))
    mixed = {"padding": 3, "padding_mode": ("circular", "reflect")}
    yield RefusedInput("Padding2D", mixed, (2, 9, 3, 2))
    yield RefusedInput("Padding2D", mixed, (None, None, 3, 2), WITHOUT_ARRAY)


def empty_transposed_outputs():
    for _, rank, layer in classes(("ConvTranspose",)):
        for arguments, length in (
            # (1 - 1) * 2 + 2 - 2 * (2 // 2) + 0 = 0
            ({"kernel_size": 2, "strides": 2, "padding": "same", "output_padding": 0}, 1),
            # 3 - 1 + 1 = 3, of which 2 + 2 are cut
            ({"kernel_size": 1, "padding": 2}, 3),
            # … or 3 + 0
            ({"kernel_size": 1, "padding": ((3, 0),) * rank}, 3),
        ):
            last = (9,) * (rank - 1) + (length,)
            yield RefusedInput(layer, arguments, image(rank, last))


REFUSED_INPUTS = [
    case
    for group in (
        too_few_axes,
        channels,
        dtypes,
        not_a_tensor,
        shapes,
        empty_space,
        eaten_inputs,
        too_large_windows,
        too_wide_reflections,
        empty_transposed_outputs,
    )
    for case in group()
]
