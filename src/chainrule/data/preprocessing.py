"""How raw columns become the numbers that a network sees.

A column of numbers is standardised, a column of text becomes one input for each of its values, or the ids of its words
or characters. What that takes (means, scales, values, vocabulary) is learned from the training part, remembered, and
travels with the model as JSON.
"""

import dataclasses
import functools
import json
import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from operator import length_hint
from typing import Any, Literal, Self

import numpy as np

from chainrule.arrays.masked import Masked
from chainrule.arrays.memory import aligned, blocks
from chainrule.data.block import Block
from chainrule.data.columns import Category, Column, Number, Series, warn_unseen
from chainrule.data.fitting import Fitting
from chainrule.data.guesses import Task
from chainrule.data.problems import Problems
from chainrule.data.records import read, read_json, require
from chainrule.data.schema import Schema
from chainrule.data.table import Table, as_table, blank_rows, check_columns, is_records, shortened
from chainrule.data.tokens import FIRST, Tokens
from chainrule.errors import ChainruleError

Kind = Literal["table", "series", "images", "arrays", "tokens"]

KINDS: dict[int, Kind] = {1: "table", 2: "series", 3: "images"}  # by the number of axes of an example
WHOLE = slice(None)  # all rows
Unseen = dict[Category | Tokens, Counter[str]]
"""By column, the values that training never showed, and how often each was met."""

ALONE = (Series, Tokens)  # columns that can't go beside others


