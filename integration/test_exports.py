"""Where Keras exports built-in layers, ours export too, as small, and the artifact is right.

A part of what `python -m integration.exports` measures for `docs/exports.md`; with
KERAS_CONVKIT_LONG=1 all of it.
"""

import os

import keras
import pytest

import keras_convkit
from integration.exports import (
    BOTH,
    FORMATS,
    OURS_ALONE,
    PREFERRED,
    TOLERANCE,
    measure,
    missing_packages,
)
from integration.models import randomize
from keras_convkit import lowering

BACKEND = keras.backend.backend()

LONG = os.environ.get("KERAS_CONVKIT_LONG") == "1"
# Lowerings that training takes and an export must not carry, and what tracing has broken.
SHORT = (
    *("Conv2D, 4 groups", "DepthwiseConv2D", "Conv2DTranspose"),
    *("UpSampling2D", "UpSampling2D, bicubic, asked for"),
)
COMPARED = tuple(BOTH) if LONG else SHORT
OWN = tuple(OURS_ALONE) if LONG else ("padding modes",)
# What makes an artifact larger than the built-in one's, and why it must.
FAST = "the operation whose gradient is fast there is five in OpenVINO"
FILTER = "no runtime has an operation with these numbers"
LARGER = {
    ("tensorflow", "litert", "Conv1D, 2 groups"): "native only if asked for; see below",
    **{("tensorflow", "openvino", f"ZeroPadding, Cropping {rank}D"): FAST for rank in (1, 2, 3)},
    **{
        (backend, form, f"UpSampling2D, bicubic{asked}"): FILTER
        for backend in ("tensorflow", "torch")
        for form in FORMATS
        for asked in ("", ", asked for")
        if (backend, form) != ("torch", "onnx")
        and (backend, form, asked) != ("tensorflow", "onnx", ", asked for")
    },
}
# What an exporter can't do, whoever's the layer, and in which words.
BEYOND = {
    ("jax", "onnx", "DepthwiseConv3D"): "the exporter has no 3D convolution",
    ("torch", "onnx", "DepthwiseConv3D"): "the exporter has no memory_format",
}

# Where not even a built-in layer gets through, and in which words.
CLOSED = {("jax", "openvino"): "OpenVINO doesn't read JAX's programs"}

every_format = pytest.mark.parametrize("form", FORMATS)


@pytest.fixture
def exported(form):
    """`measure`, where this backend has the format and the packages are here."""
    if BACKEND not in FORMATS[form].packages:
        pytest.skip(f"Keras has no {form} on {BACKEND}")
    if (BACKEND, form) in CLOSED:
        pytest.skip(CLOSED[BACKEND, form])
    if missing := missing_packages(form, BACKEND):
        pytest.skip(f"{form} on {BACKEND} needs {', '.join(missing)}")
    return lambda model: measure(model, form)


def assert_right(outcome):
    assert not outcome.reason
    assert outcome.error <= TOLERANCE


@every_format
@pytest.mark.parametrize("name", COMPARED)
def test_ours_export_where_the_built_in_do(exported, form, name):
    built_in = randomize(BOTH[name](keras.layers))
    with lowering.prefer(PREFERRED.get(name)):
        theirs, mine = exported(built_in), exported(keras_convkit.convert(built_in))
    if theirs.reason and mine.reason:
        pytest.skip(f"neither exports: {theirs.reason}")
    assert_right(mine)
    assert mine.other_batch or not theirs.other_batch
    if not theirs.reason and (BACKEND, form, name) not in LARGER:
        assert mine.nodes <= 2 * theirs.nodes


@every_format
@pytest.mark.parametrize("name", OWN)
def test_options_that_are_ours_alone(exported, form, name):
    outcome = exported(randomize(OURS_ALONE[name](keras_convkit)))
    if (BACKEND, form, name) in BEYOND:
        assert outcome.reason == BEYOND[BACKEND, form, name]
        return
    assert_right(outcome)
    assert outcome.other_batch


@pytest.mark.parametrize("form", [form for backend, form in CLOSED if backend == BACKEND])
def test_what_is_closed_is_still_closed(form):
    if missing := missing_packages(form, BACKEND):
        pytest.skip(f"{form} on {BACKEND} needs {', '.join(missing)}")
    assert measure(randomize(BOTH["Conv2D"](keras.layers)), form).reason == CLOSED[BACKEND, form]


@pytest.mark.skipif(BACKEND != "tensorflow", reason="Keras has no litert on this backend")
@pytest.mark.parametrize("form", ["litert"])
def test_a_preference_reaches_the_artifact(exported, form):
    built_in = randomize(BOTH["Conv2D, 4 groups"](keras.layers))
    with lowering.prefer(conv="native"):
        mine = exported(keras_convkit.convert(built_in))
    assert_right(mine)
    assert mine.nodes <= 2 * exported(built_in).nodes


@pytest.mark.skipif(BACKEND != "jax", reason="the other backends don't tell")
@pytest.mark.parametrize("form", ["tf_saved_model"])
def test_jax_with_a_fixed_batch_needs_the_preference(exported, form, monkeypatch):
    """Nothing tells a layer of an export then: as `docs/exports.md` says."""
    model = randomize(BOTH["DepthwiseConv2D"](keras_convkit))
    free = exported(model)

    def export(self, path, **options):
        spec = keras.InputSpec(shape=(1, *self.input_shape[1:]), dtype="float32")
        return original(self, path, input_signature=[spec], **options)

    original = keras.Model.export
    monkeypatch.setattr(keras.Model, "export", export)
    with lowering.prefer("export"):
        fixed = exported(model)
    assert_right(fixed)
    assert fixed.nodes <= free.nodes < exported(model).nodes
