"""Every formulation, forced rather than chosen, against the reference."""

import itertools
import types

import keras
import numpy as np
import pytest

from keras_convkit import arguments, geometry, lowering
from keras_convkit.description import Cropping, Padding, SpatialAxes
from keras_convkit.lowering import (
    case,
    dispatch,
    filters,
    grouped,
    layout,
    limits,
    multiply_adds,
    padding,
    phases,
    products,
    table,
    taps,
    threaded,
)
from keras_convkit.parity import reference
from keras_convkit.parity.differentiation import differentiate, to_numpy
from tests.compiled import whole

FORMATS = ("channels_last", "channels_first")
LENGTHS = {1: (7,), 2: (5, 6), 3: (4, 5, 3)}

every_format = pytest.mark.parametrize("data_format", FORMATS)
every_rank = pytest.mark.parametrize("rank", LENGTHS)


def formats_in_turn(names, values):
    """Each of the values with one of the formats, for what JAX compiles for seconds."""
    turns = itertools.cycle(FORMATS + FORMATS[::-1])
    rows = [(*value, turn) for value, turn in zip(values, turns, strict=False)]
    ids = ["-".join(str(part) for part in row if not isinstance(part, dict)) for row in rows]
    return pytest.mark.parametrize((*names, "data_format"), rows, ids=ids)


def on_tensorflow():
    return keras.backend.backend() == "tensorflow"


def compute(function, *arrays):
    """`function` of tensors, as an array."""
    return to_numpy(whole(function)(*map(keras.ops.convert_to_tensor, arrays)))


def draw(*shapes):
    rng = np.random.default_rng(len(shapes[0]))
    return [rng.standard_normal(shape, dtype="float32") for shape in shapes]


def shape_of(lengths, channels, data_format, batch=2):
    channels_last = data_format == "channels_last"
    return (batch, *lengths, channels) if channels_last else (batch, channels, *lengths)


def convolution(rank, kernel_size, data_format="channels_last", **options):
    defaults = {"strides": 1, "padding": "valid", "dilation_rate": 1, "padding_mode": "zeros"}
    return arguments.convolution(
        "test", SpatialAxes(rank, data_format), kernel_size=kernel_size, **{**defaults, **options}
    )


def transposed_convolution(rank, kernel_size, data_format="channels_last", **options):
    defaults = {"strides": 1, "padding": "valid", "output_padding": None, "dilation_rate": 1}
    return arguments.transposed_convolution(
        "test", SpatialAxes(rank, data_format), kernel_size=kernel_size, **{**defaults, **options}
    )


def upsampling(rank, size, interpolation, data_format="channels_last"):
    return arguments.upsampling(
        "test", SpatialAxes(rank, data_format), size=size, interpolation=interpolation
    )


# Formulations of `dispatch`, each on all calls of its operation that the backend lets it take.

# The operation, the input's lengths and channels, the kernel's shape, the options.
CALLS = {
    "conv-1d": ("conv", (7,), 3, (3, 3, 4), {}),
    "conv-1d-causal": ("conv", (7,), 3, (3, 3, 4), {"padding": "causal", "strides": 2}),
    "conv-1d-strides-and-dilation": (
        "conv", (7,), 3, (3, 3, 4), {"padding": 2, "strides": 2, "dilation_rate": 3}
    ),
    "conv-2d-groups": ("conv", (5, 6), 4, (3, 2, 2, 6), {"padding": "same", "groups": 2}),
    "conv-2d-a-group-a-channel": ("conv", (5, 6), 4, (3, 2, 1, 4), {"groups": 4, "strides": 2}),
    "conv-2d-modes": (
        "conv",
        (5, 6),
        4,
        (3, 2, 4, 5),
        {"padding": ((2, 1), "same"), "padding_mode": ("reflect", "circular")},
    ),
    "conv-2d-groups-strides-and-dilation": (
        "conv",
        (5, 6),
        4,
        (3, 2, 2, 6),
        {"padding": "same", "groups": 2, "strides": (2, 1), "dilation_rate": (1, 2)},
    ),
    "conv-1d-one-tap": ("conv", (7,), 3, (1, 3, 4), {"padding": 1, "padding_mode": "reflect"}),
    "conv-2d-one-tap": ("conv", (5, 6), 4, (1, 1, 4, 5), {"padding": "same", "strides": (2, 3)}),
    "conv-2d-one-tap-few-filters": ("conv", (5, 6), 4, (1, 1, 4, 3), {"dilation_rate": 2}),
    "conv-3d": ("conv", (4, 5, 3), 2, (2, 3, 3, 2, 3), {"padding": "same", "strides": (1, 2, 1)}),
    "depthwise_conv-1d": ("depthwise_conv", (7,), 3, (3, 3, 1), {"padding": "same"}),
    "depthwise_conv-1d-multiplier": (
        "depthwise_conv", (7,), 3, (3, 3, 2), {"padding": "causal", "dilation_rate": 2}
    ),
    "depthwise_conv-2d-strides": (
        "depthwise_conv",
        (5, 6),
        4,
        (3, 2, 4, 2),
        {"padding": "same", "strides": 2, "padding_mode": "replicate"},
    ),
    "depthwise_conv-2d-strides-and-dilation": (
        "depthwise_conv", (5, 6), 4, (2, 2, 4, 1), {"strides": (2, 3), "dilation_rate": 2}
    ),
    "depthwise_conv-3d": (
        "depthwise_conv", (4, 5, 3), 2, (2, 3, 3, 2, 3), {"padding": 1, "strides": (1, 2, 1)}
    ),
    "conv_transpose-1d": ("conv_transpose", (7,), 3, (3, 4, 3), {"strides": 2}),
    "conv_transpose-1d-beyond-full": (
        "conv_transpose", (7,), 3, (2, 4, 3), {"strides": 5, "output_padding": 4}
    ),
    "conv_transpose-1d-cut": (
        "conv_transpose", (7,), 3, (4, 4, 3), {"strides": 3, "padding": (3, 1)}
    ),
    "conv_transpose-2d-same-even-kernel": (
        "conv_transpose",
        (5, 6),
        4,
        (4, 2, 3, 4),
        {"strides": 2, "padding": "same", "output_padding": 0},
    ),
    "conv_transpose-2d-groups": (
        "conv_transpose",
        (5, 6),
        4,
        (3, 2, 3, 4),
        {"strides": (2, 3), "padding": "same", "groups": 2},
    ),
    "conv_transpose-2d-dilation": (
        "conv_transpose", (5, 6), 4, (3, 2, 3, 4), {"strides": 2, "dilation_rate": (2, 3)}
    ),
    "conv_transpose-3d": (
        "conv_transpose", (4, 5, 3), 2, (2, 3, 1, 3, 2), {"strides": (1, 2, 2), "padding": "same"}
    ),
}  # fmt: skip
FORCED = [(call, name) for call in CALLS for name in dispatch.FORMULATIONS[CALLS[call][0]]]


