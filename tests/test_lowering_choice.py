"""Which formulation is chosen: the limits, the table, and what a user prefers."""

import contextlib
import itertools
import os
import threading

import keras
import numpy as np
import pytest

import keras_convkit
from keras_convkit import arguments, lowering
from keras_convkit.description import SpatialAxes
from keras_convkit.lowering import dispatch, limits, preference, table
from keras_convkit.lowering.case import Case, case_of, device_of, onednn
from keras_convkit.parity import reference
from keras_convkit.parity.differentiation import to_numpy
from tests.once import ONCE

BACKENDS = ("tensorflow", "jax", "torch")
ENGINES = {"tensorflow": ("tensorflow", "xla"), "jax": ("xla",), "torch": ("torch",)}
# Of so many cases the choice is looked at, spread over all that fit.
MANY = 300
FORMULATIONS = {**dispatch.FORMULATIONS, "upsample": dispatch.UPSAMPLE}
METHODS = ("nearest", "linear", "cubic", "lanczos3", "lanczos5")


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


def descriptions():
    """Calls of every kind that the limits and the table tell apart."""
    for rank, data_format in itertools.product((1, 2, 3), ("channels_last", "channels_first")):
        axes = SpatialAxes(rank, data_format)
        for strides, dilation, groups, size in itertools.product((1, 2), (1, 2), (1, 2), (1, 3, 9)):
            options = {"strides": strides, "dilation_rate": dilation, "groups": groups}
            described = convolution(rank, size, data_format, **options)
            yield "conv", described
            yield "conv", described.replace(padding=("same",) * rank)
            yield "depthwise_conv", described.replace(groups=1)
            yield "conv_transpose", transposed_convolution(rank, size, data_format, **options)
        if rank > 1:
            unequal = (2,) + (1,) * (rank - 1)
            yield "depthwise_conv", convolution(rank, 3, data_format, strides=unequal)
        for size, method in itertools.product((2, 3), METHODS):
            yield "upsample", arguments.upsampling("test", axes, size=size, interpolation=method)


def candidates():
    """Each of these calls in several shapes, dtypes, and on every backend and device."""
    for operation, description in descriptions():
        # Two channels are as many as groups, where there are groups.
        for batch, channels, n in (
            (2, 4, 12),
            (2, 2, 12),
            (1, 1, 12),
            (8, 64, 12),
            (8, 64, 24),
            (8, 256, 12),
            # The batch size is open while JAX exports, and in TensorFlow's graphs.
            (None, 4, 12),
            (None, 2, 12),
            (None, 4, None),
        ):
            lengths = (n,) * description.axes.rank
            shape = (batch, *lengths, channels)
            if not description.axes.channels_last:
                shape = (batch, channels, *lengths)
            for backend, device in itertools.product(BACKENDS, ("cpu", "gpu")):
                exported = backend != "tensorflow" and batch is None
                for engine, dtype in itertools.product(ENGINES[backend], ("float32", "float16")):
                    where = (backend, engine, device, exported)
                    yield Case(operation, description, shape, dtype, *where)


@pytest.fixture(scope="module")
def cases():
    return list(candidates())


