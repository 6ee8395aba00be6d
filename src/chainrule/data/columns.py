"""What a raw column becomes for a network: numbers, categories, series or tokens, fitted to the training part."""

import dataclasses
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, permutations, repeat
from typing import Any, NoReturn, Self

import numpy as np

from chainrule.arrays.masked import Masked, Shape
from chainrule.arrays.memory import aligned, blocks
from chainrule.data.dates import Date, Order, Times, times
from chainrule.data.learning import HELD, Learning, Moments, Sample, filled, median
from chainrule.data.records import check_distinct, check_sizes, require
from chainrule.data.table import BOOLEANS, Table, blanks, live, meaning, shortened
from chainrule.data.tokens import Tokens, Unit, Vocabulary
from chainrule.data.values import as_number, numbers, texts
from chainrule.errors import ChainruleError, cut, warn

MOST_VALUES = 1000  # of a column of text


@dataclass(frozen=True)
class Number:
    """A column of numbers, standardised: less its mean, divided by its standard deviation.

    A column of arrays has a mean and a scale for each entry of the last axis; a plain number is an array of one.
    Where all are equal, the scale is 1.

    >>> Number.of("height", np.array([1.0, 3.0]))
    Number(name='height', shape=(1,), mean=(2.0,), scale=(1.0,), fill=(2.0,))
    """

    name: str
    shape: Shape
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    fill: tuple[float, ...]

    def __post_init__(self) -> None:
        check_sizes(self.shape)
        figures = (self.mean, self.scale, self.fill)
        require(all(len(each) == self.shape[-1] for each in figures), "a mean, a scale and a fill for each entry")
        require(all(map(math.isfinite, chain(*figures))) and min(self.scale) > 0, "finite numbers and scales above 0")

    @classmethod
    def of(cls, name: str, values: np.ndarray) -> Self:
        """Fitted to a column, (rows,) or (rows, …), with NaN where a cell is blank; some entry must not be."""
        entries = values.reshape(-1, *(values.shape[-1:] if values.ndim > 1 else (1,)))
        fill = np.array([median(each) for each in entries.T])
        return cls.learned(name, values.shape[1:] or (1,), Moments.of(entries, fill), fill)

    @classmethod
    def learned(cls, name: str, shape: Shape, moments: Moments, fill: np.ndarray) -> Self:
        """Fitted by the moments of a column's entries, its blank ones filled."""
        constant = (moments.low == moments.high) | (moments.spread == 0)
        mean = np.where(constant, moments.low, moments.mean)
        scale = np.where(constant, 1.0, moments.spread)
        return cls(name, shape, tuple(mean.tolist()), tuple(scale.tolist()), tuple(fill.tolist()))

    def measured_from(self, least: float, most: float) -> Self:
        """As numbers between bounds keep their meaning: from 0 on as multiples of the mean, between others as they are.

        >>> Number.of("height", np.array([1.0, 3.0])).measured_from(0, math.inf)
        Number(name='height', shape=(1,), mean=(0.0,), scale=(2.0,), fill=(2.0,))
        """
        ratios = least == 0 and math.isinf(most)
        scale = tuple(mean if ratios and mean > 0 else 1.0 for mean in self.mean)
        return dataclasses.replace(self, mean=(0.0,) * len(self.mean), scale=scale)

    def takes(self, shape: Shape) -> bool:
        """Whether a raw cell may have this shape; a last axis of one entry can be left out."""
        return self.shape in (shape, (*shape, 1))

    def read(self, table: Table) -> np.ndarray:
        """A table's column as such numbers; refused where it is missing, or not of the kind and shape of training."""
        values = _in_shape(self, table)
        if values.ndim == 3:
            _check_whole(table, self.name, live(values).sum(axis=1))
        return values

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Standardised float32, (rows, *shape); blank cells by their fill."""
        numbers = values.reshape(-1, *self.shape)
        encoded = aligned(numbers.shape, np.float32)
        for some in blocks(len(numbers), math.prod(self.shape)):
            encoded[some] = (filled(numbers[some], self.fill) - self.mean) / self.scale
        return encoded

    def expected(self, table: Table, values: np.ndarray) -> np.ndarray:
        """What a network is to give for a column's cells, none of them blank."""
        return self.encode(values)


