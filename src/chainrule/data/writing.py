"""Columns as files: CSV and TSV, Parquet, and lines of JSON, by the ending of the file's name."""

import csv
import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeGuard

from chainrule.data.columns import as_number
from chainrule.data.files import as_bytes
from chainrule.errors import ChainruleError

DELIMITED = {"": ",", ".csv": ",", ".tsv": "\t"}
"""What stands between the cells of a file that spreadsheets open, by its ending."""

COMPUTED = tuple("=+-@\t\r")
"""What a text begins with that a spreadsheet computes; a number is none."""

Cell = str | float | int | None
Columns = Mapping[str, Sequence[Cell]]


def writer(path: str | os.PathLike[str]) -> Callable[[Columns], bytes]:
    """What turns columns into the content of a file, by the ending of its name; without one, it is CSV.

    Raises:
        ChainruleError: for another ending.

    >>> writer("answers.jsonl")({"kind": ["rose", None], "size": [0.5, 2]}).decode()
    '{"kind": "rose", "size": 0.5}\\n{"kind": null, "size": 2}\\n'
    """
    ending = Path(path).suffix.lower()
    if ending not in FORMATS:
        known = ", ".join(filter(None, FORMATS))
        raise ChainruleError(f"{path}: can't write files of this kind. Let the name end in one of {known}.")
    return FORMATS[ending]


def typed(texts: Sequence[str | None]) -> Sequence[Cell]:
    """A column of texts as numbers, if all of them are written as Python writes these: nothing is lost.

    >>> typed(["1", "20"]), typed(["1", "020"])
    ([1, 20], ['1', '020'])
    """
    for number in (int, float):
        try:
            numbers = [None if text is None else number(text) for text in texts]
        except ValueError:
            continue
        if all(text is None or str(each) == text for text, each in zip(texts, numbers, strict=True)):
            return numbers
    return texts


def computed(columns: Columns) -> list[str]:
    """The texts, names of columns included, that a spreadsheet would compute rather than show.

    >>> computed({"kind": ["=1+1", "1+1", None], "-a": [-1, "@x", "-2.5"]})
    ['=1+1', '-a', '@x']
    """
    return [cell for name, cells in columns.items() for cell in (name, *cells) if _is_computed(cell)]


def for_spreadsheets(columns: Columns) -> Columns:
    """The same columns with an apostrophe before such texts, so that a spreadsheet shows them.

    >>> for_spreadsheets({"kind": ["=1+1", "rose"], "size": [-1, None]})
    {'kind': ["'=1+1", 'rose'], 'size': [-1, None]}
    """

    def shown(cell):
        return f"'{cell}" if _is_computed(cell) else cell

    return {shown(name): list(map(shown, cells)) for name, cells in columns.items()}


def _is_computed(cell: Cell) -> TypeGuard[str]:
    return isinstance(cell, str) and cell.startswith(COMPUTED) and as_number(cell) is None


def _delimited(delimiter: str, columns: Columns) -> bytes:
    text = io.StringIO()
    rows = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    rows.writerow(columns)
    rows.writerows(zip(*columns.values(), strict=True))
    return as_bytes(text.getvalue())


def _json_lines(columns: Columns) -> bytes:
    rows = (dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True))
    lines = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    return lines.encode(errors="backslashreplace")  # bytes of a name that are no UTF-8 become escapes of JSON


def _parquet(columns: Columns) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    file = io.BytesIO()
    parquet.write_table(pa.table({_utf_8(name): list(map(_utf_8, cells)) for name, cells in columns.items()}), file)
    return file.getvalue()


def _utf_8(cell: Any) -> Any:
    """A cell whose text UTF-8 can hold: bytes of a name that are none become escapes."""
    return cell.encode(errors="backslashreplace").decode() if isinstance(cell, str) else cell


FORMATS: dict[str, Callable[[Columns], bytes]] = {
    **{ending: partial(_delimited, delimiter) for ending, delimiter in DELIMITED.items()},
    ".parquet": _parquet,
    ".jsonl": _json_lines,
}
