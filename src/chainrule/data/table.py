"""Raw data in memory: named columns of one length, which know where each row was read."""

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import Any, Self

import numpy as np

from chainrule.arrays.memory import check_memory
from chainrule.errors import ChainruleError, cut, did_you_mean

BOOLEANS = {"true", "false"}
EXACT = 2**53  # below which float64 holds every whole number
WHOLE = re.compile(r"\s*[+-]?\d+\s*", re.ASCII)
SPELT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,4})?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Found:
    """How a file was read.

    Attributes:
        reading: the choices that it was read by, found in it or said; a file that comes after it is read alike.
        notes: what is said of it, by the name of the choice that would change it; as an error where it names choices.
        blank: by column, the words that were read as blank, and in how many cells each.
        units: by column, the sign of its numbers' unit, where they have one.
    """

    reading: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, str | ChainruleError] = field(default_factory=dict)
    blank: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)


class Table(Mapping[str, np.ndarray]):
    """An ordered mapping of column names to NumPy arrays whose first axis is the rows.

    A column of numbers keeps its type, with NaN where a cell is blank; Python's own are float64. Whole numbers that
    float64 does not hold are integers of 64 bits, or text where those do not hold them or a cell is blank. A column of
    text is of objects, `str` or None. Booleans are the texts "true" and "false". A column of arrays has more axes:

    - images, (rows, height, width, channels). Bytes (uint8) of three axes are grey images and get the fourth;
    - series, (rows, time, channels): numbers of three axes. They may be given as a list of arrays of unequal length
      and are padded with NaN at the end.

    Args:
        columns: names and values.
        name: what people call the data, for messages.
        numbers: each row's number, or name, as people see it; 1, 2, … where not given.
        word: what they call a row: "row", "line" in a text file, "file" in a folder.
        test: rows that the source itself keeps for the test.
        found: how its file was read.

    Raises:
        ChainruleError: for columns of unequal length, or of anything else than numbers and text.

    >>> table = Table({"height": [1.8, None], "name": ["Ada", "Emmy"]}, name="people")
    >>> table["height"], table["name"], table.rows
    (array([1.8, nan]), array(['Ada', 'Emmy'], dtype=object), 2)
    >>> table.place(1, "height")
    "people, row 2, column 'height'"
    """

    def __init__(
        self,
        columns: Mapping[str, Any],
        name: str = "the data",
        numbers: np.ndarray | None = None,
        word: str = "row",
        test: "Table | None" = None,
        found: Found | None = None,
    ):
        self.name, self.word, self.test, self.found = name, word, test, found or Found()
        self._columns = {str(key): _column(values, f"{name}, column {str(key)!r}") for key, values in columns.items()}
        lengths = {key: len(values) for key, values in self._columns.items()}
        if not lengths:
            raise ChainruleError(f"{name}: expected columns of data, got none. Give at least one column.")
        if len(set(lengths.values())) > 1:
            unequal = shortened(f"{key} ({length:,})" for key, length in lengths.items())
            raise ChainruleError(
                f"{name}: expected columns of one length, got {unequal}. Give every row all its cells."
            )
        self.rows: int = next(iter(lengths.values()))
        self._taken: np.ndarray | slice = slice(0, self.rows)  # which rows of the columns are the table's
        self._numbers = numbers

    def __getitem__(self, column: str) -> np.ndarray:
        return self._columns[column][self._taken]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __repr__(self) -> str:
        return f"<Table {self.name}: {self.rows:,} rows, columns {shortened(self)}>"

    def take(self, rows: np.ndarray | slice) -> Self:
        """Some rows, by index, mask or slice; they keep their places. A column is copied only when it is asked for."""
        taken = copy(self)
        taken.test, taken._taken = None, self._places(rows)
        taken.rows = taken._taken.stop - taken._taken.start if isinstance(taken._taken, slice) else len(taken._taken)
        return taken

    def place(self, row: int, column: str) -> str:
        """Where a cell is, for a message: "diamonds.csv, line 12, column 'price'"."""
        at = self._taken.start + row if isinstance(self._taken, slice) else self._taken[row]
        return f"{self.name}, {self.word} {at + 1 if self._numbers is None else self._numbers[at]}, column {column!r}"

    def _places(self, rows: np.ndarray | slice) -> np.ndarray | slice:
        """Where in the columns these rows are."""
        taken = self._taken
        if isinstance(taken, np.ndarray):
            return taken[rows]
        if isinstance(rows, slice) and rows.step in (None, 1):
            start, stop, _ = rows.indices(self.rows)
            return slice(taken.start + start, taken.start + max(start, stop))
        return np.arange(taken.start, taken.stop, dtype=np.int32 if taken.stop < 2**31 else np.int64)[rows]