@dataclass(frozen=True)
class Category:
    """A column of text: one input for each value, 1 where the cell has that value and 0 elsewhere.

    A cell has the value that it spells, else the only one that means the same: 1, "1.0" and "01" are one number, True,
    "True" and "TRUE" one boolean, and for two values that are booleans, 1 and 0 are true and false.

    >>> Category.of("cut", np.array(["Good", "Fair", "Good"], dtype=object))
    Category(name='cut', values=('Fair', 'Good'), fill='Good')
    """

    name: str
    values: tuple[str, ...]
    fill: str

    def __post_init__(self) -> None:
        check_distinct(self.values)
        require(self.fill in self.values, "a fill among the values")

    @property
    def shape(self) -> Shape:
        """One example's shape."""
        return (len(self.values),)

    @classmethod
    def of(cls, name: str, texts: np.ndarray) -> Self:
        """Fitted to a column of texts, with None where a cell is blank; some cell must not be."""
        return cls.counted(name, Counter(texts[~blanks(texts)]))

    @classmethod
    def counted(cls, name: str, counts: Counter[str]) -> Self:
        """Fitted by how often each value occurs."""
        values = _sorted(counts)
        return cls(name, values, max(values, key=counts.__getitem__))

    def takes(self, shape: Shape) -> bool:
        """Whether a raw cell may have this shape."""
        return shape in ((), (1,))

    def read(self, table: Table) -> np.ndarray:
        """A table's column as texts; refused where it is missing, or has more than one value a row."""
        return texts(table, self.name)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {value: place for place, value in enumerate(self.values)}

    @cached_property
    def _meanings(self) -> dict[str, int]:
        """The place of the only value of each meaning."""
        meanings = [meaning(value) for value in self.values]
        counts = Counter(meanings)
        places = {each: place for place, each in enumerate(meanings) if counts[each] == 1}
        for (no, yes), (off, on) in permutations((("false", "true"), ("0", "1"))):
            if places.keys() == {no, yes}:
                return places | {off: places[no], on: places[yes]}
        return places

    @property
    def spelt(self) -> dict[str, int]:
        """The places of the values that no table writes in another way."""
        return {value: place for value, place in self._places.items() if value.lower() not in BOOLEANS}

    def codes(self, texts: np.ndarray) -> np.ndarray:
        """Each cell's place among the values, int32 of shape (rows,); -1 for a value never seen."""
        codes = np.fromiter(map(self._places.get, texts, repeat(-1)), dtype=np.int32, count=len(texts))
        if (codes < 0).any():
            other = codes < 0
            places = {text: self._meanings.get(meaning(text), -1) for text in set(texts[other])}
            codes[other] = [places[text] for text in texts[other]]
        return codes

    def expected(self, table: Table, texts: np.ndarray) -> np.ndarray:
        """What a network is to give for a table's cells: their `codes`. Refuses a value that training never showed."""
        codes = self.codes(texts)
        if (codes < 0).any():
            row = int((codes < 0).argmax())
            raise ChainruleError(
                f"{table.place(row, self.name)}: the class {texts[row]!r} was never seen in training "
                f"({shortened(self.values)}). Mend the cell, or train on rows of that class."
            )
        return codes

    def lacks(self, encoded: np.ndarray) -> bool:
        """Whether cells have become none of the known values."""
        return not encoded.any(axis=1).all()

    def unseen(self, texts: np.ndarray) -> Counter[str]:
        """The values that training never showed, and how often each occurs."""
        known = ~blanks(texts)
        return Counter(texts[known][self.codes(texts[known]) < 0])

    def encode(self, texts: np.ndarray) -> np.ndarray:
        """One-hot float32, (rows, values); zeros for a value never seen; blank cells by their fill."""
        blank = blanks(texts)
        codes = self.codes(np.where(blank, self.fill, texts) if blank.any() else texts)
        encoded = np.zeros((len(codes), len(self.values)), np.float32)
        seen = np.flatnonzero(codes >= 0)
        encoded[seen, codes[seen]] = 1
        return encoded


