"""Workers that only play the part, and runs of the command with them."""

import sys
from pathlib import Path

from keras_convkit.parity import quantities
from keras_convkit.parity.embedded import expected
from keras_convkit.parity.embedded.models import MODELS

_WORKER = """
import json, os, subprocess, sys, time

PERFECT, BEHAVIOUR = {perfect!r}, {behaviour!r}
backend = os.environ["KERAS_BACKEND"]
behaviour = BEHAVIOUR.get(backend, "good")
FACTS = dict(roundings=dict.fromkeys({quantities!r}, 1000), weights={{}}, shapes=[[4, 100, 4]])


def send(event, **content):
    print(json.dumps(dict(event=event, **content)), flush=True)


print("a package greets its users while it is imported", flush=True)
if behaviour == "broken import":
    raise ImportError("libnothing.so: cannot open shared object file")
send("ready", versions=dict(keras="0.0.0", numpy="0.0.0", **{{backend: "1.2.3"}}))
for line in sys.stdin:
    question = json.loads(line)
    task = question["task"]
    once = os.path.join(PERFECT, "once " + backend)
    first = not os.path.exists(once)
    open(once, "w").close()
    over = task["subject"] in behaviour.removeprefix("killed over ").split(",")
    if behaviour == "killed" or behaviour == "killed once" and first or over:
        os.kill(os.getpid(), 9)
    elif behaviour == "garbage":
        print("Segmentation fault, or was it?", flush=True)
        time.sleep(60)
    elif behaviour == "hangs":
        time.sleep(60)
    elif behaviour == "leaves a child":
        subprocess.Popen(["sleep", "60"])
        sys.exit(0)
    elif behaviour == "raises" and task["side"] == "subject":
        send("failed", reason="ValueError: no")
    else:
        size = 1000 if behaviour == "half a file" else None
        with open(f"{{PERFECT}}/{{task['subject']}}.npz", "rb") as file:
            content = file.read(size)
        with open(question["file"], "wb") as file:
            file.write(content)
        send("result", file=question["file"], facts=FACTS)
send("end")
"""


def reference(*models: str) -> dict[str, quantities.Results]:
    """Returns the reference's results for some models."""
    return {name: expected.draw(MODELS[name], seed=0)[1] for name in models}


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
    names = list(quantities.QUANTITIES)
    script.write_text(_WORKER.format(perfect=str(folder), behaviour=behaviour, quantities=names))
    return sys.executable, str(script)
