"""`keras-convkit parity` from the command line: verdicts, faults, exit codes."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import keras_convkit_launcher
from keras_convkit import cli, workers
from keras_convkit.parity import quantities, runner
from keras_convkit.workers import BACKENDS
from tests.once import INSTALLED, ONCE
from tests.parity.outcomes import fake_worker

pytestmark = ONCE

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Runs the command with workers that play the part, and returns exit code, JSON and texts."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runner, "is_installed", lambda backend: True)

    def run(*options, behaviour=None, models="eeg"):
        worker = fake_worker(tmp_path, behaviour or {}, *models.split(","))
        monkeypatch.setattr(runner, "WORKER", worker)
        monkeypatch.setenv("COLUMNS", "200")
        code = cli.main(["parity", "--models", models, "--json", "out.json", *options])
        document = json.loads(Path("out.json").read_text())
        assert Path("parity-report.html").read_text().startswith("<!DOCTYPE html>")
        return code, document, capsys.readouterr()

    return run


def verdicts(document, backend):
    """Returns the verdicts of all cells in which a backend has a part."""
    return {
        cell["verdict"]
        for cell in document["cells"]
        if backend in (cell["left"]["backend"], cell["right"]["backend"])
    }


def status(document):
    return {backend["name"]: backend["status"] for backend in document["backends"]}


def test_perfect_workers_agree(run):
    code, document, texts = run(models="eeg,mri")
    assert code == 0 and document["agrees"]
    assert set(status(document).values()) == {"done"}
    assert len(document["cells"]) == 2 * 4 * 10
    assert "All 80 comparisons agree." in texts.out and "parity-report.html" in texts.out
    assert "torch: eeg subject eager" in texts.err


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("killed", "the worker was killed by SIGKILL"),
        ("garbage", "printed what is not a message: b'Segmentation fault, or was it?"),
        ("broken import", "exit status 1: ImportError: libnothing.so: cannot open"),
    ],
)
def test_a_fault_of_one_worker_is_its_own(run, behaviour, reason):
    code, document, texts = run(behaviour={"jax": behaviour})
    assert code == 1 and not document["agrees"]
    assert status(document) == {"tensorflow": "done", "jax": "failed", "torch": "done"}
    assert verdicts(document, "jax") <= {"failed", "not possible"}
    others = [cell for cell in document["cells"] if "jax" not in str(cell)]
    assert others and {cell["verdict"] for cell in others} == {"agrees"}
    assert any(reason in cell["reason"] for cell in document["cells"] if "jax" in str(cell))
    assert reason in texts.out and reason in " ".join(document["faults"])


def test_a_worker_that_hangs_is_ended_by_the_time_limit(run):
    start = time.monotonic()
    code, document, _ = run("--timeout", "3", behaviour={"torch": "hangs"})
    assert code == 1 and time.monotonic() - start < 30
    assert verdicts(document, "torch") <= {"failed", "not possible"}
    assert any("time limit of 3 s exceeded" in str(cell) for cell in document["cells"])


def test_a_worker_that_dies_costs_one_cell_and_the_next_one_goes_on(run):
    code, document, _ = run(behaviour={"torch": "killed once"})
    assert code == 1 and set(status(document).values()) == {"done"}
    failed = [cell for cell in document["cells"] if cell["verdict"] == "failed"]
    assert failed and all("killed by SIGKILL" in cell["reason"] for cell in failed)
    assert {cell["verdict"] for cell in document["cells"] if cell not in failed} == {"agrees"}


def test_a_subject_that_kills_its_workers_leaves_the_others_their_turn(run):
    options = ["--quantities", "output", "--dtypes", "float16,float64"]
    code, document, _ = run(*options, behaviour={"torch": "killed over eeg"}, models="eeg,mri")
    assert code == 1 and set(status(document).values()) == {"done"}
    failed = [cell for cell in document["cells"] if cell["verdict"] == "failed"]
    assert {cell["subject"] for cell in failed} == {"eeg"}
    assert any("2 workers died over eeg" in cell["reason"] for cell in failed)
    others = [cell for cell in document["cells"] if cell not in failed]
    assert {cell["verdict"] for cell in others} == {"agrees"}
    assert "torch" in str([cell for cell in others if cell["subject"] == "mri"])


def test_a_backend_whose_workers_always_die_is_given_up(run):
    models = "eeg,mri,eeg-extended,mri-extended"
    code, document, texts = run(behaviour={"torch": "killed"}, models=models)
    assert code == 1 and status(document)["torch"] == "failed"
    assert "workers died over 3 subjects one after the other: the worker was killed" in texts.out
    # Two workers each for the first two, one for the third, none for what is behind it.
    assert texts.err.count("torch: importing torch") == 5
    assert "torch: mri-extended" not in texts.err


def test_results_are_kept_and_a_later_run_goes_on(run, tmp_path):
    folder = tmp_path / "results"
    code, _, _ = run("--resume", str(folder), behaviour={"torch": "killed once"})
    assert code == 1
    with (folder / "results.jsonl").open("a") as index:
        index.write('{"backend": "torch", "ta')  # A run that was killed leaves half a line.
    code, document, texts = run("--resume", str(folder))
    assert code == 0 and document["agrees"]
    # Only what had failed is done again.
    assert "torch: eeg subject eager" in texts.err and "jax: eeg" not in texts.err
    with pytest.raises(SystemExit):
        run("--resume", str(folder), "--seed", "x")
    assert cli.main(["parity", "--models", "mri", "--resume", str(folder)]) == 2


def test_a_resumed_run_counts_what_was_answered_before(run, tmp_path):
    """Only the three that kill their workers are asked again, with nothing between them."""
    models = "eeg,mri,eeg-extended,mri-extended,photo,photo-extended"
    options = ["--resume", str(tmp_path / "results"), "--quantities", "output"]
    behaviour = {"torch": "killed over eeg,eeg-extended,photo"}
    for _ in range(2):
        code, document, texts = run(*options, behaviour=behaviour, models=models)
        assert code == 1 and status(document)["torch"] == "done"
        failed = {cell["subject"] for cell in document["cells"] if cell["verdict"] == "failed"}
        assert failed == {"eeg", "eeg-extended", "photo"}
    assert "torch: mri subject" not in texts.err and "torch: eeg subject" in texts.err


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [("raises", "ValueError: no"), ("half a file", "unreadable results")],
)
def test_a_measurement_that_fails_is_its_own(run, behaviour, reason):
    code, document, texts = run(behaviour={"torch": behaviour})
    assert code == 1 and set(status(document).values()) == {"done"}
    assert "failed" in verdicts(document, "torch") and reason in " ".join(texts.out.split())


def test_a_missing_backend_is_named(run, monkeypatch):
    monkeypatch.setattr(runner, "is_installed", lambda backend: backend != "jax")
    code, document, texts = run()
    assert code == 0 and document["agrees"] and status(document)["jax"] == "missing"
    assert "missing: not installed: pip install 'keras-convkit[jax]'" in texts.out
    code, document, texts = run("--require", "torch,jax", "--backends", "torch")
    assert code == 1 and "jax is required: not installed" in texts.out
    assert set(status(document)) == {"jax", "torch"}
    code, document, texts = run("--backends", "jax")
    assert code == 1 and "No backend is installed." in texts.out and document["cells"] == []


def test_a_disagreement_is_found_and_shown(run, monkeypatch):
    load = quantities.load

    def perturbed(path):
        results = load(path)
        results["output"]["output"].flat[5] += 1e-3
        return results

    monkeypatch.setattr(quantities, "load", perturbed)
    code, document, texts = run()
    assert code == 1
    for cell in document["cells"]:
        against_reference = cell["kind"] == "reference" and cell["quantity"] == "output"
        assert cell["verdict"] == ("disagrees" if against_reference else "agrees")
    assert "disagrees: eeg, output, torch eager vs reference: error 1." in texts.out
    assert "> bound 1.0e-05 in output" in texts.out and "first at [0, 0, 5]" in texts.out


def to_process(sent):
    os.kill(os.getpid(), sent)


def to_another_thread(sent):
    """The system may give a signal to any thread; what waits in the main one isn't woken."""
    signal.pthread_kill(threading.get_ident(), sent)


