"""On several devices a model of our layers has the losses that it has on one.

So have built-in ones: with the environment variable KERAS_CONVKIT_LONG=1 these are tried as well.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from integration import distributed

ROOT = Path(__file__).parent.parent
BACKEND = keras.backend.backend()
LONG = bool(os.environ.get("KERAS_CONVKIT_LONG"))
LIBRARIES = ["keras_convkit", "keras.layers"] if LONG else ["keras_convkit"]


def losses(library, setting):
    process = subprocess.run(
        [sys.executable, "-m", "integration.distributed", library, setting],
        cwd=ROOT,
        env=os.environ | {"KERAS_BACKEND": BACKEND},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    return json.loads(process.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def on_one_device():
    return distributed.single("keras_convkit")


def test_the_losses_fall(on_one_device):
    assert len(on_one_device) == distributed.STEPS
    assert np.isfinite(on_one_device).all()


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("setting", distributed.SETTINGS[BACKEND])
def test_the_same_losses_on_several_devices(library, setting, on_one_device):
    np.testing.assert_allclose(losses(library, setting), on_one_device, rtol=1e-4)
