"""`keras-convkit bench` from the command line: faults, reports, exit codes."""

import json
import re
import sys
import time
import xml.etree.ElementTree
from pathlib import Path

import pytest

from keras_convkit import cli, files
from keras_convkit.bench import picture, report, runner
from keras_convkit.bench.outcome import Outcome, Verdict
from keras_convkit.bench.runner import BackendRun, Comparison, Part, Turn, Work
from keras_convkit.extras import MissingExtraError
from keras_convkit.workers import BACKENDS
from tests.once import ONCE, QUICKEST

pytestmark = ONCE

_WORKER = """
import json, os, sys, time

BEHAVIOUR = {behaviour!r}
backend = os.environ["KERAS_BACKEND"]
marker = os.path.join({folder!r}, backend + " was started")
behaviour = BEHAVIOUR.get(backend, "good")


def send(event, **content):
    print(json.dumps(dict(event=event, **content)), flush=True)


print("a package greets its users while it is imported", flush=True)
if behaviour == "broken import":
    raise ImportError("libnothing.so: cannot open shared object file")
open(marker, "a").write("x")
# The first look at layers has one worker, unless it dies; so has the second.
again = os.path.getsize(marker) > 1
if again and behaviour == "not startable again":
    raise ImportError("libnothing.so: cannot open shared object file")
send("ready", versions=dict(keras="0.0.0", numpy="0.0.0", **{{backend: "1.2.3"}}))
send("idle")
for line in sys.stdin:
    question = json.loads(line)
    what, do = question.get("what"), question["do"]
    if what == "cropping2d" or (behaviour == "dies in a round" and do == "time"):
        if again and behaviour == "refuses again":
            for quantity in ("forward", "gradients"):
                send("refused", quantity=quantity, reason="ValueError: no more")
                found = dict(built_in=None, ours=1e-3, ratio=None, interval=None, pairs=7)
                send("comparison", quantity=quantity, **found)
            send("idle")
            continue
        elif again and behaviour == "dies again":
            # Not before it has sent what nobody may take.
            found = dict(built_in=2e-3, ours=1e-3, ratio=2.0, interval=None, pairs=7)
            send("comparison", quantity="gradients", **found)
            os.kill(os.getpid(), 9)
        elif behaviour in ("killed", "dies in a round"):
            os.kill(os.getpid(), 9)
        elif behaviour == "hangs":
            time.sleep(60)
        elif behaviour == "garbage":
            print("Segmentation fault, or was it?", flush=True)
            time.sleep(60)
        elif behaviour == "nonsense":
            send("comparison", quantity="forward", apples=3)
            time.sleep(60)
        elif behaviour == "raises":
            send("failed", reason="ValueError: no")
            send("idle")
            continue
    if do == "limits":
        send("limits", multiply_adds=1e11, bytes=1e10)
    elif do == "workload":
        send("work", multiply_adds=1000000, bytes=1000, weighted=True)
        ratios = dict(forward=2.0, gradients=0.5)
        if again and behaviour == "noise":
            ratios = dict(forward=0.25, gradients=1.25)
        for quantity, ratio in ratios.items():
            found = dict(built_in=ratio / 1e3, ours=1e-3, ratio=ratio)
            interval = [ratio - 0.1, ratio + 0.1]
            send("comparison", quantity=quantity, **found, interval=interval, pairs=7)
            send("comparison", quantity=quantity + " compile", **found, interval=None, pairs=1)
    elif do == "time":
        for quantity in ("prediction", "training step"):
            slow = 4.0 if backend == "tensorflow" else 1.0
            send("samples", quantity=quantity, built_in=[slow, slow], ours=[2.0, 2.0])
    send("idle")
send("end")
"""


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Runs the command with workers that play the part, and returns exit code, JSON and texts."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runner, "is_installed", lambda backend: True)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*options, behaviour=None, workloads="cropping?d"):
        for marker in tmp_path.glob("* was started"):
            marker.unlink()
        script = tmp_path / "worker.py"
        script.write_text(_WORKER.format(behaviour=behaviour or {}, folder=str(tmp_path)))
        monkeypatch.setattr(runner, "WORKER", (sys.executable, str(script)))
        if "--models" not in options:
            options = ("--no-models", *options)
        code = cli.main(["bench", "--workloads", workloads, "--json", "out.json", *options])
        return code, json.loads(Path("out.json").read_text()), capsys.readouterr()

    return run


def results(document, **wanted):
    return [each for each in document["results"] if all(each[key] == wanted[key] for key in wanted)]


