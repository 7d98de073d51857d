"""One worker process a backend, asked one task at a time; what becomes of each is an answer."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from keras_convkit.parity.store import Answer, Store
from keras_convkit.parity.subjects import Subject
from keras_convkit.parity.tasks import Plan, Task, measurements, readings
from keras_convkit.workers import Event, Worker, cores, is_installed, not_installed

WORKER = (sys.executable, "-m", "keras_convkit.parity.worker")

# A worker may always take so many seconds for its imports, which are not what is looked at.
STARTING = 120.0
# Seconds after which Ctrl-C is noticed at the latest.
GLANCE = 0.5
# A subject over which so many workers have died isn't tried again on that backend,
DEATHS = 2
# and a backend whose workers die over so many subjects, without an answer between, isn't either.
SUBJECTS = 3


@dataclass
class BackendRun:
    """What became of one backend.

    Attributes:
        backend: The backend.
        modes: The modes it was run in, the default one first.
        status: "waiting", "running", "done", "missing" (it is not installed) or "failed".
        reason: Why it is missing or failed.
        versions: Versions of the packages that its worker imported.
        seconds: How long its workers took, of which `importing` went by before the first task.
        tasks: How many there are, of which `done` have an answer.
    """

    backend: str
    modes: tuple[str, ...]
    status: str = "waiting"
    reason: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    importing: float = 0.0
    tasks: int = 0
    done: int = 0


# Called after each step of a worker, from its thread, with what there is to say about it.
Notify = Callable[[BackendRun, str], None]


class Desk:
    """Asks the workers of one backend, of which there is at most one at a time."""

    def __init__(
        self, run: BackendRun, folder: Path, timeout: float, memory: float, notify: Notify
    ) -> None:
        """Prepares a desk; nothing is started yet.

        Args:
            run: What becomes of the backend is noted here.
            folder: Where the worker's standard error goes.
            timeout: Seconds that a task may take, and the start of a worker beyond `STARTING`.
            memory: Gigabytes that a worker may take beyond what its imports take; 0 for no limit.
            notify: Told about each step.
        """
        self.run = run
        self._folder = folder
        self._timeout = timeout
        self._command = [*WORKER, str(memory)]
        self._notify = notify
        self._worker: Worker | None = None
        # How many have died over each subject, and over which since the last answer.
        self._deaths: Counter[str] = Counter()
        self._dead_over: set[str] = set()
        self._reasons: dict[str, str] = {}
        self._silent = True
        self._stopped = ""

    def answer(self, task: Task, question: Mapping[str, Any]) -> Answer:
        """Has a task done; a fault of the worker is the answer to this task alone."""
        run = self.run
        if run.status in ("missing", "failed"):
            return Answer("failed", reason=run.reason)
        if self._stopped:
            return Answer("failed", reason=self._stopped)
        if self._deaths[task.subject] >= DEATHS:
            run.done += 1
            reason = f"{DEATHS} workers died over {task.subject}: {self._reasons[task.subject]}"
            return Answer("failed", reason=reason)
        start = time.monotonic()
        self._notify(run, str(task))
        reason = "" if self._worker else self._start()
        if not reason:
            self._worker.ask(**question)
            answer = self._listen()
        if reason or answer is None:
            answer = Answer("failed", reason=reason or self._mourn(task.subject))
        run.seconds += time.monotonic() - start
        run.done += 1
        self._notify(run, answer.reason and f"{task}: {answer.reason}")
        return answer

    def close(self) -> None:
        """Lets the worker go."""
        if self._worker is not None:
            reason = self._worker.finish()
            self._worker = None
            if reason and not self._stopped:
                self.run.status, self.run.reason = "failed", reason
        if self._silent and self._reasons and self.run.status == "running":
            reason = f"none of its workers gave an answer: {list(self._reasons.values())[-1]}"
            self.run.status, self.run.reason = "failed", reason
        if self.run.status in ("waiting", "running"):
            self.run.status = "done"
        self._notify(self.run, self.run.reason or "done")

    def revive(self) -> bool:
        """Forgets what workers died over; tells whether the backend can be imported at all."""
        self._deaths.clear()
        self._dead_over.clear()
        if self.run.status == "failed" and self.run.versions and not self._stopped:
            self.run.status, self.run.reason = "running", ""
        return self.run.status != "failed"

    def stop(self, reason: str) -> None:
        """Kills the worker; called from another thread."""
        self._stopped = reason
        if worker := self._worker:
            worker.stop(reason)

    def _start(self) -> str:
        """Starts a worker, and returns why it can't be had."""
        run, start = self.run, time.monotonic()
        if self._stopped:
            return self._stopped
        run.status = "running"
        self._notify(run, f"importing {run.backend}")
        errors = self._folder / f"{run.backend}.stderr"
        worker = Worker(
            run.backend, self._command, errors, self._timeout, asked=True, starting=STARTING
        )
        self._worker = worker
        worker.start()
        if self._stopped:
            worker.stop(self._stopped)
        for event in worker.events():
            if event["event"] == "ready":
                run.versions = dict(event["versions"])
                run.importing = run.importing or time.monotonic() - start
                worker.rest()
                return ""
        reason = self._bury()
        # A backend that can't be imported now can't be later.
        run.status, run.reason = "failed", reason
        return reason

    def _listen(self) -> Answer | None:
        """Returns what the worker answers, or nothing where it dies over it."""
        for event in self._worker.events():
            answer = _understood(event)
            if answer is None:
                self._worker.reject(event)
                continue
            self._worker.rest()
            self.heard()
            return answer
        return None

    def heard(self) -> None:
        """Notes that the backend has answered something, now or in an earlier run."""
        self._silent = False
        self._dead_over.clear()

    def _mourn(self, subject: str) -> str:
        """Notes over what a worker has died, and returns of what."""
        reason = self._bury()
        self._deaths[subject] += 1
        self._dead_over.add(subject)
        self._reasons[subject] = reason
        if len(self._dead_over) >= SUBJECTS and not self._stopped:
            told = f"workers died over {SUBJECTS} subjects one after the other: {reason}"
            self.run.status, self.run.reason = "failed", told
        return reason

    def _bury(self) -> str:
        """Ends what is left of a worker, and returns what it died of."""
        reason = self._worker.finish() or "the worker ended before its work was done"
        self._worker = None
        return reason