@dataclass(frozen=True)
class Series:
    """A column of series of unequal length, padded with NaN at the end; each step is standardised as a `Number`.

    >>> Series.of("sound", np.array([[[1.0], [3.0]], [[5.0], [np.nan]]])).step.mean
    (3.0,)
    """

    name: str
    length: int
    step: Number

    def __post_init__(self) -> None:
        check_sizes((self.length,))
        require(len(self.step.shape) == 1, "steps with one axis")

    @property
    def shape(self) -> Shape:
        """One example's shape: that of the longest in training."""
        return (self.length, *self.step.shape)

    @classmethod
    def of(cls, name: str, values: np.ndarray) -> Self:
        """Fitted to a column, (rows, time, channels)."""
        mask = live(values)
        return cls(name, _longest(mask), Number.of(name, values[mask]))

    def takes(self, shape: Shape) -> bool:
        """Whether a raw cell may have this shape, of any length."""
        return len(shape) == 2 and shape[1:] == self.step.shape

    def read(self, table: Table) -> np.ndarray:
        """A table's column as such series; refused where it is missing, or not of the kind and shape of training."""
        return _in_shape(self, table)

    def encode(self, values: np.ndarray) -> Masked:
        """Standardised float32, (rows, time, channels), 0 in the padding; time is as in training, or longer."""
        mask = live(values)
        longest = _longest(mask)
        encoded = np.zeros((len(values), max(self.length, longest), *self.step.shape), np.float32)
        padded = np.zeros(encoded.shape[:2], bool)
        padded[:, :longest] = mask[:, :longest]
        encoded[padded] = self.step.encode(values[mask])
        return Masked(encoded, padded)  # type: ignore[arg-type]


Column = Number | Category | Series | Tokens | Date


class Numbers(Learning):
    """What is learned of a column of numbers, which become a `Number`, or a `Series` where some end early."""

    shape: Shape = (1,)
    moments: Moments | None = None
    blank = 0

    def fold(self, values: np.ndarray, sample: Sample) -> None:
        """Add a block to the moments and the sample; arrays have no blank entries here."""
        self.shape = values.shape[1:] or (1,)
        entries = values.reshape(-1, self.shape[-1])
        known = entries[~np.isnan(entries[:, 0])] if self.shape == (1,) else entries
        self.blank += len(entries) - len(known)
        if len(known):
            moments = Moments.of(known)
            self.moments = moments if self.moments is None else self.moments + moments
            sample.add(known)

    def fitted(self) -> "Number | Series | None":
        """The fitted form; None where the column is blank throughout."""
        if self.sample is None:
            values = self.whole()
            if _is_blank(values[live(values)] if values.ndim == 3 else values):
                return None
            ends_early = values.ndim == 3 and not live(values).all()
            return Series.of(self.name, values) if ends_early else Number.of(self.name, values)
        if self.moments is None:
            return None
        fill = np.array([median(each) for each in self.sample.rows().T])
        return Number.learned(self.name, self.shape, self.moments.with_filled(self.blank, fill), fill)


class Values:
    """What is learned of a column of text that is a `Category`: how often it has each value."""

    def __init__(self, name: str):
        self.name = name
        self.counts: Counter[str] = Counter()

    def add(self, texts: np.ndarray) -> Self:
        """One more block."""
        self.counts.update(texts[~blanks(texts)])
        return self

    def fitted(self) -> Category | None:
        """The fitted form; None where the column is blank throughout."""
        return Category.counted(self.name, self.counts) if self.counts else None


