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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import find as find_smallest
from hypothesis.errors import NoSuchExample

from keras_convkit.parity import subjects
from keras_convkit.parity.asking import Asking
from keras_convkit.parity.comparison import compare
from keras_convkit.parity.quantities import MEASURED
from keras_convkit.parity.runner import BackendRun, Session, run_all
from keras_convkit.parity.space import Example, examples, found, parameters
from keras_convkit.parity.store import Store
from keras_convkit.parity.subjects import Subject
from keras_convkit.parity.tasks import MODES, Plan, measurements
from keras_convkit.parity.verdicts import Cell, Kind, Verdict

# What is compared of each example, unless asked otherwise: training costs more than it finds.
SEARCHED = MEASURED[:3]

DISAGREES, FAILS = "disagrees", "fails"
# A kind of finding: what happens, on which backends, in what.
Key = tuple[str, ...]


@dataclass(frozen=True)
class Finding:
    """Something that backends disagree in, as small as it could be made.

    Attributes:
        key: Its kind: `DISAGREES` or `FAILS`, the backends that are off, the quantity or the error.
        subject: The smallest subject that shows it.
        words: What is wrong, line by line.
        quantities: What was compared.
        seed: The seed of the search.
        after: How many examples had been drawn when it was first met.
        seconds: And how long the search had run, workers' start included.
        tries: How many examples it took to make it small.
    """

    key: Key
    subject: Subject
    words: tuple[str, ...]
    quantities: tuple[str, ...]
    seed: int
    after: int = 0
    seconds: float = 0.0
    tries: int = 0

    def __str__(self) -> str:
        """Returns what is wrong, and three lines of Python that show it."""
        kind, backends, what = self.key
        where = f"found as example {self.after} after {self.seconds:.0f} s"
        title = f"{self.subject.target} {kind} on {backends}, {what}: {where}"
        return "\n".join([title, *(f"  {line}" for line in self.words), self.script])

    @property
    def script(self) -> str:
        """Three lines of Python that show it."""
        subject = self.subject
        given = {
            "inputs": [str(each) for each in subject.inputs],
            "config": dict(subject.config),
            "quantities": [self.key[-1]] if self.key[0] == DISAGREES else list(self.quantities),
            "peer": subject.peer,
            "reference": subject.reference,
            "seed": self.seed,
        }
        usual = {"peer": "", "reference": subjects.parse(subject.target).reference, "seed": 0}
        told = [f"{name}={value!r}" for name, value in given.items() if value != usual.get(name)]
        return (
            "from keras_convkit import parity\n"
            f"result = parity.check({subject.target!r}, {', '.join(told)})\n"
            "result.assert_ok()"
        )

    def described(self) -> dict[str, Any]:
        """Returns it ready for JSON."""
        subject = self.subject.described()
        own: dict[str, Any] = {"kind": self.key[0], "backends": self.key[1], "what": self.key[2]}
        own |= {"words": self.words, "script": self.script, "after": self.after}
        return own | {name: subject[name] for name in ("target", "config", "inputs")}


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Attributes:
        findings: One of each kind, as they were met.
        examples: How many different examples were run, of which `refused` could not be on any
            backend.
        refused: Why, with how often.
        seconds: How long it took.
        runs: The backends.
        ended: Why it ended before its time, or nothing.
    """

    findings: tuple[Finding, ...]
    examples: int
    refused: Mapping[str, int]
    seconds: float
    runs: Sequence[BackendRun]
    ended: str = ""

    @property
    def broken(self) -> bool:
        """Whether a backend could not go on, or none was there."""
        missing = [run.status == "missing" for run in self.runs]
        return all(missing) or any(run.status == "failed" for run in self.runs)


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
) -> Found:
    """Draws configurations of a subject, runs each on all backends, and shrinks disagreements.

    Args:
        subject: A class or function; its config is kept, its inputs are the largest.
        count: How many examples to draw; those that make a finding smaller come on top.
        space: What arguments may be; see `space.examples`.
        modes: The backends, and the modes to run each in.
        quantities: What is compared.
        seed: Seed of the search, of data and weights.
        timeout: Seconds that a worker may take for its start, and for each task.
        memory: Gigabytes that a worker may take beyond its imports; 0 for no limit.
        limit: Seconds after which nothing new is tried.
        tell: Told how far the search is.

    Raises:
        SubjectError: It is nothing that can be searched.
    """
    strategy = examples(subject, space or {})
    with tempfile.TemporaryDirectory(prefix="keras-convkit-search-") as folder:
        store = Store(Path(folder), {})
        with Session(modes, store, timeout=timeout, memory=memory) as session:
            trying = _Trying(subject, session, Plan(tuple(quantities)), seed, limit, tell)
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
        session: Session,
        plan: Plan,
        seed: int,
        limit: float,
        tell: Callable[[str], None],
    ) -> None:
        self._subject = subject
        self._session = session
        self._plan = plan
        self._seed = seed
        self._start = time.monotonic()
        self._limit = limit
        self._tell = tell
        self._known: dict[tuple[str, Plan], Finding | None] = {}
        self._findings: dict[Key, Finding] = {}
        self._refused: Counter[str] = Counter()
        self._folder = session.store.folder

    def all(self, strategy: Any, count: int) -> None:
        """Searches until `count` examples have been drawn."""
        drawn = 0
        for attempt in itertools.count():
            if drawn >= count:
                return
            first: list[Finding] = []

            def is_new(example: Example, first: list[Finding] = first) -> bool:
                nonlocal drawn
                # The counting ends where the shrinking begins.
                drawn += not first
                # Nothing else is looked at while one kind is made smaller.
                finding = self._look(example, first[0].key if first else ())
                if finding is None or finding.key in self._findings:
                    return False
                if not first:
                    first.append(replace(finding, after=drawn, seconds=self._seconds()))
                # While one kind is made smaller, others wait.
                return finding.key == first[0].key

            over = ""
            try:
                smallest = find_smallest(
                    strategy, is_new, settings=_settings(count - drawn),
                    random=random.Random(self._seed + attempt),
                )  # fmt: skip
            except NoSuchExample:
                return
            except OverError as error:
                if not first:
                    raise
                over, smallest = str(error), None
            self._keep(first[0], smallest)
            if over:
                raise OverError(over)

    def found(self, ended: str) -> Found:
        """What it all came to."""
        return Found(
            tuple(self._findings.values()),
            len(self._known),
            dict(self._refused.most_common()),
            self._seconds(),
            self._session.runs,
            ended,
        )

    def _keep(self, first: Finding, smallest: Example | None) -> None:
        """Notes a finding, without the arguments that it doesn't need."""
        alike = [each for each in self._known.values() if each and each.key == first.key]
        best = min(alike, key=_size)
        if smallest is not None:
            best = self._look(smallest, first.key)
            for name in self._spare(best.subject.config):
                config = {key: value for key, value in best.subject.config.items() if key != name}
                try:
                    less = self._look(Example(config, best.subject.inputs), first.key)
                except OverError:
                    break
                if less and less.key == first.key:
                    best = less
        self._findings[first.key] = replace(
            best, after=first.after, seconds=first.seconds, tries=len(alike)
        )

    def _spare(self, config: Mapping[str, Any]) -> list[str]:
        """The arguments that have a default."""
        known = parameters(found(self._subject.target))
        return [
            name for name in config
            if name not in self._subject.config
            and name in known and known[name].default is not known[name].empty
        ]  # fmt: skip

    def _look(self, example: Example, wanted: Key = ()) -> Finding | None:
        """Runs an example, once; of a kind that is wanted, compares what shows it alone."""
        plan = self._plan
        if wanted and wanted[0] == DISAGREES:
            plan = plan._replace(quantities=(wanted[-1],))
        key = example.key(), plan
        if key not in self._known:
            if self._seconds() > self._limit:
                raise OverError(f"its time of {self._limit:g} s is over")
            self._known[key] = self._run(example, plan)
            doing = "making one smaller" if wanted else "searching"
            self._tell(
                f"{doing}: {len(self._known)} configurations, {len(self._findings)} kinds of "
                f"disagreement, {self._seconds():.0f} s"
            )
        return self._known[key]

    def _run(self, example: Example, plan: Plan) -> Finding | None:
        subject = replace(self._subject, config=example.config, inputs=example.inputs)
        folder = self._folder / str(len(self._known))
        session = self._session
        session.store = Store(folder, {})
        asking = Asking(folder, plan, self._seed)
        asking.add(subject)
        run_all([subject], plan, session, asking.question)
        cells = compare([subject], session.runs, plan, session.store, {})
        finding = self._judged(subject, cells)
        shutil.rmtree(folder)
        for desk in session.desks:
            if not desk.revive():
                raise OverError(f"{desk.run.backend}: {desk.run.reason}")
        return finding

    def _judged(self, subject: Subject, cells: Sequence[Cell]) -> Finding | None:
        failed = self._failures(subject)
        if failed and len(failed) == len(self._session.desks):
            # What no backend takes isn't valid.
            self._refused[next(iter(failed.values()))] += 1
            return None
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
        return Finding(key, subject, tuple(words), self._plan.quantities, self._seed)

    def _failures(self, subject: Subject) -> dict[str, str]:
        """Why a backend could not do it, for each that couldn't."""
        failed: dict[str, str] = {}
        for desk in self._session.desks:
            for task in measurements(subject, desk.run.modes, self._plan):
                answer = self._session.store.get(desk.run.backend, task)
                if task.side == "subject" and answer.kind == "failed":
                    failed.setdefault(desk.run.backend, answer.reason)
        return failed

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
    return sum(map(sum, shapes)), len(repr(finding.subject.config))