@contextlib.contextmanager
def with_onednn(there, cases):
    """The cases that depend on it, as on a machine where TensorFlow has oneDNN, or hasn't."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("keras_convkit.lowering.case.onednn", lambda: there)
        table.first.cache_clear()
        yield [c for c in cases if there or (c.backend, c.device) == ("tensorflow", "cpu")]
    table.first.cache_clear()


def ids(rows):
    return [f"{i}-{row.operation}-{row.formulation}" for i, row in enumerate(rows)]


@ONCE
@pytest.mark.parametrize("position", range(len(table.TABLE)), ids=ids(table.TABLE))
def test_every_row_is_reached(position, cases):
    def takes(row, case):
        return limits.can(row.formulation, case) and row.fits(case)

    row, earlier = table.TABLE[position], table.TABLE[:position]
    earlier = [e for e in earlier if e.operation == row.operation]
    chosen = set()
    for there in (True, False):
        with with_onednn(there, cases) as some:
            reaching = [
                case
                for case in some
                if case.operation == row.operation
                and takes(row, case)
                and not any(takes(e, case) for e in earlier)
            ]
            chosen |= {table.first(case) for case in reaching[:: len(reaching) // MANY + 1]}
    assert chosen == {row.formulation}


@ONCE
@pytest.mark.parametrize("limit", limits.LIMITS, ids=ids(limits.LIMITS))
def test_every_limit_excludes_something(limit, cases):
    assert limit.why
    number = 0
    for there in (True, False):
        with with_onednn(there, cases) as some:
            excluded = [case for case in some if limit.excludes(case)]
            number += len(excluded)
            for case in excluded[:: len(excluded) // MANY + 1]:
                assert not limits.can(limit.formulation, case)
                chosen = (table.first(case), table.first(case, limit.formulation))
                assert limit.formulation not in chosen
    assert number


@ONCE
@pytest.mark.parametrize("there", [True, False])
def test_every_case_has_a_formulation(there, cases):
    with with_onednn(there, cases) as some:
        for case in some:
            assert table.first(case) in FORMULATIONS[case.operation], case


def test_the_table_knows_every_formulation_and_no_other():
    for operation, formulations in FORMULATIONS.items():
        rows = [row for row in table.TABLE if row.operation == operation]
        assert {row.formulation for row in rows} == set(formulations)
        assert {row.engine for row in rows} <= {limits.ANY, "xla", *BACKENDS}
        assert {row.device for row in rows} <= {limits.ANY, "cpu", "gpu"}
        assert all(row.why for row in rows if row.when is not table.always), "each says why"
    assert {row.operation for row in table.TABLE} == set(FORMULATIONS)


@ONCE
def test_a_gpu_takes_the_native_operation_where_it_can(cases):
    for case in cases:
        if case.device == "gpu" and limits.can("native", case) and case.operation != "upsample":
            strided = case.operation == "depthwise_conv" and case.strided_and_dilated
            assert table.first(case) == "native" or (strided and case.backend == "tensorflow"), case


@ONCE
def test_an_export_takes_the_native_operation_where_it_can(cases):
    exported = [case for case in cases if case.exported]
    assert {case.backend for case in exported} == {"jax", "torch"}
    for case in exported:
        if limits.can("native", case) and case.operation != "upsample":
            assert table.first(case) == "native", case


@pytest.mark.parametrize(
    ("size", "length", "exact"), [(3, 64, True), (3, 65, False), (4, 65, True), (3, None, False)]
)
def test_tensorflow_resizes_where_its_centres_are_exact(size, length, exact):
    axes = SpatialAxes(1, "channels_last")
    description = arguments.upsampling("test", axes, size=size, interpolation="linear")
    case = Case(
        "upsample", description, (2, length, 4), "float32", "tensorflow", "tensorflow", "cpu"
    )
    assert limits.can("native", case) is exact


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow" or "TF_ENABLE_ONEDNN_OPTS" not in os.environ,
    reason="the processor decides: integration/test_onednn.py runs this",
)
def test_onednn_is_on_where_the_environment_says_so():
    assert onednn() == (os.environ["TF_ENABLE_ONEDNN_OPTS"] == "1")


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="nothing else asks")
def test_onednn_is_asked_for_while_a_graph_is_made():
    """Where the failure of what is tried would be the graph's, when it is run."""
    import tensorflow as tf

    answers = []

    @tf.function
    def traced():
        onednn.cache_clear()
        answers.append(onednn())
        return tf.constant(1)

    assert traced() == 1
    assert answers == [onednn()]


def test_on_one_core_a_convolution_is_not_threaded():
    case = Case("conv", convolution(2, 3), (8, 24, 24, 64), "float32", "jax", "xla", "cpu")
    assert table.first(case) == "threaded"
    assert table.first(case._replace(one_core=True)) != "threaded"


def test_case_reads_backend_device_shape_and_dtype():
    description = convolution(1, 3)
    x = keras.ops.zeros((2, 7, 3), dtype="float16")
    case = case_of("conv", description, x)
    assert case[:5] == ("conv", description, (2, 7, 3), "float16", keras.backend.backend())
    assert case.engine == ENGINES[case.backend][0]
    assert case.device == device_of(x)


# What a user prefers.

DEPTHWISE = convolution(2, 3)
X = np.random.default_rng(0).standard_normal((2, 6, 5, 4)).astype("float32")


def chosen(operation="depthwise_conv", description=DEPTHWISE):
    return preference.choose(operation, description, keras.ops.convert_to_tensor(X))


@pytest.fixture
def usual():
    return chosen()


@pytest.mark.parametrize("name", ["native", "taps"])
def test_a_block_prefers(name, usual):
    with lowering.prefer(depthwise_conv=name):
        assert chosen() == name
    assert chosen() == usual


def test_a_block_ends_with_an_error(usual):
    with pytest.raises(ZeroDivisionError), lowering.prefer(depthwise_conv="taps"):
        1 / 0  # noqa: B018
    assert chosen() == usual


def test_the_process_prefers(usual):
    try:
        lowering.set_preferred(depthwise_conv="taps")
        assert chosen() == "taps"
        with lowering.prefer("native"):
            assert chosen() == "native", "a block goes before the process"
        assert chosen() == "taps"
        in_thread = []
        thread = threading.Thread(target=lambda: in_thread.append(chosen()))
        thread.start()
        thread.join()
        assert in_thread == ["taps"]
    finally:
        lowering.set_preferred()
    assert chosen() == usual


def test_inner_block_goes_before_the_outer_one():
    with lowering.prefer("native", depthwise_conv="taps"):
        assert chosen() == "taps"
        assert chosen("conv") == "native"
        with lowering.prefer(depthwise_conv="native"):
            assert chosen() == "native"
        assert chosen() == "taps"


