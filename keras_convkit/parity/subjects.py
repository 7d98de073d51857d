"""What is looked at: an embedded model, a layer with its config, a saved model, a builder.

All are the same to the rest of the package: a name, a target that a worker can make, and inputs.
Nothing here imports Keras; the user's modules are imported by workers alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from keras_convkit.parity.embedded.models import MODELS
from keras_convkit.parity.inputs import Input, parse_input

EMBEDDED, OBJECT, FILE = "embedded", "object", "file"
# Whose classes the float64 reference of this package can judge.
JUDGED = ("keras_convkit", "keras_convkit.layers", "keras.layers")
FAMILIES = re.compile(
    r"(Conv|DepthwiseConv|SeparableConv|Cropping|UpSampling|ZeroPadding|Padding)[123]D"
    r"|Conv[123]DTranspose"
)


class SubjectError(ValueError):
    """A subject is described in a way that can't be understood; the message says how."""


@dataclass(frozen=True)
class Subject:
    """What is looked at.

    Attributes:
        name: How reports call it.
        kind: `EMBEDDED`, `OBJECT` (a layer class, or a function that returns a layer or model) or
            `FILE`.
        target: The model's name, `module:name`, or the path.
        config: Arguments of the class or function.
        inputs: What it is called with; nothing where the model knows its own input shapes.
        peer: What it is also compared with, in the form of `target`; `"built-in"` of an embedded
            model.
        reference: `module:function` in NumPy, `"auto"` for the package's own, or nothing.
        safe: Whether Keras's safe mode is on where a file is loaded.
        summary: A line about it.
    """

    name: str
    kind: str
    target: str
    config: Mapping[str, Any] = field(default_factory=dict, hash=False)
    inputs: tuple[Input, ...] = field(default=(), hash=False)
    peer: str = ""
    reference: str = ""
    safe: bool = True
    summary: str = ""

    def for_worker(self) -> dict[str, Any]:
        """What a worker has to know, ready for JSON; the inputs come in a file."""
        content = asdict(self)
        del content["inputs"], content["summary"]
        return content

    def described(self) -> dict[str, Any]:
        """What reports tell about it."""
        return self.for_worker() | {
            "summary": self.summary,
            "inputs": [str(each) for each in self.inputs],
        }

    @property
    def class_name(self) -> str:
        """What stands behind the colon of an object's target."""
        return self.target.rpartition(":")[2]


def embedded(name: str) -> Subject:
    """One of the package's own models, with the built-in layers as its peer."""
    model = MODELS[name]
    return Subject(name, EMBEDDED, name, peer="built-in", reference="auto", summary=model.summary)


def parse(
    target: str,
    *,
    config: Mapping[str, Any] | None = None,
    inputs: Sequence[Input] = (),
    peer: str = "",
    reference: str = "auto",
    safe: bool = True,
    name: str = "",
) -> Subject:
    """Makes a subject of what a user wrote.

    Args:
        target: The name of an embedded model, `package.module:Name`, or a path that ends in
            `.keras`.
        config: Arguments of the layer's constructor or the builder.
        inputs: What it is called with.
        peer: What to compare it with as well.
        reference: `module:function`, `"auto"`, or `""` for none.
        safe: Whether a file is loaded in Keras's safe mode.
        name: How reports call it; by default, the last part of the target.

    Raises:
        SubjectError: The target is none of these.
    """
    if target in MODELS:
        return embedded(target)
    if target.endswith(".keras"):
        if not Path(target).is_file():
            raise SubjectError(f"there is no file {target}")
        kind, default = FILE, Path(target).name
        target = str(Path(target).absolute())
    elif re.fullmatch(r"[\w.]+:[\w.]+", target):
        kind, default = OBJECT, target.rpartition(":")[2]
    else:
        raise SubjectError(
            "must be module:Name of a layer or of a function that returns one, a .keras file, or "
            f"one of {', '.join(MODELS)}. Received: {target}"
        )
    if kind == FILE and config:
        raise SubjectError(f"a saved model has its own config. Received: {config} for {target}")
    subject = Subject(
        name or default, kind, target, dict(config or {}), tuple(inputs), peer, reference, safe
    )
    if reference == "auto" and not _has_reference(subject):
        subject = replace(subject, reference="")
    if kind == OBJECT and not inputs and has_family(subject):
        subject = replace(subject, inputs=(_default_input(subject),))
    return subject


def read_list(path: Path) -> list[Subject]:
    """Reads several subjects from a JSON file.

    It is a list of objects with `target`, and where wanted `config`, `inputs` (a list of what
    `--input` takes), `peer`, `reference` and `name`.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return unique(
            parse(**entry | {"inputs": [parse_input(text) for text in entry.get("inputs", [])]})
            for entry in entries
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise SubjectError(f"{path}: {error}") from error


def unique(subjects: Iterable[Subject]) -> list[Subject]:
    """Numbers subjects that have the same name."""
    counts: dict[str, int] = {}
    result = []
    for subject in subjects:
        number = counts[subject.name] = counts.get(subject.name, 0) + 1
        renamed = subject if number == 1 else replace(subject, name=f"{subject.name} ({number})")
        result.append(renamed)
    return result


def has_family(subject: Subject) -> bool:
    """Whether it is a class of one of the families that this package knows."""
    module, _, name = subject.target.rpartition(":")
    return module in JUDGED and FAMILIES.fullmatch(name) is not None


def _has_reference(subject: Subject) -> bool:
    activation = subject.config.get("activation")
    return has_family(subject) and (activation is None or isinstance(activation, str))


def _default_input(subject: Subject) -> Input:
    """An input for one of our families, where the user has named none."""
    rank = int(re.search(r"([123])D", subject.class_name)[1])
    lengths = {1: (16,), 2: (10, 11), 3: (6, 7, 5)}[rank]
    first = subject.config.get("data_format") == "channels_first"
    shape = (2, 4, *lengths) if first else (2, *lengths, 4)
    return Input("", ",".join(map(str, shape)), shape)
