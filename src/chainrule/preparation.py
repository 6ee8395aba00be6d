"""How raw columns become the numbers that a network sees.

A column of numbers is standardised, a column of text becomes one input for each of its values. What that takes (means,
scales, values) is learned from the training part, remembered, and travels with the model as JSON.
"""

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import repeat
from typing import Any, Literal, NoReturn, Self

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.notation import nearest
from chainrule.table import Table, as_table, blanks, label, shortened

Task = Literal["classification", "regression"]
Missing = Literal["median", "drop"] | None

TASKS = ("classification", "regression")
MISSING = (None, "median", "drop")
LARGEST = np.float64(1e100)  # so that squares stay finite
MOST_VALUES = 1000  # of a column of text
MOST_CLASSES = 20  # that whole numbers are taken for, unless the task is said


@dataclasses.dataclass(frozen=True)
class Roles:
    """What each column is for: the target, the inputs, and what becomes of blank cells.

    Attributes:
        target: the column to predict.
        task: "classification" or "regression".
        inputs: the columns to predict it from.
        text: the columns among them, and the target, that are read as text.
        missing: None refuses blank cells, "median" fills them, "drop" leaves their rows out.
        guessed: whether the target was not said but found.
    """

    target: str
    task: Task
    inputs: tuple[str, ...]
    text: tuple[str, ...] = ()
    missing: Missing = None
    guessed: bool = False

    @classmethod
    def of(
        cls,
        data: Any,
        *,
        target: str | None = None,
        task: Task | None = None,
        drop: Iterable[str] = (),
        text: Iterable[str] = (),
        missing: Missing = None,
    ) -> Self:
        """Find the roles of the columns of a table.

        Args:
            data: a `Table`, a mapping of columns or a data frame.
            target: the column to predict; where not said, the one called "target", else the last.
            task: where not said, text is classified, and so are whole numbers of at most 20 distinct values that
                appear twice or more on average; every other number is regressed.
            drop: columns to leave out.
            text: columns of text, though they look like numbers.
            missing: what becomes of blank cells.

        Raises:
            ChainruleError: for a column that is not there, a column neither of numbers nor of text, or no inputs.

        >>> Roles.of({"width": [1.5, 2.5], "kind": ["a", "b"]})
        Roles(target='kind', task='classification', inputs=('width',), text=('kind',), missing=None, guessed=True)
        """
        table = as_table(data)
        drop, text = _names(drop), _names(text)
        _check_choice("task", task, (None, *TASKS))
        _check_choice("missing", missing, MISSING)
        for name in (*([] if target is None else [target]), *drop, *text):
            _check_column(table, name)
        kept = [name for name in table if name not in drop]
        found = target or ("target" if "target" in kept else kept[-1] if kept else "")
        if found in drop:
            raise ChainruleError(f"{table.name}: column {found!r} is both dropped and the target. Choose one.")
        inputs = tuple(name for name in kept if name != found)
        if not inputs:
            raise ChainruleError(f"{table.name}: no input columns are left beside the target {found!r}. Drop fewer.")
        if table[found].shape[1:] not in ((), (1,)):
            raise ChainruleError(
                f"{table.name}: the target {found!r} must be one value a row, got shape {table[found].shape[1:]} a row."
            )
        for name in (*inputs, found):
            if name not in text and not (name == found and task == "regression"):
                _check_unmixed(table, name)
        task = task or _task(table[found])
        texts = tuple(name for name in inputs if name in text or _is_text(table[name]))
        return cls(found, task, inputs, (*texts, *[found] * (task == "classification")), missing, target is None)

    def complete(self, data: Any) -> Table:
        """The rows to train on or to score: those whose target is known and, if so chosen, whose inputs all are.

        Raises:
            ChainruleError: for blank cells where none is allowed, counted by column.
        """
        table = as_table(data)
        for name in (*self.inputs, self.target):
            _check_column(table, name)
        blank = {name: _blank_rows(table[name]) for name in (*self.inputs, self.target)}
        counts = {name: int(rows.sum()) for name, rows in blank.items() if rows.any()}
        if not counts:
            return table
        if self.missing is None:
            found = shortened(f"{name} ({count:,})" for name, count in counts.items())
            raise ChainruleError(f"{table.name}: blank cells in {found}. Add --missing median or --missing drop.")
        needed = [self.target, *(self.inputs if self.missing == "drop" else ())]
        whole = ~np.logical_or.reduce([blank[name] for name in needed])
        if not whole.any():
            raise ChainruleError(
                f"{table.name}: every row has a blank cell that is needed. Fill them, or drop columns."
            )
        return table if whole.all() else table.take(whole)


