"""A desk and its workers, which here are a few lines that import nothing."""

import sys

import pytest

from keras_convkit.parity import runner
from keras_convkit.parity.runner import BackendRun, Desk
from keras_convkit.parity.tasks import MEASURE, SUBJECT, Task
from tests.once import ONCE

pytestmark = ONCE

WORKER = """
import json, os, sys
def send(**event):
    print(json.dumps(event), flush=True)
if os.path.exists(sys.argv[1] + "/broken"):
    sys.exit("no import")
send(event="ready", versions={"jax": "1.2.3"})
for line in sys.stdin:
    if json.loads(line)["dies"]:
        os._exit(3)
    send(event="result", file="a.npz", facts={})
send(event="end")
"""


@pytest.fixture
def desk(monkeypatch, tmp_path):
    monkeypatch.setattr(runner, "WORKER", (sys.executable, "-c", WORKER, str(tmp_path)))
    desk = Desk(BackendRun("jax", ("compiled",)), tmp_path, 60.0, 0.0, lambda run, news: None)
    yield desk
    desk.close()


def ask(desk, subject="layer", dies=False):
    return desk.answer(Task(subject, MEASURE, SUBJECT, "compiled"), {"dies": dies})


def test_a_subject_is_given_up_and_the_next_one_is_not(desk):
    for _ in range(runner.DEATHS):
        assert "exit status 3" in ask(desk, dies=True).reason
    assert ask(desk).reason.startswith(f"{runner.DEATHS} workers died over layer")
    assert ask(desk, "another").kind == "result"


def test_a_search_goes_on_behind_an_example_that_kills(desk):
    """All its examples go by the name of one subject."""
    for _ in range(3):
        for _ in range(runner.DEATHS + 1):
            assert ask(desk, dies=True).kind == "failed"
        assert desk.revive()
        assert ask(desk).kind == "result"


def test_a_backend_that_could_be_imported_is_tried_again(desk, tmp_path):
    assert ask(desk).kind == "result"
    ask(desk, dies=True)
    (tmp_path / "broken").touch()
    assert ask(desk).kind == "failed" and desk.run.status == "failed"
    (tmp_path / "broken").unlink()
    assert desk.revive()
    assert ask(desk).kind == "result"


def test_a_backend_that_never_could_is_not(desk, tmp_path):
    (tmp_path / "broken").touch()
    assert ask(desk).kind == "failed"
    assert not desk.revive()
