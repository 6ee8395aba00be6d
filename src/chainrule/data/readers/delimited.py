"""CSV and TSV files as tables, by Arrow."""

import contextlib
import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data.readers.arrow import columns, is_date
from chainrule.data.readers.text import check_utf8
from chainrule.errors import ChainruleError
from chainrule.table import EXACT, Table, check_distinct, is_rounded


def read_csv(path: Path, text: Iterable[str] = (), delimiter: str = ",") -> Table:
    """A CSV file in UTF-8 with a header; `text` names the columns not to be read as numbers.

    Raises:
        ChainruleError: for a file that is empty or broken, with the line.
    """
    data = path.read_bytes()
    check_utf8(data, path.name, "Give a header with the columns' names, and rows below it.")
    try:
        arrow = _parse(data, delimiter, dict.fromkeys(text, "string"))
        dates = [field.name for field in arrow.schema if is_date(field.type)]
        long = [name for name, column in zip(arrow.column_names, arrow.columns, strict=True) if _is_long(column)]
        if dates or long:
            spelled = _parse(data, delimiter, dict.fromkeys((*text, *dates, *long), "string"))
            names = [
                *dates,
                *(name for name in long if any(map(is_rounded, spelled.column(name).unique().to_pylist()))),
            ]
            arrow = _parse(data, delimiter, dict.fromkeys((*text, *names), "string"))
    except ValueError as error:
        raise _broken_csv(data, delimiter, path.name, error) from None
    _check_header(arrow.column_names, path.name)
    if not arrow.num_rows:
        raise ChainruleError(f"{path.name}: has a header but no rows. Put rows of data below it.")
    return Table(columns(arrow, path.name), path.name, _lines(data, delimiter, arrow.num_rows), "line")


def _is_long(column: Any) -> bool:
    """Whether numbers of a column are so large that float64 may have rounded them."""
    from pyarrow import types

    return types.is_float64(column.type) and bool((np.abs(column.to_numpy()) >= EXACT).any())


def _parse(data: bytes, delimiter: str, kinds: dict[str, str]) -> Any:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    return arrow_csv.read_csv(
        pa.BufferReader(data),
        parse_options=arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(strings_can_be_null=True, column_types=kinds),
    )


def _records(data: bytes, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line on which it begins; for words about places only."""
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline=""), delimiter=delimiter)
    line = 1
    with contextlib.suppress(csv.Error):  # a cell beyond its limit: places after it are not known
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1


def _lines(data: bytes, delimiter: str, rows: int) -> np.ndarray:
    """The line on which each row begins."""
    if data.rstrip(b"\r\n").count(b"\n") == rows:
        return np.arange(2, rows + 2)
    lines = np.array([line for line, _ in _records(data, delimiter)][1:])
    return lines if len(lines) == rows else np.arange(2, rows + 2)


def _check_header(names: Sequence[str], source: str) -> None:
    check_distinct([name for name in names if name], source)
    if "" in names:
        raise ChainruleError(f"{source}: column {names.index('') + 1} has no name. Name it in the first line.")


def _broken_csv(data: bytes, delimiter: str, name: str, error: Exception) -> ChainruleError:
    columns = 0
    for line, cells in _records(data, delimiter):
        columns = columns or len(cells)
        if len(cells) != columns:
            return ChainruleError(f"{name}, line {line}: expected {columns} cells, got {len(cells)}. Mend the line.")
    return ChainruleError(f"{name}: is no whole CSV file: {str(error).splitlines()[0]}.")
