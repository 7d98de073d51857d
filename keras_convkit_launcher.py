"""Where the command `keras-convkit` starts: it sees to it that Keras can be imported.

Keras imports a backend with itself, TensorFlow unless told otherwise, and `import keras_convkit`
imports Keras. The command does not care which backend its own process has, but has to start on a
machine that has only one of them. So this module lies beside the package, and chooses before the
package is imported.
"""

import importlib.util
import os
import sys

# The fastest to import comes first: about 3, 6 and 7 seconds, Keras included.
_BACKENDS = ("jax", "tensorflow", "torch")


def main() -> int:
    """Runs the command line under a backend that is installed, and returns the exit code."""
    if not _is_installed(os.environ.get("KERAS_BACKEND", "")):
        installed = next(filter(_is_installed, _BACKENDS), None)
        if installed is None:
            print(
                "keras-convkit: no backend of Keras is installed. Install one with: "
                "pip install 'keras-convkit[jax]' (or tensorflow, or torch)",
                file=sys.stderr,
            )
            return 2
        os.environ["KERAS_BACKEND"] = installed
    from keras_convkit.cli import main as command

    return command()


def _is_installed(backend: str) -> bool:
    return backend in _BACKENDS and importlib.util.find_spec(backend) is not None


if __name__ == "__main__":
    sys.exit(main())