@dataclasses.dataclass(frozen=True)
class Preprocessor:
    """The way from raw columns to a network's inputs and targets, and back to the target's own units.

    >>> table = {"width": [1.0, 3.0, 1.0, 3.0], "kind": ["a", "b", "a", "b"]}
    >>> preprocessor = Preprocessor.fit(table)
    >>> preprocessor.inputs({"width": [2.0, 3.0]})
    array([[0.],
           [1.]], dtype=float32)
    >>> preprocessor.targets(table), preprocessor.classes
    (array([0, 1, 0, 1], dtype=int32), ('a', 'b'))
    >>> Preprocessor.from_json(preprocessor.to_json()) == preprocessor
    True
    """

    schema: Schema
    columns: tuple[Column, ...]
    predicted: tuple[Number | Category, ...]

    def __post_init__(self) -> None:
        names, schema = tuple(column.name for column in self.columns), self.schema
        require(len(names) > 0, "some column")
        require(names == schema.inputs, "the inputs of the schema")
        require(tuple(column.name for column in self.predicted) == schema.targets, "the targets of the schema")
        kind = Category if schema.task == "classification" else Number
        require(all(isinstance(column, kind) for column in self.predicted), "targets of the task's kind")
        require(len(self.classes) != 1, "two classes or more")
        require(len({column.shape[:-1] for column in self.columns}) == 1, "columns of one shape")
        alone = any(isinstance(column, ALONE) for column in self.columns)
        require(len(names) == 1 or not alone, "columns that can go side by side")
        require({schema.tokens} == {getattr(column, "unit", None) for column in self.columns}, "tokens of one unit")

    @classmethod
    def fit(cls, data: Any, schema: Schema | None = None, **choices: Any) -> Self:
        """Learn from the training part how to prepare its columns.

        Args:
            data: the training part: a `Table`, a mapping of columns or a data frame.
            schema: what the columns are for; where not given, found in this part by `Schema.of(data, **choices)`.
            **choices: as in `Schema.of`.

        Raises:
            ChainruleError: for blank cells where none is allowed, infinity, text among numbers, a column blank
                throughout or with too many values, inputs that can't go side by side, or a target of a single class.
        """
        schema = schema or Schema.of(data, **choices)
        table = schema.complete(data)
        fitting = Fitting(schema, table.name)
        fitting.add(table)
        return cls(schema, *fitting.columns())

    @property
    def task(self) -> Task:
        """The kind of task: "classification" or "regression"."""
        return self.schema.task

    @property
    def text(self) -> tuple[str, ...]:
        """The columns to read as text: `read(source, text=preprocessor.text)`."""
        return self.schema.text

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
        """The rows of a table that can be trained on or scored; see `Schema.complete`."""
        return self.schema.complete(data)

    def inputs(self, data: Any) -> np.ndarray | Masked:
        """The network's inputs, of shape (rows, *input_shape): float32, or int32 for tokens.

        Series of unequal length are `Masked`, and their time is as in training, or longer where one of them is. Values
        that training never showed are none of the known ones, with a warning that names them.

        Args:
            data: raw rows: a table, a mapping of columns, a data frame or a list of records, with columns in any order
                and others beside them, or an array of the input columns in their order.

        Raises:
            ChainruleError: for a column that is missing or of another kind, infinity, or a blank cell for which
                the training gave no value.
        """
        encoded: Any = None
        for rows, x in self.in_blocks(data):
            if rows == WHOLE:
                encoded = x
                continue
            if encoded is None:
                encoded = aligned((_rows_of(data), *self.input_shape), np.asarray(x).dtype)
            encoded[rows] = x
        return encoded

    def in_blocks(self, data: Any, counted: Unseen | None = None) -> Iterator[tuple[slice, np.ndarray | Masked]]:
        """The inputs of raw rows, those of many block after block, each with the rows that it is of.

        So that nothing is computed of all rows at once. What is said of all of them is said at the end; see `inputs`.
        Of one of several tables it is only counted.
        """
        parts = [WHOLE] if isinstance(self.columns[0], Series) else [*blocks(_rows_of(data), self._numbers)]
        if len(parts) > 1:
            data = self._table(data, self.schema.inputs)
        else:
            parts = [WHOLE]
        unseen: Unseen = {} if counted is None else counted
        for rows in parts:
            try:
                x = self._inputs(data if rows == WHOLE else data.take(rows), unseen)
            except ChainruleError:
                if rows != WHOLE:
                    self._values(data, self.columns)  # says all that is wrong, also with later rows
                raise
            yield rows, x
        if counted is None:
            warn_all_unseen(unseen)

    def prepared(self, table: Table, unseen: Unseen) -> tuple[np.ndarray | Masked, np.ndarray]:
        """The inputs and targets of some rows of a stream; what training never showed is counted, and not yet said."""
        return self._inputs(table, unseen), self.targets(table)

    def _inputs(self, data: Any, unseen: Unseen) -> np.ndarray | Masked:
        """The inputs of raw rows; what training never showed is counted."""
        block = self._block
        numbers = None if block is None else block.take(data, self.schema.missing == "median")
        if block is None or numbers is None:
            return _beside(self._encoded(self._table(data, self.schema.inputs), self.columns, unseen))
        encoded = np.zeros((len(numbers), block.width), np.float32)
        encoded[:, block.places] = block.encode(numbers)
        if others := block.encode_spelt(data, encoded):
            columns, starts, ends = zip(*others, strict=True)
            table = self._table(data, [column.name for column in columns])
            if table.rows != len(numbers):
                table = self._table(data, self.schema.inputs)  # which says so
            for part, start, end in zip(self._encoded(table, columns, unseen), starts, ends, strict=True):
                encoded[:, start:end] = part
        return encoded

    @functools.cached_property
    def _block(self) -> Block | None:
        """The plan by which rows are prepared, made once."""
        return Block.of(self.columns)

    @functools.cached_property
    def _numbers(self) -> int:
        """How many there are in an example."""
        return math.prod(self.input_shape)

    def _encoded(self, table: Table, columns: Iterable[Column], unseen: Unseen) -> list[Any]:
        """The inputs that columns become; what training never showed is counted."""
        encoded = []
        for column, values in zip(columns, self._values(table, columns), strict=True):
            part: Any = column.encode(values)
            if isinstance(column, Category | Tokens) and column.lacks(part):
                unseen[column] = unseen.get(column, Counter()) + column.unseen(values)
            encoded.append(part)
        return encoded

    def _values(self, table: Table, columns: Iterable[Column]) -> list[np.ndarray]:
        """The cells of columns as they read them; all that is wrong with them is said at once."""
        problems, found = Problems(table.name), []
        for column in columns:
            if column.name not in table:
                continue
            with problems.gathered():
                values = column.read(table)
                blank = blank_rows(values)
                if self.schema.missing != "median" and blank.any() and not isinstance(column, Tokens):  # a text of none
                    raise ChainruleError(
                        f"{table.place(int(blank.argmax()), column.name)}: the cell is blank, and the model knows no "
                        f"value to put there. Fill it",
                        missing="median",
                    )
                found.append(values)
        with problems.gathered():
            check_columns(table, (column.name for column in columns))
        problems.refuse()
        return found

    def targets(self, data: Any) -> np.ndarray:
        """The network's targets: class numbers, int32 (rows,), or standardised numbers, float32 (rows, targets).

        Raises:
            ChainruleError: for a class that was not in the training part, or a blank cell.
        """
        table = as_table(data)
        return _beside([column.expected(table, values) for column, values in self._known_targets(table)])

    def examples(self, data: Any) -> tuple[np.ndarray | Masked, np.ndarray]:
        """The inputs and the targets of the rows that can be trained on or scored."""
        table = self.complete(data)
        return self.inputs(table), self.targets(table)

    def raw_targets(self, data: Any) -> np.ndarray:
        """The targets in their own units, for metrics: class numbers (rows,), or float64 (rows, targets)."""
        if self.classes:
            return self.targets(data)
        table = as_table(data)
        return _beside([values.reshape(-1, 1).astype(np.float64) for _, values in self._known_targets(table)])

    @functools.cached_property
    def units(self) -> tuple[np.ndarray, np.ndarray]:
        """The scale of each target and what is added to it, by which standardised numbers are in their own units."""
        numbers = [column for column in self.predicted if isinstance(column, Number)]
        return np.array([column.scale[0] for column in numbers]), np.array([column.mean[0] for column in numbers])

    def restore(self, values: Any) -> np.ndarray:
        """Standardised targets in their own units, float64; class probabilities as they are."""
        if self.classes:
            return np.asarray(values)
        scale, shift = self.units
        return np.asarray(values, np.float64) * scale + shift

    def unseen(self, data: Any) -> dict[str, dict[str, int]]:
        """By column of text, the values or characters that training never showed, and how often each occurs.

        >>> Preprocessor.fit({"a": ["x", "y"], "b": [0.5, 1.5]}).unseen({"a": ["x", "z", "z"]})
        {'a': {'z': 2}}
        """
        table = self._table(data, self.schema.inputs)
        columns = [column for column in self.columns if isinstance(column, Category | Tokens)]
        found = {column.name: dict(column.unseen(column.read(table))) for column in columns}
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
            return read(cls, _of_today(read_json(dict[str, Any], text)))
        except ChainruleError as error:
            raise ChainruleError(
                f"The description of the data's preprocessor is damaged: {error} "
                f"Take the model file from its source again."
            ) from None

    def _known_targets(self, table: Table) -> Iterator[tuple[Number | Category, np.ndarray]]:
        """Each target with its cells, none of which may be blank."""
        for column in self.predicted:
            values = column.read(table)
            blank = blank_rows(values)
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
            f"Expected an array of shape (rows, {', '.join(map(str, shape))}) for {shortened(self.schema.inputs)}, "
            f"got shape {array.shape}."
        )


def _rows_of(data: Any) -> int:
    """How many rows raw data have, where that is seen from outside."""
    if isinstance(data, Table):
        return data.rows
    return length_hint(next(iter(data.values()), ()) if isinstance(data, Mapping) else data)


def warn_all_unseen(unseen: Unseen) -> None:
    """Say which values training never showed, of each column."""
    for column, counts in unseen.items():
        if counts:  # of free text new words are the rule
            warn_unseen(column, counts)


def _beside(encoded: list[Any]) -> Any:
    """What columns became, side by side on the last axis; a lone one as it is."""
    return encoded[0] if len(encoded) == 1 else np.concatenate(encoded, axis=-1)


def _of_today(raw: dict[str, Any]) -> dict[str, Any]:
    """A record as it is written now; an earlier version's schema had another name, and that of the first one target."""
    raw = {"schema" if name == "roles" else name: each for name, each in raw.items()}
    schema = raw.get("schema")
    if not isinstance(schema, dict) or not ("target" in raw and "target" in schema):
        return raw
    rest = [{name: each for name, each in record.items() if name != "target"} for record in (raw, schema)]
    return rest[0] | {"schema": rest[1] | {"targets": [schema["target"]]}, "predicted": [raw["target"]]}