def as_table(data: Any, only: Collection[str] = ()) -> Table:
    """A table from itself, from a mapping of columns, a data frame, or a list of records.

    Args:
        data: what has columns with names; of records, each a mapping, a key that is missing is a blank cell.
        only: the columns that are asked for; where all of them are there, the others need not be read.

    >>> as_table({"a": [1, 2]})["a"], as_table([{"a": 1}, {"b": "x"}])["b"]
    (array([1., 2.]), array([None, 'x'], dtype=object))
    """
    if isinstance(data, Table):
        return data
    if is_records(data):
        names = only or dict.fromkeys(key for row in data for key in row)
        return Table({name: [row.get(name) for row in data] for name in names})
    if isinstance(data, Mapping):
        return Table({name: data[name] for name in only} if only and all(name in data for name in only) else data)
    if hasattr(data, "columns"):
        given = data.columns if hasattr(data, "iloc") else getattr(data, "column_names", data.columns)  # Arrow's
        columns = dict(zip(map(str, given), given, strict=True))
        if len(columns) < len(given):
            check_distinct([*map(str, given)], "the data")
        names = only if only and all(name in columns for name in only) else columns
        return Table({name: data[columns[name]] for name in names})
    raise ChainruleError(
        f"Expected a table (columns with names), got {type(data).__name__}. For example: {{'a': [1, 2], 'b': [3, 4]}}."
    )


def is_records(data: Any) -> bool:
    """Whether data are a list of records: `[{"a": 1, "b": 2}, …]`, as JSON has them."""
    return isinstance(data, list | tuple) and len(data) > 0 and all(isinstance(row, Mapping) for row in data)


def check_distinct(names: Sequence[str], source: str, **choices: Any) -> None:
    """Refuse two columns of one name; some choices may mend it."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        mend = "Give every column its own name" + ("" if choices else ".")
        raise ChainruleError(f"{source}: more than one column is called {twice[0]!r}. {mend}", **choices)


def check_column(table: Table, name: str) -> None:
    """Refuse a column that a table does not have."""
    check_columns(table, [name])


def check_columns(table: Table, names: Iterable[str]) -> None:
    """Refuse columns that a table does not have, all of them at once."""
    names = list(names)
    missing = [name for name in names if name not in table]
    if missing:
        which = (
            f"is no column {missing[0]!r}" if len(missing) == 1 else f"are no columns {shortened(map(repr, missing))}"
        )
        data = table.found.reading.get("header") and len(missing) == len(names) and any(map(SPELT.fullmatch, table))
        raise ChainruleError(
            f"{table.name}: there {which}.{did_you_mean(missing[:8], table)} The columns are {shortened(table)}."
            f"{' If the first line is a row of data, write the names of the columns above it.' if data else ''}"
        )


def shortened(names: Iterable[str], most: int = 8) -> str:
    """Names in a row, the first few of many.

    >>> shortened("abcd", most=3)
    'a, b, c, … (4 in all)'
    """
    names = list(names)
    return ", ".join(map(cut, names[:most])) + (f", … ({len(names)} in all)" if len(names) > most else "")


def label(number: Any) -> str:
    """A number as the text of a category: whole numbers without a point, others by the digits that their type needs.

    >>> label(3.0), label(0.5), label(np.float32(0.1)), label(2**53 + 1)
    ('3', '0.5', '0.1', '9007199254740993')
    """
    return str(int(number)) if number == number // 1 else str(number)


def is_rounded(text: str | None) -> bool:
    """Whether a text is a whole number that float64 would round.

    >>> is_rounded("9007199254740993"), is_rounded("9007199254740992")
    (True, False)
    """
    if text is None or not WHOLE.fullmatch(text):
        return False
    number = float(text)
    return math.isfinite(number) and int(text) != number


def meaning(text: str) -> str:
    """What a text says, however it is written: numbers by their value, booleans in small letters, no blanks around.

    >>> [meaning(text) for text in ("1.0", "01", "1e0", "-0", "TRUE", " Rome ")]
    ['1', '1', '1', '0', 'true', 'Rome']
    """
    text = text.strip()
    if text.lower() in BOOLEANS:
        return text.lower()
    if not SPELT.fullmatch(text):
        return text
    number = Decimal(text)
    return str(number.normalize(Context(prec=len(text)))) if number else "0"


def blanks(values: np.ndarray) -> np.ndarray:
    """Which cells of a table's column are blank, cell by cell; the padding of series is not."""
    if values.dtype.kind == "O":
        return np.asarray(values == np.array(None), dtype=bool)
    if values.dtype.kind in "iu":
        return np.zeros(values.shape, bool)
    return np.isnan(values) & live(values)[..., None] if values.ndim == 3 else np.isnan(values)