def test_good_workers(run):
    code, document, texts = run("--markdown", "p.md", "--picture", "p.svg")
    assert code == 0 and document["faults"] == []
    assert len(results(document, quantity="forward")) == 3 * len(BACKENDS)
    (one,) = results(document, backend="jax", name="cropping1d", quantity="gradients")
    assert one["ratio"] == 0.5 and one["pairs"] == 7 and one["refused"] == ""
    assert one["interval"] == [0.4, 0.6]
    assert results(document, quantity="gradients compile")[0]["interval"] is None
    # Three times a million multiply-adds at 1e11 a second, by a thousandth of a second.
    assert one["limit_fraction"] == pytest.approx(0.03)
    assert "torch: geometric means: forward 2.00, gradients 0.50" in texts.out
    assert "under 0.95 both times: jax, cropping1d, gradients: 0.500, then 0.500" in texts.out
    # How much is to be done again is known when all has been done once.
    assert "12/12 torch: cropping3d" in texts.err
    assert "13/21 tensorflow: again: cropping1d" in texts.err
    assert "21/21 torch: again: cropping3d" in texts.err
    page = Path("p.md").read_text()
    assert page.startswith("# Performance\n") and "(p.svg)" in page
    xml.etree.ElementTree.parse("p.svg")


def test_whole_models_are_held_against_tensorflow(run):
    code, document, texts = run("--models", "MobileNetV2", workloads="")
    assert code == 0
    models = {(each["backend"], each["quantity"]): each for each in document["models"]}
    # Ours take 2 s everywhere, built-in TensorFlow 4 s.
    assert {each["by_yardstick"] for each in models.values()} == {0.5}
    (one,) = results(document, backend="jax", quantity="prediction")
    assert one["ratio"] == 0.5 and one["pairs"] == 2 * runner.ROUNDS
    assert one["interval"] == [0.5, 0.5]
    order = re.findall(r"\d+/15 (\w+): MobileNetV2: round (\d)", texts.err)
    assert order == [(backend, str(n + 1)) for n in range(runner.ROUNDS) for backend in BACKENDS]


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("killed", "the worker was killed by SIGKILL"),
        ("garbage", "printed what is not a message: b'Segmentation fault"),
        ("nonsense", "printed what is not a message"),
        ("hangs", "time limit of 2 s exceeded"),
        ("raises", "ValueError: no"),
    ],
)
def test_a_fault_costs_one_workload(run, tmp_path, behaviour, reason):
    start = time.monotonic()
    code, document, texts = run(
        "--timeout", "2", "--markdown", "p.md", "--picture", "p.png", behaviour={"jax": behaviour}
    )
    assert time.monotonic() - start < 30
    assert code == 1
    (fault,) = document["faults"]
    assert fault.startswith("jax, cropping2d: ") and reason in fault
    assert reason in texts.out and reason in Path("p.md").read_text()
    assert results(document, backend="jax", name="cropping2d") == []
    assert results(document, backend="jax", name="cropping3d")
    assert len(results(document, quantity="forward")) == 8
    # One for the second look, which is at the other two workloads.
    workers = 2 if behaviour == "raises" else 3
    assert len((tmp_path / "jax was started").read_text()) == workers
    assert "20/20 torch: again: cropping3d" in texts.err
    assert "jax: again: cropping2d" not in texts.err


def test_a_backend_that_can_not_be_imported(run):
    code, document, _ = run(behaviour={"torch": "broken import"})
    assert code == 1 and len(document["faults"]) == 4
    assert all("ImportError: libnothing.so" in fault for fault in document["faults"])
    assert len(results(document, quantity="forward")) == 6


def test_a_model_whose_worker_has_died_gets_no_more_turns(run, tmp_path):
    code, document, _ = run(
        "--models", "ResNet50", workloads="", behaviour={"jax": "dies in a round"}
    )
    assert code == 1 and document["faults"] == ["jax, ResNet50: the worker was killed by SIGKILL"]
    assert {each["backend"] for each in document["models"]} == {"tensorflow", "torch"}
    assert len((tmp_path / "jax was started").read_text()) == 2


def test_a_missing_backend_is_named(run, monkeypatch):
    monkeypatch.setattr(runner, "is_installed", lambda backend: backend != "jax")
    code, document, texts = run("--markdown", "p.md")
    assert code == 0
    assert {b["name"]: b["status"] for b in document["backends"]}["jax"] == "missing"
    assert "jax: missing: not installed: pip install 'keras-convkit[jax]'" in texts.out
    assert "- jax: not installed" in Path("p.md").read_text()
    code, document, _ = run("--backends", "jax", "--markdown", "p.md", "--picture", "p.svg")
    assert code == 1 and document["faults"] == ["No backend is installed."]