def _understood(event: Event) -> Answer | None:
    if event["event"] not in ("result", "refused", "failed"):
        return None
    try:
        content = {key: event[key] for key in ("file", "reason", "facts") if key in event}
        answer = Answer(event["event"], **content)
    except TypeError:
        return None
    kinds = (answer.file, str), (answer.reason, str), (answer.facts, dict)
    if not all(isinstance(value, kind) for value, kind in kinds):
        return None
    # The store is asked for a name, wherever its folder is by then.
    return replace(answer, file=Path(answer.file).name)


def _results(futures: Sequence[Future]) -> list[Any]:
    """Waits for all, or for the first that raises."""
    while True:
        # Looked at again and again: where another thread was given the signal, as after a stop, and
        # on Windows, Ctrl-C doesn't end a wait.
        done, waiting = wait(futures, timeout=GLANCE, return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()
        if not waiting:
            return [future.result() for future in futures]


class Session:
    """The desks of several backends, and the store that takes their answers."""

    def __init__(
        self,
        modes: Mapping[str, tuple[str, ...]],
        store: Store,
        *,
        timeout: float,
        memory: float = 0.0,
        notify: Notify = lambda run, news: None,
    ) -> None:
        """Prepares a session; the arguments are those of `Desk`."""
        self.runs = [BackendRun(backend, own) for backend, own in modes.items()]
        self.store = store
        self._notify = notify
        self._desks = [Desk(run, store.folder, timeout, memory, notify) for run in self.runs]
        for run in self.runs:
            if not is_installed(run.backend):
                run.status, run.reason = "missing", not_installed(run.backend)
                notify(run, run.reason)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *error: object) -> None:
        for desk in self._desks:
            if any(error):
                desk.stop("interrupted")
            desk.close()

    @property
    def desks(self) -> list[Desk]:
        """Those of the installed backends."""
        return [desk for desk in self._desks if desk.run.status != "missing"]

    def each(self, work: Callable[[Desk], Any]) -> list[Any]:
        """Does something on every installed backend, as many at a time as there are cores."""
        desks = self.desks
        with ThreadPoolExecutor(max_workers=max(1, min(len(desks), cores()))) as pool:
            try:
                return _results([pool.submit(work, desk) for desk in desks])
            except BaseException:
                # Ctrl-C reaches this thread alone, and the pool would wait for its workers.
                for desk in desks:
                    desk.stop("interrupted")
                raise

    def do(self, desk: Desk, task: Task, question: Mapping[str, Any]) -> Answer:
        """Has one task done, unless the store knows the answer, and keeps what came of it."""
        backend = desk.run.backend
        if (known := self.store.find(backend, task)) is not None:
            desk.run.done += 1
            desk.heard()
            return known
        answer = desk.answer(task, question)
        if not desk._stopped:
            self.store.note(backend, task, answer)
        return answer


def run_all(
    subjects: Sequence[Subject], plan: Plan, session: Session, question: Callable[..., dict]
) -> None:
    """Has everything measured on every backend, then every file read on every backend.

    Args:
        subjects: What is looked at.
        plan: What is asked about each.
        session: The backends.
        question: Makes, of a subject, a task and the desk's backend, what the worker is told.
    """
    backends = [desk.run.backend for desk in session.desks]
    first = {
        desk.run.backend: [
            (subject, task)
            for subject in subjects
            for task in measurements(subject, desk.run.modes, plan)
        ]
        for desk in session.desks
    }
    second = {
        desk.run.backend: [
            (subject, task)
            for subject in subjects
            for task in readings(subject, desk.run.modes, plan, backends)
        ]
        for desk in session.desks
    }
    for desk in session.desks:
        desk.run.tasks = len(first[desk.run.backend]) + len(second[desk.run.backend])

    def work(tasks: Mapping[str, Iterable[tuple[Subject, Task]]]) -> Callable[[Desk], None]:
        def through(desk: Desk) -> None:
            for subject, task in tasks[desk.run.backend]:
                session.do(desk, task, question(subject, task, desk.run.backend))

        return through

    session.each(work(first))
    session.each(work(second))
