"""The pytest plugin: a suite once a backend, what it tells of each, its marker and its fixture.

The suites here import no Keras, and their backends are empty packages.
"""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import keras
import pytest

import keras_convkit_pytest as plugin
from keras_convkit.workers import BACKENDS
from tests.once import ONCE

ROOT = Path(__file__).parents[1]

SUITE = """
import os
import pytest

BACKEND = os.environ["KERAS_BACKEND"]

@pytest.mark.parametrize("n", [1, 2])
def test_good(n):
    assert BACKEND in ("jax", "torch")

def test_bad_on_jax():
    assert BACKEND != "jax"

@pytest.mark.keras_backends("tensorflow", "torch")
def test_for_torch():
    assert BACKEND == "torch"

def test_that_kills_torch():
    if BACKEND == "torch":
        os._exit(3)
"""
CONFTEST = """
import os
print("conftest under", os.environ.get("KERAS_BACKEND"))
"""
OF_PARITY = """
def test_agrees(parity):
    assert parity("mine:Layer", inputs=(2, 3)).options == EXPECTED

def test_disagrees(parity):
    parity("mine:Wrong")
"""
# In the place of the package, which imports Keras.
FAKE_CHECK = """
class Result:
    def __init__(self, target, options):
        self.target, self.options = target, options

    def assert_ok(self):
        assert "Wrong" not in self.target, "first at [1, 2]: 3 against 4"

def check(target, **options):
    return Result(target, options)
"""


@pytest.fixture
def suite(tmp_path):
    """Writes a suite's files, and runs pytest on it with this plugin and pytest-xdist alone."""
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n")
    for backend in BACKENDS:
        (tmp_path / "lib" / backend).mkdir(parents=True)
        (tmp_path / "lib" / backend / "__init__.py").write_text("raise ImportError('imported')")

    def run(*options, **files):
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(text)
        environment = os.environ | {
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONPATH": os.pathsep.join([str(tmp_path / "lib"), str(ROOT)]),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        for name in ("KERAS_BACKEND", "PYTEST_XDIST_WORKER", "PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
            environment.pop(name, None)
        plugins = ["-p", "xdist.plugin", "-p", "keras_convkit_pytest"]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *plugins, *options],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.returncode, done.stdout + done.stderr

    return run


@ONCE
def test_a_suite_runs_once_a_backend(suite, tmp_path):
    options = ["--keras-backends=jax,torch", "-v", "-rsfE", "--junitxml=out.xml"]
    code, text = suite(*options, test_it=SUITE, conftest=CONFTEST)
    assert code == 1, text
    # The asking process, too, has one of them, and no backend is imported for any of this.
    assert "conftest under jax" in text and "imported" not in text
    assert re.search(r"^jax +1 failed, 3 passed, 1 skipped$", text, re.M), text
    assert re.search(r"^torch +1 failed, 4 passed$", text, re.M)
    assert "differs: test_it.py::test_bad_on_jax: failed on jax, passed on torch" in text
    assert "differs: test_it.py::test_that_kills_torch: passed on jax, failed on torch" in text
    assert "differs: test_it.py::test_for_torch" not in text
    assert "meant for tensorflow, torch, and this is jax" in text
    for name in ("test_good[1] [jax]", "test_good[1] [torch]", "test_bad_on_jax [torch]"):
        assert f"PASSED test_it.py::{name}" in text
    assert "FAILED test_it.py::test_bad_on_jax [jax] - " in text
    assert "FAILED test_it.py::test_that_kills_torch [torch] - worker" in text
    assert {int(n) for n in re.findall(r"\[ *(\d+)%\]", text)} == set(range(10, 101, 10))
    assert 'name="test_good[1] [torch]"' in (tmp_path / "out.xml").read_text()
    # Ids that can be collected again.
    last = tmp_path / ".pytest_cache/v/cache/lastfailed"
    failed = {"test_it.py::test_bad_on_jax", "test_it.py::test_that_kills_torch"}
    assert set(json.loads(last.read_text())) == failed
    code, text = suite("--keras-backends=torch", "--last-failed", "-k", "jax", "-n", "2")
    assert code == 0 and "1 passed" in text, text
    assert json.loads(last.read_text()) == {"test_it.py::test_that_kills_torch": True}


