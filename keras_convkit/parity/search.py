"""`--search`: hypothesis draws configurations until backends disagree, and shrinks what it finds.

Workers live as long as the search. One finding a kind is reported: which backend is off, and in
what; further examples of a known kind are passed over, so that the next kind can be found.
"""

from __future__ import annotations

import itertools
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import find as find_smallest
from hypothesis.errors import NoSuchExample

from keras_convkit.parity.asking import Asking
from keras_convkit.parity.comparison import compare
from keras_convkit.parity.findings import DISAGREES, FAILS, Finding, Found, Key, counted
from keras_convkit.parity.quantities import MEASURED
from keras_convkit.parity.runner import Session, run_all
from keras_convkit.parity.smaller import smaller
from keras_convkit.parity.space import Example, examples, optional, permits
from keras_convkit.parity.store import Store
from keras_convkit.parity.subjects import Subject
from keras_convkit.parity.tasks import MODES, Plan, measurements
from keras_convkit.parity.verdicts import Cell, Kind, Verdict
from keras_convkit.workers import BACKENDS, is_installed

# What is compared of each example, unless asked otherwise: training costs more than it finds.
SEARCHED = MEASURED[:3]
# How many examples may be tried to make a finding smaller than hypothesis could.
MOST = 100


class OverError(Exception):
    """The search can't go on: its time is over, or a backend can't be started."""


def search(
    subject: Subject,
    count: int,
    *,
    space: Mapping[str, Any] | None = None,
    modes: Mapping[str, tuple[str, ...]] = MODES,
    quantities: Sequence[str] = SEARCHED,
    seed: int = 0,
    timeout: float = 300.0,
    memory: float = 0.0,
    limit: float = 600.0,
    tell: Callable[[str], None] = lambda text: None,
    report: Callable[[Finding], None] = lambda finding: None,
) -> Found:
    """Draws configurations of a subject, runs each on all backends, and shrinks disagreements.

    Args:
        subject: A class or function; its config is kept, its inputs are the largest.
        count: How many examples to draw; those that make a finding smaller come on top.
        space: What arguments may be; see `space.examples`.
        modes: The backends, and the modes to run each in.
        quantities: What is compared.
        seed: Seed of the search, of data and weights.
        timeout: Seconds that a worker may take for each task; for its start, 120 at least.
        memory: Gigabytes that a worker may take beyond its imports; 0 for no limit.
        limit: Seconds after which nothing new is tried.
        tell: Told how far the search is.
        report: Given each finding when it has been made small.

    Raises:
        SubjectError: It is nothing that can be searched.
    """
    space = space or {}
    strategy = examples(subject, space)
    plan = Plan(tuple(quantities))
    with tempfile.TemporaryDirectory(prefix="keras-convkit-search-") as folder:
        store = Store(Path(folder), {})
        with Session(modes, store, timeout=timeout, memory=memory) as session:
            trying = _Trying(subject, space, session, plan, seed, limit, tell, report)
            ended = ""
            try:
                trying.all(strategy, count)
            except OverError as over:
                ended = str(over)
        return trying.found(ended)


