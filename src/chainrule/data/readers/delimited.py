"""Text files of cells in lines as tables: CSV, TSV, and those that are separated by something else."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np

from chainrule.arrays.memory import CELL, check_memory
from chainrule.data.cells import columns
from chainrule.data.readers.separator import find_separator
from chainrule.data.readers.spelling import told
from chainrule.data.readers.text import check_utf8
from chainrule.data.reading import Reading, separated_by
from chainrule.data.table import Table, check_distinct, shortened
from chainrule.errors import ChainruleError

CONTENT = "Give a header with the columns' names, and rows below it."
LARGEST = 2**31 - 1  # bytes that Arrow reads at once
BLOCK = 1 << 24  # bytes of a block
BLANKS = re.compile(rb"[ \t]+")
EDGES = re.compile(rb"(?m)^[ \t]+|[ \t]+(?=\r?$)")
TABS = re.compile(r"\.(tsv|tab)(\.gz)?$", re.IGNORECASE)
NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?", re.ASCII)


def read_delimited(file: BinaryIO, name: str, reading: Reading, text: Iterable[str] = ()) -> Table:
    """A text file in UTF-8, a row a line; `text` names the columns not to be read as numbers.

    Blanks around cells and names are left out, and so is a column without a name.

    Raises:
        ChainruleError: for a file that is empty or broken, with the line.
    """
    data = check_utf8(file.read(), name, CONTENT)
    separator = _separator(data, name, reading)
    check_memory(CELL * (data.count(separator.encode()) + data.count(b"\n")), name, "Give fewer rows or columns.")
    return _table(data, _records(data)[1], name, separator, reading, text)


def delimited_blocks(
    file: BinaryIO, name: str, reading: Reading, text: Collection[str], only: Collection[str] | None = None
) -> Iterator[Table]:
    """The same as tables one after another, each of so many whole lines; what is found in the first holds for all.

    Args:
        file: it may be longer than memory.
        name, reading: as above.
        text: also the columns that are found to be text in one of the tables, as whoever asks for the next one knows.
        only: the columns that are wanted.
    """
    header, separator, before, first = b"", reading.separator or "", 0, 1
    for block, data in enumerate(_whole_lines(file)):
        after = before + data.count(b"\n")
        data = check_utf8(data, name, CONTENT, before) if data.strip() or not block else b""
        separator = separator or _separator(data, name, reading)
        begins, numbers = _records(data)
        numbers += before
        if header:  # each block begins with the file's first line
            data, numbers = header + data, np.concatenate([[first], numbers])
        table = _table(data, numbers, name, separator, reading, text, only)
        decimal, mixed = table.found.reading["decimal"], table.found.notes.get("mixed")
        if isinstance(mixed, ChainruleError):  # in one table such a column has a say in the decimal mark
            raise mixed
        if not block and reading.header is not False:
            header, first = data[: begins[1]] if len(begins) > 1 else data.rstrip() + b"\n", numbers[0]
        if block and reading.decimal is None and decimal == ",":
            problem = f"{name}: numbers with the decimal mark ',' begin behind line {before:,}. Say the mark"
            raise ChainruleError(problem, decimal=",")
        if decimal == "," or "decimal" in table.found.notes:
            reading = replace(reading, decimal=decimal)
        before = after
        yield table


def _separator(data: bytes, name: str, reading: Reading) -> str:
    """What separates the cells of a text file."""
    return reading.separator or find_separator(data, reading.likely or _usual(name))


def _usual(name: str) -> str:
    return "\t" if TABS.search(name) else ","


def _table(
    data: bytes,
    lines: np.ndarray,
    name: str,
    separator: str,
    reading: Reading,
    text: Iterable[str],
    only: Collection[str] | None = None,
) -> Table:
    """A table of text, whose records begin on these lines."""
    if separator == " ":
        data = BLANKS.sub(b" ", EDGES.sub(b"", data))
    cells = _parsed(data, separator, lines, name)
    expected = separator in (_usual(name), reading.separator, reading.likely)
    notes = {} if expected else {"separator": f"{name}: cells are separated by {separated_by(separator)}."}
    lines = lines if len(lines) == len(cells[0]) else np.arange(1, len(cells[0]) + 1)
    found = {"comma": separator == ";", "separator": separator}
    return table_of_cells(cells, lines, name, "line", reading, text, notes, only, **found)


def _whole_lines(file: BinaryIO) -> Iterator[bytes]:
    """A file's content in blocks that end where a record does."""
    rest, empty = b"", True
    while piece := file.read(BLOCK):
        data = rest + piece
        check_memory(len(data), "A line", "A quote may be open: mend it.")
        ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n")) + 1
        if b'"' in data:
            quotes = np.flatnonzero(np.frombuffer(data, np.uint8) == ord('"'))
            ends = ends[np.searchsorted(quotes, ends) % 2 == 0]
        end = int(ends[-1]) if len(ends) else 0
        rest = data[end:]
        if end:
            empty = False
            yield data[:end]
    if rest or empty:
        yield rest


