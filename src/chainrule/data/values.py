"""A table's column as numbers or as texts, whichever its use asks for; what can't be either is refused at its place."""

import math
from typing import Any, NoReturn

import numpy as np

from chainrule.arrays.dtypes import rounded
from chainrule.data.table import Table, check_column, is_rounded, label
from chainrule.errors import ChainruleError

LARGEST = np.float64(1e100)  # so that squares stay finite


def is_text(values: np.ndarray) -> bool:
    """Whether a table's column holds text."""
    return values.dtype.kind == "O"


def is_worded(values: np.ndarray) -> bool:
    """Whether a table's column holds text, and no cell of it spells a number."""
    known = set(values) - {None} if is_text(values) else ()
    return bool(known) and all(as_number(text) is None for text in known)


def numbers(table: Table, name: str, **choices: Any) -> np.ndarray:
    """A table's column as numbers of its own type; NaN where a cell is blank.

    Refuses text, whole numbers that float64 does not hold, and infinity, which some choices may leave out.
    """
    check_column(table, name)
    values = table[name]
    if is_text(values):
        known = {text: math.nan if text is None else as_number(text) for text in set(values)}
        if None in known.values():
            refuse_text(table, name, next(row for row, text in enumerate(values) if known[text] is None))
        large = set(filter(is_rounded, known))
        if large:
            refuse_rounded(table, name, next(row for row, text in enumerate(values) if text in large))
        values = np.fromiter(map(known.__getitem__, values), np.float64, count=len(values))
    elif (large := rounded(values)).any():
        refuse_rounded(table, name, int(np.argwhere(large)[0][0]))
    _check_finite(table, name, values, **choices)
    return values


def texts(table: Table, name: str) -> np.ndarray:
    """A table's column as text, None where a cell is blank; whole numbers are without a point."""
    check_column(table, name)
    values = table[name]
    if is_text(values):
        return values
    if values.ndim > 1:
        if values.shape[1:] != (1,):
            raise ChainruleError(
                f"{table.name}, column {name!r}: expected one value a row, got shape {values.shape[1:]}."
            )
        values = values[:, 0]
    _check_finite(table, name, values)
    if values.dtype.kind == "f":
        _check_told_apart(table, name, values)
    distinct, places = np.unique(values, return_inverse=True)
    labels = [None if math.isnan(number) else label(number) for number in distinct]
    return np.array(labels, dtype=object)[places]


def as_number(text: str) -> float | None:
    """The number that a text spells, if it does."""
    try:
        return float(text)
    except ValueError:
        return None


def refuse_text(table: Table, name: str, row: int, **choices: Any) -> NoReturn:
    """Refuse a text where a number belongs; some choices may let it stay."""
    choices = choices or _other_decimal(table, name)
    mend = "Mend the cell" if choices else "Mend the cell."
    raise ChainruleError(f"{table.place(row, name)}: expected a number, got {table[name][row]!r}. {mend}", **choices)


def _other_decimal(table: Table, name: str) -> dict[str, str]:
    """The choice of the other decimal mark, where a file was read by one and all cells of a column have the other."""
    mark = str(table.found.reading.get("decimal"))
    other = {".": ",", ",": "."}.get(mark, "")
    known = [text for text in set(table[name]) if text is not None]
    fit = other and all(mark not in text and as_number(text.replace(other, ".")) is not None for text in known)
    return {"decimal": other} if fit else {}


def refuse_rounded(table: Table, name: str, row: int) -> NoReturn:
    """Refuse a whole number that would be rounded where it is a number, not a name."""
    raise ChainruleError(
        f"{table.place(row, name)}: float64 does not hold {table[name][row]} exactly. Round the numbers", text=[name]
    )


def _check_finite(table: Table, name: str, values: np.ndarray, **choices: Any) -> None:
    if values.dtype.kind != "f":
        return
    low, high = (extreme.reduce(values, axis=None, initial=0) for extreme in (np.fmin, np.fmax))  # NaN is none
    if max(-low, high) > LARGEST:
        cell = tuple(np.argwhere(np.abs(values) > LARGEST)[0])
        found = "infinity" if math.isinf(values[cell]) else f"{values[cell]:g}"
        place = table.place(int(cell[0]), name)
        mend = "Mend the cell" if choices else "Mend the cell."
        raise ChainruleError(f"{place}: expected a finite number, at most {LARGEST:g}, got {found}. {mend}", **choices)


def _check_told_apart(table: Table, name: str, values: np.ndarray) -> None:
    """Refuse categories by numbers so large that their type rounds whole numbers, so that several became one."""
    large = np.abs(values) >= 2 / np.finfo(values.dtype).eps
    if large.any():
        row = int(large.argmax())
        raise ChainruleError(
            f"{table.place(row, name)}: {values.dtype} rounds whole numbers such as {label(values[row])}, so that "
            f"categories may have become one. Give whole numbers or text."
        )
