"""How raw columns become the numbers that a network sees.

A column of numbers is standardised, a column of text becomes one input for each of its values, or the ids of its words
or characters. What that takes (means, scales, values, vocabulary) is learned from the training part, remembered, and
travels with the model as JSON.
"""

import dataclasses
import functools
import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Literal, Self

import numpy as np

from chainrule.block import Block
from chainrule.columns import (
    FIRST,
    UNITS,
    Category,
    Column,
    Number,
    Series,
    Tokens,
    Unit,
    as_number,
    fitted,
    is_text,
    numbers,
    raw,
    refuse_text,
    split_text,
    texts,
)
from chainrule.dates import Order, are_times, order_of, times
from chainrule.errors import ChainruleError
from chainrule.layer import Masked
from chainrule.records import read_json, require
from chainrule.table import Table, as_table, blanks, check_column, is_records, shortened

Task = Literal["classification", "regression"]
Missing = Literal["median", "drop"] | None
Kind = Literal["table", "series", "images", "arrays", "tokens"]

TASKS = ("classification", "regression")
MISSING = (None, "median", "drop")
KINDS: dict[int, Kind] = {1: "table", 2: "series", 3: "images"}  # by the number of axes of an example
ALONE = (Series, Tokens)  # columns that can't go beside others
MOST_CLASSES = 20  # that whole numbers are taken for, unless the task is said
MOST_CATEGORIES = 100  # that a lone column of text is taken for, where most cells differ


