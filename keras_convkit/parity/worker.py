"""One backend's share of a parity run, in a process of its own.

    KERAS_BACKEND=jax python -m keras_convkit.parity.worker FOLDER MODES MODEL...

reads `FOLDER/MODEL.npz` for each model, measures our layers in each of the modes and the built-in
ones in the first of them, and writes the results to files in `FOLDER/BACKEND`. MODES is one or
more of `differentiation.modes()`, separated by commas. Progress goes to standard output, one JSON
object a line, each with an `event`:

- `ready`: the backend is imported; `versions`.
- `begin`: a measurement starts; `model`, `library`, `mode`.
- `result`: it is done; the same, and `file`.
- `refused`: a library cannot do it; the same, and `reason`.
- `failed`: it raised an error; the same, and `reason`.
- `end`: all measurements have been tried.
"""

from __future__ import annotations

import argparse
import traceback
from pathlib import Path

import keras

from keras_convkit.parity import measured, quantities
from keras_convkit.parity.expected import Case
from keras_convkit.parity.models import MODELS, Model
from keras_convkit.workers import Send, first_line, sender, versions


def main(argv: list[str] | None = None) -> None:
    """Measures the models named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m keras_convkit.parity.worker")
    parser.add_argument("folder", type=Path)
    parser.add_argument("modes", type=lambda text: text.split(","))
    parser.add_argument("models", nargs="+", choices=MODELS)
    arguments = parser.parse_args(argv)
    send = sender()
    backend = keras.backend.backend()
    folder = arguments.folder / backend
    folder.mkdir(exist_ok=True)
    measured.standardize()
    send("ready", versions=versions(backend))
    for name in arguments.models:
        case = Case.load(arguments.folder / f"{name}.npz")
        _measure(MODELS[name], case, "ours", arguments.modes, folder, send)
        _measure(MODELS[name], case, "built-in", arguments.modes[:1], folder, send)
    send("end")


def _measure(
    model: Model, case: Case, library: str, modes: list[str], folder: Path, send: Send
) -> None:
    """Measures a model in some modes and reports each."""
    built = None
    for mode in modes:
        measurement = {"model": model.name, "library": library, "mode": mode}
        send("begin", **measurement)
        try:
            built = built or measured.build(model, case, library)
            path = folder / f"{model.name} {library} {mode}.npz"
            quantities.save(path, measured.results(built, model, case, mode))
            send("result", **measurement, file=str(path))
        except measured.RefusedError as refusal:
            send("refused", **measurement, reason=str(refusal))
        # Any error of one model is a finding about that model, and the next one has its turn.
        except Exception as error:
            traceback.print_exc()
            send("failed", **measurement, reason=first_line(error))


if __name__ == "__main__":
    main()