class _Trying:
    """Examples run and remembered."""

    def __init__(
        self,
        subject: Subject,
        space: Mapping[str, Any],
        session: Session,
        plan: Plan,
        seed: int,
        limit: float,
        tell: Callable[[str], None],
        report: Callable[[Finding], None],
    ) -> None:
        self._subject = subject
        self._space = space
        self._session = session
        self._plan = plan
        self._seed = seed
        self._start = time.monotonic()
        self._limit = limit
        self._tell = tell
        self._report = report
        self._drawn = 0
        self._compared = False
        self._known: dict[tuple[str, Plan], Finding | None] = {}
        self._findings: dict[Key, Finding] = {}
        self._refused: Counter[str] = Counter()
        self._folder = session.store.folder
        self._options = _options(session, seed)

    def all(self, strategy: Any, count: int) -> None:
        """Searches until `count` examples have been drawn."""
        self._tell(f"starting {', '.join(desk.run.backend for desk in self._session.desks)}")
        for attempt in itertools.count():
            if self._drawn >= count:
                return
            first: list[Finding] = []

            def is_new(example: Example, first: list[Finding] = first) -> bool:
                # Here as well: examples that are known already cost time to draw.
                self._check_time()
                # The counting ends where the shrinking begins.
                self._drawn += not first
                # Nothing else is looked at while one kind is made smaller.
                finding = self._look(example, first[0].key if first else ())
                if finding is None or finding.key in self._findings:
                    return False
                if not first:
                    new = replace(finding, after=self._drawn, seconds=self._seconds())
                    first.append(replace(new, tries=len(self._known)))
                return finding.key == first[0].key

            over = ""
            try:
                smallest = find_smallest(
                    strategy, is_new, settings=_settings(count - self._drawn),
                    random=random.Random(self._seed + attempt),
                )  # fmt: skip
            except NoSuchExample:
                return
            except OverError as error:
                if not first:
                    raise
                over, smallest = str(error), None
            over = self._keep(first[0], smallest) or over
            if over:
                raise OverError(over)

    def found(self, ended: str) -> Found:
        """What it all came to."""
        return Found(
            tuple(self._findings.values()),
            self._drawn,
            len(self._known),
            dict(self._refused.most_common()),
            self._seconds(),
            self._session.runs,
            self._compared,
            ended,
        )

    def _keep(self, first: Finding, smallest: Example | None) -> str:
        """Notes a finding, made smaller where it can be, and returns why that had to end."""
        over = ""
        if smallest is not None:
            best = self._look(smallest, first.key)
            try:
                best = self._smallest(best)
            except OverError as error:
                over = str(error)
        alike = [each for each in self._known.values() if each and each.key == first.key]
        if smallest is None or over:
            best = min(alike, key=_size)
        finding = replace(
            best,
            after=first.after,
            seconds=first.seconds,
            tries=len(self._known) - first.tries,
            small=self._seconds(),
            smallest=not (over or smallest is None),
        )
        self._findings[first.key] = finding
        self._report(finding)
        return over

    def _smallest(self, finding: Finding) -> Finding:
        """Goes on from a finding to smaller ones of its kind, until none is left."""
        spare = optional(self._subject, self._space)
        allowed = partial(permits, self._subject, self._space)
        most = len(self._known) + MOST
        while True:
            here = finding.subject
            for each in smaller(here.config, here.inputs, spare, allowed):
                if len(self._known) >= most:
                    return finding
                less = self._look(Example(*each), finding.key)
                if less and less.key == finding.key:
                    finding = less
                    break
            else:
                return finding

    def _look(self, example: Example, wanted: Key = ()) -> Finding | None:
        """Runs an example, once; of a kind that is wanted, compares what shows it alone."""
        plan = self._plan
        if wanted and wanted[0] == DISAGREES:
            plan = plan._replace(quantities=(wanted[-1],))
        key = example.key(), plan
        if key not in self._known:
            self._check_time()
            self._known[key] = self._run(example, plan, bool(wanted))
            doing = f"making {' '.join(wanted[1:])} smaller" if wanted else "searching"
            self._tell(
                f"{doing}: {self._drawn} configurations drawn, {len(self._known)} run, "
                f"{counted(len(self._findings), 'kind')} of disagreement, {self._seconds():.0f} s"
            )
        return self._known[key]

    def _run(self, example: Example, plan: Plan, shrinking: bool) -> Finding | None:
        subject = replace(self._subject, config=example.config, inputs=example.inputs)
        folder = self._folder / str(len(self._known))
        session = self._session
        session.store = Store(folder, {})
        asking = Asking(folder, plan, self._seed)
        asking.add(subject)
        run_all([subject], plan, session, asking.question)
        cells = compare([subject], session.runs, plan, session.store, {})
        finding = self._judged(subject, cells, shrinking)
        shutil.rmtree(folder)
        # All examples go by one name: what this one did is not held against the next.
        for desk in session.desks:
            if not desk.revive():
                raise OverError(f"{desk.run.backend}: {desk.run.reason}")
        return finding

    def _judged(self, subject: Subject, cells: Sequence[Cell], shrinking: bool) -> Finding | None:
        failed = self._failures(subject)
        if failed and len(failed) == len(self._session.desks):
            # What no backend takes isn't valid; smaller ones are tried without knowing.
            if not shrinking:
                self._refused[next(iter(failed.values()))] += 1
            return None
        self._compared = True
        wrong = [cell for cell in cells if cell.verdict is Verdict.DISAGREES]
        if wrong:
            cell = wrong[0]
            of_it = [each for each in wrong if each.quantity == cell.quantity]
            key = (DISAGREES, ", ".join(_off(of_it)), cell.quantity)
            words = [f"{each.column}: {each.in_words()}" for each in of_it]
            spots = [f"  first at {each.first}" for each in of_it[:1] if each.first]
            return self._finding(key, subject, (*words, *spots))
        if failed:
            errors = sorted({reason.partition(":")[0] for reason in failed.values()})
            key = (FAILS, ", ".join(failed), ", ".join(errors))
            words = [f"{backend}: {reason}" for backend, reason in failed.items()]
            return self._finding(key, subject, words)
        return None

    def _finding(self, key: Key, subject: Subject, words: Sequence[str]) -> Finding:
        return Finding(key, subject, tuple(words), self._plan.quantities, self._options)

    def _failures(self, subject: Subject) -> dict[str, str]:
        """Why a backend could not do it, for each that couldn't."""
        failed: dict[str, str] = {}
        for desk in self._session.desks:
            for task in measurements(subject, desk.run.modes, self._plan):
                answer = self._session.store.get(desk.run.backend, task)
                if task.side == "subject" and answer.kind == "failed":
                    failed.setdefault(desk.run.backend, answer.reason)
        return failed

    def _check_time(self) -> None:
        if self._seconds() > self._limit:
            raise OverError(f"its time of {self._limit:g} s is over")

    def _seconds(self) -> float:
        return time.monotonic() - self._start


def _settings(count: int) -> settings:
    return settings(
        max_examples=count,
        phases=(Phase.generate, Phase.shrink),
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def _off(cells: Sequence[Cell]) -> list[str]:
    """The backends that are off: by a judge, or those in most of the pairs that disagree."""
    judged = {cell.column.left.backend for cell in cells if cell.column.kind is not Kind.BACKEND}
    if judged:
        return sorted(judged)
    pairs = [(cell.column.left.backend, cell.column.right.backend) for cell in cells]
    counts = Counter(itertools.chain.from_iterable(pairs))
    most = max(counts.values())
    return sorted(name for name, times in counts.items() if times == most)


def _size(finding: Finding) -> tuple[int, int]:
    shapes = [each.shape for each in finding.subject.inputs]
    return len(repr(finding.subject.config)), sum(map(sum, shapes))


def _options(session: Session, seed: int) -> dict[str, Any]:
    """What `parity.check` has to be told to look where the search has looked."""
    options: dict[str, Any] = {}
    here = [desk.run for desk in session.desks]
    if [run.backend for run in here] != [name for name in BACKENDS if is_installed(name)]:
        options["backends"] = [run.backend for run in here]
    if any(run.modes != MODES[run.backend] for run in here):
        options["all_modes"] = True
    if seed:
        options["seed"] = seed
    return options