def table_of_cells(
    cells: Sequence[Any],
    numbers: np.ndarray,
    name: str,
    word: str,
    reading: Reading,
    text: Iterable[str],
    notes: dict[str, str],
    only: Collection[str] | None = None,
    comma: bool = False,
    **found: Any,
) -> Table:
    """A table of columns of cells, as Arrow's text; the first of each is the column's name where there is a header.

    Args:
        cells: the columns.
        numbers: each row's number, that of the header too, as people see it.
        name, word: what people call the data, and a row.
        reading: how the cells are read.
        text: the columns that are not numbers.
        notes: what is said already.
        only: the columns that are wanted, if not all.
        comma: whether a comma is likely before a number's fraction.
        **found: what else was found about the file.
    """
    header = reading.header is not False
    names = [column[0].as_py().strip() if header else str(number) for number, column in enumerate(cells, 1)]
    cells = [column[1:] for column in cells] if header else cells
    digits = [each for each in names if NUMBER.fullmatch(each)] if reading.header is None else []
    if digits:
        notes["header"] = f"{name}: the first line is taken for the columns' names, among them {shortened(digits, 3)}."
    check_distinct([each for each in names if each], name, **({"header": False} if digits else {}))
    unnamed = [str(number) for number, each in enumerate(names, 1) if not each]
    if len(unnamed) == len(names):
        raise ChainruleError(f"{name}: no column has a name. Name them in the first line", header=False)
    if unnamed:  # as the numbers of rows that programs put first
        notes["unnamed"] = f"{name}: what has no name in the first line is left out: column {shortened(unnamed)}."
    named = {each: column for each, column in zip(names, cells, strict=True) if each}
    named = named if only is None else {each: column for each, column in named.items() if each in only}
    read, decimal = columns(named, reading, text, comma)
    how = told(name, read, decimal, reading, notes, header=header, **found)
    return Table({each: column.values for each, column in read.items()}, name, numbers[header:], word, found=how)


def _parsed(data: bytes, separator: str, lines: np.ndarray, name: str) -> list[Any]:
    """The columns' cells, as Arrow's text."""
    import pyarrow as pa
    from pyarrow import csv

    broken: list[Any] = []

    def refuse(row: Any) -> str:
        broken.append(row)
        return "error"

    def parsed(width: int) -> Any:
        # Without threads, which outlive a refusal; and in one block, since no row may be longer than one.
        size = min(max(len(data), 1), LARGEST)
        kinds = {f"f{number}": pa.string() for number in range(width)}
        return csv.read_csv(
            pa.BufferReader(data),
            csv.ReadOptions(use_threads=False, block_size=size, autogenerate_column_names=True),
            csv.ParseOptions(delimiter=separator, newlines_in_values=True, invalid_row_handler=refuse),
            csv.ConvertOptions(check_utf8=False, column_types=kinds),
        )

    try:
        width = data.split(b"\n", 1)[0].count(separator.encode()) + 1
        cells = apart(parsed, width)
        return (cells if cells.num_columns <= width else apart(parsed, cells.num_columns)).columns
    except (pa.ArrowException, ValueError):
        raise _broken(broken, lines, name) from None


def apart(read: Callable[..., Any], *arguments: Any) -> Any:
    """What Arrow reads in a thread that ends with it; in the main one it takes Ctrl-C over, by a thread that stays."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(read, *arguments).result()


def _records(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Where each record begins, and on which line: what is in quotes may hold more lines, and empty ones are none."""
    content = np.frombuffer(data.rstrip(b"\r\n") + b"\n", np.uint8)
    ends = np.flatnonzero(content == ord("\n"))
    begins = np.concatenate([[0], ends[:-1] + 1])
    empty = (ends - begins == 0) | ((ends - begins == 1) & (content[begins] == ord("\r")))
    if b'"' in data:
        open_quotes = np.searchsorted(np.flatnonzero(content == ord('"')), begins) % 2
        empty |= open_quotes == 1
    return begins[~empty], np.flatnonzero(~empty) + 1


def _broken(rows: list[Any], lines: np.ndarray, name: str) -> ChainruleError:
    if not rows:
        return ChainruleError(f"{name}: is no whole text file of cells. {CONTENT}")
    row = rows[0]
    place = f", line {lines[row.number - 1]}" if row.number and row.number <= len(lines) else ""
    return ChainruleError(
        f"{name}{place}: expected {row.expected_columns} cells, got {row.actual_columns}. Mend the line."
    )
