"""TensorFlow's kernels for a CPU with oneDNN, and its own: the processor decides which a user has.

The suite runs with those that it takes here by default, this file with the others.
"""

import os
import platform
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from keras_convkit.lowering.case import onednn

ROOT = Path(__file__).parent.parent
CASES = [
    "DepthwiseConv2D-even_kernel-strides-same",
    "SeparableConv2D-mixed_padding-mixed_modes-channels_first",
    "DepthwiseConv3D-even_kernel-strides-same",
    "Conv3D-even_kernel-strides-same",
    "Conv3D-groups-strides-dilation-channels_first",
    "Conv1DTranspose-output_padding-strides-dilation-same",
    "Conv2DTranspose-dilation-no_bias",
    "Conv3DTranspose-kernel_shorter_than_stride-same-channels_first",
]
TESTS = [
    "tests/test_lowering_choice.py::test_onednn_is_on_where_the_environment_says_so",
    *(f"tests/test_layers.py::test_output_and_gradients[{case}]" for case in CASES),
]


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow"
    or (platform.system(), platform.machine()) != ("Linux", "x86_64"),
    reason="there is nothing to choose between",
)
def test_what_the_other_kernels_refuse_or_get_wrong():
    other = "0" if onednn() else "1"
    # Not in the environment of a worker of pytest-xdist, or it would take itself for one.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-o", "addopts=", "-p", "no:cacheprovider", *TESTS],
        cwd=ROOT,
        env={**environment, "KERAS_BACKEND": "tensorflow", "TF_ENABLE_ONEDNN_OPTS": other},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(TESTS)} passed" in done.stdout
