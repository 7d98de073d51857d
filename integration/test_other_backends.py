"""A model saved here answers the same in another process, under each backend.

There, weights files of built-in models load into ours, and a compiled model goes on training where
it was. The suite runs once a backend. Each run saves the zoo under its own and starts one process
for each of the others, so that together the runs try all six pairs; what is saved and loaded under
one backend is `test_saving.py`'s, and tried here as well with KERAS_CONVKIT_LONG=1. These processes
import `keras` and `keras_convkit`, and nothing else that could register a class.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from integration.models import ZOO, images, outputs_of, plain, randomize

ROOT = Path(__file__).resolve().parents[1]
LONG = bool(os.environ.get("KERAS_CONVKIT_LONG"))
BACKENDS = [b for b in ("tensorflow", "jax", "torch") if LONG or b != keras.backend.backend()]
# The chain of `sequential`, which has every family, stands in `nested`; each kind is saved in all
# ranks by `test_saving.py`.
SAVED = [("plain", 1), ("plain", 2), ("plain", 3), ("functional", 2), ("nested", 1), ("nested", 3)]
TOLERANCE = 1e-5

LOADER = """
import json, os, pathlib, sys
import keras, numpy as np
import keras_convkit

def error(model, arrays):
    answer = model.predict_on_batch(arrays["x"])
    answers = answer if isinstance(answer, (list, tuple)) else [answer]
    wanted = [arrays[f"y{i}"] for i in range(len(arrays.files) - 1)]
    assert [a.shape for a in answers] == [w.shape for w in wanted]
    pairs = zip(answers, wanted)
    return max(float(np.abs(a - w).max() / np.abs(w).max()) for a, w in pairs)

def same(model, other):
    pairs = zip(model.get_weights(), other.get_weights(), strict=True)
    return model.get_config() == other.get_config() and all(map(np.array_equal, *zip(*pairs)))

assert keras.backend.backend() == os.environ["KERAS_BACKEND"]
answers = {}
for file in pathlib.Path(sys.argv[1]).glob("*.keras"):
    model = keras.saving.load_model(file)
    from_json = keras.models.model_from_json(file.with_suffix(".json").read_text())
    from_json.load_weights(file.with_suffix(".weights.h5"))
    answers[file.stem] = {
        "error": error(model, np.load(file.with_suffix(".npz"))),
        "json": same(from_json, model),
    }
compiled = pathlib.Path(sys.argv[1], "compiled")
model, data = keras.saving.load_model(compiled / "model.keras"), np.load(compiled / "data.npz")
# JAX's file asks for compilation, which under torch would take two minutes.
model.jit_compile = keras.backend.backend() == "jax"
history = model.fit(data["x"], data["y"], epochs=2, shuffle=False, verbose=0).history
answers["compiled"] = {
    "step": int(model.optimizer.iterations), "loss": history["loss"], "mae": history["mae"]
}
ours = [name for name in sys.modules if name.split(".")[0] in ("integration", "tests")]
assert not ours, ours
print(json.dumps(answers))
"""


def installed(backend):
    return importlib.util.find_spec(backend) is not None


@pytest.fixture(scope="session")
def saved_zoo(tmp_path_factory):
    """A folder with each model, in both forms, an input, and what this backend answers."""
    folder = tmp_path_factory.mktemp("zoo")
    for kind, rank in SAVED:
        model, x = randomize(ZOO[kind](rank)), images(rank)
        file = folder / f"{kind}-{rank}.keras"
        model.save(file)
        file.with_suffix(".json").write_text(model.to_json())
        giver = model
        if kind == "plain":  # the file is that of a built-in model
            giver = plain(rank, keras.layers)
            giver.set_weights(model.get_weights())
        giver.save_weights(file.with_suffix(".weights.h5"))
        outputs = {f"y{i}": y for i, y in enumerate(outputs_of(model, x))}
        assert all(np.abs(y).max() > 0.01 for y in outputs.values())
        np.savez(file.with_suffix(".npz"), x=x, **outputs)
    return folder


@pytest.fixture(scope="session")
def went_on(saved_zoo):
    """Saves a model in the middle of its training; the metrics of the rest of it, here."""
    folder = saved_zoo / "compiled"
    folder.mkdir()
    model, x = randomize(plain(2)), images(2)
    y = np.random.default_rng(4).normal(size=outputs_of(model, x)[0].shape).astype("float32")
    # Momenta and a decaying rate: state that a fresh optimizer hasn't. Not Adam: under torch Keras
    # writes torch's own variant of it into the file, which trains under no other backend.
    rate = keras.optimizers.schedules.ExponentialDecay(0.05, 2, 0.5)
    model.compile(keras.optimizers.Lamb(rate), "mse", metrics=["mae"])
    model.fit(x, y, epochs=2, shuffle=False, verbose=0)
    model.save(folder / "model.keras")
    np.savez(folder / "data.npz", x=x, y=y)
    history = model.fit(x, y, epochs=2, shuffle=False, verbose=0).history
    return {"step": 4, "loss": history["loss"], "mae": history["mae"]}


@pytest.fixture(scope="session")
def loaders(saved_zoo, went_on):
    """The loading processes, all started at once: most of their time is spent on imports."""
    processes = {
        backend: subprocess.Popen(
            [sys.executable, "-c", LOADER, str(saved_zoo)],
            cwd=saved_zoo,
            env={**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for backend in BACKENDS
        if installed(backend)
    }
    yield processes
    for process in processes.values():
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def loaded(loaders):
    """For a backend, what the process that loaded the zoo under it found."""
    found = {}

    def under(backend):
        if not installed(backend):
            pytest.skip(f"{backend} is not installed here")
        if backend not in found:
            process = loaders[backend]
            output, complaints = process.communicate(timeout=300)
            assert process.returncode == 0, complaints[-4000:]
            found[backend] = json.loads(output.splitlines()[-1])
        return found[backend]

    return under


@pytest.mark.parametrize(("kind", "rank"), SAVED)
@pytest.mark.parametrize("backend", BACKENDS)
def test_loads_and_predicts_the_same_under(backend, kind, rank, loaded):
    answer = loaded(backend)[f"{kind}-{rank}"]
    assert answer["error"] <= TOLERANCE, f"saved under {keras.backend.backend()}"
    assert answer["json"], "JSON and weights don't make the model that the .keras file makes"


@pytest.mark.parametrize("backend", BACKENDS)
def test_training_goes_on_under(backend, loaded, went_on):
    answer = loaded(backend)["compiled"]
    assert answer["step"] == went_on["step"]
    for metric in ("loss", "mae"):
        np.testing.assert_allclose(answer[metric], went_on[metric], rtol=1e-5)


def test_training_goes_on_here(saved_zoo, went_on):
    model = keras.saving.load_model(saved_zoo / "compiled" / "model.keras")
    data = np.load(saved_zoo / "compiled" / "data.npz")
    history = model.fit(data["x"], data["y"], epochs=2, shuffle=False, verbose=0).history
    assert int(model.optimizer.iterations) == went_on["step"]
    for metric in ("loss", "mae"):
        np.testing.assert_allclose(history[metric], went_on[metric], rtol=1e-5)
