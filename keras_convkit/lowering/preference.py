"""What a user would rather have than the table's choice: for a layer, a block, or the process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any

from keras_convkit import arguments
from keras_convkit.lowering.case import Description, case_of
from keras_convkit.lowering.table import TABLE, first

# Asks for the table's own choice, as it is for code that XLA compiles, whatever the backend.
XLA = "xla"
# Asks for the table's own choice, as it is in an export.
EXPORT = "export"
NAMES = {
    operation: (
        *dict.fromkeys(row.formulation for row in TABLE if row.operation == operation),
        XLA,
        EXPORT,
    )
    for operation in dict.fromkeys(row.operation for row in TABLE)
}
# What these two take a call for.
AS_IF: Mapping[str, Mapping[str, Any]] = {XLA: {"engine": "xla"}, EXPORT: {"exported": True}}
# What can be asked for of all operations at once.
EVERYWHERE = ("native", XLA, EXPORT)

Preference = Mapping[str, str]

_of_process: Preference = {}
# The default is never changed: a block puts a new mapping in its place.
_of_block: ContextVar[Preference] = ContextVar("keras_convkit_preferred", default={})  # noqa: B039
# Whether any block has been entered in this process. Until then no context is asked: torch.compile
# can't trace that, and would break its graph at every layer.
_blocks_in_use = False


def parse(formulation: str | None, operations: Mapping[str, str], owner: str) -> Preference:
    """The name that is preferred for each of the operations, out of what a user wrote."""
    chosen = {}
    if formulation is not None:
        every = arguments.word(formulation, EVERYWHERE, "formulation", owner)
        chosen = dict.fromkeys(NAMES, every)
    for operation, name in operations.items():
        arguments.word(operation, tuple(NAMES), "operation", owner)
        chosen[operation] = arguments.word(name, NAMES[operation], operation, owner)
    return chosen


@contextmanager
def preferring(chosen: Preference) -> Iterator[None]:
    """What `parse` gave, for a block; what a block around it asks of other operations stays."""
    global _blocks_in_use
    _blocks_in_use = True
    token = _of_block.set({**_of_block.get(), **chosen})
    try:
        yield
    finally:
        _of_block.reset(token)


def prefer(formulation: str | None = None, /, **operations: str) -> AbstractContextManager[None]:
    """Chooses how the operations within a `with` block are carried out.

    Left to itself, each call takes the formulation that was measured to be the fastest for its
    backend and device (`docs/performance.md`). What is asked for here comes first, wherever it can
    compute the call; where it cannot, the call takes the usual one. The results are the same. The
    choice is made when a layer is called or traced: a function that is compiled already keeps its
    own. It holds for the thread (or task) that runs the block.

    Args:
        formulation: A formulation for all operations: `"native"`, the backend's own operation;
            `"xla"`, what is fastest in code that XLA compiles; or `"export"`, what makes an
            exported artifact small. TensorFlow tells a layer of neither, and JAX of no export
            with a fixed batch size: ask for `"xla"` where you use `jit_compile=True`, and for
            `"export"` around `model.export(...)`.
        **operations: A formulation for one operation, which goes before `formulation`:
            `conv="native"`, `"one_conv_a_group"`, …; also `depthwise_conv`, `conv_transpose` and
            `upsample`. A separable convolution is a `depthwise_conv` and a `conv`.

    Returns:
        A context manager.

    Raises:
        TypeError: If a formulation isn't a word.
        ValueError: If an operation or a formulation doesn't exist.

    Example:

    >>> import numpy as np
    >>> import keras_convkit as kc
    >>> layer = kc.DepthwiseConv2D(3)
    >>> image = np.ones((1, 8, 8, 3), "float32")
    >>> with kc.lowering.prefer(depthwise_conv="taps"):
    ...     shape = tuple(layer(image).shape)
    >>> shape
    (1, 6, 6, 3)
    """
    return preferring(parse(formulation, operations, "keras_convkit.lowering.prefer"))


def set_preferred(formulation: str | None = None, /, **operations: str) -> None:
    """Chooses how operations are carried out in the whole process.

    A block (`prefer`) and a layer (its attribute `preferred`) go before it. Without arguments, the
    choice is left to the package again.

    Args:
        formulation: A formulation for all operations, as `prefer` takes it.
        **operations: A formulation for one operation, as `prefer` takes it.

    Raises:
        TypeError: If a formulation isn't a word.
        ValueError: If an operation or a formulation doesn't exist.

    Example:

    >>> import keras_convkit as kc
    >>> kc.lowering.set_preferred("xla")  # before `model.compile(jit_compile=True)` on TensorFlow
    >>> kc.lowering.set_preferred()
    """
    global _of_process
    _of_process = parse(formulation, operations, "keras_convkit.lowering.set_preferred")


def choose(operation: str, description: Description, x: object) -> str:
    """The name of the formulation for this call."""
    case = case_of(operation, description, x)
    of_block = _of_block.get() if _blocks_in_use else {}
    name = of_block.get(operation) or _of_process.get(operation)
    if name in AS_IF:
        return first(case._replace(**AS_IF[name]))
    return first(case, name)