@dataclasses.dataclass(frozen=True)
class Number:
    """A column of numbers, standardised: less its mean, divided by its standard deviation.

    A column of arrays has a mean and a scale for each entry of the last axis; a plain number is an array of one.
    Where all are equal, the scale is 1.

    >>> Number.of("height", np.array([1.0, 3.0]))
    Number(name='height', shape=(1,), mean=(2.0,), scale=(1.0,), fill=(2.0,))
    """

    name: str
    shape: tuple[int, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    fill: tuple[float, ...]

    @classmethod
    def of(cls, name: str, values: np.ndarray) -> Self:
        """Fitted to a column, (rows,) or (rows, …), with NaN where a cell is blank; some entry must not be."""
        shape: tuple[int, ...] = values.shape[1:] or (1,)
        entries = values.reshape(-1, shape[-1]).astype(np.float64)
        fill = np.nanmedian(entries, axis=0)
        entries = np.where(np.isnan(entries), fill, entries)
        low, high = entries.min(axis=0), entries.max(axis=0)
        spread = entries.std(axis=0)
        constant = (low == high) | (spread == 0)
        mean, scale = np.where(constant, low, entries.mean(axis=0)), np.where(constant, 1.0, spread)
        return cls(name, shape, tuple(mean.tolist()), tuple(scale.tolist()), tuple(fill.tolist()))

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Standardised float32, (rows, *shape); blank cells by their fill."""
        numbers = values.reshape(-1, *self.shape).astype(np.float64)
        blank = np.isnan(numbers)
        if blank.any():
            numbers = np.where(blank, np.array(self.fill), numbers)
        return ((numbers - np.array(self.mean)) / np.array(self.scale)).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Category:
    """A column of text: one input for each value, 1 where the cell has that value and 0 elsewhere.

    >>> Category.of("cut", np.array(["Good", "Fair", "Good"], dtype=object))
    Category(name='cut', values=('Fair', 'Good'), fill='Good')
    """

    name: str
    values: tuple[str, ...]
    fill: str

    @property
    def shape(self) -> tuple[int, ...]:
        """One example's shape."""
        return (len(self.values),)

    @classmethod
    def of(cls, name: str, texts: np.ndarray) -> Self:
        """Fitted to a column of texts, with None where a cell is blank; some cell must not be."""
        counts = Counter(texts[~blanks(texts)])
        values = _sorted(counts)
        return cls(name, values, max(values, key=counts.__getitem__))

    def codes(self, texts: np.ndarray) -> np.ndarray:
        """Each cell's place among the values, int32 of shape (rows,); -1 for a value never seen."""
        place = {value: index for index, value in enumerate(self.values)}
        return np.fromiter(map(place.get, texts, repeat(-1)), dtype=np.int32, count=len(texts))

    def encode(self, texts: np.ndarray) -> np.ndarray:
        """One-hot float32, (rows, values); zeros for a value never seen; blank cells by their fill."""
        blank = blanks(texts)
        codes = self.codes(np.where(blank, self.fill, texts) if blank.any() else texts)
        encoded = np.zeros((len(codes), len(self.values)), np.float32)
        seen = np.flatnonzero(codes >= 0)
        encoded[seen, codes[seen]] = 1
        return encoded


@dataclasses.dataclass(frozen=True)
class Preparation:
    """The way from raw columns to a network's inputs and targets, and back to the target's own units.

    >>> table = {"width": [1.0, 3.0, 1.0, 3.0], "kind": ["a", "b", "a", "b"]}
    >>> preparation = Preparation.fit(table)
    >>> preparation.inputs({"width": [2.0, 3.0]})
    array([[0.],
           [1.]], dtype=float32)
    >>> preparation.targets(table), preparation.classes
    (array([0, 1, 0, 1], dtype=int32), ('a', 'b'))
    >>> Preparation.from_json(preparation.to_json()) == preparation
    True
    """

    roles: Roles
    columns: tuple[Number | Category, ...]
    target: Number | Category

    @classmethod
    def fit(cls, data: Any, roles: Roles | None = None, **choices: Any) -> Self:
        """Learn from the training part how to prepare its columns.

        Args:
            data: the training part: a `Table`, a mapping of columns or a data frame.
            roles: what the columns are for; where not given, found in this part by `Roles.of(data, **choices)`.
            **choices: target, task, drop, text and missing, as in `Roles.of`.

        Raises:
            ChainruleError: for blank cells where none is allowed, infinity, text among numbers, a column blank
                throughout or with too many values, or a target of a single class.
        """
        roles = roles or Roles.of(data, **choices)
        table = roles.complete(data)
        columns = tuple(_fitted(table, name, name in roles.text) for name in roles.inputs)
        _check_one_shape(table, columns)
        target = _fitted(table, roles.target, roles.task == "classification")
        if isinstance(target, Category) and len(target.values) == 1:
            raise ChainruleError(
                f"{table.name}: the target {roles.target!r} has a single class, {target.values[0]!r}. "
                f"Give rows of two classes or more."
            )
        return cls(roles, columns, target)

    @property
    def task(self) -> Task:
        """The kind of task: "classification" or "regression"."""
        return self.roles.task

    @property
    def text(self) -> tuple[str, ...]:
        """The columns to read as text: `read(source, text=preparation.text)`."""
        return self.roles.text

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes by number; none for regression."""
        return self.target.values if isinstance(self.target, Category) else ()

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example as the network sees it."""
        return (*self.columns[0].shape[:-1], sum(column.shape[-1] for column in self.columns))

    def complete(self, data: Any) -> Table:
        """The rows of a table that can be trained on or scored; see `Roles.complete`."""
        return self.roles.complete(data)

    def inputs(self, data: Any) -> np.ndarray:
        """The network's inputs, float32 of shape (rows, *input_shape).

        Args:
            data: raw rows: a table, a mapping of columns or a data frame, with columns in any order and others beside
                them, or an array of the input columns in their order.

        Raises:
            ChainruleError: for a column that is missing or of another kind, infinity, or a blank cell for which
                the training gave no value.
        """
        table = self._table(data)
        encoded = []
        for column in self.columns:
            values = _raw(table, column)
            blank = _blank_rows(values)
            if self.roles.missing != "median" and blank.any():
                raise ChainruleError(
                    f"{table.place(int(blank.argmax()), column.name)}: the cell is blank, and the model knows no value "
                    f"to put there. Fill it, or train with --missing median."
                )
            encoded.append(column.encode(values))
        return np.concatenate(encoded, axis=-1)

    def targets(self, data: Any) -> np.ndarray:
        """The network's targets: class numbers, int32 (rows,), or standardised numbers, float32 (rows, 1).

        Raises:
            ChainruleError: for a class that was not in the training part, or a blank cell.
        """
        if isinstance(self.target, Number):
            return self.target.encode(self._known_targets(data)[1])
        table, values = self._known_targets(data)
        codes = self.target.codes(values)
        if (codes < 0).any():
            row = int((codes < 0).argmax())
            raise ChainruleError(
                f"{table.place(row, self.target.name)}: the class {values[row]!r} was never seen in training "
                f"({shortened(self.classes)}). Mend the cell, or train on rows of that class."
            )
        return codes

    def raw_targets(self, data: Any) -> np.ndarray:
        """The targets in their own units, for metrics: class numbers (rows,), or float64 (rows, 1)."""
        if isinstance(self.target, Category):
            return self.targets(data)
        return self._known_targets(data)[1].reshape(-1, 1)

    def restore(self, outputs: Any) -> np.ndarray:
        """A network's outputs in the target's own units, float64; class probabilities as they are."""
        if isinstance(self.target, Category):
            return np.asarray(outputs)
        return np.asarray(outputs, np.float64) * self.target.scale[0] + self.target.mean[0]

    def unseen(self, data: Any) -> dict[str, dict[str, int]]:
        """By column of text, the values that training never showed, and how many cells hold each.

        >>> Preparation.fit({"a": ["x", "y"], "b": [0.5, 1.5]}).unseen({"a": ["x", "z", "z"]})
        {'a': {'z': 2}}
        """
        table = self._table(data)
        found = {}
        for column in self.columns:
            if isinstance(column, Category):
                counts = Counter(_raw(table, column))
                new = {value: counts[value] for value in counts.keys() - {None, *column.values}}
                found |= {column.name: new} if new else {}
        return found

    def to_json(self) -> str:
        """As text, every number exact."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """From `to_json`.

        Raises:
            ChainruleError: for anything else.
        """
        try:
            raw = json.loads(text)
            preparation = cls(_read_roles(raw["roles"]), tuple(map(_read, raw["columns"])), _read(raw["target"]))
            agree = tuple(column.name for column in preparation.columns) == preparation.roles.inputs
            _expect(agree and bool(preparation.columns) and preparation.target.name == preparation.roles.target)
            _expect(isinstance(preparation.target, Category) == (preparation.task == "classification"))
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError, OverflowError):
            raise ChainruleError(
                "The description of the data's preparation is damaged. Take the model file from its source again."
            ) from None
        return preparation

    def _known_targets(self, data: Any) -> tuple[Table, np.ndarray]:
        table = as_table(data)
        values = _raw(table, self.target)
        blank = _blank_rows(values)
        if blank.any():
            place = table.place(int(blank.argmax()), self.target.name)
            raise ChainruleError(f"{place}: the target is blank. Fill it, or leave the row out.")
        return table, values

    def _table(self, data: Any) -> Table:
        if isinstance(data, Mapping) or hasattr(data, "columns"):
            return as_table(data)
        array = np.asarray(data, dtype=object if isinstance(data, list | tuple) else None)
        if len(self.columns) == 1 and array.shape[1:] == self.columns[0].shape:
            return Table({self.columns[0].name: array})
        if array.ndim == 2 and array.shape[1] == len(self.columns):
            return Table({column.name: array[:, index] for index, column in enumerate(self.columns)})
        shape = self.columns[0].shape if len(self.columns) == 1 else (len(self.columns),)
        raise ChainruleError(
            f"Expected an array of shape (rows, {', '.join(map(str, shape))}) for {shortened(self.roles.inputs)}, "
            f"got shape {array.shape}."
        )


# Columns: what a raw one holds, and how it is read as numbers or as text.


def _is_text(values: np.ndarray) -> bool:
    return values.dtype.kind == "O"


def _blank_rows(values: np.ndarray) -> np.ndarray:
    """Which rows hold a blank cell."""
    blank = blanks(values)
    return np.asarray(blank.any(axis=tuple(range(1, blank.ndim))))


def _raw(table: Table, column: Number | Category) -> np.ndarray:
    """A table's column, as the numbers or texts that its fitted form works on."""
    _check_column(table, column.name)
    if isinstance(column, Category):
        return _texts(table, column.name)
    values = _numbers(table, column.name)
    if (values.shape[1:] or (1,)) != column.shape:
        raise ChainruleError(
            f"{table.name}, column {column.name!r}: expected shape {column.shape} a row, as in training, "
            f"got {values.shape[1:] or (1,)}."
        )
    return values


def _numbers(table: Table, name: str) -> np.ndarray:
    values = table[name]
    if _is_text(values):
        known = {text: math.nan if text is None else _number(text) for text in set(values)}
        if None in known.values():
            _refuse_text(table, name, next(row for row, text in enumerate(values) if known[text] is None), "")
        values = np.fromiter(map(known.__getitem__, values), np.float64, count=len(values))
    endless = np.abs(values) > LARGEST
    if endless.any():
        cell = tuple(np.argwhere(endless)[0])
        found = "infinity" if math.isinf(values[cell]) else f"{values[cell]:g}"
        place = table.place(int(cell[0]), name)
        raise ChainruleError(f"{place}: expected a finite number, at most {LARGEST:g}, got {found}. Mend the cell.")
    return values


def _texts(table: Table, name: str) -> np.ndarray:
    """The column as text, whole numbers without a point."""
    if _is_text(table[name]):
        return table[name]
    values = _numbers(table, name)
    if values.ndim > 1:
        if values.shape[1:] != (1,):
            raise ChainruleError(
                f"{table.name}, column {name!r}: expected one value a row, got shape {values.shape[1:]}."
            )
        values = values[:, 0]
    distinct, places = np.unique(values, return_inverse=True)
    labels = [None if math.isnan(number) else label(number) for number in distinct]
    return np.array(labels, dtype=object)[places]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _sorted(values: Iterable[str]) -> tuple[str, ...]:
    """In order: by number where all are numbers, else by letter."""
    numbers = {value: _number(value) for value in values}
    if any(number is None or math.isnan(number) for number in numbers.values()):
        return tuple(sorted(numbers))
    return tuple(sorted(numbers, key=lambda value: (numbers[value], value)))


def _task(values: np.ndarray) -> Task:
    if _is_text(values):
        return "classification"
    known = values[~np.isnan(values)]
    distinct = np.unique(known)
    whole = bool(np.all(np.isfinite(distinct) & (distinct == np.round(distinct))))
    repeated = 2 * len(distinct) <= len(known)
    return "classification" if whole and repeated and len(distinct) <= MOST_CLASSES else "regression"


def _fitted(table: Table, name: str, text: bool) -> Number | Category:
    values = _texts(table, name) if text else _numbers(table, name)
    blank = blanks(values)
    blank = blank.reshape(-1, blank.shape[-1] if blank.ndim > 1 else 1)
    if blank.all(axis=0).any():
        raise ChainruleError(f"{table.name}: column {name!r} is blank throughout. Add --drop {name}.")
    if not text:
        return Number.of(name, values)
    category = Category.of(name, values)
    if len(category.values) > MOST_VALUES:
        raise ChainruleError(
            f"{table.name}: column {name!r} is text with {len(category.values):,} distinct values, more than "
            f"{MOST_VALUES:,}. Add --drop {name}."
        )
    return category


# Checks: each words what was expected, what came and the remedy.


def _names(given: Iterable[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _check_choice(name: str, value: Any, choices: tuple) -> None:
    if value not in choices:
        raise ChainruleError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}.")


def _check_column(table: Table, name: str) -> None:
    if name not in table:
        raise ChainruleError(
            f"{table.name}: there is no column {name!r}.{nearest(name, table)} The columns are {shortened(table)}."
        )


def _check_unmixed(table: Table, name: str) -> None:
    """Refuse stray text in a column whose other cells are mostly numbers."""
    values = table[name]
    if not _is_text(values):
        return
    counts = Counter(values[~blanks(values)])
    stray = {text for text in counts if _number(text) is None}
    numbers = counts.total() - sum(counts[text] for text in stray)
    if stray and 2 * numbers > counts.total():
        _refuse_text(
            table, name, next(row for row, text in enumerate(values) if text in stray), f", or add --text {name}"
        )


def _refuse_text(table: Table, name: str, row: int, otherwise: str) -> NoReturn:
    raise ChainruleError(
        f"{table.place(row, name)}: expected a number, got {table[name][row]!r}. Mend the cell{otherwise}."
    )


def _check_one_shape(table: Table, columns: tuple[Number | Category, ...]) -> None:
    if len({column.shape[:-1] for column in columns}) > 1:
        found = shortened(f"{column.name} {column.shape}" for column in columns)
        raise ChainruleError(f"{table.name}: inputs of different shapes can't go side by side: {found}. Drop some.")


# Reading back from JSON: anything unexpected raises one of Python's own errors, which `from_json` words.


def _expect(holds: bool) -> None:
    if not holds:
        raise ValueError


def _read_text(raw: Any) -> str:
    _expect(isinstance(raw, str))
    return raw


def _read_texts(raw: Any) -> tuple[str, ...]:
    _expect(isinstance(raw, list))
    return tuple(map(_read_text, raw))


def _read_numbers(raw: Any, length: int) -> tuple[float, ...]:
    _expect(isinstance(raw, list) and len(raw) == length)
    _expect(all(type(number) in (int, float) and math.isfinite(number) for number in raw))
    return tuple(map(float, raw))


def _read_roles(raw: Any) -> Roles:
    _expect(raw["task"] in TASKS and raw["missing"] in MISSING and type(raw["guessed"]) is bool)
    inputs, text = _read_texts(raw["inputs"]), _read_texts(raw["text"])
    return Roles(_read_text(raw["target"]), raw["task"], inputs, text, raw["missing"], raw["guessed"])


def _read(raw: Any) -> Number | Category:
    name = _read_text(raw["name"])
    if "values" in raw:
        values = _read_texts(raw["values"])
        _expect(raw["fill"] in values)
        return Category(name, values, raw["fill"])
    shape = tuple(raw["shape"])
    _expect(bool(shape) and all(type(size) is int and size > 0 for size in shape))
    mean, scale, fill = (_read_numbers(raw[key], shape[-1]) for key in ("mean", "scale", "fill"))
    _expect(min(scale) > 0)
    return Number(name, shape, mean, scale, fill)