def takes(operation, name, description, channels):
    """Whether the formulation has to take the description on this backend: most of ours do."""
    if name == "as_depthwise":
        return description.groups == channels
    if name == "products":
        return description.groups == 1
    if name == "threaded":
        flat = description.rank == 2 and set(description.strides) == {1}
        return flat and description.groups == 1 and keras.backend.backend() == "jax"
    if name == "multiply_adds":
        flat = set(description.strides) == {1} and description.groups > 1
        return flat and keras.backend.backend() == "jax"
    if name == "strided":
        striding = max(description.strides) > 1
        return striding and description.groups == 1 and keras.backend.backend() == "jax"
    if name == "strided_native":
        striding = max(description.strides) > 1 and max(description.dilation_rate) == 1
        return striding and description.groups == 1 and on_tensorflow()
    if name == "as_image":
        return description.rank == 1
    if name == "pointwise":
        return set(description.kernel_size) == {1} and description.groups == 1
    if name == "planes":
        return description.rank == 3 and description.axes.channels_last
    if name == "many_taps":
        return max(description.strides) == 1 and keras.backend.backend() == "jax"
    if name != "native":
        return True
    if operation == "conv_transpose" and description.groups > 1:
        return False
    if not on_tensorflow():
        return True
    dilated = max(description.dilation_rate) > 1
    strided_and_dilated = max(description.strides) > 1 and dilated
    unequal = len(set(description.strides)) > 1
    return {
        "conv": not strided_and_dilated and description.groups == 1,
        "depthwise_conv": description.rank < 3
        and not strided_and_dilated
        and (case.onednn() or not unequal),
        "conv_transpose": not dilated or (case.onednn() and description.rank < 3),
    }[operation]


def slow_to_try_both(data_format, rank):
    """On JAX, which compiles half a minute of programs here, ranks 1 and 3 go channels-last."""
    return keras.backend.backend() == "jax" and data_format == "channels_first" and rank != 2


@every_format
@pytest.mark.parametrize(("call", "name"), FORCED, ids=["-".join(each) for each in FORCED])
def test_formulation(call, name, data_format, assert_close):
    operation, lengths, channels, kernel_shape, options = CALLS[call]
    x, kernel = draw(shape_of(lengths, channels, data_format), kernel_shape)
    describe = transposed_convolution if operation == "conv_transpose" else convolution
    description = describe(len(lengths), kernel_shape[: len(lengths)], data_format, **options)
    if not takes(operation, name, description, channels):
        return
    anywhere = ("taps", *dispatch.WITHOUT_NATIVE_CONVOLUTION)
    if (
        not any(part in name for part in anywhere)
        and data_format == "channels_first"
        and limits.needs_channels_last(x)
    ):
        return  # `dispatch` turns these before any formulation sees them.
    if slow_to_try_both(data_format, len(lengths)):
        return
    formulation = dispatch.FORMULATIONS[operation][name]
    y = compute(lambda x, kernel: formulation(x, kernel, description), x, kernel)
    expected = getattr(reference, operation)(x, kernel, **options, data_format=data_format)
    assert_close(y, expected)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="no other backend is wrong there")
@every_format
def test_torch_is_asked_for_no_strides_of_one_tap(data_format, assert_close, monkeypatch):
    """Their gradient writes beyond its memory: the process ends in it, or later, or not."""
    asked = []

    def conv(x, kernel, strides, **options):
        asked.append(strides)
        return original(x, kernel, strides=strides, **options)

    original = keras.ops.conv
    monkeypatch.setattr(keras.ops, "conv", conv)
    options = {"strides": (2, 3), "padding": 1}
    x, kernel = draw(shape_of((6, 5), 3, data_format), (1, 1, 3, 2))
    description = convolution(2, 1, data_format, **options)
    y = compute(lambda x, w: dispatch.FORMULATIONS["conv"]["native"](x, w, description), x, kernel)
    assert_close(y, reference.conv(x, kernel, data_format=data_format, **options))
    assert asked == [(1, 1)]


# Phases of strided and dilated convolutions.


def reference_conv(rank, seen):
    """A convolution of stride or dilation 1 in float64; `seen` collects what it was asked for."""

    def conv(x, kernel, description):
        seen.append(description)
        assert description.kernel_size == tuple(kernel.shape[:rank])
        return reference.conv(
            x,
            kernel,
            strides=description.strides,
            padding=description.padding,
            dilation_rate=description.dilation_rate,
            groups=description.groups,
        )

    return conv


@pytest.mark.parametrize("k", range(1, 6))
@pytest.mark.parametrize("s", range(1, 7))
@pytest.mark.parametrize("d", range(1, 7))
def test_conv_phases_of_every_window(k, s, d):
    """In float64 and to the last digit, as nothing but slices stands between input and sum."""
    description = convolution(1, k, strides=s, dilation_rate=d)
    kernel = np.random.default_rng(k).standard_normal((k, 2, 3))
    (e,) = description.reach
    for n in (e, e + 1, e + 2 * s):
        x = np.random.default_rng(n).standard_normal((1, n, 2))
        seen = []
        y = phases.strided(x, kernel, description, reference_conv(1, seen))
        expected = reference.conv(x, kernel, strides=s, dilation_rate=d)
        np.testing.assert_allclose(y, expected, rtol=0, atol=1e-12)
        for asked in seen:
            assert 1 in asked.strides + asked.dilation_rate
        # No tap is computed twice, and none that isn't there.
        assert sum(asked.kernel_size[0] for asked in seen) == k


@every_rank
@pytest.mark.parametrize(
    ("size", "strides", "dilation"),
    [
        ((3, 2, 2), (2, 3, 2), (3, 2, 1)),
        ((2, 3, 1), (4, 2, 3), (2, 2, 2)),
        ((1, 2, 3), (3, 1, 2), (2, 2, 3)),
        ((3, 3, 2), (2, 1, 3), (1, 3, 1)),
    ],
    ids=["coprime", "common-divisors", "few-taps", "apart"],
)
def test_conv_phases_of_every_rank(rank, size, strides, dilation):
    options = {"strides": strides[:rank], "dilation_rate": dilation[:rank]}
    description = convolution(rank, size[:rank], groups=2, **options)
    lengths = [e + s for e, s in zip(description.reach, strides[:rank], strict=True)]
    x, kernel = draw((2, *lengths, 4), (*size[:rank], 2, 6))
    y = phases.strided(x, kernel, description, reference_conv(rank, []))
    expected = reference.conv(x, kernel, groups=2, **options)
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-12)


# Phases of transposed convolutions.