@dataclasses.dataclass(frozen=True)
class Roles:
    """What each column is for: the targets, the inputs, and what becomes of blank cells.

    Attributes:
        targets: the column to predict, or several of numbers.
        task: "classification" or "regression".
        inputs: the columns to predict it from.
        text: the columns among them, and the targets, that are read as text.
        tokens: "words" or "characters", where the only input is a column of free text to be read so.
        missing: None refuses blank cells, "median" fills them, "drop" leaves their rows out.
        guessed: whether the target was not said but found.
        dates: the columns among the inputs that are read as time.
        day_first, month_first: those among them whose day or month comes first and whose year comes last.
        order_by: the column of numbers or times by which rows are divided: the earliest train, the last test.
        group: the column, no input, whose values are not divided: a patient's rows all train, or all test.
    """

    targets: tuple[str, ...]
    task: Task
    inputs: tuple[str, ...]
    text: tuple[str, ...] = ()
    tokens: Unit | None = None
    missing: Missing = None
    guessed: bool = False
    dates: tuple[str, ...] = ()
    day_first: tuple[str, ...] = ()
    month_first: tuple[str, ...] = ()
    order_by: str | None = None
    group: str | None = None

    def __post_init__(self) -> None:
        require(len(self.targets) == 1 or (len(self.targets) > 1 and self.task == "regression"), "a target")

    @classmethod
    def of(
        cls,
        data: Any,
        *,
        target: str | Iterable[str] | None = None,
        task: Task | None = None,
        drop: Iterable[str] = (),
        text: Iterable[str] = (),
        words: Iterable[str] = (),
        characters: Iterable[str] = (),
        missing: Missing = None,
        day_first: Iterable[str] = (),
        month_first: Iterable[str] = (),
        order_by: str | None = None,
        group: str | None = None,
    ) -> Self:
        """Find the roles of the columns of a table.

        A column of text is one of categories, or of time where most of its cells are dates or times. The only input is
        free text instead where it has more than 100 distinct values, more than half as many as cells: it is read word
        by word where cells have three words or more on average, else character by character. `text`, `words` and
        `characters` say it otherwise.

        Args:
            data: a `Table`, a mapping of columns or a data frame.
            target: the column to predict, or several of numbers; where not said, that called "target", else the last.
            task: where not said, text is classified, and so are whole numbers of at most 20 distinct values that
                appear twice or more on average; every other number is regressed.
            drop: columns to leave out.
            text: columns of categories, though they look like numbers or like free text.
            words: a column of free text, the only input, to be read word by word.
            characters: the same, to be read character by character.
            missing: what becomes of blank cells.
            day_first, month_first: columns of dates such as 3/4/2020, where the column itself leaves open which it is.
            order_by: the column by which rows are divided, an input too unless it is dropped.
            group: the column whose values are not divided; it is no input, since those to test were never seen.

        Raises:
            ChainruleError: for a column that is not there, a column neither of numbers nor of text, dates that may be
                day/month or month/day, or no inputs.

        >>> roles = Roles.of({"width": [1.5, 2.5], "kind": ["a", "b"]})
        >>> roles.targets, roles.task, roles.inputs, roles.text
        (('kind',), 'classification', ('width',), ('kind',))
        """
        table = as_table(data)
        drop, text, words, characters = map(_names, (drop, text, words, characters))
        day_first, month_first = map(_names, (day_first, month_first))
        _check_choice("task", task, (None, *TASKS))
        _check_choice("missing", missing, MISSING)
        said = () if target is None else _names(target)
        single = [name for name in (order_by, group) if name is not None]
        for name in (*said, *single, *drop, *text, *words, *characters, *day_first, *month_first):
            check_column(table, name)
        kept = [name for name in table if name not in drop and name != group]
        targets = said or ("target" if "target" in kept else kept[-1] if kept else "",)
        for name in targets:
            if targets.count(name) > 1:
                raise ChainruleError(f"{table.name}: the target {name!r} is named twice. Name it once.")
            _check_target(table, name, drop, group)
        inputs = tuple(name for name in kept if name not in targets)
        if not inputs:
            raise ChainruleError(
                f"{table.name}: no input columns are left beside the target{'s' * (len(targets) > 1)} "
                f"{', '.join(map(repr, targets))}. Drop fewer."
            )
        _check_read_once(
            table, text=text, words=words, characters=characters, day_first=day_first, month_first=month_first
        )
        tokens = _said_tokens(table, inputs, words, characters)
        text = (*text, *words, *characters)
        order = dict.fromkeys(day_first, "day") | dict.fromkeys(month_first, "month")
        for name in (*inputs, *([] if order_by is None else [order_by])):
            if name not in (*order, *text) and _is_time(table, name):
                order[name] = _order(table, name)
        task = _task(table, targets, task)
        for name in (*inputs, *(targets if task == "classification" else ())):
            if name not in (*text, *order):
                _check_unmixed(table, name)
        if len(inputs) == 1 and inputs[0] not in (*text, *order) and is_text(table[inputs[0]]):
            tokens = _found_tokens(table[inputs[0]])
        worded = tuple(name for name in inputs if name in text or (is_text(table[name]) and name not in order))
        worded = (*worded, *(targets if task == "classification" else ()), *([] if group is None else [group]))
        dates = tuple(name for name in table if name in order)
        days, months = (tuple(name for name in dates if order[name] == first) for first in ("day", "month"))
        return cls(targets, task, inputs, worded, tokens, missing, not said, dates, days, months, order_by, group)

    @property
    def target(self) -> str:
        """The names of the targets, in words."""
        return ", ".join(self.targets)

    def order(self, name: str) -> Order | None:
        """What comes first in a column's dates; None for a column that is not read as time."""
        first: Order = "day" if name in self.day_first else "month" if name in self.month_first else "year"
        return first if name in self.dates else None

    def way(self, table: Table) -> dict[str, Any]:
        """The way in which a table's rows are divided, as `split` takes it: by order, groups or classes, if by any.

        Raises:
            ChainruleError: for a column that is not there, a blank cell in it, or one that has no place in time.
        """
        said = {"order": self.order_by, "groups": self.group}
        found = {way: self._known(table, name) for way, name in said.items() if name is not None}
        return found or ({"classes": table[self.targets[0]]} if self.task == "classification" else {})

    def _known(self, table: Table, name: str) -> np.ndarray:
        """A column by which rows are divided: texts of groups, numbers, or days."""
        check_column(table, name)
        if name == self.group:
            values = texts(table, name)
        elif order := self.order(name):
            values = times(table, name, order)[:, 0]
        else:
            values = numbers(table, name) if is_text(table[name]) else table[name]
        blank = _blank_rows(values)
        if blank.any():
            place = table.place(int(blank.argmax()), name)
            raise ChainruleError(f"{place}: is blank, but rows are divided by it. Fill it, or leave the row out.")
        return values

    def complete(self, data: Any) -> Table:
        """The rows to train on or to score: those whose target is known and, if so chosen, whose inputs all are.

        Raises:
            ChainruleError: for blank cells where none is allowed, counted by column.
        """
        table = as_table(data)
        for name in (*self.inputs, *self.targets):
            check_column(table, name)
        blank = {name: _blank_rows(table[name]) for name in (*self.inputs, *self.targets)}
        counts = {name: int(rows.sum()) for name, rows in blank.items() if rows.any()}
        if not counts:
            return table
        if self.missing is None:
            found = shortened(f"{name} ({count:,})" for name, count in counts.items())
            raise ChainruleError(f"{table.name}: blank cells in {found}. Fill them", missing="median")
        needed = [*self.targets, *(self.inputs if self.missing == "drop" else ())]
        whole = ~np.logical_or.reduce([blank[name] for name in needed])
        if not whole.any():
            raise ChainruleError(
                f"{table.name}: every row has a blank cell that is needed. Fill them, or drop columns."
            )
        return table if whole.all() else table.take(whole)


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
    columns: tuple[Column, ...]
    predicted: tuple[Number | Category, ...]

    def __post_init__(self) -> None:
        names, roles = tuple(column.name for column in self.columns), self.roles
        require(len(names) > 0, "some column")
        require(names == roles.inputs, "the inputs of the roles")
        require(tuple(column.name for column in self.predicted) == roles.targets, "the targets of the roles")
        kind = Category if roles.task == "classification" else Number
        require(all(isinstance(column, kind) for column in self.predicted), "targets of the task's kind")
        require(len(self.classes) != 1, "two classes or more")
        require(len({column.shape[:-1] for column in self.columns}) == 1, "columns of one shape")
        alone = any(isinstance(column, ALONE) for column in self.columns)
        require(len(names) == 1 or not alone, "columns that can go side by side")
        require({roles.tokens} == {getattr(column, "unit", None) for column in self.columns}, "tokens of one unit")

    @classmethod
    def fit(cls, data: Any, roles: Roles | None = None, **choices: Any) -> Self:
        """Learn from the training part how to prepare its columns.

        Args:
            data: the training part: a `Table`, a mapping of columns or a data frame.
            roles: what the columns are for; where not given, found in this part by `Roles.of(data, **choices)`.
            **choices: as in `Roles.of`.

        Raises:
            ChainruleError: for blank cells where none is allowed, infinity, text among numbers, a column blank
                throughout or with too many values, inputs that can't go side by side, or a target of a single class.
        """
        roles = roles or Roles.of(data, **choices)
        table = roles.complete(data)
        columns = tuple(
            fitted(table, name, name in roles.text, roles.tokens, roles.order(name)) for name in roles.inputs
        )
        _check_side_by_side(table, columns)
        predicted = tuple(fitted(table, name, roles.task == "classification") for name in roles.targets)
        for column in predicted:
            if isinstance(column, Category) and len(column.values) == 1:
                raise ChainruleError(
                    f"{table.name}: the target {column.name!r} has a single class, {column.values[0]!r}. "
                    f"Give rows of two classes or more."
                )
        return cls(roles, columns, predicted)  # type: ignore[arg-type]  # one value a row

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
        return self.predicted[0].values if isinstance(self.predicted[0], Category) else ()

    @property
    def kind(self) -> Kind:
        """What an example is: a row of a "table", one of the "series", "images" or other "arrays", or "tokens"."""
        return "tokens" if isinstance(self.columns[0], Tokens) else KINDS.get(len(self.input_shape), "arrays")

    @property
    def vocabulary(self) -> int | None:
        """The number of ids that tokens have, those of padding and of unknown tokens included; None without tokens."""
        first = self.columns[0]
        return FIRST + len(first.vocabulary) if isinstance(first, Tokens) else None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example as the network sees it; of series of unequal length, the longest in training."""
        return (*self.columns[0].shape[:-1], sum(column.shape[-1] for column in self.columns))

    def complete(self, data: Any) -> Table:
        """The rows of a table that can be trained on or scored; see `Roles.complete`."""
        return self.roles.complete(data)

    def inputs(self, data: Any) -> np.ndarray | Masked:
        """The network's inputs, of shape (rows, *input_shape): float32, or int32 for tokens.

        Series of unequal length are `Masked`, and their time is as in training, or longer where one of them is.

        Args:
            data: raw rows: a table, a mapping of columns, a data frame or a list of records, with columns in any order
                and others beside them, or an array of the input columns in their order.

        Raises:
            ChainruleError: for a column that is missing or of another kind, infinity, or a blank cell for which
                the training gave no value.
        """
        block = self._block
        numbers = None if block is None else block.take(data, self.roles.missing == "median")
        if block is None or numbers is None:
            table = self._table(data, self.roles.inputs)
            encoded = [self._encoded(table, column) for column in self.columns]
            return _beside(encoded)
        encoded = np.empty((len(numbers), block.width), np.float32)
        encoded[:, block.places] = block.encode(numbers)
        if block.others:
            table = self._table(data, [column.name for column, *_ in block.others])
            for column, start, end in block.others:
                encoded[:, start:end] = self._encoded(table, column)
        return encoded

    @functools.cached_property
    def _block(self) -> Block | None:
        """The plan by which rows are prepared, made once."""
        return Block.of(self.columns)

    def _encoded(self, table: Table, column: Column) -> Any:
        """A column's inputs."""
        values = raw(table, column)
        blank = _blank_rows(values)
        if self.roles.missing != "median" and blank.any():
            raise ChainruleError(
                f"{table.place(int(blank.argmax()), column.name)}: the cell is blank, and the model knows no value "
                f"to put there. Fill it",
                missing="median",
            )
        return column.encode(values)

    def targets(self, data: Any) -> np.ndarray:
        """The network's targets: class numbers, int32 (rows,), or standardised numbers, float32 (rows, targets).

        Raises:
            ChainruleError: for a class that was not in the training part, or a blank cell.
        """
        table = as_table(data)
        return _beside([column.expected(table, values) for column, values in self._known_targets(table)])

    def raw_targets(self, data: Any) -> np.ndarray:
        """The targets in their own units, for metrics: class numbers (rows,), or float64 (rows, targets)."""
        if self.classes:
            return self.targets(data)
        return _beside([values.reshape(-1, 1) for _, values in self._known_targets(as_table(data))])

    def restore(self, outputs: Any) -> np.ndarray:
        """A network's outputs in the targets' own units, float64; class probabilities as they are."""
        parts = np.split(np.asarray(outputs), len(self.predicted), axis=-1)
        return _beside([column.restore(part) for column, part in zip(self.predicted, parts, strict=True)])

    def unseen(self, data: Any) -> dict[str, dict[str, int]]:
        """By column of text, the values or characters that training never showed, and how often each occurs.

        >>> Preparation.fit({"a": ["x", "y"], "b": [0.5, 1.5]}).unseen({"a": ["x", "z", "z"]})
        {'a': {'z': 2}}
        """
        table = self._table(data, self.roles.inputs)
        columns = [column for column in self.columns if isinstance(column, Category | Tokens)]
        found = {column.name: dict(column.unseen(raw(table, column))) for column in columns}
        return {name: counts for name, counts in found.items() if counts}

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
            return read_json(cls, text)
        except ChainruleError as error:
            raise ChainruleError(
                f"The description of the data's preparation is damaged: {error} "
                f"Take the model file from its source again."
            ) from None

    def _known_targets(self, table: Table) -> Iterator[tuple[Number | Category, np.ndarray]]:
        """Each target with its cells, none of which may be blank."""
        for column in self.predicted:
            values = raw(table, column)
            blank = _blank_rows(values)
            if blank.any():
                place = table.place(int(blank.argmax()), column.name)
                raise ChainruleError(f"{place}: the target is blank. Fill it, or leave the row out.")
            yield column, values

    def _table(self, data: Any, names: Collection[str]) -> Table:
        """Raw rows as a table that has some of the inputs at least."""
        if isinstance(data, Mapping) or hasattr(data, "columns") or is_records(data):
            return as_table(data, names)
        if isinstance(data, list | tuple) and not data:
            return Table({name: [] for name in names})
        if isinstance(self.columns[0], Series) and isinstance(data, list | tuple):
            return Table({self.columns[0].name: data})
        array = np.asarray(data, dtype=object if isinstance(data, list | tuple) else None)
        if len(self.columns) == 1 and array.ndim and self.columns[0].takes(array.shape[1:]):
            return Table({self.columns[0].name: array})
        if array.ndim == 2 and array.shape[1] == len(self.columns):
            return Table({column.name: array[:, index] for index, column in enumerate(self.columns)})
        shape = self.columns[0].shape if len(self.columns) == 1 else (len(self.columns),)
        raise ChainruleError(
            f"Expected an array of shape (rows, {', '.join(map(str, shape))}) for {shortened(self.roles.inputs)}, "
            f"got shape {array.shape}."
        )


