"""Columns as files: CSV and TSV, Parquet, and lines of JSON, by the ending of the file's name."""

import csv
import io
import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeGuard

from chainrule.data.columns import as_number
from chainrule.data.files import as_bytes
from chainrule.errors import ChainruleError

DELIMITED = {"": ",", ".csv": ",", ".tsv": "\t"}
"""What stands between the cells of a file that spreadsheets open, by its ending."""

LARGEST = 2**63  # beyond which a file of types holds no whole number
COMPUTED = tuple("=+-@\t\r")
"""What a text begins with that a spreadsheet computes; a number is none."""

Cell = str | float | int | None
Kind = type[str] | type[float] | type[int]
Columns = Mapping[str, Sequence[Cell]]
Writer = Callable[[Mapping[str, Kind], Iterable[Columns]], Iterator[bytes]]
"""It makes the content of a file of the columns' kinds and of the rows, block after block."""


def writer(path: str | os.PathLike[str]) -> Writer:
    """What turns rows into the content of a file, by the ending of its name; without one, it is CSV.

    Raises:
        ChainruleError: for another ending.

    >>> write = writer("answers.jsonl")
    >>> [*write({"kind": str, "size": float}, [{"kind": ["rose", None], "size": [0.5, 2]}])]
    [b'{"kind": "rose", "size": 0.5}\\n{"kind": null, "size": 2}\\n']
    """
    ending = Path(path).suffix.lower()
    if ending not in FORMATS:
        known = ", ".join(filter(None, FORMATS))
        raise ChainruleError(f"{path}: can't write files of this kind. Let the name end in one of {known}.")
    return FORMATS[ending]


def kind_of(texts: Collection[str | None]) -> Kind:
    """What a column of texts can be read as without losing anything: numbers, if all are as Python writes these.

    >>> kind_of(["1", "20"]), kind_of(["1.5", None]), kind_of(["1", "020"]), kind_of([str(2**63)])
    (<class 'int'>, <class 'float'>, <class 'str'>, <class 'str'>)
    """
    for kind in (int, float):
        with suppress(ValueError):
            if all(text is None or _is_written(text, kind) for text in texts):
                return kind
    return str


def _is_written(text: str, kind: type[int] | type[float]) -> bool:
    number = kind(text)
    return str(number) == text and (kind is float or -LARGEST <= number < LARGEST)


def computed(cells: Iterable[Cell]) -> Iterator[str]:
    """The texts that a spreadsheet would compute rather than show.

    >>> [*computed(["=1+1", "1+1", None, -1, "@x", "-2.5"])]
    ['=1+1', '@x']
    """
    return filter(_is_computed, cells)  # type: ignore[arg-type]


def shown(cell: Any) -> Any:
    """A cell with an apostrophe before such a text, so that a spreadsheet shows it.

    >>> shown("=1+1"), shown("rose"), shown(-1)
    ("'=1+1", 'rose', -1)
    """
    return f"'{cell}" if _is_computed(cell) else cell


def _is_computed(cell: Cell) -> TypeGuard[str]:
    return isinstance(cell, str) and cell.startswith(COMPUTED) and as_number(cell) is None


def _delimited(delimiter: str, kinds: Mapping[str, Kind], blocks: Iterable[Columns]) -> Iterator[bytes]:
    def lines(rows: Iterable[Iterable[Cell]]) -> bytes:
        text = io.StringIO()
        csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
        return as_bytes(text.getvalue())

    yield lines([kinds])
    for columns in blocks:
        yield lines(_rows(kinds, columns))


def _json_lines(kinds: Mapping[str, Kind], blocks: Iterable[Columns]) -> Iterator[bytes]:
    for columns in blocks:
        rows = (dict(zip(kinds, cells, strict=True)) for cells in _rows(kinds, columns))
        lines = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
        yield lines.encode(errors="backslashreplace")  # bytes of a name that are no UTF-8 become escapes of JSON


def _parquet(kinds: Mapping[str, Kind], blocks: Iterable[Columns]) -> Iterator[bytes]:
    import pyarrow as pa
    from pyarrow import parquet

    arrow = {int: pa.int64(), float: pa.float64(), str: pa.string()}
    schema = pa.schema([(_utf_8(name), arrow[kind]) for name, kind in kinds.items()])
    sink = _Sink()
    with parquet.ParquetWriter(sink, schema) as file:
        for columns in blocks:
            file.write_table(pa.table([list(map(_utf_8, columns[name])) for name in kinds], schema))
            yield sink.taken()
    yield sink.taken()


def _rows(kinds: Mapping[str, Kind], columns: Columns) -> Iterator[tuple[Cell, ...]]:
    return zip(*(columns[name] for name in kinds), strict=True)


class _Sink(io.RawIOBase):
    """A file of which what was written is taken away; it knows how much that was."""

    def __init__(self) -> None:
        self.size, self.written = 0, bytearray()

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.size

    def write(self, data: Any) -> int:
        self.written += data
        self.size += len(data)
        return len(data)

    def taken(self) -> bytes:
        """What was written since it was last taken."""
        taken, self.written = bytes(self.written), bytearray()
        return taken


def _utf_8(cell: Any) -> Any:
    """A cell whose text UTF-8 can hold: bytes of a name that are none become escapes."""
    return cell.encode(errors="backslashreplace").decode() if isinstance(cell, str) else cell


FORMATS: dict[str, Writer] = {
    **{ending: partial(_delimited, delimiter) for ending, delimiter in DELIMITED.items()},
    ".parquet": _parquet,
    ".jsonl": _json_lines,
}