@ONCE
def test_a_file_that_cannot_be_imported_on_one_backend(suite):
    broken = "import os\nassert os.environ['KERAS_BACKEND'] != 'torch'\ndef test(): pass"
    code, text = suite("--keras-backends=jax,torch", test_it=broken)
    assert code == 1 and "ERROR test_it.py [torch] - AssertionError" in text, text
    assert re.search(r"^torch +1 error$", text, re.M)


@ONCE
def test_without_the_option_a_suite_runs_as_ever(suite):
    suite_of_one = SUITE.replace('os.environ["KERAS_BACKEND"]', '"torch"').replace(
        "_exit", "strerror"
    )
    code, text = suite("-v", "-rs", test_it=suite_of_one)
    # Keras would take TensorFlow: neither it nor the environment has said otherwise.
    assert code == 0 and "5 passed" in text and "Keras backends" not in text, text
    assert "test_it.py::test_good[1] PASSED" in text
    code, text = suite(test_it=suite_of_one.replace('"tensorflow", "torch"', '"cntk"'))
    assert code == 1 and "4 passed, 1 error" in text, text
    assert "keras_backends takes names out of tensorflow, jax, torch. Received: 'cntk'" in text


@ONCE
def test_the_fixture_fails_where_something_disagrees(suite, tmp_path):
    fake = tmp_path / "lib" / "keras_convkit"
    fake.mkdir()
    (fake / "__init__.py").touch()
    (fake / "parity.py").write_text(FAKE_CHECK)
    code, text = suite(test_it=OF_PARITY.replace("EXPECTED", "{'inputs': (2, 3)}"))
    assert code == 1 and "1 failed, 1 passed" in text, text
    assert "AssertionError: first at [1, 2]: 3 against 4" in text
    expected = "{'inputs': (2, 3), 'backends': ['jax', 'torch']}"
    asked = OF_PARITY.replace("EXPECTED", expected)
    code, text = suite("--keras-backends=jax,torch", "-rs", test_it=asked)
    assert "1 failed, 1 passed, 2 skipped" in text, text
    assert "compares jax, torch by itself, once: beside jax" in text


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("jax,cntk", {"tx": []}, "unknown: cntk. Allowed: tensorflow, jax, torch"),
        ("jax,torch", {}, "needs pytest-xdist: pip install pytest-xdist"),
        ("jax,torch", {"tx": []}, "not installed: torch. Install with: pip install torch"),
    ],
)
def test_what_cannot_be_run_is_said_at_once(monkeypatch, text, options, message):
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.setattr(plugin, "_is_installed", lambda backend: backend != "torch")
    options = SimpleNamespace(keras_backends=text, **options)
    with pytest.raises(pytest.UsageError, match=re.escape(message)):
        plugin.pytest_load_initial_conftests(SimpleNamespace(known_args_namespace=options))


def test_the_backend_of_a_process_that_has_no_keras_yet(monkeypatch, tmp_path):
    assert plugin._current() == keras.backend.backend()
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    assert plugin._current() == "torch"
    monkeypatch.delenv("KERAS_BACKEND")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert plugin._current() == "tensorflow"
    (tmp_path / "keras.json").write_text('{"backend": "jax"}')
    assert plugin._current() == "jax"


def test_the_plugin_imports_neither_keras_nor_a_backend_when_it_is_loaded():
    found = set()
    for node in ast.parse(Path(plugin.__file__).read_text()).body:
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module.partition(".")[0])
    assert found - sys.stdlib_module_names == {"pytest"}
