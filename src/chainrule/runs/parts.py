"""The parts of a data set that a run trains, validates and tests on; the same choices give the same parts."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from chainrule.data import read, split
from chainrule.data.schema import Schema
from chainrule.data.table import Table, as_table
from chainrule.errors import ArgumentError

PART = "must be a fraction from 0 up to 1, or a file, got {}."
TABLE = "data"  # what a table is called in a record
USUAL = {"test": 0.2, "validation": 0.1}  # fractions of the rows, unless others are chosen


@dataclass(frozen=True)
class Divided:
    """A data set's parts by name (train, and validation and test where there are any), and how they were chosen."""

    schema: Schema
    parts: dict[str, Table]
    chosen: dict[str, Any]


def divide(
    data: Any,
    *,
    test: Any,
    validation: Any,
    seed: int,
    text: list[str],
    words: list[str],
    characters: list[str],
    drop: list[str],
    group: str | None,
    reading: dict[str, Any],
    **choices: Any,
) -> Divided:
    """Read data and divide their rows.

    Args:
        data: a named set, a file, or a table.
        test, validation: a fraction of the rows, or data of their own; where not said, a source's own test part if it
            has one, else the usual fraction.
        seed: of the division.
        text: columns of text, though they look like numbers.
        words, characters: the column of text that is read word by word, or letter by letter.
        drop: columns to leave out.
        group: the column whose values are not divided.
        reading: how files are read, as far as it is said: separator, decimal, header and blank, as in `read`. A part
            of its own is read as the source was.
        **choices: the others of `Schema.of`.
    """
    said = {"test": test, "validation": validation}
    fractions = fractions_of(test, validation)
    columns = {"text": text, "words": words, "characters": characters, "drop": drop, "group": group, **choices}
    whole = table_of(data, read_as_text(**columns), **reading)
    reading = reading | {"like": whole.found.reading}
    schema = Schema.of(whole, **columns)
    apart = {name: value for name, value in said.items() if value is not None and not isinstance(value, int | float)}
    given = {
        name: table_of(value, schema.text, **reading) if is_source(value) else as_table(value)
        for name, value in apart.items()
    }
    if test is None and whole.test is not None:
        given["test"], fractions["test"] = whole.test, 0.0
    chosen = {"data": whole.name, "rows": whole.rows, **fractions, "seed": seed, "reading": dict(whole.found.reading)}
    parts = redivide(whole, schema, chosen)
    parts |= {name: schema.complete(table) for name, table in given.items()}
    return Divided(schema, parts, chosen)


def fractions_of(test: Any, validation: Any) -> dict[str, float]:
    """The fractions of the rows that make the parts; 0 where data of its own do."""
    return {name: _fraction(name, value) for name, value in (("test", test), ("validation", validation))}


def read_as_text(
    text: list[str], words: list[str], characters: list[str], drop: list[str], group: str | None, **choices: Any
) -> list[str]:
    """The columns that are read as text, by what is said of all: those too of which nothing needs to be noted."""
    unused = [name for name in drop if name != choices.get("order_by")]
    return [*text, *words, *characters, *unused, *([] if group is None else [group])]


def redivide(whole: Table, schema: Schema, chosen: dict[str, Any]) -> dict[str, Table]:
    """The parts of a table by its schema, and by the fractions and the seed that were chosen."""
    table = schema.complete(whole)
    fractions = {name: chosen[name] for name in ("validation", "test")}
    rows = split(table.rows, **fractions, seed=chosen["seed"], name=table.name, **schema.way(table))
    return {name: table.take(taken) for name, taken in rows._asdict().items() if len(taken)}


def table_of(data: Any, text: Iterable[str] = (), **reading: Any) -> Table:
    """A table from a named set or a file, or from what is one already, for which nothing can be said of reading."""
    if is_source(data):
        return read(data, text, **reading)
    for name in reading.keys() - {"like"}:
        raise ArgumentError(f"{{{name}}} says how a file is read, but the data are a table already. Leave it out.")
    return as_table(data)


def is_source(data: Any) -> bool:
    """Whether data are to be read: a named set, or a path."""
    return isinstance(data, str | os.PathLike)


def source_of(data: Any) -> str:
    """What data are called in a record: the name or the path that the user gave."""
    return os.fspath(data) if is_source(data) else TABLE


def _fraction(name: str, value: Any) -> float:
    """The fraction of the rows that makes a part; 0 where data of its own do."""
    fraction = USUAL[name] if value is None else value
    if not isinstance(fraction, int | float):
        if isinstance(fraction, str) and not fraction:
            raise ArgumentError(f"{{{name}}} {PART}", fraction)
        return 0.0
    if not 0 <= fraction < 1:
        raise ArgumentError(f"{{{name}}} {PART}", f"{fraction:g}")
    return float(fraction)
