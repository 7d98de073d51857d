"""A pytest plugin for suites that run on several Keras backends.

    pytest --keras-backends=tensorflow,jax,torch

runs a suite once a backend, in processes of their own (pytest-xdist), and tells the results by
backend. `@pytest.mark.keras_backends("jax", "torch")` names those that a test is meant for, and the
fixture `parity` is `keras_convkit.parity.check`, which fails the test where something disagrees.

pytest loads this module in every run where the package is installed, before the suite has chosen a
backend. So it lies beside the package, which imports Keras, and imports neither.
"""

import importlib.util
import json
import os
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest

_BACKENDS = ("tensorflow", "jax", "torch")
_OPTION = "--keras-backends"
# The order in which a summary counts outcomes.
_OUTCOMES = ("failed", "error", "passed", "skipped", "xfailed", "xpassed")
_BAD = ("failed", "error")


def pytest_addoption(parser):
    parser.getgroup("keras", "Keras backends").addoption(
        _OPTION,
        default="",
        metavar="A,B",
        help="run the suite once on each of these backends (out of "
        f"{', '.join(_BACKENDS)}), each in a process of its own; needs pytest-xdist",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config):
    """Says what can't be run, and chooses this process's own backend before a conftest does."""
    if _is_worker():
        return
    wanted = _wanted(early_config.known_args_namespace)
    if not wanted:
        return
    unknown = [name for name in wanted if name not in _BACKENDS]
    if unknown:
        raise pytest.UsageError(
            f"{_OPTION}: unknown: {', '.join(unknown)}. Allowed: {', '.join(_BACKENDS)}"
        )
    if not hasattr(early_config.known_args_namespace, "tx"):
        raise pytest.UsageError(f"{_OPTION} needs pytest-xdist: pip install pytest-xdist")
    missing = [name for name in wanted if not _is_installed(name)]
    if missing:
        raise pytest.UsageError(
            f"{_OPTION}: not installed: {', '.join(missing)}. "
            f"Install with: pip install {' '.join(missing)}"
        )
    # The process that asks the others imports conftest files too, and Keras with them.
    if os.environ.get("KERAS_BACKEND") not in wanted:
        os.environ["KERAS_BACKEND"] = wanted[0]


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """Tells pytest-xdist what to start, before it looks."""
    wanted = _wanted(config.option)
    if wanted and not _is_worker():
        # Whatever else the user's `addopts` ask of it: a process has one backend.
        config.option.numprocesses = None
        config.option.dist = "each"
        config.option.tx = [f"popen//env:KERAS_BACKEND={name}" for name in wanted]


def pytest_configure(config):
    config.addinivalue_line(
        "markers",
        "keras_backends(*names): run the test on these Keras backends alone, and skip it elsewhere",
    )
    wanted = _wanted(config.option)
    if not wanted:
        return
    if _is_worker():
        config.pluginmanager.register(_Telling(), "keras-backends-worker")
    elif not config.option.collectonly:
        config.pluginmanager.register(_Merged(config, wanted), "keras-backends")


def pytest_collection_modifyitems(items):
    current = None
    for item in items:
        for mark in item.iter_markers("keras_backends"):
            current = current or _current()
            if not _fault(mark) and current not in mark.args:
                reason = f"meant for {', '.join(mark.args)}, and this is {current}"
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    # Not at collection: an error there ends a worker of pytest-xdist without a word.
    for mark in item.iter_markers("keras_backends"):
        if fault := _fault(mark):
            pytest.fail(fault, pytrace=False)


@pytest.fixture
def parity(request):
    """`keras_convkit.parity.check`; the test fails where not everything agrees.

    Under `--keras-backends` it compares those backends, once: the other processes skip the test.
    """
    wanted = _wanted(request.config.option)
    if wanted and _current() != wanted[0]:
        pytest.skip(f"compares {', '.join(wanted)} by itself, once: beside {wanted[0]}")

    def parity(target, **options):
        __tracebackhide__ = True
        from keras_convkit.parity import check

        if wanted:
            options.setdefault("backends", wanted)
        result = check(target, **options)
        result.assert_ok()
        return result

    return parity


