"""A mark for tests that are long and nothing to the backend that they run beside."""

import keras
import pytest

from keras_convkit.workers import BACKENDS, is_installed

INSTALLED = [backend for backend in BACKENDS if is_installed(backend)]
# What is started by a test to be looked at from outside, whatever its backend: this one is imported
# in half the time of the others.
QUICKEST = "jax" if "jax" in INSTALLED else INSTALLED[-1]
# The suite runs once a backend. Tests of this mark start processes that choose their backends
# themselves, or ask nothing of one: where there are several, all but one of the runs leave them
# out (`fixtures.py`). The last backend, torch, has most time for them: it compiles nothing.
ONCE = pytest.mark.once
RUN_HERE = keras.backend.backend() == INSTALLED[-1]