def _beside(encoded: list[Any]) -> Any:
    """What columns became, side by side on the last axis; a lone one as it is."""
    return encoded[0] if len(encoded) == 1 else np.concatenate(encoded, axis=-1)


def _blank_rows(values: np.ndarray) -> np.ndarray:
    """Which rows hold a blank cell."""
    blank = blanks(values)
    return np.asarray(blank.any(axis=tuple(range(1, blank.ndim))))


def _task(table: Table, targets: tuple[str, ...], said: Task | None) -> Task:
    """The task that is said, or that the target's values tell; several targets are regressed."""
    if len(targets) == 1:
        return said or _task_of(table[targets[0]])
    worded = [name for name in targets if is_text(table[name]) and said is None]
    if said == "classification" or worded:
        raise ChainruleError(
            f"{table.name}: several targets must be numbers, to be regressed together, but {(worded or targets)[0]!r} "
            f"is of classes. Train a model for each target."
        )
    return "regression"


def _task_of(values: np.ndarray) -> Task:
    if is_text(values):
        return "classification"
    known = values[~np.isnan(values)]
    distinct = np.unique(known)
    whole = bool(np.all(np.isfinite(distinct) & (distinct == np.round(distinct))))
    repeated = 2 * len(distinct) <= len(known)
    return "classification" if whole and repeated and len(distinct) <= MOST_CLASSES else "regression"


