"""What a worker does, on the backend of this process."""

import keras
import numpy as np
import pytest

import keras_convkit
from keras_convkit.bench import calls, limits, measured, models
from keras_convkit.bench.applications import APPLICATIONS
from keras_convkit.bench.workloads import WORKLOADS, Workload

COMPILES = keras.backend.backend() != "torch"


class Sent(list):
    """Collects events."""

    def __call__(self, event, **content):
        self.append((event, content))

    def of(self, kind):
        return [content for event, content in self if event == kind]

    def quantities(self):
        return {content["quantity"]: content for content in self.of("comparison")}


@pytest.fixture
def counted(monkeypatch):
    """How often the layers of each library have been run, by the calls that are really made."""
    counts = {"ours": 0, "built_in": 0}
    prepare = calls.prepare

    def counting(layer, x, quantity):
        side = "ours" if type(layer).__module__.startswith("keras_convkit") else "built_in"
        call = prepare(layer, x, quantity)

        class Counting:
            peak_memory = call.peak_memory

            @property
            def compile_seconds(self):
                return call.compile_seconds

            def __call__(self):
                counts[side] += 1
                return call()

        return Counting()

    monkeypatch.setattr(calls, "prepare", counting)
    return counts


def test_a_small_workload_is_measured_on_both_sides(counted):
    sent = Sent()
    workload = WORKLOADS["conv2d-3x3-small"]
    measured.measure(workload, 0.05, sent)
    assert sent.of("work") == [
        {"multiply_adds": 2 * 8 * 8 * 9 * 4 * 4, "bytes": 4 * (2 * 512 + 148), "weighted": True}
    ]
    assert sent.of("refused") == []
    found = sent.quantities()
    for quantity in calls.QUANTITIES:
        comparison = found[quantity]
        assert comparison["pairs"] >= 3
        assert 0 < comparison["ours"] < 60 and 0 < comparison["built_in"] < 60
        assert comparison["ratio"] > 0
        assert (f"{quantity} compile" in found) == COMPILES
        for kind in ("compile", "memory"):
            assert found.get(f"{quantity} {kind}", {"interval": None})["interval"] is None
    samples = sum(found[quantity]["pairs"] for quantity in calls.QUANTITIES)
    assert min(counted.values()) > samples


def test_a_comparison_has_an_interval_where_a_ratio_can_be_told():
    built_in, ours = [4.0, 6.0, 8.0, 2.0, 10.0, 12.0, 3.0], [2.0] * 7
    assert measured.compare({"built_in": built_in, "ours": ours}) == {
        "built_in": 6.0, "ours": 2.0, "ratio": 3.0, "interval": (1.0, 6.0), "pairs": 7,
    }  # fmt: skip
    for samples in (
        {"ours": ours},
        {"built_in": [1.0], "ours": [1.0]},
        {"built_in": built_in, "ours": [0.0] * 7},
    ):
        assert measured.compare(samples)["interval"] is None


def test_a_large_enough_workload_has_a_peak_memory():
    workload = Workload(
        "t", "UpSampling2D", (4, 64, 64, 16), {"size": 2}, "typical", "UpSampling2D"
    )
    sent = Sent()
    measured.measure(workload, 0.05, sent)
    found = sent.quantities()
    if keras.backend.backend() == "tensorflow" and "forward memory" not in found:
        pytest.skip("this allocator of TensorFlow doesn't count")
    output = 4 * 4 * 128 * 128 * 16
    for side in ("built_in", "ours"):
        # The output at least, and no more than a few copies of it.
        assert output <= found["forward memory"][side] <= 8 * output
        assert found["gradients memory"][side] >= output


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("conv2d-3x3-strided-dilated", "strides > 1` not supported"),
        ("padding2d-reflect", "Keras has no Padding2D"),
        ("transposed2d-4x4-grouped", "Conv2DTranspose has no groups"),
    ],
)
def test_what_keras_refuses_is_timed_alone(name, reason, counted):
    big = WORKLOADS[name]
    shape = (2, 6, 6, 8)
    workload = Workload(name, big.layer, shape, big.config, "small", big.peer)
    sent = Sent()
    measured.measure(workload, 0.05, sent)
    refusals = sent.of("refused")
    assert [each["quantity"] for each in refusals] == list(calls.QUANTITIES)
    assert all(reason in each["reason"] for each in refusals)
    assert counted["built_in"] == 0 < counted["ours"]
    for comparison in sent.quantities().values():
        assert comparison["built_in"] is None and comparison["ratio"] is None
        assert comparison["interval"] is None
        assert comparison["ours"] is not None