def blank_rows(values: np.ndarray) -> np.ndarray:
    """Which rows of a table's column hold a blank cell."""
    blank = blanks(values)
    return np.asarray(blank.any(axis=tuple(range(1, blank.ndim))))


def live(series: np.ndarray) -> np.ndarray:
    """Which steps of series (rows, time, channels) count, (rows, time): the first, and all up to the last known one.

    What follows is padding, NaN throughout.

    >>> live(np.array([[[5.0], [np.nan], [6.0]], [[5.0], [np.nan], [np.nan]]]))
    array([[ True,  True,  True],
           [ True, False, False]])
    """
    known: np.ndarray = ~np.all(np.isnan(series), axis=2)
    known[:, :1] = True
    return np.logical_or.accumulate(known[:, ::-1], axis=1)[:, ::-1]


def is_blank(cell: Any) -> bool:
    """Whether a cell holds nothing: None, NaN, or the blanks of pandas."""
    return cell is None or type(cell).__name__ in ("NAType", "NaTType") or (isinstance(cell, float) and cell != cell)


def _column(values: Any, place: str) -> np.ndarray:
    values = _of_arrow(values) if hasattr(values, "to_pylist") else values
    if isinstance(values, list | tuple) and values and all(isinstance(value, np.ndarray) for value in values):
        values = _side_by_side(values, place)
    array = np.asarray(values, dtype=object if isinstance(values, list | tuple) else None)
    if not isinstance(values, np.ndarray) and array.dtype == np.float64 and (np.abs(array) >= EXACT).any():
        array = np.array(list(values), dtype=object)  # a frame's whole numbers, which NumPy rounds beside blanks
    if array.ndim == 0:
        raise ChainruleError(f"{place}: expected one value a row, got {values!r}. Give a list or an array.")
    if 0 in array.shape[1:]:
        raise ChainruleError(f"{place}: expected values in each row, got none: shape {array.shape}.")
    if array.dtype.kind in "iuf":
        return array[..., None] if array.dtype == np.uint8 and array.ndim == 3 else array
    if array.dtype.kind == "O":
        return _objects(array, place)
    if array.ndim == 1 and array.dtype.kind == "M":
        times = np.datetime_as_string(array).astype(object)
        times[np.isnat(array)] = None
        return times
    if array.ndim == 1 and array.dtype.kind in "bUST":
        return _objects(_decoded(array, place), place)
    raise ChainruleError(f"{place}: expected numbers or text, got {array.dtype} of shape {array.shape}.")


def _of_arrow(column: Any) -> Any:
    """A column of Arrow as an array; as Python's own values where it has blanks that NumPy would lose or round."""
    whole = column.null_count == 0 or str(column.type) in ("float", "double")
    plain = whole and not hasattr(column.type, "value_type")  # a dictionary's, or a list's
    return column.to_numpy(zero_copy_only=False) if plain else column.to_pylist()


