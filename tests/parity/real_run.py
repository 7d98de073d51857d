"""One real run of the command over everything that can go wrong: interrupted, then resumed.

It takes most of a minute, and several modules look at what it leaves.
"""

import atexit
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path

from keras_convkit.workers import BACKENDS
from tests.once import QUICKEST

ROOT = Path(__file__).parents[2]
# The backend that works, and one that can't be imported.
WORKING = QUICKEST
BROKEN = next(backend for backend in BACKENDS[::-1] if backend != WORKING)
# The subject that hangs takes all of it.
TIMEOUT = 20
# Seconds in which the command has come to that subject, and has ended when it is interrupted.
PATIENCE = 300

_MODULE = """
import os
import signal
import time

import keras
import numpy as np


class Scale(keras.layers.Layer):
    def __init__(self, factor=2.0, **options):
        super().__init__(**options)
        self.factor = factor

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1],), name="kernel")

    def call(self, x):
        return x * self.kernel * self.factor

    def get_config(self):
        return super().get_config() | {"factor": self.factor}


def right(x, weights, config):
    return x * weights[0] * config.get("factor", 2.0)


def wrong(x, weights, config):
    answer = right(x, weights, config)
    answer[1, 2] += 0.01
    return answer


def prints():
    print("a layer prints")
    os.write(1, b'{"event": "result"}\\n{"event": "end"}\\n')
    return Scale()


def raises(**config):
    raise ValueError("no such <peer> & no such layer")


def hangs():
    time.sleep(3600)


def crashes():
    os._exit(3)


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


def hungry():
    np.ones(2**40)
"""


def _subject(function, name="", **more):
    return {"target": f"faulty:{function}", "inputs": ["2,5,4"], "name": name or function, **more}


# Behind each that takes its worker with it comes one that has to be measured all the same.
SUBJECTS = [
    _subject("Scale", "good", config={"factor": 3.0}, reference="faulty:right"),
    _subject("Scale", "wrong", reference="faulty:wrong"),
    _subject("Scale", "no peer", peer="faulty:raises"),
    _subject("prints", reference="faulty:right"),
    _subject("hungry"),
    _subject("hangs"),
    _subject("Scale", "after hangs", reference="faulty:right"),
    _subject("crashes"),
    _subject("Scale", "after crashes", reference="faulty:right"),
    _subject("killed"),
    _subject("Scale", "after killed", reference="faulty:right"),
]


@dataclass(frozen=True)
class RealRun:
    """What came of it.

    Attributes:
        folder: Where the command was run; the reports of the resumed run are there.
        before: The processes while the first run was waiting for the subject that hangs.
        after: Those that were left when it had been interrupted.
        left: The files that were there then.
        interrupted: Exit code and standard error of the first run.
        resumed: Exit code, standard output and standard error of the second.
    """

    folder: Path
    before: list[str]
    after: list[str]
    left: list[str]
    interrupted: tuple[int, str]
    resumed: tuple[int, str, str]

    def document(self):
        """The JSON report."""
        return json.loads((self.folder / "out.json").read_text())


@functools.cache
def real_run() -> RealRun:
    """Runs the command, interrupts it where a subject hangs, and runs it again."""
    folder = Path(tempfile.mkdtemp(prefix="keras-convkit-real-run-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "faulty.py").write_text(_MODULE)
    (folder / "list.json").write_text(json.dumps(SUBJECTS))
    (folder / BROKEN).mkdir()
    (folder / BROKEN / "__init__.py").write_text("raise ImportError('libnothing.so: no such file')")
    mark = f"KERAS_CONVKIT_REAL_RUN={uuid.uuid4()}"
    environment = os.environ | {
        "KERAS_BACKEND": WORKING,
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }
    environment |= [mark.split("=")]
    command = [
        *(sys.executable, "-m", "keras_convkit_launcher", "parity", "list.json"),
        *("--backends", f"{WORKING},{BROKEN}", "--quantities", "output"),
        *("--resume", "results", "--memory", "8"),
        *("--json", "out.json", "--junit", "out.xml", "--markdown", "out.md"),
    ]
    options = {"cwd": folder, "env": environment, "text": True, "stdin": subprocess.DEVNULL}
    # A shell's background job inherits that Ctrl-C is ignored, and would hand that on.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        # It is interrupted before the limit, however slow the machine is.
        [*command, "--timeout", "3600"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        # Ctrl-C in a terminal reaches the group of the command.
        start_new_session=True,
        **options,
    ) as first:
        signal.signal(signal.SIGINT, handler)
        limit = threading.Timer(PATIENCE, os.killpg, [first.pid, signal.SIGKILL])
        limit.start()
        lines = []
        for line in first.stderr:
            lines.append(line)
            if f"{WORKING}: hangs subject" in line:
                break
        before = _marked(mark)
        os.killpg(first.pid, signal.SIGINT)
        lines += first.stderr
        limit.cancel()
    after = _marked(mark)
    # Python's own may be there, for what the workers imported.
    left = sorted(path.name for path in folder.iterdir() if path.name != "__pycache__")
    command += ["--timeout", str(TIMEOUT)]
    second = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False, **options)
    return RealRun(
        folder,
        before,
        after,
        left,
        (first.returncode, "".join(lines)),
        (second.returncode, second.stdout, second.stderr),
    )


def _marked(mark: str) -> list[str]:
    """The command lines of the processes that have a mark in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (path / "environ").read_bytes().split(b"\0"):
                found.append((path / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:  # It has ended meanwhile, or is another user's.
            continue
    return found