def _is_time(table: Table, name: str) -> bool:
    return is_text(table[name]) and are_times(table[name])


def _order(table: Table, name: str) -> Order:
    """What comes first in a column of dates, by all its cells."""
    values = table[name]
    known = values[~blanks(values)]
    if order := order_of(known):
        return order
    raise ChainruleError(
        f"{table.name}: column {name!r} holds dates such as {known[0]!r}, each of which may be day/month or month/day. "
        f"Write the year first, choose month_first",
        day_first=[name],
    )


def _said_tokens(table: Table, inputs: tuple[str, ...], words: tuple, characters: tuple) -> Unit | None:
    """What the only input is read as, where that is said."""
    for unit, names in zip(UNITS, (words, characters), strict=True):
        for name in names:
            if name not in inputs:
                raise ChainruleError(f"{table.name}: column {name!r} is no input. Leave it out of {unit}.")
            _check_alone(table, name, unit, inputs)
    return "words" if words else "characters" if characters else None


def _found_tokens(texts: np.ndarray) -> Unit | None:
    """What a lone column of text is read as; None where it holds categories."""
    known = texts[~blanks(texts)]
    if len(set(known)) <= max(MOST_CATEGORIES, len(known) / 2):
        return None
    return "words" if sum(len(split_text(text, "words")) for text in known) >= 3 * len(known) else "characters"


