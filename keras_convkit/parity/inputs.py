"""What a subject is called with: random data of a shape, or a file."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from keras_convkit.extras import require

Array = np.ndarray

_SHAPE = re.compile(r"(\d+(?:,\d+)*)(?::(normal|uniform|bool|int(?:<(\d+))?))?")
_IMAGES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class Input:
    """One input.

    Attributes:
        name: The argument or input that it is for; nothing for the next one in order.
        text: How the user wrote it.
        shape: The shape of random data, the batch included.
        draw: "normal", "uniform" (from 0 to 1), "bool" or "int".
        below: What a random int stays under.
        array: The data, where it is given.
    """

    name: str
    text: str
    shape: tuple[int, ...] = ()
    draw: str = "normal"
    below: int = 10
    array: Array | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.name}={self.text}" if self.name else self.text

    def load(self, seed: int) -> dict[str, Array]:
        """Returns the data under their names; an archive has one a member."""
        if self.array is not None:
            return {self.name: _fitting(self.array)}
        if self.shape:
            return {self.name: self._drawn(seed)}
        path = Path(self.text)
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as archive:
                return {name: _fitting(archive[name]) for name in archive.files}
        if path.suffix == ".npy":
            return {self.name: _fitting(np.load(path, allow_pickle=False))}
        image = require("matplotlib.image", "reading pictures").imread(path)
        pixels = image.astype(np.float32) / (255.0 if image.dtype == np.uint8 else 1.0)
        return {self.name: pixels.reshape(1, *pixels.shape[:2], -1)}

    def _drawn(self, seed: int) -> Array:
        rng = np.random.default_rng([seed, zlib.crc32(str(self).encode())])
        if self.draw == "int":
            return rng.integers(self.below, size=self.shape).astype(np.int32)
        if self.draw == "bool":
            return rng.integers(2, size=self.shape).astype(bool)
        if self.draw == "uniform":
            return rng.random(self.shape).astype(np.float32)
        return rng.standard_normal(self.shape).astype(np.float32)


def parse_input(text: str) -> Input:
    """Makes an input of what a user wrote.

    Args:
        text: `[NAME=]SHAPE[:KIND]` with KIND one of `normal`, `uniform`, `bool`, `int` (under 10)
            and `int<N`, as `ids=2,12:int<100`; or `[NAME=]FILE`, a `.npy`, `.npz`, `.png` or
            `.jpg` file.

    Raises:
        ValueError: It is neither.
    """
    name, equals, rest = text.rpartition("=")
    if equals and not name.isidentifier():
        raise ValueError(f"{name!r} is no name of an input. Received: {text}")
    if found := _SHAPE.fullmatch(rest):
        shape = tuple(map(int, found[1].split(",")))
        kind = (found[2] or "normal").partition("<")[0]
        return Input(name, rest, shape, kind, int(found[3] or 10))
    path = Path(rest)
    if path.suffix.lower() not in (".npy", ".npz", *_IMAGES):
        raise ValueError(
            "must be a shape such as 4,16,16,3 or 2,12:int<100, or a .npy, .npz, .png or .jpg "
            f"file. Received: {text}"
        )
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    return Input(name, str(path.absolute()))


def _fitting(array: Array) -> Array:
    """Float64 data as the float32 that layers compute in; everything else as it is."""
    return array.astype(np.float32) if array.dtype == np.float64 else array