def test_the_floor_decides_only_if_it_is_asked_to(run):
    assert run("--floor", "0.6")[0] == 0
    code, document, texts = run("--floor", "0.6", "--enforce-floor")
    assert code == 1 and document["faults"] == []
    assert texts.out.count("under 0.6 both times:") == 9
    assert run("--floor", "0.4", "--enforce-floor")[0] == 0


def test_what_is_low_the_first_time_only_is_noise(run):
    code, document, texts = run(
        "--enforce-floor", "--markdown", "p.md", behaviour=dict.fromkeys(("jax", "torch"), "noise")
    )
    assert code == 1
    noisy = [low for low in document["below"] if low["verdict"] == "the first time only"]
    assert {low["backend"] for low in noisy} == {"jax", "torch"} and len(noisy) == 6
    # Forward was low the second time only, and nobody had asked for it.
    assert {low["quantity"] for low in document["below"]} == {"gradients"}
    assert noisy[0]["second"]["ratio"] == 1.25 and noisy[0]["second"]["interval"] == [1.15, 1.35]
    line = "under 0.95 the first time only: jax, cropping1d, gradients: 0.500, then 1.250"
    assert line in texts.out
    section = Path("p.md").read_text().split("## Under")[1].split("\n## ")[0]
    _, both, first_only = section.split("\n### ")
    assert both.startswith("Both times") and first_only.startswith("The first time only")
    rows = re.compile(r"^\| (jax|tensorflow|torch) \|", re.MULTILINE)
    assert rows.findall(both) == ["tensorflow"] * 3
    assert rows.findall(first_only) == ["jax"] * 3 + ["torch"] * 3
    # All else has the figures that weren't chosen for being low.
    assert {each["ratio"] for each in results(document, quantity="gradients")} == {0.5}
    assert "jax: geometric means: forward 2.00, gradients 0.50" in texts.out
    code, *_ = run("--enforce-floor", "--backends", "jax", behaviour={"jax": "noise"})
    assert code == 0


@pytest.mark.parametrize(
    ("behaviour", "reason", "names"),
    [
        ("dies again", "the worker was killed by SIGKILL", ["cropping2d"]),
        ("refuses again", "ValueError: no more", ["cropping2d"]),
        (
            "not startable again",
            "ImportError: libnothing.so",
            ["cropping1d", "cropping2d", "cropping3d"],
        ),
    ],
)
def test_a_second_look_that_fails_leaves_the_first(run, behaviour, reason, names):
    options = ("--backends", "jax", "--markdown", "p.md")
    code, document, texts = run(*options, behaviour={"jax": behaviour})
    assert code == 0 and document["faults"] == []
    once = [low for low in document["below"] if low["verdict"] == "not looked at again"]
    assert [low["name"] for low in once] == names
    assert all(reason in low["reason"] and low["second"] is None for low in once)
    assert "under 0.95 not looked at again: jax, cropping2d, gradients: 0.500 (" in texts.out
    assert len(results(document, quantity="gradients")) == 3
    rows = Path("p.md").read_text().split("### Not looked at again")[1]
    row = r"\| jax \| cropping2d \| gradients \| 0.500 \| 0.400 to 0.600 \| .*"
    assert re.search(row + reason, rows)
    options = (*options, "--enforce-floor")
    assert run(*options, behaviour={"jax": behaviour}, workloads="cropping2d")[0] == 1


def test_whole_models_are_looked_at_again(run):
    code, document, texts = run(
        "--models", "MobileNetV2", "--enforce-floor", workloads="cropping1d"
    )
    assert code == 1
    # TensorFlow's has a ratio of 2.
    models = [low for low in document["below"] if low["name"] == "MobileNetV2"]
    assert {(low["backend"], low["quantity"]) for low in models} == {
        (backend, quantity)
        for backend in ("jax", "torch")
        for quantity in ("prediction", "training step")
    }
    for low in models:
        assert low["verdict"] == "both times"
        assert low["second"]["pairs"] == 2 * runner.ROUNDS
        assert low["second"]["interval"] == [0.5, 0.5]
    assert "tensorflow: again: MobileNetV2" not in texts.err
    assert re.findall(r"(\d+)/29 jax: again: (.+)", texts.err) == [
        ("20", "cropping1d"),
        ("21", "MobileNetV2: compile"),
        *((str(22 + n), f"MobileNetV2: round {n + 1} of 3") for n in range(3)),
    ]


