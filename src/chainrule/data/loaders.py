"""Examples that are larger than memory: in parts, which are read one at a time."""

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, Self, runtime_checkable

import jax
import numpy as np

from chainrule.arrays.masked import rows_of
from chainrule.errors import ChainruleError, cut

NUMBERS = 1 << 23  # of a part, about


@runtime_checkable
class Loader(Protocol):
    """Prepared examples in parts: what `fit` takes in the place of arrays where they are larger than memory.

    An epoch visits the parts in a random order, and the rows of each in a random order, so that rows which lie beside
    each other by their nature (sorted by class, or by time) should be mixed beforehand.

    Attributes:
        rows: how many examples each part has.
    """

    @property
    def rows(self) -> Sequence[int]:
        """How many examples each part has."""
        ...

    def part(self, index: int) -> Sequence[Any]:
        """The examples of a part, (x, y) or (x, y, weights), the same whenever it is asked for.

        A thread reads it while the steps before are computed.
        """
        ...


class Whole(NamedTuple):
    """Examples in memory, or those of them that are chosen by their numbers, which are a loader of one part."""

    examples: Any
    chosen: np.ndarray | None = None

    @property
    def rows(self) -> Sequence[int]:
        """All of them in one."""
        return [rows_of(self.examples) if self.chosen is None else len(self.chosen)]

    def part(self, index: int) -> Any:
        """All of them."""
        return self.examples if self.chosen is None else self.some(index, np.arange(len(self.chosen)))

    def some(self, index: int, rows: np.ndarray) -> Any:
        """Some of them, by their numbers."""
        places = rows if self.chosen is None else self.chosen[rows]
        return jax.tree.map(lambda array: array[places], self.examples)


def first(loader: Loader, who: str) -> tuple[Any, Any, Any]:
    """What a loader gives as its first part, where it says how many examples each part has."""
    try:
        known = len(loader.rows) and min(map(operator.index, loader.rows)) > 0
    except TypeError:
        known = False
    if not known:
        raise ChainruleError(
            f"{who}: expected of the loader, as its rows, a whole number of 1 or more for each part, "
            f"got {cut(repr(loader.rows))}."
        )
    return given(loader, 0, f"{who}, part 0")


def given(loader: Loader, index: int, who: str) -> tuple[Any, Any, Any]:
    """What a loader gives as a part: inputs, targets and weights, None where there are none."""
    part: Any = loader.part(index)
    if not isinstance(part, tuple | list) or len(part) not in (2, 3):
        got = f"{len(part)} values" if isinstance(part, tuple | list) else type(part).__name__
        raise ChainruleError(f"{who}: expected (x, y) or (x, y, weights) from the loader, got {got}.")
    found = tuple(np.asarray(each) if isinstance(each, list) else each for each in part)
    x, y, weights = *found, *[None] * (3 - len(found))
    return x, y, weights


@dataclass(frozen=True)
class Rows:
    """What gives the examples from a row up to another as a loader."""

    rows: Sequence[int]
    examples: Callable[[int, int], Sequence[Any]]

    @classmethod
    def of(cls, count: int, size: int | None, examples: Callable[[int, int], Sequence[Any]], unit: int = 1) -> Self:
        """In parts of one size, but the last; by default of about as many rows as make 8 million numbers.

        Each is a whole number of units, which can't be cut.
        """
        if count < 1:
            raise ChainruleError("The loader's source has no rows. Give one of an example at least.")
        if size is not None and (not isinstance(size, int | np.integer) or size < 1):
            raise ChainruleError(f"size: expected parts of 1 row or more, a whole number, got {size!r}.")
        size = size or NUMBERS // max(math.prod(np.shape(examples(0, 1)[0])[1:]), 1)
        size = max(size // unit, 1) * unit
        return cls([min(size, count - start) for start in range(0, count, size)], examples)

    def part(self, index: int) -> Sequence[Any]:
        """The examples of a part."""
        start = sum(self.rows[:index])
        return self.examples(start, start + self.rows[index])


def from_arrays(x: Any, y: Any, weights: Any = None, size: int | None = None) -> Loader:
    """Arrays that lie on a disk as a loader: `numpy.memmap`, a data set of h5py or Zarr; whatever gives slices.

    Args:
        x: examples, (rows, …).
        y: targets, (rows,) or (rows, …).
        weights: how much each example counts, (rows,).
        size: rows of a part; by default about as many as make 8 million numbers.

    Raises:
        ChainruleError: for arrays of unequal length, or without rows.

    >>> loader = from_arrays(np.ones((10, 3)), np.arange(10), size=4)
    >>> loader.rows, loader.part(2)[1]
    ([4, 4, 2], array([8, 9]))
    """
    sources = [x, y] if weights is None else [x, y, weights]
    lengths = [*map(len, sources)]
    if len({*lengths}) > 1:
        raise ChainruleError(f"from_arrays: expected arrays of one length, got {', '.join(map(str, lengths))} rows.")
    return Rows.of(lengths[0], size, lambda start, stop: [np.asarray(source[start:stop]) for source in sources])


def from_hugging_face(dataset: Any, x: str | Sequence[str], y: str, size: int | None = None) -> Loader:
    """A `Dataset` of Hugging Face's `datasets` as a loader.

    Args:
        dataset: it is read by slices, so that one on a disk stays there.
        x: the column of the inputs, or several of numbers, which go side by side.
        y: the column of the targets.
        size: rows of a part; by default about as many as make 8 million numbers.

    Raises:
        ChainruleError: for a column that it has not, or one without rows.
    """
    names = [x] if isinstance(x, str) else [*x]
    missing = [name for name in (*names, y) if name not in dataset.column_names]
    if missing:
        raise ChainruleError(f"from_hugging_face: there is no column {missing[0]!r} in {dataset.column_names}.")
    arrays = dataset.with_format("numpy", columns=[*names, y])

    def examples(start: int, stop: int) -> Sequence[Any]:
        found = arrays[start:stop]
        inputs = found[x] if isinstance(x, str) else np.stack([found[name] for name in names], axis=-1)
        return inputs, found[y]

    return Rows.of(len(dataset), size, examples)


def from_grain(dataset: Any, batched: bool = False, size: int | None = None) -> Loader:
    """A `MapDataset` of Grain as a loader, whose elements are examples (x, y) or (x, y, weights), or batches of them.

    Its elements are asked for one by one, which takes Python's time for each: batches are read a hundred times as fast.

    Args:
        dataset: anything that has a length and gives an element by its number.
        batched: whether an element is a batch; all must be of one size, but the last.
        size: rows of a part; by default about as many as make 8 million numbers.

    Raises:
        ChainruleError: for one without elements.

    >>> loader = from_grain([(np.zeros(2), 0), (np.ones(2), 1), (np.ones(2), 1)], size=2)
    >>> loader.rows, loader.part(0)[1]
    ([2, 1], array([0, 1]))
    """
    each = len(dataset[0][0]) if batched and len(dataset) else 1
    last = len(dataset[len(dataset) - 1][0]) if batched and len(dataset) else 1
    joined = np.concatenate if batched else np.stack

    def examples(start: int, stop: int) -> Sequence[Any]:
        elements = (dataset[place] for place in range(start // each, -(-stop // each)))
        return [joined(column) for column in zip(*elements, strict=True)]

    return Rows.of((len(dataset) - 1) * each + last, size, examples, each)
