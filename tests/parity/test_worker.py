"""Parts of a worker, in this process."""

from types import SimpleNamespace

import keras
import numpy as np

from keras_convkit.parity.differentiation import modes, pull_back
from keras_convkit.parity.tasks import SUBJECT, Task
from keras_convkit.parity.worker import __main__ as worker


class ReadsANumber(keras.layers.Layer):
    """What it does depends on a number's value, which a traced one doesn't have."""

    def __init__(self):
        super().__init__()
        self.supports_jit = False

    def call(self, x):
        return 2 * x if keras.ops.convert_to_numpy(keras.ops.max(x)) > 0 else x


def test_a_layer_that_cannot_be_compiled_is_not():
    if keras.backend.backend() == "tensorflow":
        return  # Its graphs are asked for by name, and `supports_jit` says nothing of them.
    x = np.float32([[1.0, -2.0]])
    layer = ReadsANumber()
    layer.build(x.shape)
    for mode in modes():
        (output,) = pull_back(layer, [x], None, mode).outputs
        np.testing.assert_array_equal(output, 2 * x)


def test_a_task_starts_from_the_model_as_it_was(monkeypatch, tmp_path):
    """The one before may have failed half way through a training step."""
    made = []

    def build(*arguments):
        made.append(SimpleNamespace(resets=0))
        made[-1].reset = lambda built=made[-1]: setattr(built, "resets", built.resets + 1)
        return made[-1]

    monkeypatch.setattr(worker.build, "build", build)
    answering = worker.Answering()
    question = {"subject": {"name": "one"}, "case": "case.npz", "seed": 0}
    task = Task("one", "measure", SUBJECT, "eager")
    for _ in range(3):
        assert answering._build(question, task, tmp_path) is made[0]
    assert len(made) == 1 and made[0].resets == 2
    answering._build(question | {"seed": 1}, task, tmp_path)
    assert len(made) == 2 and made[1].resets == 0