# Checks: each words what was expected, what came and the remedy.


def _names(given: Iterable[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _check_target(table: Table, name: str, drop: Iterable[str], group: str | None) -> None:
    for other, what in ((drop, "dropped and the target"), ((group,), "the target and the group")):
        if name in other:
            raise ChainruleError(f"{table.name}: column {name!r} is both {what}. Choose one.")
    shape = table[name].shape[1:] if name in table else ()
    if shape not in ((), (1,)):
        raise ChainruleError(f"{table.name}: the target {name!r} must be one value a row, got shape {shape} a row.")


def _check_choice(name: str, value: Any, choices: tuple) -> None:
    if value not in choices:
        raise ChainruleError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}.")


def _check_read_once(table: Table, **ways: tuple[str, ...]) -> None:
    """Refuse a column that is said to be read in several ways."""
    for name, count in Counter(name for names in ways.values() for name in set(names)).items():
        if count > 1:
            said = " and ".join(way for way, names in ways.items() if name in names)
            raise ChainruleError(
                f"{table.name}: column {name!r} can be read in one way only, not by {said}. Choose one."
            )


def _check_unmixed(table: Table, name: str) -> None:
    """Refuse stray text in a column whose other cells are mostly numbers."""
    values = table[name]
    if not is_text(values):
        return
    counts = Counter(values[~blanks(values)])
    stray = {text for text in counts if as_number(text) is None}
    numbers = counts.total() - sum(counts[text] for text in stray)
    if stray and 2 * numbers > counts.total():
        refuse_text(table, name, next(row for row, text in enumerate(values) if text in stray), text=[name])


def _check_side_by_side(table: Table, columns: tuple[Column, ...]) -> None:
    names = [column.name for column in columns]
    for column in columns:
        if isinstance(column, Series):
            _check_alone(table, column.name, "series of unequal length", names)
    if len({column.shape[:-1] for column in columns}) > 1:
        found = shortened(f"{column.name} {column.shape}" for column in columns)
        raise ChainruleError(f"{table.name}: inputs of different shapes can't go side by side: {found}. Drop some.")


def _check_alone(table: Table, name: str, what: str, inputs: Iterable[str]) -> None:
    others = [each for each in inputs if each != name]
    if others:
        raise ChainruleError(
            f"{table.name}: column {name!r} holds {what} and can't go beside other inputs: {shortened(others)}. "
            f"Read it as one value a row",
            drop=others,
        )