def test_a_built_in_layer_that_gives_other_values_is_not_compared(monkeypatch, counted):
    class Wrong(keras.layers.Conv1D):
        def call(self, inputs):
            return super().call(inputs) + 0.5

    monkeypatch.setattr(keras.layers, "Conv1D", Wrong)
    sent = Sent()
    measured.measure(WORKLOADS["conv1d-3-small"], 0.05, sent)
    assert all("gives other values" in each["reason"] for each in sent.of("refused"))
    assert len(sent.of("refused")) == len(calls.QUANTITIES)
    assert sent.quantities()["forward"]["built_in"] is None


@pytest.mark.parametrize("quantity", calls.QUANTITIES)
def test_calls_give_the_output_and_all_gradients(quantity):
    shape = (2, 5, 4)
    layer = keras_convkit.Conv1D(3, 2)
    layer.build(shape)
    x = np.random.default_rng(0).standard_normal(shape, dtype="float32")
    result = keras.tree.flatten(calls.prepare(layer, x, quantity)())
    shapes = [tuple(leaf.shape) for leaf in result]
    assert shapes == [(2, 4, 3)] + ([shape, (2, 4, 3), (3,)] if quantity == "gradients" else [])
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(result[0]), keras.ops.convert_to_numpy(layer(x)), atol=1e-5
    )
    if quantity == "gradients":
        # That of the bias is the sum of what is pulled back, whichever the layer.
        pulled = calls._arrays(layer, x, quantity)[1]
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(result[3]), pulled.sum((0, 1)), rtol=1e-4, atol=1e-4
        )


def test_limits_are_rates(monkeypatch):
    monkeypatch.setattr(limits, "_SIDE", 64)
    monkeypatch.setattr(limits, "_COPIED", 1 << 16)
    assert limits.multiply_adds_per_second() > 1e4
    assert limits.bytes_per_second() > 1e4


def test_our_layers_take_the_places_of_the_built_in_ones():
    class Own(keras.layers.Conv2D):
        """A user's, which is not to be touched."""

    image = keras.Input((8, 8, 3))
    x = keras.layers.ZeroPadding2D(1)(image)
    x = keras.layers.Conv2D(4, 3, name="first")(x)
    x = keras.layers.DepthwiseConv2D(3, use_bias=False)(x)
    x = keras.layers.BatchNormalization()(x)
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(Own(2, 1)(x)))
    ours = models.with_ours(model)
    kinds = [type(layer) for layer in ours.layers]
    for name in ("ZeroPadding2D", "Conv2D", "DepthwiseConv2D"):
        assert getattr(keras_convkit, name) in kinds and getattr(keras.layers, name) not in kinds
    assert Own in kinds and keras.layers.BatchNormalization in kinds
    x = np.random.default_rng(0).standard_normal((2, 8, 8, 3), dtype="float32")
    np.testing.assert_allclose(ours.predict_on_batch(x), model.predict_on_batch(x), atol=1e-5)


def test_a_whole_model_is_timed_in_pairs(monkeypatch):
    def tiny(weights, input_shape, classes):
        assert weights is None
        layers = [keras.layers.Conv2D(4, 3, strides=8), keras.layers.GlobalAveragePooling2D()]
        return keras.Sequential([keras.Input(input_shape), *layers,
                                 keras.layers.Dense(classes, "softmax")])  # fmt: skip

    monkeypatch.setattr(keras.applications, "Tiny", tiny, raising=False)
    sent = Sent()
    pair = models.Pair("Tiny", sent)
    pair.time(0.05, sent)
    samples = {content["quantity"]: content for content in sent.of("samples")}
    assert set(samples) == {"prediction", "training step"}
    for content in samples.values():
        assert len(content["built_in"]) == len(content["ours"]) >= 1
    assert len(sent.of("comparison")) == (2 if COMPILES else 0)


def test_the_applications_exist():
    assert all(hasattr(keras.applications, name) for name in APPLICATIONS)
