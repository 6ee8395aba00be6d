"""Prepared rows in buckets on a disk: dealt at random, so that buckets in a random order are as good as a shuffle."""

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np

from chainrule.arrays.masked import Shape
from chainrule.arrays.memory import aligned
from chainrule.errors import ChainruleError

BUCKET = 1 << 25  # bytes of a bucket, about
MOST_BUCKETS = 1 << 12


class Dealer:
    """Deals rows into the buckets of a part: those of a block at random, so that each bucket gets its share of them.

    Args:
        folder: where the buckets' files are.
        name: the part.
        rows: how many there will be, about.
        generator: of the deals.
    """

    def __init__(self, folder: Path, name: str, rows: int, generator: np.random.Generator):
        self.folder, self.name, self.expected, self.generator = folder, name, rows, generator
        self.rows: list[int] = []
        self.kinds: dict[str, tuple[str, Shape]] = {}
        self.classes = np.zeros(0, np.int64)

    def deal(self, x: np.ndarray, y: np.ndarray) -> None:
        """Some more rows."""
        if not self.rows:
            self.kinds = {"x": (x.dtype.str, x.shape[1:]), "y": (y.dtype.str, y.shape[1:])}
            self.rows = [0] * buckets(self.expected, x, y)
        if y.dtype.kind == "i":
            self.classes = _added(self.classes, np.bincount(y))
        count, taken = len(self.rows), sum(self.rows)
        order = self.generator.permutation(len(y))
        x, y = x[order], y[order]
        ends = [len(y) * place // count for place in range(count + 1)]
        for place, (start, end) in enumerate(pairwise(ends)):
            bucket = (taken + place) % count  # so that all get as many in the end
            for array, of in ((x, "x"), (y, "y")):
                with open(self.folder / file(self.name, bucket, of), "ab", buffering=0) as opened:
                    write(opened, array[start:end])
            self.rows[bucket] += end - start

    def about(self) -> dict[str, Any]:
        """What `Dealt` needs to know."""
        return {"rows": self.rows, "kinds": self.kinds, "classes": self.classes.tolist()}


def write(opened: Any, array: np.ndarray) -> None:
    """Write an array's bytes, all of them."""
    left = _bytes(np.ascontiguousarray(array))
    while left:
        left = left[opened.write(left) :]


def buckets(rows: int, *arrays: np.ndarray) -> int:
    """Into how many buckets so many rows are dealt."""
    size = sum(rows * math.prod(array.shape[1:]) * array.dtype.itemsize for array in arrays)
    return min(max(-(-size // BUCKET), 1), MOST_BUCKETS)


def file(name: str, bucket: int, of: str) -> str:
    """The name of a file: of a part's bucket, the inputs or the targets."""
    return f"{name}-{bucket:05}.{of}"


@dataclass(frozen=True)
class Dealt:
    """A part's rows in buckets, a loader of what was dealt.

    Attributes:
        folder: where they are.
        name: the part.
        rows: how many each bucket has.
        kinds: the types and shapes of inputs and targets.
        classes: how many rows of each class there are; none where targets are values.
        weighted: whether every class counts alike.
        held: what keeps the files there.
    """

    folder: Path
    name: str
    rows: Sequence[int]
    kinds: dict[str, tuple[str, Shape]]
    classes: Sequence[int]
    weighted: bool = False
    held: Any = None

    def balanced(self) -> Self:
        """The same, where every class counts alike."""
        return replace(self, weighted=True)

    def part(self, index: int) -> tuple[np.ndarray, ...]:
        """The inputs and targets of a bucket, and, where every class counts alike, the weights."""
        x, y = self._read(index, "x"), self._read(index, "y")
        if not self.weighted:
            return x, y
        counts = np.array(self.classes)
        known = np.maximum(counts, 1) * np.count_nonzero(counts)
        return x, y, (counts.sum() / known)[y].astype(np.float32)

    def _read(self, index: int, of: str) -> np.ndarray:
        dtype, shape = self.kinds[of]
        array = aligned((self.rows[index], *shape), np.dtype(dtype))
        left = _bytes(array)
        with suppress(OSError), open(self.folder / file(self.name, index, of), "rb", buffering=0) as opened:
            while left and (count := opened.readinto(left)):
                left = left[count:]
        if left:
            raise ChainruleError(f"{self.folder}: the prepared rows are not whole. Remove the folder, and train again.")
        return array


def _bytes(array: Any) -> memoryview:
    return memoryview(array).cast("B") if array.size else memoryview(b"")


def _added(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    longer = max(len(one), len(other))
    return np.pad(one, (0, longer - len(one))) + np.pad(other, (0, longer - len(other)))