class _Telling:
    """In a worker: a file that can't be collected tells for which backend."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collectreport(self, report):
        report.keras_backend = os.environ["KERAS_BACKEND"]


class _Merged:
    """In the process that asks the workers: counts by backend, and what differs between them."""

    def __init__(self, config, backends):
        self._config = config
        self._backends = backends
        self._session = None
        self._collected = {}

    def pytest_sessionstart(self, session):
        self._session = session

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node, ids):
        self._collected[node.gateway.id] = len(ids)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report):
        if hasattr(report, "node"):
            _name(report, report.node.gateway.spec.env["KERAS_BACKEND"])
        # pytest-xdist counts one process's tests; progress is to be that of all.
        self._session.testscollected = sum(self._collected.values())

    @pytest.hookimpl(tryfirst=True)
    def pytest_collectreport(self, report):
        if hasattr(report, "keras_backend"):
            _name(report, report.keras_backend)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self):
        """`--last-failed` goes by the ids that can be collected."""
        last = getattr(self._config.pluginmanager.get_plugin("lfplugin"), "lastfailed", None)
        if last is None:
            return
        failed = {}
        for outcome, report in self._reports():
            last.pop(_id(report), None)
            failed[report.keras_test] = failed.get(report.keras_test) or outcome in _BAD
        for test, again in failed.items():
            last.pop(test, None)
            if again:
                last[test] = True

    def pytest_terminal_summary(self, terminalreporter):
        outcomes = self._outcomes()
        counts = defaultdict(Counter)
        for by_backend in outcomes.values():
            for backend, outcome in by_backend.items():
                counts[backend][outcome] += 1
        terminalreporter.section("Keras backends")
        for backend in self._backends:
            told = [f"{counts[backend][o]} {o}" for o in _OUTCOMES if counts[backend][o]]
            bad = counts[backend]["failed"] or counts[backend]["error"] or not told
            line = f"{backend:<11}{', '.join(told) or 'nothing was run'}"
            terminalreporter.write_line(line, red=bool(bad), green=not bad)
        # Skipping is a test's own choice; that one passes and the other doesn't is a finding.
        for raw, by_backend in outcomes.items():
            kinds = {outcome for outcome in by_backend.values() if outcome != "skipped"}
            if len(kinds) > 1:
                told = (f"{by_backend[b]} on {b}" for b in self._backends if b in by_backend)
                terminalreporter.write_line(f"differs: {raw}: {', '.join(told)}", red=True)

    def _outcomes(self):
        """The outcome of each test on each backend; an error beside its test counts more."""
        found = defaultdict(dict)
        for outcome, report in self._reports():
            found[str(report.keras_test)][report.keras_backend] = outcome
        return dict(sorted(found.items()))

    def _reports(self):
        """Yields outcomes with their reports, the worst last."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        for outcome in reversed(_OUTCOMES):
            for report in reporter.stats.get(outcome, ()) if reporter else ():
                if hasattr(report, "keras_test"):
                    yield outcome, report


def _fault(mark):
    """What is wrong with a marker `keras_backends`, or nothing."""
    unknown = [name for name in mark.args if name not in _BACKENDS]
    if mark.args and not unknown and not mark.kwargs:
        return ""
    received = ", ".join(map(repr, unknown)) or mark.kwargs or "nothing"
    return f"keras_backends takes names out of {', '.join(_BACKENDS)}. Received: {received}"


def _name(report, backend):
    """Has a report name its backend; what it was called before stays on it."""
    report.keras_test = _id(report)
    report.keras_backend = backend
    report.nodeid = f"{report.nodeid} [{backend}]"


def _id(report):
    """A report's id as pytest keeps it: from 9.2 on it isn't a string."""
    return getattr(report, "id", report.nodeid)


def _wanted(options):
    text = getattr(options, "keras_backends", "") or ""
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def _is_worker():
    return "PYTEST_XDIST_WORKER" in os.environ


def _is_installed(backend):
    return importlib.util.find_spec(backend) is not None


def _current():
    """The backend that Keras has in this process, or would have."""
    if "keras" in sys.modules:
        return sys.modules["keras"].backend.backend()
    if os.environ.get("KERAS_BACKEND"):
        return os.environ["KERAS_BACKEND"]
    home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    try:
        return json.loads((Path(home) / "keras.json").read_text())["backend"]
    except (OSError, ValueError, LookupError, TypeError):
        return "tensorflow"