@pytest.mark.parametrize(
    ("send", "sent", "code", "word"),
    [
        (to_process, signal.SIGINT, 130, "interrupted"),
        (to_process, signal.SIGTERM, 143, "terminated"),
        (to_another_thread, signal.SIGINT, 130, "interrupted"),
    ],
)
def test_a_signal_leaves_no_process_and_no_report(
    monkeypatch, tmp_path, capsys, send, sent, code, word
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runner, "is_installed", lambda backend: True)
    worker = fake_worker(tmp_path, dict.fromkeys(BACKENDS, "hangs"), "eeg")
    monkeypatch.setattr(runner, "WORKER", worker)
    started = []
    popen = subprocess.Popen

    def start(*arguments, **options):
        started.append(popen(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(workers.subprocess, "Popen", start)
    # A shell's background job inherits that Ctrl-C is ignored.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupt = threading.Timer(3, send, [sent])
    interrupt.start()
    try:
        assert cli.main(["parity", "--models", "eeg"]) == code
    finally:
        interrupt.cancel()
        signal.signal(signal.SIGINT, handler)
    assert started and all(process.poll() is not None for process in started)
    assert word in capsys.readouterr().err
    assert not Path("parity-report.html").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--backends", "jax,theano"], "unknown: theano. Allowed: tensorflow, jax, torch"),
        (["--models", "cat"], "unknown: cat. Allowed: eeg, eeg-extended"),
        (["--timeout", "0"], "must be over 0"),
        (["--timeout", "nan"], "must be over 0"),
        (["--timeout", "soon"], "--timeout"),
        (["--seed", "-1"], "must not be negative"),
        (["--report", "/no/such/folder/x.html"], "there is no folder /no/such/folder"),
        (["--json", "/"], "/ is a folder"),
    ],
)
def test_wrong_options_are_refused_at_once(options, message, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["parity", *options])
    assert stop.value.code == 2 and message in capsys.readouterr().err


