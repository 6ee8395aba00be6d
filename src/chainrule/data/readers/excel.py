"""Sheets of Excel as tables, by openpyxl: `pip install 'chainrule[xlsx]'`."""

import datetime
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np

from chainrule.arrays.memory import check_memory
from chainrule.data.readers.delimited import table_of_cells
from chainrule.data.reading import Reading
from chainrule.data.table import Table, shortened
from chainrule.errors import ChainruleError

ROWS, COLUMNS = 2**20, 2**14  # that a sheet may have
CELL = 64  # bytes that a cell takes on its way
MARKUP = 20  # times: what a sheet's text takes once it is objects


def read_xlsx(file: BinaryIO, name: str, reading: Reading, text: Iterable[str] = ()) -> Table:
    """The first sheet of an Excel file that has cells; formulas by the values that were saved with them.

    Its cells are read as those of a text file, so that numbers which are kept as text are numbers.

    Raises:
        ChainruleError: for a file that is broken or has no cells, and where openpyxl is not installed.
    """
    import pyarrow as pa

    try:
        import openpyxl
    except ImportError:
        raise ChainruleError(f"{name}: Excel files need openpyxl. Install it: pip install 'chainrule[xlsx]'") from None
    try:
        with zipfile.ZipFile(file) as archive:
            size = sum(member.file_size for member in archive.infolist())
        check_memory(MARKUP * size, name, "Save the sheet as CSV.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of charts and styles that are left out
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
            sheets = {sheet.title: rows for sheet in book.worksheets if (rows := _rows(sheet, name))}
            book.close()
    except ChainruleError:
        raise
    except Exception:  # openpyxl raises errors of many kinds on damaged files
        raise ChainruleError(f"{name}: is no whole Excel file (.xlsx). Save it again, or as CSV.") from None
    if not sheets:
        raise ChainruleError(f"{name}: no sheet has cells. Give a header with the columns' names, and rows below it.")
    title, rows = next(iter(sheets.items()))
    others = [other for other in sheets if other != title]
    notes = {"sheet": f"{name}: the sheet {title!r} is read, not {shortened(map(repr, others))}."} if others else {}
    width = max(len(cells) for _, cells in rows)
    check_memory(CELL * len(rows) * width, name, "Give fewer rows or columns.")
    columns = [[cells[index] if index < len(cells) else "" for _, cells in rows] for index in range(width)]
    arrow = [pa.chunked_array([column], pa.string()) for column in columns]
    return table_of_cells(arrow, np.array([number for number, _ in rows]), name, "row", reading, text, notes)


def _rows(sheet: Any, name: str) -> list[tuple[int, list[str]]]:
    """The rows that have cells, as texts, each with its number."""
    sheet.reset_dimensions()  # what a file declares need not be so
    rows = []
    for number, cells in enumerate(_bounded(sheet.iter_rows(values_only=True), name), 1):
        texts = [_text(cell) for cell in cells]
        while texts and not texts[-1]:
            texts.pop()
        if texts:
            rows.append((number, texts))
    return rows


def _bounded(rows: Iterable[Any], name: str) -> Iterator[Any]:
    for number, cells in enumerate(rows, 1):
        if number > ROWS or len(cells) > COLUMNS:
            raise ChainruleError(f"{name}: has more than {ROWS:,} rows or {COLUMNS:,} columns. Save it as CSV.")
        yield cells


def _text(cell: Any) -> str:
    """A cell as a text file would have it."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, int | float):
        return str(int(cell)) if cell == cell // 1 else repr(cell)
    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time():
        return cell.date().isoformat()
    return cell.isoformat() if isinstance(cell, datetime.date | datetime.time) else str(cell).strip()