def test_a_second_look_is_at_its_parts_alone(run, tmp_path):
    class Steps(list):
        def expect(self, steps):
            self.append(steps)

        def notify(self, backend, news):
            self.append((backend, news))

    run("--backends", "jax")
    steps = Steps()
    parts = [Part("jax", ["cropping1d"], []), Part("torch", [], ["ResNet50"])]
    one, other = runner.second_look(parts, tmp_path, seconds=1.0, timeout=20.0, progress=steps)
    assert one.comparisons["cropping1d"]["forward"].interval == (1.9, 2.1)
    assert list(one.comparisons) == ["cropping1d"] and one.failed == other.failed == {}
    assert len(other.turns["ResNet50", "prediction"]) == runner.ROUNDS
    assert steps[:2] == [1 + 1 + runner.ROUNDS, ("jax", "again: cropping1d")]
    assert len(steps) == 1 + steps[0]


def test_where_nothing_is_low_nothing_is_looked_at_again(run, tmp_path):
    _, document, texts = run("--floor", "0.4", "--markdown", "p.md")
    assert document["below"] == [] and "again" not in texts.err
    assert len((tmp_path / "jax was started").read_text()) == 1
    assert "## Under 0.4\n\nNothing.\n\n" in Path("p.md").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--backends", "theano"], "unknown: theano"),
        (["--workloads", "conv9d*"], "no workload is called 'conv9d*'"),
        (["--models", "LeNet"], "unknown: LeNet. Allowed: MobileNetV2"),
        (["--seconds", "0"], "must be over 0"),
        (["--picture", "x.gif"], "must end with .svg or .png"),
        (["--markdown", "/no/such/folder/x.md"], "there is no folder /no/such/folder"),
    ],
)
def test_wrong_options_are_refused_at_once(options, message, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["bench", *options])
    assert stop.value.code == 2 and message in capsys.readouterr().err


def test_without_matplotlib_the_extra_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"keras-convkit\[bench\]"):
        picture.check_requirements()
    assert cli.main(["bench", "--picture", "/tmp/x.svg"]) == 2


@pytest.fixture
def outcome():
    """One backend with all there can be, one where much is lacking, one missing; a second look."""
    whole = BackendRun("tensorflow", "done", versions={"tensorflow": "1.2.3"})
    whole.limits = {"multiply_adds": 1e9, "bytes": 1e9}
    for name, ours in (("conv2d-3x3", 0.001), ("cropping2d", 0.004)):
        whole.work[name] = Work(0, 1_000_000, False)
        whole.comparisons[name] = {
            quantity: Comparison(0.002, ours, 0.002 / ours, None, 9)
            for quantity in ("forward", "gradients")
        }
    whole.turns["ResNet50", "prediction"] = [Turn([4.0, 2.0, 3.0], [1.0, 1.0, 3.0])]
    half = BackendRun("jax", "done", versions={"jax": "0.1"})
    half.limits = {"multiply_adds": 2e9, "bytes": 0.5e9}
    half.comparisons["conv2d-3x3"] = {"forward": Comparison(None, 0.003, None, None, 9)}
    half.refused["conv2d-3x3", "forward"] = "a | b"
    half.failed["cropping2d"] = "boom"
    half.turns["ResNet50", "prediction"] = [Turn([9.0], [6.0])]
    missing = BackendRun("torch", "missing", "not installed: pip …")
    again = BackendRun("tensorflow", "done")
    again.comparisons["cropping2d"] = {
        "forward": Comparison(0.003, 0.004, 0.75, (0.7, 0.94949), 9),
        "gradients": Comparison(0.004, 0.004, 1.0, (0.9, 1.125), 9),
    }
    return Outcome(
        ["conv2d-3x3", "cropping2d"],
        ["ResNet50"],
        [whole, half, missing],
        [again],
        0.95,
        1.0,
        60.0,
        "now",
        {"a": "b"},
    )


