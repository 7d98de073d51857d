"""What is compared with what, and the verdicts."""

import numpy as np
import pytest

from keras_convkit.parity import comparison, quantities
from keras_convkit.parity.comparison import BOUNDS, Kind, Verdict
from keras_convkit.parity.quantities import QUANTITIES
from keras_convkit.parity.runner import BackendRun, Measurement
from keras_convkit.workers import BACKENDS
from tests.parity.outcomes import perfect_run, reference

MODEL = "eeg-extended"
OURS = Measurement(MODEL, "ours", "compiled")


@pytest.fixture(scope="module")
def wanted():
    return reference(MODEL)


@pytest.fixture
def runs(tmp_path, wanted):
    return [perfect_run(backend, tmp_path, wanted) for backend in BACKENDS]


def verdicts(cells, **where):
    return {
        cell.verdict
        for cell in cells
        if all(str(getattr(cell, name)) == value for name, value in where.items())
    }


@pytest.mark.parametrize(
    ("actual", "expected", "error"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([1.0, 2.5], [1.0, 2.0], 0.25),
        ([0.0, -4.0], [1.0, -4.0], 0.25),
        ([0.0], [0.0], 0.0),
        ([0.5], [0.0], 0.5),
        ([], [], 0.0),
        ([np.nan, 1.0], [1.0, 1.0], np.inf),
        ([1.0, 1.0], [1.0, np.nan], np.inf),
        ([np.inf], [np.inf], np.inf),
        ([1.0, 1.0], [1.0], np.inf),
    ],
)
def test_error(actual, expected, error):
    assert comparison.error(np.array(actual), np.array(expected)) == error


def test_a_difference_below_float32_is_seen():
    assert comparison.error(np.float32([1.0]), np.array([1.0 + 1e-9])) == pytest.approx(1e-9)


def test_columns(runs):
    names = [str(column) for column in comparison.columns(runs)]
    assert names == [
        "tensorflow compiled vs reference",
        "tensorflow eager vs reference",
        "jax compiled vs reference",
        "torch eager vs reference",
        "tensorflow compiled vs built-in",
        "jax compiled vs built-in",
        "torch eager vs built-in",
        "tensorflow vs jax",
        "tensorflow vs torch",
        "jax vs torch",
    ]


def test_a_missing_backend_has_no_columns(runs):
    runs[1].status = "missing"
    assert not any("jax" in str(column) for column in comparison.columns(runs))
    assert {column.kind for column in comparison.columns(runs)} == set(Kind)


def test_perfect_results_agree(runs, wanted):
    cells = comparison.compare(runs, wanted)
    assert len(cells) == len(QUANTITIES) * len(comparison.columns(runs))
    assert all(cell.verdict is Verdict.AGREES and cell.error == 0.0 for cell in cells)
    assert all(cell.bound == BOUNDS[cell.quantity] for cell in cells)


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("excess", [0.5, 2.0])
def test_one_number_decides(runs, wanted, tmp_path, quantity, excess):
    """One number of one array of one backend, off by half the bound or by twice the bound."""
    results = {name: {**parts} for name, parts in wanted[MODEL].items()}
    part = list(results[quantity])[-1]
    array = np.array(results[quantity][part])
    array.flat[-1] += excess * BOUNDS[quantity] * np.max(np.abs(array))
    results[quantity][part] = array
    path = tmp_path / "off.npz"
    quantities.save(path, results)
    runs[1].results[OURS] = path
    for cell in comparison.compare(runs, wanted):
        # The backend's neighbours are right, and say so to each other.
        touched = cell.quantity == quantity and "jax" in str(cell.column)
        if not touched:
            assert cell.verdict is Verdict.AGREES and cell.error == 0.0
            continue
        assert cell.verdict is (Verdict.AGREES if excess < 1 else Verdict.DISAGREES)
        assert cell.part == part
        assert cell.error == pytest.approx(excess * cell.bound, rel=1e-3)
        assert f"{cell.error:.1e} {'≤' if excess < 1 else '>'} bound" in cell.in_words()


@pytest.mark.parametrize(
    ("change", "reason"),
    [(lambda x: x * np.nan, "not finite"), (lambda x: x[:, 1:], "shape")],
)
def test_what_is_no_number_disagrees(runs, wanted, tmp_path, change, reason):
    output = {"output": change(wanted[MODEL]["output"]["output"])}
    quantities.save(tmp_path / "off.npz", wanted[MODEL] | {"output": output})
    runs[1].results[OURS] = tmp_path / "off.npz"
    cells = [c for c in comparison.compare(runs, wanted) if "jax" in str(c.column)]
    bad = [cell for cell in cells if cell.quantity == "output"]
    assert {cell.verdict for cell in bad} == {Verdict.DISAGREES}
    assert all(cell.error is None and reason in cell.in_words() for cell in bad)
    assert verdicts(cells, quantity="input gradient") == {Verdict.AGREES}


def test_the_built_in_layers_may_refuse_and_ours_may_not(runs, wanted):
    built_in = OURS._replace(library="built-in")
    for measurement in (OURS, built_in):
        del runs[1].results[measurement]
        runs[1].refused[measurement] = "no Padding1D"
    cells = comparison.compare(runs, wanted)
    assert verdicts(cells, column="tensorflow compiled vs built-in") == {Verdict.AGREES}
    assert verdicts(cells, column="jax compiled vs reference") == {Verdict.FAILED}
    assert verdicts(cells, column="jax vs torch") == {Verdict.FAILED}

    runs[1].results[OURS] = runs[0].results[OURS]
    cells = comparison.compare(runs, wanted)
    assert verdicts(cells, column="jax compiled vs built-in") == {Verdict.NOT_POSSIBLE}
    assert {cell.verdict for cell in cells} == {Verdict.AGREES, Verdict.NOT_POSSIBLE}


def test_a_failure_takes_its_own_cells_and_no_others(runs, wanted):
    runs[2] = BackendRun("torch", ("eager",), status="failed", reason="killed by SIGKILL")
    cells = comparison.compare(runs, wanted)
    for cell in cells:
        if "torch" in str(cell.column):
            assert cell.verdict is Verdict.FAILED and "SIGKILL" in cell.reason
        else:
            assert cell.verdict is Verdict.AGREES


@pytest.mark.parametrize("content", [b"", b"not a zip file", None])
def test_an_unreadable_file_is_a_failed_cell(runs, wanted, tmp_path, content):
    path = tmp_path / "broken.npz"
    if content is None:
        quantities.save(path, {"output": wanted[MODEL]["output"]})
    else:
        path.write_bytes(content)
    runs[1].results[OURS] = path
    cells = comparison.compare(runs, wanted)
    assert verdicts(cells, column="jax compiled vs reference") == {Verdict.FAILED}
    assert verdicts(cells, column="torch eager vs reference") == {Verdict.AGREES}