@pytest.mark.parametrize("k", range(1, 6))
@pytest.mark.parametrize("s", range(1, 7))
@pytest.mark.parametrize("d", range(1, 7))
def test_phases_name_the_taps_that_write_them(k, s, d):
    m = 100
    for p, front in itertools.product(range(s), (0, 1, 5)):
        # Tap `j` writes the full output's step `t s + j d`, of which `front` are cut.
        step = s * m + p + front
        written = {j: (step - j * d) // s for j in range(k) if (step - j * d) % s == 0}
        phase = phases.phase_of(p, k, s, d, front)
        if phase is None:
            assert not written
        else:
            named = [phase.first + q * phase.step for q in range(phase.count)]
            read = [m + phase.offset - q * phase.dilation for q in range(phase.count)]
            assert dict(zip(named, read, strict=True)) == written


@pytest.mark.parametrize(
    ("k", "s", "d"),
    [
        (3, 2, 1), (4, 2, 1), (3, 3, 1), (5, 2, 1),
        (2, 3, 1), (1, 4, 1), (2, 5, 2),
        (3, 1, 2), (3, 2, 3), (4, 3, 2),
        (3, 2, 2), (3, 4, 2), (2, 2, 4), (3, 6, 4),
    ],
    ids=lambda value: str(value),
)  # fmt: skip
def test_transposed_phases_of_every_window(k, s, d, assert_close):
    """All paddings of a window in one program, which JAX compiles in the time of one."""
    e = geometry.reach(k, d)
    kernel, long, one_step = draw((k, 3, 4), (2, 5, 4), (2, 1, 4))
    paddings = [("valid", None), ("valid", s - 1), ("same", None), ("same", 0), ((e - 1, 0), None)]
    runs = []
    for x, (entry, output_padding) in itertools.product((long, one_step), paddings):
        options = {"strides": s, "dilation_rate": d, "padding": entry}
        options["output_padding"] = output_padding
        description = transposed_convolution(1, k, **options)
        if description.output_lengths(x.shape[1:2])[0] > 0:
            runs.append((x, description, reference.conv_transpose(x, kernel, **options)))
    assert {x.shape for x, _, _ in runs} == {long.shape, one_step.shape}

    def every_run(kernel):
        tensors = [keras.ops.convert_to_tensor(x) for x, _, _ in runs]
        results = [
            phases.transposed(x, kernel, description, dispatch._conv)
            for x, (_, description, _) in zip(tensors, runs, strict=True)
        ]
        return keras.ops.concatenate(results, axis=1)

    y = compute(every_run, kernel)
    assert_close(y, np.concatenate([expected for _, _, expected in runs], axis=1))


@every_rank
@every_format
@pytest.mark.parametrize("mixed", [False, True], ids=["same", "mixed"])
def test_transposed_phases_of_every_rank(rank, data_format, mixed, assert_close):
    size = ((3, 2, 1) if mixed else (2, 3, 3))[:rank]
    options = {
        "strides": ((2, 3, 2) if mixed else (2, 1, 2))[:rank],
        "dilation_rate": ((2, 1, 3) if mixed else (1, 2, 1))[:rank],
        "padding": (((2, 1), "valid", "same") if mixed else ("same",) * 3)[:rank],
        "output_padding": ((0, 2, 1) if mixed else (1, 0, 0))[:rank],
        "groups": 2,
    }
    x, kernel = draw(shape_of((3, 2, 3)[:rank], 4, data_format), (*size, 3, 4))
    if data_format == "channels_first" and limits.needs_channels_last(x):
        return
    description = transposed_convolution(rank, size, data_format, **options)
    y = compute(lambda x, w: phases.transposed(x, w, description, dispatch._conv), x, kernel)
    assert_close(y, reference.conv_transpose(x, kernel, **options, data_format=data_format))


# Groups.


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_one_conv_a_group_splits_channels_and_filters(groups):
    asked = []
    x, kernel = draw((2, 7, 6), (3, 6 // groups, 12))
    description = convolution(1, 3, strides=2, dilation_rate=2, groups=groups)
    # The slices are made by the backend, in whose tensors the reference would lose its float64.
    dense = reference_conv(1, asked)
    y = grouped.one_conv_a_group(
        x, kernel, description, lambda x, w, c: dense(to_numpy(x), to_numpy(w), c)
    )
    expected = reference.conv(x, kernel, strides=2, dilation_rate=2, groups=groups)
    np.testing.assert_allclose(to_numpy(y), expected, atol=1e-5)
    assert [each.groups for each in asked] == [1] * groups


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_as_conv_kernel_swaps_the_channels_of_each_group(groups):
    filters, channels = 2, 6
    (kernel,) = draw((3, 2, filters, channels))
    turned = to_numpy(grouped.as_conv_kernel(kernel, types.SimpleNamespace(groups=groups)))
    a_group = channels // groups
    assert turned.shape == (3, 2, a_group, groups * filters)
    for group, filter_, channel in itertools.product(range(groups), range(filters), range(a_group)):
        np.testing.assert_array_equal(
            turned[:, :, channel, group * filters + filter_],
            kernel[:, :, filter_, group * a_group + channel],
        )


# Taps.


@every_rank
@every_format
@pytest.mark.parametrize("multiplier", [1, 3])
def test_taps(rank, data_format, multiplier, assert_close):
    size = (3, 2, 2)[:rank]
    x, kernel = draw(shape_of((6, 5, 4)[:rank], 2, data_format), (*size, 2, multiplier))
    options = {
        "strides": (2, 1, 3)[:rank],
        "dilation_rate": (2, 3, 1)[:rank],
        "padding": ("same", (1, 0), 0)[:rank],
        "padding_mode": ("zeros", "circular", "zeros")[:rank],
    }
    description = convolution(rank, size, data_format, **options)
    y = compute(lambda x, kernel: taps.depthwise(x, kernel, description), x, kernel)
    assert_close(y, reference.depthwise_conv(x, kernel, **options, data_format=data_format))


# Products.


@pytest.fixture
def few_at_a_time(monkeypatch):
    """Chunks of two samples, although these are small.

    On TensorFlow `ops.scan` wants results of the carry's shape, and no row has products there.
    """
    if on_tensorflow():
        pytest.skip("products loop over samples on JAX alone")
    monkeypatch.setattr(products, "_chunk", lambda shape, wide, enough: 2)


@pytest.mark.parametrize("batch", [1, 2, 4, 5])
@every_format
@pytest.mark.parametrize("operation", ["conv", "conv_transpose"])
def test_products_of_a_few_samples_at_a_time(
    operation, data_format, batch, few_at_a_time, assert_close
):
    options = {"strides": (1, 2), "dilation_rate": (2, 1), "padding": "same"}
    describe = {"conv": convolution, "conv_transpose": transposed_convolution}[operation]
    description = describe(2, (3, 2), data_format, **options)
    x, kernel = draw(shape_of((5, 6), 3, data_format, batch), (3, 2, 3, 3))
    formulation = dispatch.FORMULATIONS[operation]["products"]
    y = compute(lambda x, kernel: formulation(x, kernel, description), x, kernel)
    assert_close(y, getattr(reference, operation)(x, kernel, **options, data_format=data_format))


@pytest.mark.parametrize("operation", ["conv", "conv_transpose"])
def test_products_are_differentiated_in_every_way(operation, few_at_a_time, assert_close):
    """Forward, backward, twice and by `vmap`, as the native operation is; JAX alone has them."""
    if keras.backend.backend() != "jax":
        return
    import jax

    describe = {"conv": convolution, "conv_transpose": transposed_convolution}[operation]
    description = describe(2, (3, 2), padding="same")
    x, kernel, dx, dkernel = draw((4, 5, 6, 3), (3, 2, 3, 3), (4, 5, 6, 3), (3, 2, 3, 3))

    def derivatives(name):
        formulation = dispatch.FORMULATIONS[operation][name]

        def y(x, kernel):
            return formulation(x, kernel, description)

        def loss(x, kernel):
            return (y(x, kernel) ** 3).sum()

        gradient = jax.grad(loss, argnums=(0, 1))
        return jax.jit(
            lambda x, kernel, dx, dkernel: (
                gradient(x, kernel),
                jax.jvp(y, (x, kernel), (dx, dkernel)),
                jax.jvp(gradient, (x, kernel), (dx, dkernel))[1],
                jax.grad(
                    lambda x, kernel: sum((g**2).sum() for g in gradient(x, kernel)), argnums=(0, 1)
                )(x, kernel),
                jax.vmap(y)(jax.numpy.stack([x, dx]), jax.numpy.stack([kernel, dkernel])),
                jax.vmap(gradient, (0, None))(jax.numpy.stack([x, dx]), kernel),
            )
        )(x, kernel, dx, dkernel)

    ours, expected = map(jax.tree.leaves, (derivatives("products"), derivatives("native")))
    for value, wanted in zip(ours, expected, strict=True):
        assert_close(to_numpy(value), to_numpy(wanted))


ON_JAX = pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="no other backend uses it, or has this to show"
)
WINDOWS = {
    "valid": ((3, 2), {}),
    "same": ((3, 2), {"padding": "same", "dilation_rate": (1, 2)}),
    "beyond-the-reach": ((2, 3), {"padding": ((4, 0), (1, 5)), "dilation_rate": 2}),
    "causal-and-wrapped": (
        (3, 3), {"padding": ("causal", "same"), "padding_mode": ("zeros", "circular")}
    ),
}  # fmt: skip


@formats_in_turn(("window", "samples"), itertools.product(WINDOWS, (1, 2, 4)))
def test_threaded_derivatives_are_those_of_the_native_operation(
    window, data_format, samples, monkeypatch
):
    """Backward, twice, and of a batch, with the weights' gradient of so many samples at a time."""
    monkeypatch.setattr(threaded, "_samples", lambda n, numbers: samples)
    size, options = WINDOWS[window]
    description = convolution(2, size, data_format, **options)
    x, kernel = draw(shape_of((7, 6), 3, data_format, batch=4), (*size, 3, 4))
    assert_derivatives_of_the_native_operation("threaded", description, x, kernel)


@formats_in_turn(
    ("window", "many"),
    [*((window, table.MANY_WEIGHTS) for window in (*WINDOWS, "1d", "3d")), ("same", 20)],
)
def test_multiply_adds_derivatives_are_those_of_the_native_operation(
    window, data_format, many, monkeypatch
):
    """Backward, twice, and of a batch; with more filters than channels also the wide way back."""
    monkeypatch.setattr(multiply_adds, "MANY_WEIGHTS", many)
    others = {"1d": ((4,), {"padding": "causal"}), "3d": ((2, 1, 2), {"padding": "same"})}
    size, options = {**WINDOWS, **others}[window]
    lengths = (7, 6, 5)[: len(size)]
    description = convolution(len(size), size, data_format, groups=3, **options)
    x, kernel = draw(shape_of(lengths, 6, data_format, batch=4), (*size, 2, 12))
    assert_derivatives_of_the_native_operation("multiply_adds", description, x, kernel)


STRIDED = {
    "1d": ((3,), {"strides": 2, "padding": "causal"}),
    "same": ((3, 2), {"strides": 2, "padding": "same"}),
    "dilated": ((2, 3), {"strides": (3, 1), "padding": ((4, 0), (1, 5)), "dilation_rate": 2}),
    "steps-left-over": (
        (1, 2), {"strides": 4, "padding": ("same", "valid"), "padding_mode": ("zeros", "reflect")}
    ),
    "3d": ((2, 3, 3), {"strides": (1, 2, 3), "padding": "same"}),
}  # fmt: skip


@formats_in_turn(("window",), zip(STRIDED))
def test_strided_derivatives_are_those_of_the_native_operation(window, data_format):
    size, options = STRIDED[window]
    description = convolution(len(size), size, data_format, **options)
    shape = shape_of((7, 6, 8)[: len(size)], 3, data_format, batch=4)
    x, kernel = draw(shape, (*size, 3, 4))
    assert_derivatives_of_the_native_operation("strided", description, x, kernel)


@pytest.mark.skipif(not on_tensorflow(), reason="no other backend uses it")
@pytest.mark.parametrize("batch", [2, 0])
def test_strided_native_in_a_graph_of_unknown_batch(batch):
    """Its first and second derivatives are those of the native operation."""
    import tensorflow as tf

    x, kernel = draw((batch, 7, 6, 3), (3, 2, 3, 4))
    description = convolution(2, (3, 2), strides=(2, 3), padding="same")

    def derivatives(name):
        formulation = dispatch.FORMULATIONS["conv"][name]

        @tf.function(input_signature=[tf.TensorSpec((None, 7, 6, 3)), tf.TensorSpec(kernel.shape)])
        def of_both(x, kernel):
            with tf.GradientTape() as outer:
                outer.watch([x, kernel])
                with tf.GradientTape() as inner:
                    inner.watch([x, kernel])
                    y = formulation(x, kernel, description)
                    loss = tf.reduce_sum(y**3)
                first = inner.gradient(loss, [x, kernel])
                penalty = sum(tf.reduce_sum(g**2) for g in first)
            return [y, *first, *outer.gradient(penalty, [x, kernel])]

        return of_both(x, kernel)

    for ours, expected in zip(derivatives("strided_native"), derivatives("native"), strict=True):
        scale = np.abs(expected).max(initial=1)
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5 * scale)


# Positions that are summed in 5, 7 and 8 parts, and, those of the line, in one.
MANY_TAPS = {
    **{name: ((7, 6), *window) for name, window in WINDOWS.items()},
    "1d": ((17,), (5,), {"padding": "causal"}),
    "3d": ((3, 4, 5), (2, 1, 2), {"padding": "same"}),
}


@formats_in_turn(("window",), zip(MANY_TAPS))
def test_many_taps_derivatives_are_those_of_the_native_operation(window, data_format):
    lengths, size, options = MANY_TAPS[window]
    description = convolution(len(size), size, data_format, **options)
    x, kernel = draw(shape_of(lengths, 3, data_format, batch=2), (*size, 3, 1))
    assert_derivatives_of_the_native_operation(
        "many_taps", description, x, kernel, operation="depthwise_conv"
    )


@ON_JAX
def test_an_infinite_input_reaches_the_weights_of_the_taps_that_read_it():
    import jax

    x, kernel = draw((2, 4, 5, 2), (3, 2, 2, 1))
    x[1, 0, 1, 0] = np.inf  # In the first row: the second and the third tap's rows begin below it.
    description = convolution(2, (3, 2))
    formulation = dispatch.FORMULATIONS["depthwise_conv"]["many_taps"]
    gradient = jax.jit(jax.grad(lambda w: formulation(x, w, description).sum()))(kernel)
    expected = np.zeros(kernel.shape, bool)
    expected[0, :, 0] = True
    np.testing.assert_array_equal(~np.isfinite(gradient), expected)


def assert_derivatives_of_the_native_operation(name, description, x, kernel, operation="conv"):
    if keras.backend.backend() != "jax":
        return  # No other backend uses it.
    import jax

    def every_derivative(formulation):
        def f(x, kernel):
            return formulation(x, kernel, description)

        gradient = jax.grad(lambda x, kernel: (f(x, kernel) ** 3).sum(), (0, 1))

        def all_of_them(x, kernel):
            second = jax.grad(
                lambda x, kernel: sum((g**2).sum() for g in gradient(x, kernel)), (0, 1)
            )
            kernels = keras.ops.stack([kernel, 2 * kernel])
            return (
                f(x, kernel),
                gradient(x, kernel),
                second(x, kernel),
                jax.vmap(f, (None, 0))(x, kernels),
                jax.vmap(gradient, (None, 0))(x, kernels),
            )

        return jax.tree.leaves(jax.jit(all_of_them)(x, kernel))

    formulations = dispatch.FORMULATIONS[operation]
    ours, expected = map(every_derivative, (formulations[name], formulations["native"]))
    assert len(ours) == len(expected) == 8
    for one, other in zip(ours, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * np.abs(other).max())


def test_threaded_takes_as_many_samples_as_are_enough(monkeypatch):
    monkeypatch.setattr(threaded, "ENOUGH", 100)
    assert [threaded._samples(n, 30) for n in (1, 2, 5, 8, 9)] == [1, 2, 1, 2, 3]
    assert threaded._samples(8, 1) == 8
    assert threaded._samples(8, 1000) == 1


@pytest.mark.parametrize("groups", [1, 4])
def test_forward_mode_has_to_ask_for_the_native_operation(groups, monkeypatch):
    """As the README says: JAX differentiates what has a gradient of its own backward alone."""
    if keras.backend.backend() != "jax":
        return
    import jax

    # On one core the native operation is the choice as well.
    monkeypatch.setattr(case, "on_one_core", lambda: False)
    x, kernel = draw((2, 64, 64, 16), (3, 3, 16 // groups, 4))
    description = convolution(2, 3, groups=groups)

    def tangent():
        return jax.jvp(lambda x: dispatch.conv(x, kernel, description), (x,), (x,))[1]

    with pytest.raises(TypeError, match="forward-mode"):
        tangent()
    with lowering.prefer(conv="native"):
        assert tangent().shape == (2, 62, 62, 4)


@ON_JAX
def test_forward_mode_of_large_kernels_has_to_ask_for_taps():
    import jax

    x, kernel = draw((1, 6, 6, 2), (5, 5, 2, 1))
    description = convolution(2, 5)

    def tangent():
        return jax.jvp(lambda x: dispatch.depthwise_conv(x, kernel, description), (x,), (x,))[1]

    with pytest.raises(TypeError, match="forward-mode"):
        tangent()
    with lowering.prefer(depthwise_conv="taps"):
        assert tangent().shape == (1, 2, 2, 2)


def test_chunks_divide_the_batch_where_one_near_does():
    assert products._chunk((8, 4, 4, 1), 16, 512) == 2
    assert products._chunk((8, 4, 4, 1), 16, 700) == 4
    assert products._chunk((8, 4, 4, 1), 16, 10**6) == 8
    assert products._chunk((31, 4, 4, 1), 16, 512) == 2
    assert products._chunk((0, 4, 4, 1), 16, 512) == 0


# Lengths that go in 8, 7, 3, 11 and no parts; the batch is one sample, so that channels_first too
# depends on the length.
@every_format
@pytest.mark.parametrize("n", [8, 7, 9, 11, 17])
@pytest.mark.parametrize("multiplier", [1, 3])
def test_taps_summed_in_parts(n, multiplier, data_format, assert_close):
    x, kernel = draw(shape_of((n, 5), 2, data_format, batch=1), (1, 2, 2, multiplier))
    description = convolution(2, (1, 2), data_format)
    y = compute(lambda x, w: taps.depthwise_summed_in_parts(x, w, description), x, kernel)
    assert_close(y, reference.depthwise_conv(x, kernel, data_format=data_format))


def test_barriers_whatever_number_the_kernel_begins_with(assert_close):
    x, kernel = draw((2, 5, 2), (3, 2, 1))
    kernel[0, 0] = np.nan
    description = convolution(1, (3,), "channels_last")
    y = compute(lambda x, w: taps.depthwise_between_barriers(x, w, description), x, kernel)
    wanted = reference.depthwise_conv(x, kernel, data_format="channels_last")
    assert np.isnan(y[..., 0]).all()
    assert_close(y[..., 1], wanted[..., 1])


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="no other backend uses it")
@every_format
def test_multiply_adds_whatever_number_the_kernel_begins_with(data_format, assert_close):
    x, kernel = draw(shape_of((5, 4), 4, data_format), (3, 2, 2, 6))
    kernel[0, 0, 0, 0] = np.nan
    options = {"dilation_rate": (1, 2), "groups": 2}
    description = convolution(2, (3, 2), data_format, **options)
    formulation = dispatch.FORMULATIONS["conv"]["multiply_adds"]
    y = compute(lambda x, w: formulation(x, w, description), x, kernel)
    wanted = reference.conv(x, kernel, data_format=data_format, **options)
    assert (np.isnan(y) == np.isnan(wanted)).all() and np.isnan(y).any()
    assert_close(np.nan_to_num(y), np.nan_to_num(wanted))


DERIVED = {
    "taps_between_barriers": (
        "depthwise_conv",
        (3, 2, 4, 2),
        {"padding": "same", "strides": (2, 1)},
    ),
    "taps_summed_in_parts": (
        "depthwise_conv",
        (3, 2, 4, 2),
        {"padding": "same", "strides": (2, 1)},
    ),
    "pointwise": ("conv", (1, 1, 4, 3), {"strides": 2, "padding": 1}),
}


@formats_in_turn(("name", "batch"), itertools.product(DERIVED, (1, 4)))
def test_derivatives_are_those_of_the_native_operation(name, batch, data_format):
    """First, forward, second, and of a batch of kernels: what the formulations are shaped for."""
    if keras.backend.backend() != "jax":
        return  # No other backend uses them.
    import jax

    operation, kernel_shape, options = DERIVED[name]
    description = convolution(2, kernel_shape[:2], data_format, **options)
    x, kernel = draw(shape_of((8, 6), 4, data_format, batch=batch), kernel_shape)
    tangents = draw(x.shape[::-1], kernel_shape[::-1])
    tangents = tuple(t.transpose() for t in tangents)

    def every_derivative(formulation):
        def f(x, kernel):
            return formulation(x, kernel, description)

        def loss(x, kernel):
            return (f(x, kernel) ** 3).sum()

        gradient = jax.grad(loss, (0, 1))

        def all_of_them(x, kernel):
            second = jax.grad(
                lambda x, kernel: sum((g**2).sum() for g in gradient(x, kernel)), (0, 1)
            )
            kernels = keras.ops.stack([kernel, 2 * kernel, tangents[1]])
            return (
                gradient(x, kernel),
                jax.jvp(f, (x, kernel), tangents),
                jax.jvp(gradient, (x, kernel), tangents),
                second(x, kernel),
                jax.vmap(f, (None, 0))(x, kernels),
                jax.vmap(gradient, (None, 0))(x, kernels),
            )

        return jax.tree.leaves(jax.jit(all_of_them)(x, kernel))

    formulations = dispatch.FORMULATIONS[operation]
    ours, expected = map(every_derivative, (formulations[name], formulations["native"]))
    assert len(ours) == len(expected) == 13
    for one, other in zip(ours, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * np.abs(other).max())


# Padding.


def modes_and_pairs(n):
    """Each mode with the widest amounts that its slices serve, and with one side alone."""
    for mode, widest in (("reflect", n - 1), ("replicate", n + 2), ("circular", n)):
        for pair in ((widest, 1), (0, widest), (2, 0)):
            yield mode, pair


@every_format
@pytest.mark.parametrize("way", ["concatenate", "gather"])
def test_padding_by_slices_and_by_indices(way, data_format):
    """The slices serve where a length is known, the indices elsewhere: both in all modes."""
    n, axis = 4, -2 if data_format == "channels_last" else -1
    (x,) = draw(shape_of((n,), 3, data_format))
    cases = list(modes_and_pairs(n))

    def every_case(x):
        padded = [
            padding._concatenate(x, axis, pair, mode)
            if way == "concatenate"
            else padding._gather(x, axis, pair, mode, 0.0)
            for mode, pair in cases
        ]
        return keras.ops.concatenate(padded, axis=axis)

    expected = [
        reference.pad(x, rank=1, padding=pair, padding_mode=mode, data_format=data_format)
        for mode, pair in cases
    ]
    np.testing.assert_array_equal(
        compute(every_case, x), np.concatenate(expected, axis=axis).astype("float32")
    )


@every_format
@pytest.mark.parametrize("rank", [1, 2])
def test_zeros_around_images_need_no_operation_of_keras(rank, data_format, monkeypatch):
    """Keras would make one at each call, which takes longer than a small padding."""

    def no_pad(*args, **kwargs):
        raise AssertionError("ops.pad was called")

    monkeypatch.setattr(keras.ops, "pad", no_pad)
    (x,) = draw(shape_of(LENGTHS[rank], 3, data_format))
    pairs = ((0, 2), (3, 1))[:rank]
    description = Padding(SpatialAxes(rank, data_format), pairs, ("zeros",) * rank)
    expected = reference.pad(x, rank=rank, padding=pairs, data_format=data_format)
    y = compute(lambda x: padding.pad(x, description), x)
    np.testing.assert_array_equal(y, expected.astype("float32"))


def test_gathered_zeros_and_circles():
    """What slices don't do: a value outside, and more than once around."""
    (x,) = draw((2, 4, 3))
    for mode, pair, value in (("zeros", (3, 2), 1.5), ("circular", (9, 13), 0.0)):
        expected = reference.pad(x, rank=1, padding=pair, padding_mode=mode, value=value)
        y = compute(lambda x, a=(pair, mode, value): padding._gather(x, -2, *a), x)
        np.testing.assert_array_equal(y, expected.astype("float32"))


@pytest.mark.parametrize("mode", arguments.PADDING_MODES)
def test_padding_by_amounts_that_are_tensors(mode):
    """As 'same' has them where a length isn't known; only TensorFlow makes such graphs."""
    if not on_tensorflow():
        return
    import tensorflow as tf

    description = convolution(1, 4, strides=3, padding="same", padding_mode=mode)

    @tf.function(input_signature=[tf.TensorSpec((2, None, 3))])
    def pad(x):
        assert x.shape[1] is None
        return padding.pad_to_valid(x, description)[0]

    for n in range(2, 9):
        (x,) = draw((2, n, 3))
        pair = geometry.same_amounts(n, 3, 4)
        expected = reference.pad(x, rank=1, padding=pair, padding_mode=mode)
        np.testing.assert_array_equal(pad(x), expected.astype("float32"))


def test_same_amounts_of_tensors():
    lengths = np.arange(1, 12, dtype="int32")
    for k, s in itertools.product((1, 2, 5), (1, 2, 3)):
        before, after = padding._same_amounts(keras.ops.convert_to_tensor(lengths), s, k)
        pairs = list(zip(to_numpy(before).tolist(), to_numpy(after).tolist(), strict=True))
        assert pairs == [geometry.same_amounts(n, s, k) for n in lengths.tolist()]


# Upsampling.

METHODS = ("linear", "cubic", "lanczos3", "lanczos5")
# Eagerly JAX compiles every small operation, and TensorFlow compiles for longer than it runs.
QUICKEST = "compiled" if keras.backend.backend() == "jax" else "eager"
NEAREST = ("repeat", "stacked", "repeat_channels_last")
FILTERED = [name for name in dispatch.UPSAMPLE if name not in ("native", *NEAREST)]


def upsampling_layer(name, description):
    """A layer that can be differentiated, of one formulation."""
    layer = keras.layers.Lambda(lambda x: dispatch.UPSAMPLE[name](x, description))
    layer.build(None)
    return layer


def assert_upsampled(formulation, x, description, assert_close):
    axes = description.axes
    expected = reference.upsample(
        x,
        rank=axes.rank,
        size=description.sizes,
        interpolation=description.interpolation,
        data_format=axes.data_format,
    )
    assert_close(compute(lambda x: formulation(x, description), x), expected)


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", FILTERED)
def test_filtered_forwards_and_back(name, method, size, assert_close):
    """One step is filtered at both of its ends, and so are most of few."""
    for n in (1, 4):
        options = {"size": size, "interpolation": method}
        description = upsampling(1, **options)
        (x,) = draw((2, n, 3))
        expected = reference.upsample(x, rank=1, **options)
        (cotangent,) = draw(expected.shape)
        layer = upsampling_layer(name, description)
        result = differentiate(layer, x, cotangent, QUICKEST)
        assert_close(result.output, expected)
        gradient = reference.upsample_vjp(x, cotangent, rank=1, **options)
        assert_close(result.input_gradient, gradient)


@every_rank
@every_format
@pytest.mark.parametrize("name", dispatch.UPSAMPLE)
def test_upsampling_of_every_rank(name, rank, data_format, assert_close):
    if name == "native" and rank == 3:
        return  # Images have two axes.
    # What TensorFlow's resizing rounds well: factors of two.
    sizes = (4, 2, 1)[:rank] if name == "native" else (3, 2, 1)[:rank]
    if name == "repeat_channels_last" and data_format == "channels_last":
        return
    methods = ["linear"] if name == "native" else ["nearest" if name in NEAREST else "cubic"]
    if name == "native" and keras.backend.backend() == "torch":
        methods.append("nearest")
    # Leading batch axes are each formulation's own affair here.
    (x,) = draw((2, *shape_of((2, 3, 2)[:rank], 3, data_format)))
    for method in methods:
        description = upsampling(rank, sizes, method, data_format)
        assert_upsampled(dispatch.UPSAMPLE[name], x, description, assert_close)


@every_format
@pytest.mark.parametrize("sizes", [(2, 4), (3, 3), (1, 9)])
def test_stacked_copies_at_once_and_axis_by_axis(sizes, data_format, assert_close):
    (x,) = draw(shape_of((2, 3), 2, data_format))
    assert_upsampled(
        dispatch.UPSAMPLE["stacked"], x, upsampling(2, sizes, "nearest", data_format), assert_close
    )


@pytest.mark.parametrize("method", METHODS)
def test_phase_filters_are_shifted_kernels(method):
    kernel, radius = filters.KERNELS[method]
    assert [kernel(float(t)) for t in range(-radius, radius + 1) if t] == [0.0] * (2 * radius)
    assert kernel(0.0) == 1.0
    for size in (2, 3, 4):
        for phase in range(size):
            filter_ = filters.phase_filter(method, size, phase)
            mirrored = filters.phase_filter(method, size, size - 1 - phase)
            assert [tap.offset for tap in filter_] == [-tap.offset for tap in mirrored[::-1]]
            weights = [tap.weight for tap in filter_]
            np.testing.assert_allclose(weights, [tap.weight for tap in mirrored[::-1]], rtol=1e-12)
            assert all(weights)


# NaN and infinity stay in their windows.

SPREADING = {
    "taps": ("depthwise_conv", (7,), (3, 2, 2), {"padding": 2, "dilation_rate": 2}),
    "taps_summed_in_parts": (
        "depthwise_conv", (8,), (3, 2, 2), {"padding": 2, "dilation_rate": 2}
    ),
    "taps_between_barriers": (
        "depthwise_conv", (8,), (3, 2, 2), {"padding": 2, "dilation_rate": 2}
    ),
    "many_taps": (
        "depthwise_conv", (6, 7), (3, 2, 2, 1), {"padding": "same", "dilation_rate": (1, 2)}
    ),
    "planes": ("depthwise_conv", (4, 5, 6), (3, 2, 2, 2, 2), {"padding": 1, "dilation_rate": 2}),
    "pointwise": ("conv", (9,), (1, 2, 3), {"padding": 2, "strides": 2}),
    "threaded": ("conv", (6, 7), (3, 2, 2, 3), {"padding": "same", "dilation_rate": (1, 2)}),
    "multiply_adds": (
        "conv", (6, 7), (3, 2, 1, 4), {"padding": "same", "dilation_rate": (1, 2), "groups": 2}
    ),
    "strided": ("conv", (6, 7), (3, 2, 2, 3), {"padding": "same", "strides": (1, 2)}),
    "strided_native": ("conv", (6, 7), (3, 2, 2, 3), {"padding": "same", "strides": (1, 2)}),
    "conv-phases": (
        "conv", (9,), (3, 2, 3), {"padding": "same", "strides": 3, "dilation_rate": 2}
    ),
    "conv-phases-of-one-divisor": (
        "conv", (9,), (3, 2, 3), {"padding": "same", "strides": 2, "dilation_rate": 2}
    ),
    "depthwise-phases": (
        "depthwise_conv", (11,), (3, 2, 2), {"strides": 2, "dilation_rate": 3}
    ),
    "conv-products": ("conv", (7,), (3, 2, 3), {"padding": "same", "dilation_rate": 2}),
    "conv-products-strided": ("conv", (9,), (3, 2, 3), {"padding": "same", "strides": 2}),
    "transposed-products": (
        "conv_transpose", (5,), (3, 4, 2), {"padding": "same", "strides": 2, "dilation_rate": 3}
    ),
    "transposed-phases": (
        "conv_transpose", (5,), (3, 4, 2), {"padding": "same", "strides": 2, "dilation_rate": 3}
    ),
    "transposed-phases-without-taps": (
        "conv_transpose", (5,), (2, 4, 2), {"strides": 4, "output_padding": 3}
    ),
}  # fmt: skip


def formulation_of(name, operation):
    """That of the longest name that this one begins or goes on with."""
    formulations = dispatch.FORMULATIONS[operation]
    return formulations[max((each for each in formulations if each in name), key=len)]


@pytest.mark.parametrize("value", [np.nan, np.inf], ids=["nan", "inf"])
@pytest.mark.parametrize("name", SPREADING)
def test_not_finite_outputs_are_those_that_read_it(name, value):
    operation, lengths, kernel_shape, options = SPREADING[name]
    x, kernel = draw((2, *lengths, 2), kernel_shape)
    place = (1, *(length // 2 for length in lengths), 0)
    x[place] = value
    touched = np.zeros_like(x)
    touched[place] = 1.0
    expected = getattr(reference, operation)(touched, np.ones_like(kernel), **options) != 0
    assert expected.any() and not expected.all()
    describe = transposed_convolution if operation == "conv_transpose" else convolution
    description = describe(len(lengths), kernel_shape[: len(lengths)], **options)
    formulation = formulation_of(name, operation)
    y = compute(lambda x, kernel: formulation(x, kernel, description), x, kernel)
    np.testing.assert_array_equal(~np.isfinite(y), expected)


@pytest.mark.parametrize("operation", ["conv", "conv_transpose"])
def test_products_shift_infinity_to_nothing_that_does_not_read_it(operation, few_at_a_time):
    options = {"strides": (2, 1), "padding": "same"}  # The last axis is left to be shifted.
    x, kernel = draw((4, 6, 7, 2), (3, 3, 2, 2))
    x[1, 2, 3, 0] = np.inf
    touched = np.isinf(x).astype("float32")
    expected = getattr(reference, operation)(touched, np.ones_like(kernel), **options) != 0
    assert expected.any() and not expected.all()
    describe = {"conv": convolution, "conv_transpose": transposed_convolution}[operation]
    description = describe(2, (3, 3), **options)
    formulation = dispatch.FORMULATIONS[operation]["products"]
    y = compute(lambda x, kernel: formulation(x, kernel, description), x, kernel)
    np.testing.assert_array_equal(~np.isfinite(y), expected)


@ON_JAX
@pytest.mark.parametrize("name", SPREADING)
def test_a_second_call_compiles_nothing_where_nothing_is_compiled_around_it(name, caplog):
    operation, lengths, kernel_shape, options = SPREADING[name]
    describe = transposed_convolution if operation == "conv_transpose" else convolution
    description = describe(len(lengths), kernel_shape[: len(lengths)], **options)
    formulation = formulation_of(name, operation)
    x, kernel = map(keras.ops.convert_to_tensor, draw((2, *lengths, 2), kernel_shape))
    assert_compiles_once(lambda x: formulation(x, kernel, description), x, caplog)


@ON_JAX
@pytest.mark.parametrize("name", ["stacked", "phases_both_ways", "gathers_both_ways"])
def test_a_second_upsampling_compiles_nothing_either(name, caplog):
    interpolation = "nearest" if name == "stacked" else "cubic"
    description = upsampling(2, (2, 3), interpolation)
    x = keras.ops.convert_to_tensor(*draw((2, 5, 4, 3)))
    assert_compiles_once(lambda x: dispatch.UPSAMPLE[name](x, description), x, caplog)


def assert_compiles_once(f, x, caplog):
    import jax

    def call():
        f(x)
        jax.grad(lambda x: f(x).sum())(x)

    call()
    with jax.log_compiles():
        jax.jit(lambda x: x + 1)(x)
        assert compilations(caplog), "JAX no longer tells of what it compiles by these words"
        caplog.clear()
        call()
        assert not compilations(caplog)


def compilations(caplog):
    return [text for text in caplog.messages if text.startswith("Compiling")]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", FILTERED)
def test_interpolation_keeps_what_is_not_finite_where_it_is_read(name, method):
    # A factor of 3 has outputs that stand on an input and read it alone.
    options = {"size": 3, "interpolation": method}
    layer = upsampling_layer(name, upsampling(1, **options))
    # A linear map: the output doesn't see the cotangent, nor the gradient the input. Channels
    # don't see each other, so that each has its own fault at a place of its own.
    x, cotangent = draw((2, 13, 6), (2, 39, 6))
    touched_x, touched_cotangent = np.zeros_like(x), np.zeros_like(cotangent)
    faults = itertools.product((np.inf, np.nan), ((0, 0), (6, 19), (12, 38)))
    for channel, (value, (read, pulled)) in enumerate(faults):
        x[1, read, channel] = cotangent[1, pulled, channel] = value
        touched_x[1, read, channel] = touched_cotangent[1, pulled, channel] = 1.0
    y, gradient, _ = differentiate(layer, x, cotangent, QUICKEST)
    expected = reference.upsample(touched_x, rank=1, **options)
    np.testing.assert_array_equal(~np.isfinite(y), expected != 0)
    assert not np.isnan(y[..., :3]).any(), "infinity times zero"
    expected = reference.upsample_vjp(x, touched_cotangent, rank=1, **options)
    np.testing.assert_array_equal(~np.isfinite(gradient), expected != 0)


@every_rank
@every_format
def test_linear_interpolation_as_chosen_keeps_infinity_where_it_is_read(rank, data_format):
    """Also beside an axis that stays as long as it is, in the resizing of two axes at a time."""
    options = {"size": (2, 1, 4)[:rank], "interpolation": "linear"}
    (x,) = draw(shape_of((5, 4, 6)[:rank], 2, data_format))
    x[tuple(length // 2 for length in x.shape)] = np.inf
    touched = np.isinf(x).astype("float32")
    expected = reference.upsample(touched, rank=rank, data_format=data_format, **options) != 0
    description = upsampling(rank, data_format=data_format, **options)
    y = compute(lambda x: dispatch.upsample(x, description), x)
    np.testing.assert_array_equal(~np.isfinite(y), expected)


# Layout.


@every_rank
@pytest.mark.parametrize("batch", [(2,), (2, 3), (2, 1, 3)], ids=str)
def test_fold_and_unfold(rank, batch):
    (x,) = draw((*batch, *LENGTHS[rank], 3))
    first_two = (*(slice(None),) * len(batch), slice(2))
    folded, unfold = layout.fold_batch(keras.ops.convert_to_tensor(x), rank)
    np.testing.assert_array_equal(to_numpy(folded), x.reshape(-1, *LENGTHS[rank], 3))
    # The result may have other lengths than the input.
    np.testing.assert_array_equal(to_numpy(unfold(folded[:, :2])), x[first_two])


@every_rank
def test_channels_move_there_and_back(rank):
    (x,) = draw((2, *LENGTHS[rank], 3))
    first = layout.to_channels_first(x, rank)
    np.testing.assert_array_equal(to_numpy(first), np.moveaxis(x, -1, 1))
    np.testing.assert_array_equal(to_numpy(layout.to_channels_last(first, rank)), x)


@every_rank
@every_format
def test_bias_is_added_to_channels(rank, data_format):
    """As many channels as the last axis is long: `keras.ops.add` fails that on TensorFlow."""
    x, bias = draw((2, *(4,) * (rank + 1)), (4,))
    axes = SpatialAxes(rank, data_format)
    tensors = map(keras.ops.convert_to_tensor, (x, bias))
    behind = rank if data_format == "channels_first" else 0
    expected = x + bias.reshape(-1, *(1,) * behind)
    np.testing.assert_array_equal(to_numpy(layout.add_bias(*tensors, axes)), expected)


@every_format
def test_crop_cuts_each_side(data_format):
    axes = SpatialAxes(2, data_format)
    (x,) = draw(shape_of((5, 6), 3, data_format))
    for amounts in (((0, 0), (0, 0)), ((1, 0), (0, 2)), ((0, 3), (5, 0))):
        y = layout.crop(x, Cropping(axes, amounts))
        expected = reference.crop(x, rank=2, cropping=amounts, data_format=data_format)
        np.testing.assert_array_equal(y, expected.astype("float32"))
