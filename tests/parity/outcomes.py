"""Results of backends that never ran, and workers that only play the part."""

import sys
from pathlib import Path

from keras_convkit.parity import expected, quantities, runner
from keras_convkit.parity.models import MODELS
from keras_convkit.parity.runner import BackendRun, Measurement

_WORKER = """
import json, os, subprocess, sys, time

PERFECT, BEHAVIOUR = {perfect!r}, {behaviour!r}
backend = os.environ["KERAS_BACKEND"]
behaviour = BEHAVIOUR.get(backend, "good")
modes, models = sys.argv[2].split(","), sys.argv[3:]


def send(event, **content):
    print(json.dumps(dict(event=event, **content)), flush=True)


print("a package greets its users while it is imported", flush=True)
if behaviour == "broken import":
    raise ImportError("libnothing.so: cannot open shared object file")
send("ready", versions=dict(keras="0.0.0", numpy="0.0.0", **{{backend: "1.2.3"}}))
for model in models:
    for library, own in (("ours", modes), ("built-in", modes[:1])):
        for mode in own:
            name = dict(model=model, library=library, mode=mode)
            send("begin", **name)
            if behaviour == "killed":
                os.kill(os.getpid(), 9)
            elif behaviour == "garbage":
                print("Segmentation fault, or was it?", flush=True)
                time.sleep(60)
            elif behaviour == "hangs":
                time.sleep(60)
            elif behaviour == "leaves a child":
                subprocess.Popen(["sleep", "60"])
                sys.exit(0)
            elif behaviour == "raises" and library == "ours":
                send("failed", **name, reason="ValueError: no")
            elif behaviour == "half a file":
                path = os.path.join(sys.argv[1], "half.npz")
                open(path, "wb").write(open(f"{{PERFECT}}/{{model}}.npz", "rb").read()[:1000])
                send("result", **name, file=path)
            else:
                send("result", **name, file=f"{{PERFECT}}/{{model}}.npz")
if behaviour == "stops early":
    sys.exit(0)
send("end")
"""


def reference(*models: str) -> dict[str, quantities.Results]:
    """Returns the reference's results for some models."""
    return {name: expected.draw(MODELS[name], seed=0)[1] for name in models}


def perfect_run(backend: str, folder: Path, wanted: dict[str, quantities.Results]) -> BackendRun:
    """Returns the run of a backend that gave exactly the reference's results."""
    run = BackendRun(backend, runner.MODES[backend], status="done")
    run.versions = {"keras": "0.0.0", "numpy": "0.0.0", backend: "1.2.3"}
    for model, results in wanted.items():
        path = folder / f"{backend} {model}.npz"
        quantities.save(path, results)
        for mode in run.modes:
            run.results[Measurement(model, "ours", mode)] = path
        run.results[Measurement(model, "built-in", run.modes[0])] = path
    return run


def fake_worker(folder: Path, behaviour: dict[str, str], *models: str) -> tuple[str, ...]:
    """Returns the command of a worker that gives the reference's results, or misbehaves.

    Args:
        folder: Where its files go.
        behaviour: What it does for which backend, apart from giving perfect results.
        *models: The models it knows.
    """
    for name, results in reference(*models).items():
        quantities.save(folder / f"{name}.npz", results)
    script = folder / "worker.py"
    script.write_text(_WORKER.format(perfect=str(folder), behaviour=behaviour))
    return sys.executable, str(script)
