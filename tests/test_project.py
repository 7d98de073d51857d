"""What stands around the package: the README, what an import brings, docstrings, the version."""

import inspect
import itertools
import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import keras
import pytest

import keras_convkit

ROOT = Path(__file__).parents[1]
PUBLIC = [
    f"{module.__name__}.{name}"
    for module in (keras_convkit, keras_convkit.ops)
    for name in module.__all__
]

IMPORTED = """
import sys
import keras
def packages():
    return {name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names
before = packages()
import keras_convkit
print(*sorted(packages() - before))
"""


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def project(key):
    """What stands under `[project]` in pyproject.toml."""
    return tomllib.loads(read("pyproject.toml"))["project"][key]


def run(program, cwd):
    """What a fresh process, with the backend of this one, prints."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    backend = {"KERAS_BACKEND": keras.backend.backend(), "TF_CPP_MIN_LOG_LEVEL": "3"}
    result = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | backend | {"PYTHONPATH": path},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def blocks(language):
    """The README's code blocks of a language."""
    return re.findall(
        rf"^```{language}\n(.*?)^```$", read("README.md"), flags=re.MULTILINE | re.DOTALL
    )


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """Of one fresh process: what the import brings, and what the README's examples print."""
    program = "\n".join([IMPORTED, *blocks("python")])
    return run(program, tmp_path_factory.mktemp("elsewhere")).partition("\n")


def test_readme_examples_run_and_print_what_they_show(printed):
    assert printed[2] == "".join(blocks("text"))


def test_readme_example_is_refused_by_built_in_keras():
    """The reason that the README gives for the layer that it shows."""
    assert "refuses strides with dilation_rate" in blocks("python")[0]
    assert "has no padding_mode" in blocks("python")[0]
    with pytest.raises(ValueError, match="dilation_rate"):
        keras.layers.Conv2D(8, 3, strides=2, dilation_rate=2)
    with pytest.raises(ValueError, match="padding_mode"):
        keras.layers.Conv2D(8, 3, padding_mode="circular")


def test_readme_commands_name_what_exists():
    commands = [line for block in blocks("bash") for line in block.splitlines()]
    assert len(commands) == 2
    extras = project("optional-dependencies")
    script = project("scripts")["keras-convkit"]
    for command in commands:
        assert (ROOT / re.search(r"-c (\S+)", command)[1]).is_file()
        assert set(re.search(r'-e "\.\[(.+?)\]"', command)[1].split(",")) <= set(extras)
    assert sum(".venv/bin/keras-convkit parity" in command for command in commands) == 1
    module, function = script.split(":")
    assert f"def {function}(" in read(f"{module}.py")


def test_wheel_and_sdist_have_what_the_entry_points_name():
    plugins = project("entry-points")["pytest11"]
    # Under the module's name, so that `-p` and the entry point don't load it twice.
    assert plugins == {"keras_convkit_pytest": "keras_convkit_pytest"}
    targets = tomllib.loads(read("pyproject.toml"))["tool"]["hatch"]["build"]["targets"]
    for value in (*project("scripts").values(), *plugins.values()):
        file = f"{value.partition(':')[0]}.py"
        assert file in targets["wheel"]["only-include"]
        assert f"/{file}" in targets["sdist"]["include"] and (ROOT / file).is_file()


def test_readme_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", read("README.md"))
    assert links
    missing = [link for link in links if "://" not in link and not (ROOT / link).is_file()]
    assert not missing


def test_readme_names_all_layers_that_keras_lacks():
    lacking = {name for name in keras_convkit.layers.__all__ if not hasattr(keras.layers, name)}
    assert {name for name in lacking if f"`{name}`" not in read("README.md")} == set()


def test_floors_are_the_versions_that_the_suite_has_run_on():
    oldest = dict(re.findall(r"^([\w-]+)==(\S+)$", read("constraints-oldest.txt"), re.MULTILINE))
    extras = project("optional-dependencies")
    # Exporters follow the newest backends; those of `constraints.txt` are what has been run.
    newest = dict(re.findall(r"^([\w-]+)==(\S+)$", read("constraints.txt"), re.MULTILINE))
    for package, floor in re.findall(r"([\w-]+)>=(\S+)$", "\n".join(extras.pop("export")), re.M):
        assert f"{newest[package]}.".startswith(f"{floor}."), package
    tables = [project("dependencies"), *extras.values()]
    floors = dict(
        re.findall(r"([\w-]+)>=(\S+)$", "\n".join(itertools.chain(*tables)), re.MULTILINE)
    )
    for tool in ("build", "mypy", "ruff"):  # no test runs on these
        del floors[tool]
    assert {"keras", "numpy", "tensorflow", "jax", "torch"} < set(floors)
    for package, floor in floors.items():
        assert f"{oldest[package]}.".startswith(f"{floor}."), package


def test_import_brings_nothing_but_the_package(printed):
    """No other backend, and nothing that only the tools need, above what Keras itself imports."""
    assert printed[0].split() == ["keras_convkit"]


@pytest.mark.parametrize("name", PUBLIC)
def test_public_name_has_a_docstring(name):
    module, _, attribute = name.rpartition(".")
    thing = getattr(sys.modules[module], attribute)
    # A class's own: `inspect.getdoc` would answer with the one of the layer that it extends.
    doc = thing.__dict__.get("__doc__") if inspect.isclass(thing) else thing.__doc__
    assert doc and doc.strip()


def test_version_is_that_of_the_installed_package():
    try:
        installed = metadata.version("keras-convkit")
    except metadata.PackageNotFoundError:
        pytest.skip("the package is not installed")
    assert keras_convkit.__version__ == installed