def test_a_missing_extra_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert cli.main(["parity"]) == 2
    assert "pip install 'keras-convkit[parity]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wanted", "installed", "chosen"),
    [
        (None, {"torch"}, "torch"),
        (None, {"jax", "tensorflow", "torch"}, "jax"),
        ("tensorflow", {"jax", "torch"}, "jax"),
        ("tensorflow", {"jax", "tensorflow"}, "tensorflow"),
    ],
)
def test_the_launcher_chooses_an_installed_backend(monkeypatch, wanted, installed, chosen):
    if wanted is None:
        monkeypatch.delenv("KERAS_BACKEND", raising=False)
    else:
        monkeypatch.setenv("KERAS_BACKEND", wanted)
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: object() if name in installed else None
    )
    monkeypatch.setattr(cli, "main", lambda: 7)
    assert keras_convkit_launcher.main() == 7
    assert os.environ["KERAS_BACKEND"] == chosen


def test_the_launcher_without_any_backend(monkeypatch, capsys):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert keras_convkit_launcher.main() == 2
    assert "no backend of Keras is installed" in capsys.readouterr().err


_ONLY_ONE = """
import sys


class Without:
    def __init__(self, finder):
        self._finder = finder

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in {hidden}:
            return self._finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self._finder, name)


sys.meta_path[:] = map(Without, sys.meta_path)
sys.argv = ["keras-convkit", "--version"]
import keras_convkit_launcher

keras_convkit_launcher.main()
"""


def _environment():
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    return environment | {"PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize("backend", INSTALLED)
def test_the_command_starts_where_only_one_backend_is_installed(backend):
    code = _ONLY_ONE.format(hidden=set(BACKENDS) - {backend})
    done = subprocess.run(
        [sys.executable, "-c", code], env=_environment(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("keras-convkit ")


@pytest.mark.skipif(
    not os.environ.get("KERAS_CONVKIT_LONG"), reason="the whole command is a step of CI by itself"
)
def test_end_to_end_on_every_installed_backend(tmp_path):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "keras_convkit_launcher", "parity"),
            *("--models", "eeg-extended", "--require", ",".join(INSTALLED)),
            *("--json", "out.json", "--timeout", "240"),
        ],
        cwd=tmp_path,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["agrees"]
    assert {b["name"] for b in document["backends"] if b["status"] == "done"} == set(INSTALLED)
    agreed = [cell for cell in document["cells"] if cell["verdict"] == "agrees"]
    assert {cell["subject"] for cell in agreed} == {"eeg-extended"}
    # In float32 something is always rounded: no error anywhere would mean no comparison.
    assert all(cell["error"] > 0 for cell in agreed if cell["kind"] == "reference")
    refused = {cell["subject"] for cell in document["cells"] if cell["verdict"] == "not possible"}
    assert refused == {"eeg-extended"}
    assert (tmp_path / "parity-report.html").stat().st_size > 20_000