def test_a_block_is_its_threads_own(usual):
    seen = []
    with lowering.prefer(depthwise_conv="taps" if usual == "native" else "native"):
        thread = threading.Thread(target=lambda: seen.append(chosen()))
        thread.start()
        thread.join()
    assert seen == [usual]


def test_what_cannot_be_is_done_as_usual():
    grouped = transposed_convolution(2, 3, groups=2)
    with lowering.prefer("native"):
        assert chosen("conv_transpose", grouped) == "phases"
    with lowering.prefer(conv="one_conv_a_group"):
        assert chosen("conv", convolution(2, 3)) == "native"


def test_export_is_the_choice_for_an_artifact():
    axes = SpatialAxes(2, "channels_last")
    cubic = arguments.upsampling("test", axes, size=2, interpolation="cubic")
    assert preference.choose("upsample", cubic, X) != "one_gather_an_axis"
    with lowering.prefer("export"):
        assert preference.choose("upsample", cubic, X) == "one_gather_an_axis"
        assert preference.choose("depthwise_conv", DEPTHWISE, X) == "native"


def test_xla_is_the_choice_for_compiled_code():
    case = case_of("depthwise_conv", DEPTHWISE, keras.ops.convert_to_tensor(X))
    with lowering.prefer("xla"):
        assert chosen() == table.first(case._replace(engine="xla"))


@pytest.mark.parametrize("name", ["native", "taps", "xla"])
def test_a_layer_prefers_and_answers_the_same(name, monkeypatch):
    layer = keras_convkit.DepthwiseConv2D(3, padding="same")
    expected = to_numpy(layer(X))
    called = []
    for formulation, function in dispatch.FORMULATIONS["depthwise_conv"].items():
        monkeypatch.setitem(
            dispatch.FORMULATIONS["depthwise_conv"],
            formulation,
            lambda *args, f=function, n=formulation: called.append(n) or f(*args),
        )
    layer.preferred = {"depthwise_conv": name}
    assert layer.preferred == {"depthwise_conv": name}
    with lowering.prefer("native"):  # the layer goes before the block
        np.testing.assert_allclose(to_numpy(layer(X)), expected, rtol=1e-5, atol=1e-6)
    if name != "xla":
        assert called == [name]
    assert layer.get_config() == type(layer).from_config(layer.get_config()).get_config()
    layer.preferred = None
    assert layer.preferred is None


@pytest.mark.parametrize("name", [*preference.NAMES, "everywhere"])
def test_every_preference_gives_the_reference_numbers(name, assert_close):
    """Preferring a formulation for all calls of an operation, though it can do only some."""
    for formulation in preference.NAMES.get(name, preference.EVERYWHERE):
        word = {name: formulation} if name in preference.NAMES else {}
        block = lowering.prefer(**word) if word else lowering.prefer(formulation)
        for layer, config in {
            "Conv2D": {"filters": 4, "kernel_size": 3, "groups": 2, "strides": 2},
            "SeparableConv2D": {"filters": 3, "kernel_size": 2, "padding": "same"},
            "Conv2DTranspose": {"filters": 4, "kernel_size": 3, "strides": 2, "groups": 2},
            "UpSampling2D": {"size": 2, "interpolation": "bilinear"},
        }.items():
            made = getattr(keras_convkit, layer)(**config)
            made.build(X.shape)
            weights = [np.random.default_rng(1).normal(size=w.shape) for w in made.weights]
            made.set_weights(weights)
            with block:
                y = made(X)
            assert_close(y, reference.layer(layer, config, weights, X))
            block = lowering.prefer(**word) if word else lowering.prefer(formulation)


@pytest.mark.parametrize(
    ("words", "operations", "error", "message"),
    [
        (("taps",), {}, ValueError, "`formulation` must be one of 'native', 'xla'"),
        ((3,), {}, TypeError, "formulation=3"),
        ((), {"conv": "nativ"}, ValueError, r"`conv` .*did you mean 'native'.*conv='nativ'"),
        ((), {"conv2d": "native"}, ValueError, "`operation` .*operation='conv2d'"),
        ((), {"conv": None}, TypeError, "conv=None"),
    ],
    ids=["not-of-all", "no-word", "misspelled", "no-operation", "none"],
)
@pytest.mark.parametrize("call", [lowering.prefer, lowering.set_preferred])
def test_a_wrong_preference_is_refused(call, words, operations, error, message):
    with pytest.raises(error, match=message):
        call(*words, **operations)


def test_a_layers_wrong_preference_is_refused_and_the_old_one_stays():
    layer = keras_convkit.Conv1D(2, 3)
    layer.preferred = "native"
    with pytest.raises(ValueError, match=r"Conv1D.preferred: `conv` .*conv='taps'"):
        layer.preferred = {"conv": "taps"}
    assert layer.preferred["conv"] == "native"
