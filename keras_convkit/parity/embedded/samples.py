"""Real recordings that installed packages carry, small and in float32: nothing is downloaded.

Each sample is cropped and strided so that it takes a model milliseconds, and standardized, so that
errors of all models are errors of numbers of one size.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from keras_convkit.extras import MissingExtraError, require

Array = np.ndarray


def eeg() -> Array:
    """Four windows of a four-channel electroencephalogram: `(4, 100, 4)`.

    Source: `eeg.dat` of matplotlib's sample data, 800 samples a channel; every second is taken.
    """
    recording = np.fromfile(_matplotlib_sample("eeg.dat"), dtype=np.float64)
    return _standardized(recording.reshape(4, 200, 4)[:, ::2])


def photo() -> Array:
    """The upper and the lower part of a photograph: `(2, 18, 28, 3)`, red, green and blue.

    Source: `grace_hopper.jpg` of matplotlib's sample data, 600 by 512; every 16th pixel is taken.
    """
    image = require("matplotlib.image", "the photograph")
    pixels = image.imread(_matplotlib_sample("grace_hopper.jpg"))
    return _standardized(pixels[:576, :448].reshape(2, 288, 448, 3)[:, ::16, ::16])


def mri() -> Array:
    """A magnetic resonance image of a head, twice, one voxel apart: `(2, 11, 13, 8, 1)`.

    Source: `anatomical.nii` of nibabel's test data, 33 by 41 by 25; every third voxel is taken.
    """
    nibabel = require("nibabel", "the MRI volume")
    path = Path(nibabel.__file__).parent / "tests" / "data" / "anatomical.nii"
    volume = nibabel.load(_existing(path, "nibabel")).get_fdata()
    return _standardized(
        np.stack([volume[start::3, start::3, start::3][:11, :13, :8] for start in (0, 1)])[
            ..., None
        ]
    )


SAMPLES: dict[str, Callable[[], Array]] = {"eeg": eeg, "photo": photo, "mri": mri}


def _matplotlib_sample(name: str) -> Path:
    matplotlib = require("matplotlib", "the EEG recording and the photograph")
    return _existing(Path(matplotlib.get_data_path()) / "sample_data" / name, "matplotlib")


def _existing(path: Path, package: str) -> Path:
    # Packagers of Linux distributions leave test and sample data out at times.
    if not path.exists():
        raise MissingExtraError(
            f"This installation of {package} lacks its sample data {path.name!r} (looked for at "
            f"{path}). Reinstall it from PyPI with: pip install --force-reinstall {package}"
        )
    return path


def _standardized(sample: Array) -> Array:
    sample = sample.astype(np.float64)
    return ((sample - sample.mean()) / sample.std()).astype(np.float32)
