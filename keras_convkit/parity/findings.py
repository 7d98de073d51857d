"""What a search finds: a disagreement in words, and the lines that reproduce it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from keras_convkit.parity import subjects
from keras_convkit.parity.runner import BackendRun
from keras_convkit.parity.subjects import Subject

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
        options: Arguments of `parity.check` that are not its defaults: how the search was asked.
        after: How many examples had been drawn when it was first met.
        seconds: And how long the search had run, workers' start included.
        tries: How many examples it took to make it small.
        small: How long the search had run then.
        smallest: Whether there was time for all of them.
    """

    key: Key
    subject: Subject
    words: tuple[str, ...]
    quantities: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    after: int = 0
    seconds: float = 0.0
    tries: int = 0
    small: float = 0.0
    smallest: bool = True

    def __str__(self) -> str:
        """Returns what is wrong, and three lines of Python that show it."""
        kind, backends, what = self.key
        made = f"made small in {self.tries} more by {self.small:.0f} s"
        made += "" if self.smallest else ", when the time was over"
        lines = [
            f"{self.subject.target} {kind} on {backends}: {what}",
            *(f"  {line}" for line in self.words),
            f"  found as example {self.after} after {self.seconds:.0f} s, {made}; to reproduce:",
        ]
        return "\n".join([*lines, self.script])

    @property
    def script(self) -> str:
        """Three lines of Python that show it."""
        subject = self.subject
        given = {
            "config": dict(subject.config),
            "inputs": [str(each) for each in subject.inputs],
            "quantities": [self.key[-1]] if self.key[0] == DISAGREES else list(self.quantities),
            "peer": subject.peer,
            "reference": subject.reference,
        } | dict(self.options)
        usual = {"config": {}, "peer": "", "reference": _usual_reference(subject)}
        told = [
            f"{name}={value!r}"
            for name, value in given.items()
            if name not in usual or value != usual[name]
        ]
        return (
            "from keras_convkit import parity\n"
            f"result = parity.check({subject.target!r}, {', '.join(told)})\n"
            "result.assert_ok()"
        )

    def described(self) -> dict[str, Any]:
        """Returns it ready for JSON."""
        subject = self.subject.described()
        own: dict[str, Any] = {"kind": self.key[0], "backends": self.key[1], "what": self.key[2]}
        own |= {"words": self.words, "script": self.script, "smallest": self.smallest}
        own |= {"after": self.after, "seconds": round(self.seconds, 1)}
        own |= {"tries": self.tries, "small": round(self.small, 1)}
        return own | {name: subject[name] for name in ("target", "config", "inputs")}


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Attributes:
        findings: One of each kind, as they were met.
        drawn: How many examples were drawn.
        tries: How many different ones were run, those that make a finding smaller included.
        refused: Why drawn ones could not be on any backend, with how often.
        seconds: How long it took.
        runs: The backends.
        compared: Whether anything could be compared.
        ended: Why it ended before its time, or nothing.
    """

    findings: tuple[Finding, ...]
    drawn: int
    tries: int
    refused: Mapping[str, int]
    seconds: float
    runs: Sequence[BackendRun]
    compared: bool
    ended: str = ""

    @property
    def broken(self) -> bool:
        """Whether a backend could not go on, or none was there."""
        missing = [run.status == "missing" for run in self.runs]
        return all(missing) or any(run.status == "failed" for run in self.runs)


def counted(number: int, noun: str) -> str:
    """A number with its noun, which takes an s."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _usual_reference(subject: Subject) -> str:
    """The one that `parity.check` takes by itself."""
    return subjects.parse(subject.target, config=subject.config).reference
