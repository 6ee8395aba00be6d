"""How a column's fitted form is learned, block after block: exactly while they fit, beyond by what can be merged."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from chainrule.arrays.memory import blocks

HELD = 1 << 23  # numbers of all columns that are held, and so many random ones beyond


@dataclass(frozen=True)
class Moments:
    """Of numbers (rows, entries): how many, the mean, the sum of squared deviations, the least and the largest.

    Those of two blocks add up to those of both, as Chan, Golub and LeVeque (1979) merge them, without a loss of digits.

    >>> both = Moments.of(np.array([[1.0], [3.0]])) + Moments.of(np.array([[8.0]]))
    >>> both.count, both.mean, both.deviation
    (3, array([4.]), array([26.]))
    """

    count: int
    mean: np.ndarray
    deviation: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, entries: np.ndarray, fill: Any = 0.0) -> Self:
        """Of a block, in float64; blank entries count as what fills them."""
        low, high = (extreme.reduce(entries, axis=0).astype(np.float64) for extreme in (np.fmin, np.fmax))

        def known() -> Iterator[np.ndarray]:
            return (filled(entries[some], fill) for some in blocks(len(entries), entries.shape[-1]))

        mean = np.asarray(sum(some.sum(axis=0) for some in known()) / len(entries))
        deviation = np.asarray(sum(((some - mean) ** 2).sum(axis=0) for some in known()))
        return cls(len(entries), mean, deviation, low, high)

    def __add__(self, other: "Moments") -> "Moments":
        count, apart = self.count + other.count, other.mean - self.mean
        return Moments(
            count,
            self.mean + apart * (other.count / count),
            self.deviation + other.deviation + apart**2 * (self.count * (other.count / count)),
            np.fmin(self.low, other.low),
            np.fmax(self.high, other.high),
        )

    def with_filled(self, count: int, fill: np.ndarray) -> "Moments":
        """With so many blank entries more, which count as what fills them; the extremes are those of known ones."""
        return self + Moments(count, fill, np.zeros_like(fill), self.low, self.high) if count else self

    @property
    def spread(self) -> np.ndarray:
        """The standard deviation."""
        return np.sqrt(self.deviation / self.count)


class Learning(ABC):
    """What is learned of a column of numbers: its blocks are held while they fit, and folded into sums beyond.

    Args:
        name: the column.
        most: how many numbers are held; a lone block is held in any case.
    """

    def __init__(self, name: str, most: int = HELD):
        self.name, self.most = name, most
        self.held: list[np.ndarray] = []
        self.size = 0
        self.sample: Sample | None = None

    def add(self, values: np.ndarray) -> Self:
        """One more block."""
        self.held.append(values)
        self.size += values.size
        if (self.size > self.most and len(self.held) > 1) or self.sample:
            self.sample = self.sample or Sample(self.most)
            for block in self.held:
                self.fold(block, self.sample)
            self.held.clear()
        return self

    def whole(self) -> np.ndarray:
        """All blocks as one."""
        return self.held[0] if len(self.held) == 1 else np.concatenate(self.held)

    @abstractmethod
    def fold(self, values: np.ndarray, sample: "Sample") -> None:
        """Add a block to the sums and the sample."""

    @abstractmethod
    def fitted(self) -> Any:
        """The fitted form."""


class Sample:
    """Random ones of any number of rows: each is kept with one chance, halved whenever there are too many.

    The quantiles of n random rows are off by about 1 / (2 √n) of all rows.
    """

    def __init__(self, most: int, seed: int = 0):
        self.most, self.chance, self.generator = most, 1.0, np.random.default_rng(seed)
        self.kept: list[np.ndarray] = []
        self.size = 0

    def add(self, rows: np.ndarray) -> None:
        """Draw from a block of rows, (rows, …)."""
        if self.chance < 1:
            count = self.generator.binomial(len(rows), self.chance)
            rows = rows[self.generator.integers(0, max(len(rows), 1), count)]
        self._keep([*self.kept, rows.copy()])
        while self.size > self.most:
            self.chance /= 2
            rows = self.rows()
            self._keep([rows[self.generator.random(len(rows)) < 0.5]])

    def rows(self) -> np.ndarray:
        """Those that are kept."""
        return np.concatenate(self.kept)

    def _keep(self, kept: list[np.ndarray]) -> None:
        self.kept, self.size = kept, sum(rows.size for rows in kept)


def filled(numbers: np.ndarray, fill: Any) -> np.ndarray:
    """A copy in float64, with what fills them where numbers are blank."""
    numbers = numbers.astype(np.float64)
    blank = np.isnan(numbers)
    return np.where(blank, fill, numbers) if blank.any() else numbers


def median(values: np.ndarray) -> float:
    """The median of the numbers that are known, (rows,), in float64 whatever type they are of."""
    blank = np.isnan(values)
    known = values[~blank] if blank.any() else values
    middle = [(len(known) - 1) // 2, len(known) // 2]
    return float(np.partition(known, middle)[middle].astype(np.float64).mean())
