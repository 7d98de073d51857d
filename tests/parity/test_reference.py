"""The reference against facts that do not come from it: loops, scipy, np.pad, and adjointness."""

import ast
import itertools
import math
import pathlib
import sys

import numpy as np
import pytest
from scipy import ndimage, signal

from keras_convkit.parity import reference
from tests.once import ONCE

pytestmark = ONCE

NP_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def windows_conv(x, kernel, pads, modes, strides, dilation, groups=1):
    """Channels-last convolution by cutting windows out of an array padded by `np.pad`."""
    rank = kernel.ndim - 2
    for axis, (pair, mode) in enumerate(zip(pads, modes, strict=True), start=1):
        widths = [(0, 0)] * x.ndim
        widths[axis] = pair
        x = np.pad(x, widths, mode=NP_MODES[mode])
    reach = [(k - 1) * d + 1 for k, d in zip(kernel.shape, dilation, strict=False)]
    out = [(n - e) // s + 1 for n, e, s in zip(x.shape[1 : 1 + rank], reach, strides, strict=True)]
    filters = kernel.shape[-1]
    per_group_in, per_group_out = x.shape[-1] // groups, filters // groups
    y = np.empty((x.shape[0], *out, filters))
    for position in np.ndindex(*out):
        corner = [p * s for p, s in zip(position, strides, strict=True)]
        cut = tuple(slice(c, c + e, d) for c, e, d in zip(corner, reach, dilation, strict=True))
        window = x[(slice(None), *cut)]
        for f in range(filters):
            first = f // per_group_out * per_group_in
            part = window[..., first : first + per_group_in]
            y[(slice(None), *position, f)] = (part * kernel[..., f]).reshape(len(x), -1).sum(1)
    return y


def full_transposed(x, kernel, strides, dilation, groups):
    """Channels-last full transposed convolution: stuff zeros, then convolve with scipy."""
    rank = kernel.ndim - 2
    spatial = x.shape[1 : 1 + rank]
    stuffed = np.zeros(
        (len(x), *((n - 1) * s + 1 for n, s in zip(spatial, strides, strict=True)), x.shape[-1])
    )
    stuffed[(slice(None), *(slice(None, None, s) for s in strides))] = x
    wide = np.zeros(
        (
            *((k - 1) * d + 1 for k, d in zip(kernel.shape, dilation, strict=False)),
            *kernel.shape[-2:],
        )
    )
    wide[tuple(slice(None, None, d) for d in dilation)] = kernel
    per_group_out, per_group_in = kernel.shape[-2], kernel.shape[-1] // groups
    return np.stack(
        [
            np.stack(
                [
                    sum(
                        signal.convolve(sample[..., i], wide[..., f % per_group_out, i])
                        for i in range(
                            f // per_group_out * per_group_in,
                            (f // per_group_out + 1) * per_group_in,
                        )
                    )
                    for f in range(per_group_out * groups)
                ],
                axis=-1,
            )
            for sample in stuffed
        ]
    )


def assert_adjoint(rng, forward, vjp, arrays, linear_in):
    """Checks `<A v, u> = <v, A^T u>` for each argument that the operation is linear in."""
    y = forward(*arrays)
    cotangent = rng.normal(size=y.shape)
    gradients = vjp(*arrays, cotangent)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    assert len(gradients) == len(arrays)
    for position in linear_in:
        direction = rng.normal(size=arrays[position].shape)
        moved = forward(*(direction if i == position else a for i, a in enumerate(arrays)))
        assert gradients[position].shape == arrays[position].shape
        np.testing.assert_allclose(
            np.vdot(moved, cotangent),
            np.vdot(direction, gradients[position]),
            rtol=1e-10,
            atol=1e-10,
        )


def test_imports_only_numpy_and_the_standard_library():
    tree = ast.parse(pathlib.Path(reference.__file__).read_text(encoding="utf-8"))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(node.module.split(".")[0])
    assert imported - set(sys.stdlib_module_names) == {"numpy"}


# Convolution.


def test_conv_1d_is_correlation(rng):
    x, w = rng.normal(size=11), rng.normal(size=4)
    expected = np.convolve(x, w[::-1], mode="valid")
    actual = reference.conv(x[None, :, None], w[:, None, None])
    np.testing.assert_allclose(actual[0, :, 0], expected, rtol=1e-13)


@pytest.mark.parametrize("mode", ["valid", "same"])
def test_conv_3d_against_scipy(rng, mode):
    x, w = rng.normal(size=(2, 6, 5, 7, 3)), rng.normal(size=(3, 3, 5, 3, 4))
    expected = [
        [
            sum(signal.correlate(x[b, ..., i], w[..., i, f], mode=mode) for i in range(3))
            for f in range(4)
        ]
        for b in range(2)
    ]
    actual = reference.conv(x, w, padding=mode)
    np.testing.assert_allclose(actual, np.moveaxis(expected, 1, -1), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("mode", NP_MODES)
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize(
    ("strides", "dilation"), [((1, 1), (1, 1)), ((2, 3), (1, 1)), ((2, 1), (2, 3))]
)
def test_conv_2d_against_windows(rng, mode, groups, strides, dilation):
    x, w = rng.normal(size=(2, 8, 9, 4)), rng.normal(size=(3, 2, 4 // groups, 6))
    pads = ((2, 3), (0, 1))
    actual = reference.conv(
        x,
        w,
        strides=strides,
        dilation_rate=dilation,
        padding=pads,
        padding_mode=mode,
        groups=groups,
    )
    expected = windows_conv(x, w, pads, (mode, mode), strides, dilation, groups)
    np.testing.assert_allclose(actual, expected, rtol=1e-11, atol=1e-12)


def test_conv_globe_with_a_mode_each_dimension(rng):
    x, w = rng.normal(size=(1, 5, 6, 2)), rng.normal(size=(3, 5, 2, 3))
    actual = reference.conv(x, w, padding="same", padding_mode=("replicate", "circular"))
    expected = windows_conv(x, w, ((1, 1), (2, 2)), ("replicate", "circular"), (1, 1), (1, 1))
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-13)
    # On a globe, turning the input turns the output.
    turned = reference.conv(
        np.roll(x, 2, axis=2), w, padding="same", padding_mode=["replicate", "circular"]
    )
    np.testing.assert_allclose(turned, np.roll(actual, 2, axis=2), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    ("n", "k", "s", "d"),
    list(itertools.product([1, 2, 3, 7, 8], [1, 2, 3, 5], [1, 2, 3, 4], [1, 2, 3])),
)
def test_conv_lengths_and_paddings(rng, n, k, s, d):
    e = (k - 1) * d + 1
    x, w = rng.normal(size=(1, n, 1)), rng.normal(size=(k, 1, 1))
    options = {"strides": s, "dilation_rate": d}
    if n >= e:
        assert reference.conv(x, w, **options).shape[1] == math.floor((n - e) / s) + 1
    out = math.ceil(n / s)
    total = max((out - 1) * s + e - n, 0)
    pair = (total // 2, total - total // 2)
    same = reference.conv(x, w, padding="same", **options)
    assert same.shape[1] == out
    expected = windows_conv(x, w, [pair], ["zeros"], (s,), (d,))
    np.testing.assert_allclose(same, expected[:, :out], rtol=1e-12, atol=1e-13)
    causal = reference.conv(x, w, padding="causal", **options)
    expected = windows_conv(x, w, [(e - 1, 0)], ["zeros"], (s,), (d,))
    np.testing.assert_allclose(causal, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("mode", ["zeros", "replicate", "circular"])
def test_causal_time_sees_no_future(rng, mode):
    x, w = rng.normal(size=(1, 6, 5, 4, 2)), rng.normal(size=(3, 3, 3, 2, 2))
    options = {"padding": ("causal", "same", "same"), "dilation_rate": (2, 1, 1)}
    before = reference.conv(x, w, padding_mode=("zeros", mode, mode), **options)
    assert before.shape == x.shape
    changed = x.copy()
    changed[:, 4:] = np.nan
    after = reference.conv(changed, w, padding_mode=("zeros", mode, mode), **options)
    np.testing.assert_array_equal(before[:, :4], after[:, :4])
    assert np.isnan(after[:, 4:]).all()


@pytest.mark.parametrize(
    ("padding", "pairs"),
    [
        (2, [(2, 2)]),
        ((1, 2), [(1, 2)]),
        ([1, 2], [(1, 2)]),
        (((1, 2),), [(1, 2)]),
        ((3,), [(3, 3)]),
        (("causal",), [(2, 0)]),
        (1, [(1, 1), (1, 1)]),
        ((1, 2), [(1, 1), (2, 2)]),
        (("same", (2, 0)), [(1, 1), (2, 0)]),
        (("valid", "causal"), [(0, 0), (2, 0)]),
    ],
)
def test_forms_of_padding(rng, padding, pairs):
    rank = len(pairs)
    x, w = rng.normal(size=(2, *(7, 6)[:rank], 2)), rng.normal(size=(*(3, 3)[:rank], 2, 2))
    expected = windows_conv(x, w, pairs, ["zeros"] * rank, (1,) * rank, (1,) * rank)
    np.testing.assert_allclose(reference.conv(x, w, padding=padding), expected, atol=1e-13)


def test_rejects_what_has_no_meaning():
    x, w = np.ones((1, 4, 1)), np.ones((3, 1, 1))
    with pytest.raises(ValueError, match="reflect"):
        reference.conv(x, w, padding=4, padding_mode="reflect")
    with pytest.raises(ValueError, match="padding mode"):
        reference.conv(x, w, padding=1, padding_mode="mirror")
    with pytest.raises(ValueError, match="one a dimension"):
        reference.conv(x, w, strides=(1, 2))


def test_nan_under_zero_padding_stays_in_its_windows(rng):
    x = np.ones((1, 6, 1))
    x[0, 5] = np.nan
    y = reference.conv(x, np.ones((3, 1, 1)), padding="same")
    np.testing.assert_array_equal(np.isnan(y[0, :, 0]), [0, 0, 0, 0, 1, 1])


def test_depthwise_is_channel_major(rng):
    x, w = rng.normal(size=(2, 6, 5, 3)), rng.normal(size=(3, 2, 3, 4))
    y = reference.depthwise_conv(x, w)
    for c, m in itertools.product(range(3), range(4)):
        expected = [signal.correlate(sample[..., c], w[..., c, m], "valid") for sample in x]
        np.testing.assert_allclose(y[..., c * 4 + m], expected, rtol=1e-11, atol=1e-13)


def test_separable_is_depthwise_then_pointwise(rng):
    x = rng.normal(size=(2, 6, 5, 3))
    depthwise, pointwise = rng.normal(size=(3, 2, 3, 2)), rng.normal(size=(1, 1, 6, 4))
    expected = reference.depthwise_conv(x, depthwise, strides=2, padding="same") @ pointwise[0, 0]
    actual = reference.separable_conv(x, depthwise, pointwise, strides=2, padding="same")
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-13)


# Transposed convolution.


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("padding", ["valid", "same", 1, ((1, 0), (0, 2))])
@pytest.mark.parametrize("output_padding", [None, 0, (1, 2)])
@pytest.mark.parametrize(
    ("taps", "strides", "dilation"),
    [((3, 4), (2, 3), (1, 1)), ((2, 3), (3, 4), (2, 1)), ((3, 2), (2, 3), (2, 3))],
)
def test_transposed_against_the_full_one(
    rng, groups, padding, output_padding, taps, strides, dilation
):
    x, w = rng.normal(size=(2, 4, 3, 4)), rng.normal(size=(*taps, 6 // groups, 4))
    full = full_transposed(x, w, strides, dilation, groups)
    added = output_padding if isinstance(output_padding, tuple) else (output_padding,) * 2
    expected = full
    for axis in range(2):
        n, s = x.shape[1 + axis], strides[axis]
        e, o = (taps[axis] - 1) * dilation[axis] + 1, added[axis]
        if padding == "valid":
            front = 0
            out = (n - 1) * s + max(e, s) if o is None else (n - 1) * s + e + o
        elif padding == "same":
            out = n * s if o is None else (n - 1) * s + e - 2 * (e // 2) + o
            front = max((n - 1) * s + e - out, 0) // 2
        else:
            front, behind = (1, 1) if padding == 1 else padding[axis]
            out = (n - 1) * s + e - front - behind + (o or 0)
        rows = np.moveaxis(expected, axis + 1, 0)
        rows = np.concatenate([rows, np.zeros((10, *rows.shape[1:]))])[front : front + out]
        expected = np.moveaxis(rows, 0, axis + 1)
    actual = reference.conv_transpose(
        x,
        w,
        strides=strides,
        padding=padding,
        output_padding=output_padding,
        dilation_rate=dilation,
        groups=groups,
    )
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("groups", [1, 2])
def test_transposed_is_the_adjoint_of_convolution(rng, groups):
    options = {"strides": (2, 1), "padding": (1, (2, 0)), "dilation_rate": (1, 2), "groups": groups}
    # Seven rows: the windows of the strided convolution end where the padded input ends.
    x, w = rng.normal(size=(2, 7, 8, 4)), rng.normal(size=(3, 3, 4 // groups, 6))
    y_bar = rng.normal(size=reference.conv(x, w, **options).shape)
    x_bar, _ = reference.conv_vjp(x, w, y_bar, **options)
    np.testing.assert_allclose(reference.conv_transpose(y_bar, w, **options), x_bar, atol=1e-12)


def test_transposed_lengths_by_hand():
    x, w = np.ones((1, 2, 1)), np.arange(1.0, 5.0)[:, None, None]

    def values(**options):
        return reference.conv_transpose(x, w, **options)[0, :, 0].tolist()

    assert values(strides=2) == [1, 2, 4, 6, 3, 4]
    assert values(strides=2, padding="same") == [2, 4, 6, 3]
    assert values(strides=2, padding="same", output_padding=0) == [4, 6]
    assert values(strides=2, padding="valid", output_padding=1) == [1, 2, 4, 6, 3, 4, 0]
    assert values(strides=6) == [1, 2, 3, 4, 0, 0, 1, 2, 3, 4, 0, 0]
    assert values(strides=6, padding="same") == [1, 2, 3, 4, 0, 0, 1, 2, 3, 4, 0, 0]
    assert values(strides=2, padding=1) == [2, 4, 6, 3]
    assert values(strides=2, padding=(1, 2), output_padding=1) == [2, 4, 6, 3]
    assert values(strides=2, padding=(0, 0), output_padding=1) == [1, 2, 4, 6, 3, 4, 0]


# Padding, cropping, upsampling.


@pytest.mark.parametrize("mode", NP_MODES)
@pytest.mark.parametrize("padding", [2, (1, 3), ((0, 2), (3, 1))])
def test_pad_against_numpy(rng, mode, padding):
    x = rng.normal(size=(2, 4, 5, 3))
    pairs = {2: ((2, 2), (2, 2)), (1, 3): ((1, 1), (3, 3))}.get(padding, padding)
    actual = reference.pad(x, rank=2, padding=padding, padding_mode=mode)
    expected = np.pad(x, ((0, 0), *pairs, (0, 0)), mode=NP_MODES[mode])
    np.testing.assert_array_equal(actual, expected)


def test_pad_circular_goes_round_more_than_once():
    x = np.arange(3.0).reshape(1, 3, 1)
    actual = reference.pad(x, rank=1, padding=(7, 5), padding_mode="circular")
    np.testing.assert_array_equal(actual, np.pad(x, ((0, 0), (7, 5), (0, 0)), mode="wrap"))


def test_pad_value_fills_only_outside_of_zeros_dimensions():
    x = np.array([[0.0, np.inf], [np.nan, 3.0]]).reshape(1, 2, 2, 1)
    actual = reference.pad(
        x, rank=2, padding=((1, 0), (0, 1)), padding_mode=("zeros", "replicate"), value=-np.inf
    )
    expected = [[-np.inf] * 3, [0, np.inf, np.inf], [np.nan, 3, 3]]
    np.testing.assert_array_equal(actual[0, ..., 0], expected)


@pytest.mark.parametrize(
    ("cropping", "kept"),
    [
        (1, np.s_[:, 1:-1, 1:-1]),
        ((1, 2), np.s_[:, 1:-1, 2:-2]),
        (((0, 2), (1, 0)), np.s_[:, :-2, 1:]),
    ],
)
def test_crop_is_a_slice(rng, cropping, kept):
    x = rng.normal(size=(2, 6, 7, 3))
    np.testing.assert_array_equal(reference.crop(x, rank=2, cropping=cropping), x[kept])


def test_upsample_nearest_repeats(rng):
    x = rng.normal(size=(2, 3, 4, 2))
    expected = x.repeat(3, axis=1).repeat(2, axis=2)
    np.testing.assert_array_equal(reference.upsample(x, rank=2, size=(3, 2)), expected)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_upsample_linear_interpolates_and_clamps(rng, size):
    x = rng.normal(size=6)
    positions = (np.arange(6 * size) + 0.5) / size - 0.5
    actual = reference.upsample(x[None, :, None], rank=1, size=size, interpolation="linear")
    np.testing.assert_allclose(actual[0, :, 0], np.interp(positions, np.arange(6), x), atol=1e-14)


@pytest.mark.parametrize("size", [2, 3, 4])
def test_upsample_cubic_is_exact_on_parabolas_inside(size):
    i = np.arange(9.0)
    actual = reference.upsample(
        (2 - i + 3 * i**2)[None, :, None], rank=1, size=size, interpolation="bicubic"
    )[0, :, 0]
    p = (np.arange(9 * size) + 0.5) / size - 0.5
    inside = (p >= 1) & (p <= 7)
    np.testing.assert_allclose(actual[inside], (2 - p + 3 * p**2)[inside], rtol=1e-12)


@pytest.mark.parametrize("lobes", [3, 5])
def test_upsample_lanczos_by_loops(rng, lobes):
    n, size = 7, 3
    x = rng.normal(size=n)
    expected = []
    for o in range(n * size):
        weights = []
        for i in range(n):
            t = math.pi * ((o + 0.5) / size - 0.5 - i)
            if abs(t) < 1e-9:
                weights.append(1.0)
            elif abs(t) < lobes * math.pi:
                weights.append(lobes * math.sin(t) * math.sin(t / lobes) / t**2)
            else:
                weights.append(0.0)
        expected.append(sum(w * v for w, v in zip(weights, x, strict=True)) / sum(weights))
    actual = reference.upsample(
        x[None, :, None], rank=1, size=size, interpolation=f"lanczos{lobes}"
    )
    np.testing.assert_allclose(actual[0, :, 0], expected, rtol=1e-12, atol=1e-14)


def test_upsample_linear_2d_against_ndimage(rng):
    x = rng.normal(size=(5, 4))
    grid = np.meshgrid(
        (np.arange(10) + 0.5) / 2 - 0.5, (np.arange(12) + 0.5) / 3 - 0.5, indexing="ij"
    )
    expected = ndimage.map_coordinates(x, grid, order=1, mode="nearest")
    actual = reference.upsample(x[None, :, :, None], rank=2, size=(2, 3), interpolation="bilinear")
    np.testing.assert_allclose(actual[0, ..., 0], expected, atol=1e-13)


INTERPOLATIONS = ["nearest", "linear", "cubic", "lanczos3", "lanczos5"]


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_upsample_keeps_constants_and_size_one(rng, interpolation):
    ones = np.ones((1, 4, 3, 1))
    kept = reference.upsample(ones, rank=2, size=(3, 4), interpolation=interpolation)
    np.testing.assert_allclose(kept, 1.0, rtol=1e-14)
    x = rng.normal(size=(1, 6, 2))
    x[0, 2] = np.nan
    x[0, 4] = np.inf
    same = reference.upsample(x, rank=1, size=1, interpolation=interpolation)
    np.testing.assert_array_equal(same, x)


def test_upsample_nan_reaches_as_far_as_its_kernel():
    x = np.zeros((1, 9, 1))
    x[0, 4] = np.nan
    for interpolation, reach in [("nearest", 0.5), ("linear", 1), ("cubic", 2), ("lanczos3", 3)]:
        y = reference.upsample(x, rank=1, size=2, interpolation=interpolation)[0, :, 0]
        distance = np.abs((np.arange(18) + 0.5) / 2 - 0.5 - 4)
        np.testing.assert_array_equal(np.isnan(y), distance < reach)


# Gradients and layouts.


CONV_OPTIONS = [
    {},
    {"padding": "same", "strides": 2},
    {"padding": ("causal", (0, 3)), "strides": (2, 3), "dilation_rate": (2, 1)},
    {"padding": 2, "padding_mode": "reflect"},
    {"padding": ((3, 1), (0, 5)), "padding_mode": "replicate", "strides": (1, 2)},
    {"padding": (7, 6), "padding_mode": "circular", "dilation_rate": 2},
]
TRANSPOSE_OPTIONS = [
    {},
    {"padding": "same", "strides": 2},
    {"padding": "same", "strides": (2, 3), "output_padding": (0, 1), "dilation_rate": (1, 2)},
    {"padding": "valid", "strides": 4, "output_padding": 3},
    {"padding": ((1, 2), 0), "strides": (1, 4), "output_padding": (0, 2)},
]
FORMATS = ["channels_last", "channels_first"]


def shaped(rng, data_format, *shape):
    """Returns an input with two leading axes, of the layout asked for."""
    x = rng.normal(size=shape)
    return np.moveaxis(x, -1, 2) if data_format == "channels_first" else x


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("options", CONV_OPTIONS)
def test_conv_vjp(rng, options, groups, data_format):
    options = {**options, "groups": groups, "data_format": data_format}
    x = shaped(rng, data_format, 2, 1, 6, 5, 4)
    w = rng.normal(size=(3, 2, 4 // groups, 6))
    assert_adjoint(
        rng,
        lambda *a: reference.conv(*a, **options),
        lambda *a: reference.conv_vjp(*a, **options),
        (x, w),
        linear_in=(0, 1),
    )


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("options", TRANSPOSE_OPTIONS)
def test_conv_transpose_vjp(rng, options, groups, data_format):
    options = {**options, "groups": groups, "data_format": data_format}
    x = shaped(rng, data_format, 2, 1, 3, 4, 4)
    w = rng.normal(size=(3, 2, 6 // groups, 4))
    assert_adjoint(
        rng,
        lambda *a: reference.conv_transpose(*a, **options),
        lambda *a: reference.conv_transpose_vjp(*a, **options),
        (x, w),
        linear_in=(0, 1),
    )


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("options", CONV_OPTIONS)
def test_depthwise_and_separable_vjp(rng, options, data_format):
    options = {**options, "data_format": data_format}
    x = shaped(rng, data_format, 2, 1, 6, 5, 3)
    depthwise, pointwise = rng.normal(size=(3, 2, 3, 2)), rng.normal(size=(1, 1, 6, 4))
    assert_adjoint(
        rng,
        lambda *a: reference.depthwise_conv(*a, **options),
        lambda *a: reference.depthwise_conv_vjp(*a, **options),
        (x, depthwise),
        linear_in=(0, 1),
    )
    assert_adjoint(
        rng,
        lambda *a: reference.separable_conv(*a, **options),
        lambda *a: reference.separable_conv_vjp(*a, **options),
        (x, depthwise, pointwise),
        linear_in=(0, 1, 2),
    )


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("crop", {"cropping": ((1, 2), (0, 1))}),
        *(("pad", {"padding": ((2, 3), (0, 1)), "padding_mode": mode}) for mode in NP_MODES),
        *(("upsample", {"size": (2, 3), "interpolation": name}) for name in INTERPOLATIONS),
    ],
)
def test_matrix_operation_vjp(rng, name, options, data_format):
    options = {**options, "rank": 2, "data_format": data_format}
    forward, vjp = getattr(reference, name), getattr(reference, f"{name}_vjp")
    assert_adjoint(
        rng,
        lambda x: forward(x, **options),
        lambda x, y_bar: vjp(x, y_bar, **options),
        (shaped(rng, data_format, 2, 1, 5, 4, 3),),
        linear_in=(0,),
    )


def test_leading_axes_and_channels_first_are_only_a_layout(rng):
    x, w = rng.normal(size=(2, 3, 5, 6, 4)), rng.normal(size=(3, 2, 4, 5))
    plain = reference.conv(x.reshape(6, 5, 6, 4), w, strides=2).reshape(2, 3, 2, 3, 5)
    np.testing.assert_array_equal(reference.conv(x, w, strides=2), plain)
    first = reference.conv(np.moveaxis(x, -1, 2), w, strides=2, data_format="channels_first")
    np.testing.assert_array_equal(np.moveaxis(first, 2, -1), plain)
    assert reference.conv(x[:, :0], w).shape == (2, 0, 3, 5, 5)
    assert reference.conv((x > 0)[0], w).dtype == np.float64


# Layers.

RANKS = (1, 2, 3)
ACTIVATIONS = ["linear", "relu", "tanh", "sigmoid", "softplus", "elu", "silu", "gelu"]


def layer_case(rng, class_name):
    """Returns a config, weights and an input (channels last) for a layer class."""
    rank = int(next(c for c in class_name if c.isdigit()))
    x = rng.normal(size=(2, *(5, 6, 4)[:rank], 4))
    taps = (3, 2, 2)[:rank]
    if class_name.endswith("Transpose"):
        return {"groups": 2, "strides": 2}, [rng.normal(size=(*taps, 3, 4)), rng.normal(size=6)], x
    if class_name.startswith("Depthwise"):
        weights = [rng.normal(size=(*taps, 4, 2)), rng.normal(size=8)]
        return {"padding": "same", "depth_multiplier": 2}, weights, x
    if class_name.startswith("Separable"):
        pointwise = rng.normal(size=(*(1,) * rank, 8, 3))
        return {"padding": 1}, [rng.normal(size=(*taps, 4, 2)), pointwise, rng.normal(size=3)], x
    if class_name.startswith("Conv"):
        return {"groups": 2}, [rng.normal(size=(*taps, 2, 6)), rng.normal(size=6)], x
    return ({"padding": 2} if class_name.startswith("Padding") else {}), [], x


ALL_CLASSES = [
    f"{stem}{rank}D{suffix}"
    for rank in RANKS
    for stem, suffix in [
        ("Conv", ""),
        ("Conv", "Transpose"),
        ("DepthwiseConv", ""),
        ("SeparableConv", ""),
        ("Cropping", ""),
        ("UpSampling", ""),
        ("ZeroPadding", ""),
        ("Padding", ""),
    ]
]


@pytest.mark.parametrize("class_name", ALL_CLASSES)
def test_every_layer_by_finite_differences(rng, class_name):
    config, weights, x = layer_case(rng, class_name)
    if weights:
        config["activation"] = "tanh"
    cotangent = rng.normal(size=reference.layer(class_name, config, weights, x).shape)
    x_bar, weight_bars = reference.layer_vjp(class_name, config, weights, x, cotangent)
    assert [bar.shape for bar in weight_bars] == [weight.shape for weight in weights]

    def loss(arrays):
        return np.vdot(reference.layer(class_name, config, arrays[1:], arrays[0]), cotangent)

    arrays = [x, *weights]
    for position, bar in enumerate([x_bar, *weight_bars]):
        direction = rng.normal(size=arrays[position].shape)
        moved = [
            loss([a + h * direction if i == position else a for i, a in enumerate(arrays)])
            for h in (1e-5, -1e-5)
        ]
        slope = (moved[0] - moved[1]) / 2e-5
        np.testing.assert_allclose(np.vdot(bar, direction), slope, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("class_name", ALL_CLASSES)
def test_every_layer_in_channels_first(rng, class_name):
    config, weights, x = layer_case(rng, class_name)
    last = reference.layer(class_name, {**config, "data_format": "channels_last"}, weights, x)
    np.testing.assert_array_equal(reference.layer(class_name, config, weights, x), last)
    cotangent = rng.normal(size=last.shape)
    bars = reference.layer_vjp(class_name, config, weights, x, cotangent)
    config["data_format"] = "channels_first"
    x_first, cotangent_first = np.moveaxis(x, -1, 1), np.moveaxis(cotangent, -1, 1)
    first = reference.layer(class_name, config, weights, x_first)
    bars_first = reference.layer_vjp(class_name, config, weights, x_first, cotangent_first)
    np.testing.assert_allclose(np.moveaxis(first, 1, -1), last, atol=1e-14)
    np.testing.assert_allclose(np.moveaxis(bars_first[0], 1, -1), bars[0], atol=1e-13)
    for bar_first, bar in zip(bars_first[1], bars[1], strict=True):
        np.testing.assert_allclose(bar_first, bar, atol=1e-12)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_and_derivatives(activation):
    z = np.array([-30.0, -2.0, -0.5, 0.3, 1.0, 4.0, 40.0])
    config = {"activation": activation, "use_bias": False}
    weights, x = [np.ones((1, 1, 1))], z.reshape(1, -1, 1)
    values = reference.layer("Conv1D", config, weights, x)[0, :, 0]
    expected = {
        "linear": lambda t: t,
        "relu": lambda t: max(t, 0.0),
        "tanh": math.tanh,
        "sigmoid": lambda t: 1 / (1 + math.exp(-t)),
        "softplus": lambda t: math.log1p(math.exp(t)),
        "elu": lambda t: t if t > 0 else math.exp(t) - 1,
        "silu": lambda t: t / (1 + math.exp(-t)),
        "gelu": lambda t: t * (1 + math.erf(t / math.sqrt(2))) / 2,
    }[activation]
    np.testing.assert_allclose(values, [expected(t) for t in z], rtol=1e-12, atol=1e-12)
    slopes, weight_bars = reference.layer_vjp("Conv1D", config, weights, x, np.ones_like(x))
    assert len(weight_bars) == 1
    differences = [(expected(t + 1e-6) - expected(t - 1e-6)) / 2e-6 for t in z]
    np.testing.assert_allclose(slopes[0, :, 0], differences, rtol=1e-6, atol=1e-7)


def test_relu_has_no_slope_at_zero():
    x, w = np.zeros((1, 3, 1)), [np.ones((1, 1, 1))]
    config = {"activation": "relu", "use_bias": False}
    assert not reference.layer_vjp("Conv1D", config, w, x, np.ones_like(x))[0].any()


@pytest.mark.parametrize(
    ("class_name", "config", "shape", "expected"),
    [
        ("Cropping2D", {"cropping": ((2, 2), (4, 4))}, (1, 28, 28, 3), (1, 24, 20, 3)),
        ("Cropping2D", {"cropping": ((2, 2), (2, 2))}, (1, 24, 20, 64), (1, 20, 16, 64)),
        ("Cropping1D", {}, (1, 5, 2), (1, 3, 2)),
        ("Cropping1D", {"cropping": (0, 2)}, (1, 5, 2), (1, 3, 2)),
        ("Cropping2D", {}, (1, 5, 4, 2), (1, 5, 4, 2)),
        ("Cropping3D", {}, (1, 5, 4, 3, 2), (1, 3, 2, 1, 2)),
        ("UpSampling1D", {}, (1, 5, 2), (1, 10, 2)),
        ("UpSampling3D", {"size": (1, 2, 3)}, (1, 5, 4, 3, 2), (1, 5, 8, 9, 2)),
        ("ZeroPadding1D", {}, (1, 5, 2), (1, 7, 2)),
        ("ZeroPadding1D", {"padding": {"left_pad": 3, "right_pad": 1}}, (1, 5, 2), (1, 9, 2)),
        ("ZeroPadding2D", {"padding": (1, 2)}, (1, 5, 4, 2), (1, 7, 8, 2)),
        ("ZeroPadding3D", {}, (1, 5, 4, 3, 2), (1, 7, 6, 5, 2)),
    ],
)
def test_examples_of_the_contract(class_name, config, shape, expected):
    assert reference.layer(class_name, config, [], np.ones(shape)).shape == expected


def test_bias_is_added_along_the_channels_where_width_is_alike():
    weights = [np.zeros((1, 1, 2, 3)), np.array([10.0, 20.0, 30.0])]
    config = {"data_format": "channels_first"}
    y = reference.layer("Conv2D", config, weights, np.ones((1, 2, 3, 3)))
    np.testing.assert_array_equal(y, np.broadcast_to(weights[1][:, None, None], (1, 3, 3, 3)))


def test_transposed_zeros_come_before_the_bias():
    config = {"strides": 3, "padding": "valid"}
    y = reference.layer("Conv1DTranspose", config, [np.ones((1, 1, 1)), [5.0]], np.ones((1, 2, 1)))
    assert y[0, :, 0].tolist() == [6, 5, 5, 6, 5, 5]
