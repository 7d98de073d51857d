"""The models of `keras-convkit parity`: that they use everything, and are one thing three times."""

import re
import sys

import keras
import numpy as np
import pytest

import keras_convkit
from keras_convkit.extras import MissingExtraError
from keras_convkit.parity import differentiation, quantities, tasks
from keras_convkit.parity.embedded import expected, samples
from keras_convkit.parity.embedded.models import MODELS
from keras_convkit.parity.worker import build, measure, settings
from keras_convkit.workers import BACKENDS

EACH_MODEL = pytest.mark.parametrize("name", MODELS)
PLAIN = [name for name in MODELS if not name.endswith("-extended")]


def test_every_layer_is_used():
    used = {layer.class_name for model in MODELS.values() for layer in model.layers}
    assert used == set(keras_convkit.layers.__all__)
    assert len(used) == 24


def test_the_options_that_matter_are_used():
    configs = [layer.config for model in MODELS.values() for layer in model.layers]
    words = " ".join(f"{name}={value}" for config in configs for name, value in config.items())
    for word in ("groups=", "output_padding=", "padding_mode=", "interpolation=lanczos3"):
        assert word in words
    for word in ("causal", "same", "reflect", "replicate", "circular", "channels_first"):
        assert word in words
    strided = [config for config in configs if np.max(config.get("strides", 1)) > 1]
    assert any(np.max(config.get("dilation_rate", 1)) > 1 for config in strided)


@EACH_MODEL
@pytest.mark.parametrize("library", build.LIBRARIES)
def test_the_builds_of_one_description_agree(name, library, tmp_path):
    model = MODELS[name]
    case, _ = expected.draw(model, seed=0)
    case.save(tmp_path / "case.npz")
    if library == "built-in" and name not in PLAIN:
        with pytest.raises(build.RefusedError, match=r"no Padding\dD"):
            build.embedded(name, library, tmp_path / "case.npz")
        return
    built = build.embedded(name, library, tmp_path / "case.npz").model
    values = expected.forward(model, case.weights, case.x)
    chain = zip(built.layers, values[:-1], strict=True)
    shapes = [tuple(layer.compute_output_shape(x.shape)) for layer, x in chain]
    assert shapes == [x.shape for x in values[1:]]
    assert case.cotangent.shape == case.target.shape == values[-1].shape

    described = [(weight.name, weight.shape) for weight in model.weights(_channels(model, case))]
    assert described == [(weight.name, tuple(weight.shape)) for weight in built.weights]
    for weight, wanted in zip(built.get_weights(), case.weights, strict=True):
        np.testing.assert_array_equal(weight, wanted)


@EACH_MODEL
def test_the_gradients_of_the_reference_are_those_of_its_loss(name):
    """The change of the loss along a direction, against the gradients that training uses."""
    model = MODELS[name]
    case, results = expected.draw(model, seed=1)
    rng = np.random.default_rng(0)
    direction = [rng.standard_normal(weight.shape) for weight in case.weights]

    def loss(step):
        moved = [w.astype(float) + step * d for w, d in zip(case.weights, direction, strict=True)]
        return np.mean((expected.forward(model, moved, case.x)[-1] - case.target) ** 2)

    step = 1e-5
    numeric = (loss(step) - loss(-step)) / (2 * step)
    training = results["training step"]
    assert training["loss"] == pytest.approx(loss(0.0), rel=1e-12)
    changes = [training[f"change of {weight}"] for weight in expected.weight_names(model)]
    exact = sum(np.sum(c * d) for c, d in zip(changes, direction, strict=True))
    assert -exact / expected.LEARNING_RATE == pytest.approx(numeric, rel=1e-6, abs=1e-8)


def test_what_is_measured_has_the_parts_of_the_reference(tmp_path):
    model = MODELS["eeg"]
    case, wanted = expected.draw(model, seed=0)
    case.save(tmp_path / "case.npz")
    built = build.embedded("eeg", "ours", tmp_path / "case.npz")
    fixed = measure.Fixed(0, (case.cotangent, case.target), expected.LEARNING_RATE)
    mode = differentiation.modes()[0]
    results, _ = measure.measure(built, fixed, mode, False, quantities.OF_EMBEDDED)
    assert {name: set(parts) for name, parts in results.items()} == {
        name: set(parts) for name, parts in wanted.items()
    }
    for name, parts in wanted.items():
        for part, array in parts.items():
            scale = np.max(np.abs(array))
            np.testing.assert_allclose(results[name][part], array, rtol=0, atol=1e-4 * scale)
    for weight, before in zip(built.model.get_weights(), case.weights, strict=True):
        np.testing.assert_array_equal(weight, before)


@pytest.mark.parametrize("name", samples.SAMPLES)
def test_samples_are_real_small_and_standardized(name):
    sample = samples.SAMPLES[name]()
    assert sample.dtype == np.float32 and sample.size < 5000
    assert abs(sample.mean()) < 1e-5 and abs(sample.std() - 1) < 1e-5
    assert len(np.unique(sample)) > 100


@pytest.mark.parametrize(
    ("name", "package"), [("eeg", "matplotlib"), ("photo", "matplotlib.image"), ("mri", "nibabel")]
)
def test_a_missing_package_names_the_extra(monkeypatch, name, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'keras-convkit\[parity\]'"):
        samples.SAMPLES[name]()


def test_a_package_without_its_data_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr("matplotlib.get_data_path", lambda: str(tmp_path))
    with pytest.raises(MissingExtraError, match=r"lacks its sample data 'eeg\.dat'"):
        samples.eeg()


def test_the_seed_decides_and_the_other_models_do_not():
    first, _ = expected.draw(MODELS["eeg"], seed=3)
    expected.draw(MODELS["photo"], seed=3)
    again, _ = expected.draw(MODELS["eeg"], seed=3)
    other, _ = expected.draw(MODELS["eeg"], seed=4)
    np.testing.assert_array_equal(first.target, again.target)
    assert not np.array_equal(first.target, other.target)
    np.testing.assert_array_equal(first.x, other.x)


def test_a_case_survives_its_file(tmp_path):
    case, _ = expected.draw(MODELS["mri"], seed=0)
    case.save(tmp_path / "case.npz")
    loaded = expected.Case.load(tmp_path / "case.npz")
    for array, again in zip(_arrays(case), _arrays(loaded), strict=True):
        np.testing.assert_array_equal(array, again)
        assert array.dtype == again.dtype


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_modes_of_the_command_are_modes_of_the_backend(backend):
    assert set(tasks.MODES[backend]) <= set(tasks.ALL_MODES[backend])
    assert set(tasks.ALL_MODES[backend]) == set(differentiation.MODES[backend])


def test_weights_have_readable_unique_names():
    for model in MODELS.values():
        names = expected.weight_names(model)
        assert len(set(names)) == len(names)
        assert all(re.fullmatch(r"\d+ \w+ \w+", name) for name in names)


def test_standardize_makes_keras_forget_the_users_defaults():
    before = keras.config.image_data_format()
    try:
        keras.config.set_image_data_format("channels_first")
        settings.standardize()
        assert keras.config.image_data_format() == "channels_last"
        assert keras.config.dtype_policy().name == keras.config.floatx() == "float32"
    finally:
        keras.config.set_image_data_format(before)


def _channels(model, case):
    return case.x.shape[1 if model.data_format == "channels_first" else -1]


def _arrays(case):
    return [case.x, case.cotangent, case.target, *case.weights]
