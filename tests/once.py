"""A mark for tests that start processes of their own."""

import keras
import pytest

from keras_convkit.workers import BACKENDS, is_installed

INSTALLED = [backend for backend in BACKENDS if is_installed(backend)]
# The suite runs once a backend. The last one, torch, is through first: it compiles nothing.
ONCE = pytest.mark.skipif(
    keras.backend.backend() != INSTALLED[-1],
    reason=f"starts processes that choose their backends themselves, once: beside {INSTALLED[-1]}",
)
