"""Where Keras exports built-in layers, ours export too, as small, and the artifact is right.

A part of what `python -m integration.exports` measures for `docs/exports.md`.
"""

import keras
import pytest

import keras_convkit
from integration.exports import BOTH, FORMATS, OURS_ALONE, TOLERANCE, measure, missing_packages
from integration.models import randomize
from keras_convkit import lowering

BACKEND = keras.backend.backend()

# One a lowering that training takes and an export must not carry, and what tracing has broken.
COMPARED = (
    "Conv2D",
    "Conv2D, 4 groups",
    "DepthwiseConv2D",
    "SeparableConv1D",
    "Conv2DTranspose",
    "ZeroPadding, Cropping 2D",
    "UpSampling2D, bilinear, 3",
)
# What makes an artifact larger than the built-in one's, and why it must.
LARGER = {
    ("tensorflow", "onnx", "Conv2D, 4 groups"): "the built-in one's is no valid graph",
    ("tensorflow", "openvino", "ZeroPadding, Cropping 2D"): "the operation whose gradient is fast",
    ("tensorflow", "litert", "Conv2D, 4 groups"): "native only if asked for; see below",
    ("jax", "tf_saved_model", "UpSampling2D, bilinear, 3"): "resizing there spreads infinities",
}

every_format = pytest.mark.parametrize("form", FORMATS)


@pytest.fixture
def exported(form):
    """`measure`, where this backend has the format and the packages are here."""
    if BACKEND not in FORMATS[form].packages:
        pytest.skip(f"Keras has no {form} on {BACKEND}")
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
    theirs, mine = exported(built_in), exported(keras_convkit.convert(built_in))
    if theirs.reason and mine.reason:
        pytest.skip(f"neither exports: {theirs.reason}")
    assert_right(mine)
    assert mine.other_batch or not theirs.other_batch
    if not theirs.reason and (BACKEND, form, name) not in LARGER:
        assert mine.nodes <= 2 * theirs.nodes


@every_format
@pytest.mark.parametrize("name", ["padding modes", "Conv2DTranspose, 2 groups"])
def test_options_that_are_ours_alone(exported, form, name):
    outcome = exported(randomize(OURS_ALONE[name](keras_convkit)))
    if outcome.reason and exported(randomize(BOTH["Conv2D"](keras.layers))).reason:
        pytest.skip(f"not even a built-in layer: {outcome.reason}")
    assert_right(outcome)
    assert outcome.other_batch


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
    with lowering.prefer("native"):
        fixed = exported(model)
    assert_right(fixed)
    assert fixed.nodes <= free.nodes < exported(model).nodes
