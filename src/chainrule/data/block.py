"""What is plain among a table's columns, prepared without a table, which is what makes a single row fast."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from types import NoneType
from typing import Any, NamedTuple, Self

import numpy as np

from chainrule.data.columns import Category, Column, Number
from chainrule.data.table import EXACT, is_records

SCALARS = {int, float, NoneType, np.float64, np.float32, np.int64, np.int32}


FEW = 8  # rows, up to which Python is faster than NumPy


class Spelt(NamedTuple):
    """The texts of a column that are categories, in order, and the place of each among the inputs."""

    texts: np.ndarray
    places: np.ndarray
    by_text: dict[Any, int]

    @classmethod
    def of(cls, column: Column, start: int) -> Self | None:
        """None of a column that has no such texts."""
        spelt = column.spelt if isinstance(column, Category) else {}
        found = {text: start + place for text, place in sorted(spelt.items())}
        return cls(np.array([*found]), np.array([*found.values()]), found) if found else None

    def encode(self, cells: list[Any] | np.ndarray) -> list[int] | np.ndarray | None:
        """The places of a column's cells; None where one is no known value, or to find out takes more than a look."""
        if isinstance(cells, np.ndarray):
            if cells.dtype.kind == "U" and len(cells) > FEW and cells.ndim == 1:
                near = np.minimum(self.texts.searchsorted(cells), len(self.texts) - 1)
                return self.places[near] if (self.texts[near] == cells).all() else None
            cells = cells.tolist()
        try:
            found = [*map(self.by_text.get, cells)]
        except TypeError:  # of a cell that is a list, say
            return None
        return None if None in found else found  # type: ignore[return-value]


@dataclass(frozen=True, eq=False)
class Block:
    """Columns of plain numbers side by side: what `Number` does with each, done with all of them in one step.

    It takes only what leaves no question; anything else goes column by column, where it is refused with its place.

    Attributes:
        names: the columns'.
        places: theirs among the inputs: a slice, where they are side by side.
        others: the other columns, each with its first place and the one after its last.
        spelt: of each of these the texts that are categories, if it has such.
        width: the number of all inputs.
        alone: whether these are all columns.
        mean, scale, fill: theirs, (columns,).
    """

    names: tuple[str, ...]
    places: np.ndarray | slice
    others: tuple[tuple[Column, int, int], ...]
    spelt: tuple[Spelt | None, ...]
    width: int
    mean: np.ndarray
    scale: np.ndarray
    fill: np.ndarray

    @classmethod
    def of(cls, columns: Iterable[Column]) -> Self | None:
        """The plain numbers among columns that go side by side; None where there are none, or columns of more axes."""
        columns = tuple(columns)
        if any(len(column.shape) != 1 for column in columns):
            return None
        ends = np.cumsum([column.shape[0] for column in columns])
        found = [(column, end - 1) for column, end in zip(columns, ends, strict=True) if _is_plain(column)]
        others = [
            (c, int(end) - c.shape[0], int(end)) for c, end in zip(columns, ends, strict=True) if not _is_plain(c)
        ]
        if not found:
            return None
        mean, scale, fill = (
            np.array([getattr(column, part)[0] for column, _ in found]) for part in ("mean", "scale", "fill")
        )
        spelt = tuple(Spelt.of(column, start) for column, start, _ in others)
        names, places = zip(*((column.name, place) for column, place in found), strict=True)
        side_by_side = places[-1] - places[0] == len(places) - 1
        where = slice(places[0], places[-1] + 1) if side_by_side else np.array(places)
        return cls(names, where, tuple(others), spelt, int(ends[-1]), mean, scale, fill)

    def take(self, data: Any, fill: bool) -> np.ndarray | None:
        """The columns' numbers, float64 (rows, columns), blank cells filled; None where anything about them is odd."""
        values = self._numbers(data)
        if values is None or values.dtype.kind not in "iuf" or values.ndim != 2:
            return None
        values = values.astype(np.float64, copy=False)
        size = np.abs(values)
        if (size < EXACT).all():
            return values
        blank = np.isnan(values)
        return np.where(blank, self.fill, values) if fill and ((size < EXACT) | blank).all() else None

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Standardised, float64 (rows, columns)."""
        moved = values - self.mean
        moved /= self.scale  # in place: of many rows new memory takes longer
        return moved

    def encode_spelt(self, data: Any, encoded: np.ndarray) -> list[tuple[Column, int, int]]:
        """Mark the categories of a batch whose cells all spell known values, and give the columns that remain."""
        marks, remaining = [], []
        for other, spelt in zip(self.others, self.spelt, strict=True):
            cells = None if spelt is None else _cells(data, other[0].name)
            found = None if spelt is None or cells is None else spelt.encode(cells)
            if found is None or len(found) != len(encoded):
                remaining.append(other)
            else:
                marks.append(found)
        if len(encoded) <= FEW:
            for places in marks:
                for row, place in enumerate(places):
                    encoded[row, place] = 1
        elif marks:
            encoded[np.arange(len(encoded)), marks] = 1
        return remaining

    def _numbers(self, data: Any) -> np.ndarray | None:
        """The columns side by side, as the data hold them."""
        if isinstance(data, np.ndarray):
            return None if self.others or data.shape[1:] != (len(self.names),) else data
        if is_records(data):
            return _plain([[row.get(name) for name in self.names] for row in data])
        if isinstance(data, Mapping):
            values = [data.get(name) for name in self.names]
            if all(isinstance(each, np.ndarray) and each.dtype.kind in "iuf" and each.ndim == 1 for each in values):
                return np.array(values).T if len(set(map(len, values))) == 1 else None  # type: ignore[arg-type]
            found = _plain(values) if all(isinstance(each, list) for each in values) else None
            return None if found is None else found.T
        if hasattr(data, "iloc"):  # of pandas
            places = {str(name): place for place, name in enumerate(data.columns)}
            wanted = [places.get(name, -1) for name in self.names]
            if len(places) < len(data.columns) or min(wanted) < 0:
                return None
            return (data if wanted == [*places.values()] else data.take(wanted, axis=1)).to_numpy()
        return None


def _cells(data: Any, name: str) -> list[Any] | np.ndarray | None:
    """A column's cells, where they may be texts that lie ready."""
    if isinstance(data, list):
        return [row.get(name) for row in data]
    cells = data.get(name) if isinstance(data, dict) else None
    return cells if isinstance(cells, list) or (isinstance(cells, np.ndarray) and cells.dtype.kind in "UO") else None


def _is_plain(column: Column) -> bool:
    return isinstance(column, Number) and column.shape == (1,)


def _plain(rows: list[Any]) -> np.ndarray | None:
    """Rows of scalars and None as an array; None for anything else."""
    if not rows or len(set(map(len, rows))) > 1 or not set(map(type, chain.from_iterable(rows))) <= SCALARS:
        return None
    try:
        return np.array(rows, np.float64)
    except OverflowError:
        return None