def test_arithmetic_of_an_outcome(outcome):
    whole, half, _ = outcome.runs
    assert outcome.limits() == {"multiply_adds": 2e9, "bytes": 1e9}
    assert outcome.fraction(whole, "conv2d-3x3", "forward") == pytest.approx(1.0)
    assert outcome.fraction(whole, "cropping2d", "gradients") == pytest.approx(2 * 0.25)
    assert outcome.fraction(half, "conv2d-3x3", "forward") is None
    assert outcome.geometric_mean(whole, outcome.workloads, "forward") == pytest.approx(1.0)
    assert outcome.geometric_mean(half, outcome.workloads, "forward") is None
    assert [
        (*low[:3], low.first.ratio, low.second.ratio, low.verdict) for low in outcome.below()
    ] == [
        ("tensorflow", "cropping2d", "forward", 0.5, 0.75, Verdict.BOTH),
        ("tensorflow", "cropping2d", "gradients", 0.5, 1.0, Verdict.FIRST_ONLY),
    ]
    assert [low.quantity for low in outcome.slow] == ["forward"]
    spread = outcome.spread("conv2d-3x3", "forward")
    assert spread.ours == pytest.approx(3.0) and spread.built_in is None
    assert outcome.spread("cropping2d", "forward") == (None, None)
    assert outcome.comparison(whole, "ResNet50", "prediction") == (3.0, 1.0, 2.0, None, 3)
    half.turns["ResNet50", "prediction"] += [
        Turn([3.0, 4.0, 5.0], [1.0] * 3),
        Turn([6.0] * 2, [1.0] * 2),
    ]
    assert outcome.comparison(half, "ResNet50", "prediction").interval == (1.5, 6.0)
    assert outcome.by_yardstick(half, "ResNet50", "prediction") == 6.0 / 3.0
    assert outcome.by_yardstick(half, "ResNet50", "training step") is None
    assert outcome.faults == ["jax, cropping2d: boom"]


def test_reports_of_an_outcome(outcome, tmp_path):
    report.write_json(tmp_path / "a.json", outcome)
    document = json.loads((tmp_path / "a.json").read_text())
    for part in (
        document,
        *(document[k][0] for k in ("backends", "workloads", "results", "models", "below")),
    ):
        assert all(f"`{key}`" in report.__doc__ for key in part)
    assert document["below"][0]["first"]["ratio"] == 0.5
    assert document["below"][0]["second"]["interval"] == [0.7, 0.94949]
    page = report.as_markdown(outcome, "p.svg")
    for expected in (
        "| `conv2d-3x3` | forward | 2 | 1 | 2.00 | 100% |",
        "| `cropping2d` | forward | – | failed |",  # noqa: RUF001
        "- conv2d-3x3: a | b",
        "- torch: not installed",
        "- jax, cropping2d: boom",
        "| ResNet50 | prediction | jax | 9000 | 6000 | 1.50 | 2.00 |",
        "| tensorflow | cropping2d | forward | 0.500 | – | 0.750 | 0.700 to 0.949 |",  # noqa: RUF001
        "| tensorflow | cropping2d | gradients | 0.500 | – | 1.000 | 0.900 to 1.125 |",  # noqa: RUF001
    ):
        assert expected in page, expected
    # Every row of a table has as many cells as its head.
    for table in re.findall(r"(?:^\|.*\n)+", page, flags=re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1
    picture.write(tmp_path / "a.svg", outcome)
    picture.write(tmp_path / "b.svg", outcome)
    text = (tmp_path / "a.svg").read_text()
    assert "ours alone" in text and "failed" in text and "conv2d-3x3" in text
    assert text == (tmp_path / "b.svg").read_text()


def test_a_report_that_fails_leaves_the_old_one(outcome, tmp_path, monkeypatch):
    page = tmp_path / "p.md"
    page.write_text("old")

    def fail(*arguments):
        raise OSError("no space left")

    monkeypatch.setattr(files.os, "replace", fail)
    for write in (
        lambda: report.write_markdown(page, outcome),
        lambda: picture.write(tmp_path / "p.svg", outcome),
        lambda: report.write_json(tmp_path / "p.json", outcome),
    ):
        with pytest.raises(OSError, match="no space"):
            write()
    assert list(tmp_path.iterdir()) == [page] and page.read_text() == "old"


def test_end_to_end(tmp_path, monkeypatch):
    """The real worker, by the whole command."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    code = cli.main([
        "bench", "--backends", QUICKEST, "--no-models", "--workloads", "conv2d-3x3-small",
        "--seconds", "0.05", "--json", "out.json",
    ])  # fmt: skip
    document = json.loads(Path("out.json").read_text())
    assert code == 0, document["faults"]
    assert document["limits"]["multiply_adds"] > 1e8
    for quantity in ("forward", "gradients"):
        (found,) = results(document, quantity=quantity)
        assert found["ratio"] > 0 and found["limit_fraction"] > 0
