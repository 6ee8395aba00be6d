"""JSON lines as tables: an object a line, or one list of objects."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np

from chainrule.arrays.memory import check_memory
from chainrule.data.readers.spelling import typed
from chainrule.data.readers.text import check_utf8
from chainrule.data.reading import Reading
from chainrule.data.table import Table
from chainrule.errors import ChainruleError, cut

CELL = 48  # bytes that a cell takes on its way
CONTENT = 'Give an object a line, such as {"width": 1.5, "kind": "a"}.'


def read_jsonl(file: BinaryIO, name: str, reading: Reading, text: Iterable[str] = ()) -> Table:
    """A file of JSON objects, a row each; a key that a row lacks, and null, is a blank cell.

    Raises:
        ChainruleError: for a file that is empty or broken, with the line.
    """
    data = check_utf8(file.read(), name, CONTENT)
    check_memory(CELL * (data.count(b":") + data.count(b"\n")), name, "Give fewer rows or columns.")
    columns: dict[str, list[tuple[int, Any]]] = {}
    lines = []
    for row, (line, record) in enumerate(_records(data, name)):
        lines.append(line)
        for key, value in record.items():
            columns.setdefault(key, []).append((row, value))
    rows = len(lines)
    if not columns:
        raise ChainruleError(f"{name}: has no cells. {CONTENT}")
    check_memory(CELL * rows * len(columns), name, "Give fewer rows, or all rows the same keys.")
    return typed({key: _column(cells, rows) for key, cells in columns.items()}, name, reading, np.array(lines), "line")


def _records(data: bytes, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each object with its line, or with its place in a list."""
    if data.lstrip().startswith(b"["):
        yield from enumerate(_checked(_parsed(data, name), list, name), 1)
        return
    for line, text in enumerate(data.split(b"\n"), 1):
        if text.strip():
            place = f"{name}, line {line}"
            yield line, _checked(_parsed(text, place), dict, place)


def _parsed(text: bytes, place: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_distinct)
    except ChainruleError as error:
        raise ChainruleError(f"{place}: {error}") from None
    except json.JSONDecodeError as error:
        raise ChainruleError(f"{place}: is no whole JSON: {error.msg}. Mend the line.") from None
    except (RecursionError, ValueError):  # lists in lists without end; numbers of thousands of digits
        raise ChainruleError(f"{place}: is JSON of no use as a row. {CONTENT}") from None


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, of whose equal keys JSON would keep the last."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for number, (key, _) in enumerate(pairs) if any(key == each for each, _ in pairs[:number]))
        raise ChainruleError(f"the key {twice!r} is given twice in an object. Give every cell its own key.")
    return found


def _checked(value: Any, kind: type, place: str) -> Any:
    """A row, or a list of rows."""
    if kind is list and value and not any(isinstance(each, dict) for each in value):
        raise ChainruleError(f"{place}: expected objects of cells, got {cut(json.dumps(value), 40)}. {CONTENT}")
    if kind is list:
        return [_checked(each, dict, f"{place}, row {row}") for row, each in enumerate(value, 1)]
    if not isinstance(value, dict):
        raise ChainruleError(f"{place}: expected an object of cells, got {cut(json.dumps(value), 40)}. {CONTENT}")
    return value


def _column(cells: list[tuple[int, Any]], rows: int) -> list[Any]:
    values = [None] * rows
    for row, value in cells:
        values[row] = value
    return values
