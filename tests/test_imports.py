"""Who may import whom: data flows one way, and only the tools know that there are backends."""

import ast
from pathlib import Path

import pytest

import keras_convkit

PACKAGE = Path(keras_convkit.__file__).parent
PORTABLE = ("geometry", "description", "arguments", "input_checks", "ops", "lowering", "layers")
BACKENDS = ("tensorflow", "jax", "jaxlib", "torch", "keras.src")
TOOLS = [
    f"keras_convkit.{name}" for name in ("bench", "parity", "workers", "files", "extras", "cli")
]
# The only files of the tools that import a backend: that of their own process.
WITH_BACKEND = {"parity/differentiation.py", "parity/worker/settings.py", "bench/calls.py"}
# Of bench, what runs in the command's process and not in a worker's.
OF_THE_COMMAND = (
    "applications", "outcome", "picture", "report", "runner", "terminal", "workloads",
)  # fmt: skip


def sources(name):
    """The files of a module or package of ours."""
    module = PACKAGE / f"{name}.py"
    files = [module] if module.exists() else sorted((PACKAGE / name).rglob("*.py"))
    assert files, f"There is no {name}"
    return files


def imports(path):
    """Full dotted names of all that a file imports, however it does so."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = list(path.relative_to(PACKAGE.parent).parts[: -node.level or None])
            origin = parts if node.level else []
            origin += [node.module] if node.module else []
            names.update(".".join([*origin, alias.name]) for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            # A name that isn't written out can't be judged here; that of a backend would be.
            names.update(arg.value for arg in node.args if isinstance(arg, ast.Constant))
    return names


def within(name, module):
    return name == module or name.startswith(f"{module}.")


def offenders(name, forbidden):
    return {
        (path.name, imported)
        for path in sources(name)
        for imported in imports(path)
        if any(within(imported, module) for module in forbidden)
    }


@pytest.mark.parametrize("name", PORTABLE)
def test_no_backend_is_imported(name):
    assert not offenders(name, BACKENDS)


@pytest.mark.parametrize(
    ("name", "forbidden"),
    [
        ("geometry", ["keras_convkit", "keras", "numpy"]),
        ("description", ["keras"]),
        ("ops", ["keras_convkit.layers", *TOOLS]),
        ("lowering", ["keras_convkit.layers", "keras_convkit.ops", *TOOLS]),
        ("layers", TOOLS),
        ("parity", ["keras_convkit.bench"]),
        ("parity/reference", ["keras_convkit", "keras", *BACKENDS]),
        ("bench", ["keras_convkit.parity"]),
        # What both share, and the command's own process: neither knows of a backend.
        ("workers", ["keras_convkit", "keras", "numpy"]),
        ("files", ["keras_convkit", "keras", "numpy"]),
        ("extras", ["keras_convkit", "keras", "numpy"]),
        *((f"bench/{name}", ["keras", "keras_convkit.layers"]) for name in OF_THE_COMMAND),
    ],
)
def test_imports_follow_the_data(name, forbidden):
    assert not offenders(name, forbidden)


def test_backends_are_imported_by_name_in_three_files():
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for name in imports(path)
        if any(within(name, backend) for backend in BACKENDS)
    }
    assert found == WITH_BACKEND


def test_hypothesis_is_no_dependency():
    """The search and what it draws from import it, and the search's command imports those."""
    drawing = {"parity/strategies.py", "parity/space.py", "parity/search.py"}
    modules = ["hypothesis", *(f"keras_convkit.{name[:-3].replace('/', '.')}" for name in drawing)]
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for name in imports(path)
        if any(within(name, module) for module in modules)
    }
    assert found == drawing | {"cli/searching.py"}
    top = ast.parse((PACKAGE / "cli/searching.py").read_text()).body
    written = "".join(ast.unparse(node) for node in top if not isinstance(node, ast.FunctionDef))
    assert "hypothesis" not in written and "parity.search" not in written