def _decoded(array: np.ndarray, place: str) -> np.ndarray:
    """An array of NumPy's own text, of bytes or of booleans as one of `str`."""
    try:
        return array.astype(str).astype(object)
    except (UnicodeError, SystemError):  # bytes beyond ASCII; numbers that are no characters
        raise ChainruleError(f"{place}: expected text, got bytes that are none. Decode them first.") from None


def _side_by_side(arrays: Sequence[np.ndarray], place: str) -> np.ndarray:
    """An array for each row as one array; series of unequal length padded with NaN."""
    first = arrays[0]
    for row, array in enumerate(arrays, 1):
        series = first.ndim == array.ndim == 2 and first.shape[1] == array.shape[1]
        if array.dtype.kind not in "iuf" or not (series or array.shape == first.shape):
            raise ChainruleError(
                f"{place}: expected arrays of numbers of one shape, or series (time, channels) that differ in length "
                f"alone, got shape {first.shape} in row 1 and {array.dtype} of shape {array.shape} in row {row}."
            )
    if len({array.shape for array in arrays}) == 1:
        return np.stack(arrays)
    shape = (len(arrays), max(map(len, arrays)), *first.shape[1:])
    check_memory(8 * math.prod(shape), f"{place}, padded to the longest,", "Leave out or cut the longest.")
    padded = np.full(shape, np.nan)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    return padded


def _objects(array: np.ndarray, place: str) -> np.ndarray:
    """Python's own values, as numbers where all are numbers, else as text."""
    kinds = set(map(type, array.flat))
    if array.ndim == 1 and str in kinds:
        array = array.copy()
        array[array == ""] = None  # as in a file of text
        kinds = set(map(type, array))
    if kinds <= {str, type(None)} and kinds != {type(None)} and array.ndim == 1:
        return _booleans(array)
    if any(issubclass(kind, list | tuple | dict | set | np.ndarray | bytes | complex) for kind in kinds):
        odd = next(
            cell for cell in array.flat if isinstance(cell, list | tuple | dict | set | np.ndarray | bytes | complex)
        )
        raise ChainruleError(f"{place}: expected numbers or text, got {_brief(odd)}.")
    blank = np.array([is_blank(cell) for cell in array.flat], dtype=bool)
    if not any(issubclass(kind, str | bool | np.bool_) for kind in kinds):
        numbers = _numbers(array, blank)
        if numbers is not None:
            return numbers
    if array.ndim > 1:
        raise ChainruleError(f"{place}: expected numbers, got text in an array of shape {array.shape}.")
    texts = [None if gone else _text(cell) for cell, gone in zip(array, blank, strict=True)]
    return _booleans(np.array(texts, dtype=object))


def _numbers(array: np.ndarray, blank: np.ndarray) -> np.ndarray | None:
    """Python's own numbers in a type that holds them all exactly; None where there is none, and for dates and such."""
    try:
        cells = [math.nan if gone else float(cell) for cell, gone in zip(array.flat, blank, strict=True)]
    except (TypeError, ValueError, OverflowError):
        return None
    numbers = np.array(cells, dtype=np.float64)
    if (size := np.abs(numbers)).max(initial=0) < EXACT:
        return numbers.reshape(array.shape)
    large = np.flatnonzero((size >= EXACT) & np.isfinite(numbers))
    if all(int(array.flat[cell]) == int(numbers[cell]) for cell in large):
        return numbers.reshape(array.shape)
    if all(isinstance(cell, int | np.integer) for cell in array.flat):
        for whole in (np.int64, np.uint64):
            if np.iinfo(whole).min <= min(array.flat) and max(array.flat) <= np.iinfo(whole).max:
                return array.astype(whole)
    return None


def _booleans(texts: np.ndarray) -> np.ndarray:
    """Texts; booleans in small letters, however they are written."""
    lower = {cell: cell.lower() for cell in set(texts) if cell is not None}
    if not lower or not set(lower.values()) <= BOOLEANS or lower.keys() <= BOOLEANS:
        return texts
    return np.array([lower.get(cell) for cell in texts], dtype=object)


def _text(cell: Any) -> str:
    number = isinstance(cell, int | float | np.number) and not isinstance(cell, bool)
    return label(cell) if number and (isinstance(cell, int | np.integer) or math.isfinite(cell)) else str(cell)


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