def learning(name: str, text: bool, unit: Unit | None, order: Order | None, most: int = HELD) -> Any:
    """What learns a column's fitted form from blocks of its `cells`, by what they are read as.

    That is tokens or time where their unit or order is given, else categories, or numbers.
    """
    if order:
        return Times(name, order, most)
    if unit:
        return Vocabulary(name, unit)
    return Values(name) if text else Numbers(name, most)


def cells(table: Table, name: str, text: bool, unit: Unit | None = None, order: Order | None = None) -> np.ndarray:
    """A table's column as the times, texts or numbers that its fitted form is learned from.

    Raises:
        ChainruleError: for a column blank throughout, infinity, text among numbers, or too many categories.
    """
    values = readable_cells(table, name, text, order)
    if _is_blank(values[live(values)] if values.ndim == 3 else values):
        refuse_blank(table.name, name)
    if text and not unit:
        check_few(table.name, name, len({*values} - {None}))
    return values


def readable_cells(table: Table, name: str, text: bool, order: Order | None = None) -> np.ndarray:
    """The `cells` of a table that is part of another, so that they may all be blank."""
    if order:
        return times(table, name, order, text=[name])
    return texts(table, name) if text else numbers(table, name, drop=[name])


def check_few(table: str, name: str, distinct: int, so_far: str = "") -> None:
    """Refuse a column of text of too many distinct values."""
    if distinct > MOST_VALUES:
        raise ChainruleError(
            f"{table}: column {name!r} is text with {distinct:,} distinct values{so_far}, more than {MOST_VALUES:,}. "
            f"Join the rare ones",
            drop=[name],
        )


def refuse_blank(table: str, name: str) -> NoReturn:
    """Refuse a column that is blank throughout."""
    raise ChainruleError(f"{table}: column {name!r} is blank throughout. Fill it", drop=[name])


def _in_shape(column: Number | Series, table: Table) -> np.ndarray:
    """A table's column as numbers of the shape that the column had in training."""
    values = numbers(table, column.name)
    if not column.takes(values.shape[1:]):
        raise ChainruleError(
            f"{table.name}, column {column.name!r}: expected shape {column.shape} a row, as in training, "
            f"got {values.shape[1:] or (1,)}."
        )
    return values


def _longest(mask: np.ndarray) -> int:
    return int(mask.sum(axis=1).max(initial=0))


def _sorted(values: Iterable[str]) -> tuple[str, ...]:
    """In order: by number where all are numbers, else by letter."""
    spelt = {value: as_number(value) for value in values}
    if any(number is None or math.isnan(number) for number in spelt.values()):
        return tuple(sorted(spelt))
    return tuple(sorted(spelt, key=lambda value: (spelt[value], value)))


def warn_unseen(column: Category | Tokens, counts: Counter[str]) -> None:
    """Say which values training never showed; in a command a note, in Python a warning, once for each."""
    as_what = "none of the known values" if isinstance(column, Category) else "unknown ones"
    found = ", ".join(f"{cut(value)} ({count:,})" for value, count in counts.most_common(5))
    more = f" and {len(counts) - 5:,} more" if len(counts) > 5 else ""
    warn(f"column {column.name!r}: training never showed {found}{more}; such cells count as {as_what}.")


def _is_blank(values: np.ndarray) -> bool:
    """Whether a column is blank throughout, or an entry of its last axis."""
    blank = blanks(values)
    return bool(blank.reshape(-1, blank.shape[-1] if blank.ndim > 1 else 1).all(axis=0).any())


def _check_whole(table: Table, name: str, lengths: np.ndarray) -> None:
    """Refuse series that end early where in training all had one length."""
    short = lengths < table[name].shape[1]
    if short.any():
        row = int(short.argmax())
        raise ChainruleError(
            f"{table.place(row, name)}: expected a series of {table[name].shape[1]} steps, as all in training, "
            f"got {lengths[row]}. Give all its steps, or train on series of unequal length."
        )
