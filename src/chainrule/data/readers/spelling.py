"""What is said of how a file was read, where people may have meant something else."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.data.cells import Column, blanked
from chainrule.data.reading import Reading
from chainrule.data.table import Found, Table
from chainrule.errors import ChainruleError, cut

MOST = 3  # columns that are named one by one


def told(
    name: str,
    columns: Mapping[str, Column],
    decimal: str,
    reading: Reading,
    said: Mapping[str, str],
    **found: Any,
) -> Found:
    """How a file was read, with notes on numbers not written plainly, on cells that may be none, and on blank words."""
    notes: dict[str, str | ChainruleError] = dict(said)
    codes = {column: each.code for column, each in columns.items() if each.code}
    if codes and not reading.later:
        cells = [f"{cut(cell)!r} in column {column!r} as {int(cell)}" for column, cell in codes.items()]
        message = f"{name}: cells with leading zeros are read as numbers: {_first(cells)}. Leave it so"
        notes["text"] = ChainruleError(message, text=[*codes])
    pairs = {column: each.mixed for column, each in columns.items() if each.mixed}
    if pairs and not reading.later:
        cells = [f"{cut(one)!r} with {cut(other)!r} in column {column!r}" for column, (one, other) in pairs.items()]
        message = f"{name}: numbers of several units are read as text: {_first(cells)}. Write them in one unit"
        notes["mixed"] = ChainruleError(message, text=[*pairs])
    samples = {column: each.sample for column, each in columns.items() if each.sample}
    if samples and reading.decimal is None:
        cells = [f"{cut(cell)!r} in column {column!r} as {number:.15g}" for column, (cell, number) in samples.items()]
        notes["decimal"] = f"{name}: numbers are read with the decimal mark {decimal!r}: {_first(cells)}."
    words = {column: dict(each.words) for column, each in columns.items() if each.words}
    units = {column: each.unit for column, each in columns.items() if each.unit}
    return Found(reading.found(decimal=decimal, **found), notes | blank_note(name, words), words, units)


def blank_note(name: str, words: Mapping[str, Mapping[str, int]]) -> dict[str, str]:
    """A note on the words that were taken as blank, and in how many cells of which columns."""
    if not words:
        return {}
    said = [
        f"{', '.join(f'{cut(word)!r} ({count:,})' for word, count in counts.items())} in column {column!r}"
        for column, counts in words.items()
    ]
    return {"blank": f"{name}: read as blank: {_first(said)}."}


def _first(said: list[str]) -> str:
    """What is said of the first few columns, and how many more there are."""
    return ", ".join(said[:MOST]) + (f", and so in {len(said) - MOST:,} more columns" if len(said) > MOST else "")


def typed(
    columns: Mapping[str, Any],
    name: str,
    reading: Reading,
    numbers: np.ndarray | None = None,
    word: str = "row",
) -> Table:
    """A table of columns that have types of their own; in numbers and texts alike the words chosen for it are blank."""
    found = {column: blanked(values, reading.blank) for column, values in Table(columns, name).items()}
    words = {column: dict(counts) for column, (_, counts) in found.items() if counts}
    values = {column: each for column, (each, _) in found.items()}
    return Table(values, name, numbers, word, found=Found(reading.found(), blank_note(name, words), words))
