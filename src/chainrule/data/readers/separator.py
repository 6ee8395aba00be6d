"""Which mark separates the cells of a text file, told from its first lines."""

import csv
import io
import re

from chainrule.data.reading import SEPARATORS

SAMPLE, RECORDS = 2**16, 100  # bytes and records that are looked at
NUMBER = re.compile(r"[^\w\s]?[+-]?[\d.,' ]*\d(e[+-]?\d+)?[^\w\s]?", re.ASCII | re.IGNORECASE)


def find_separator(data: bytes, likely: str) -> str:
    r"""The mark that divides every line into as many cells; of several the one whose cells hold fewest of the others.

    A mark inside a number, as a decimal comma, speaks for no other. Where none divides the lines, it is the likely one.

    >>> find_separator(b"width;price\n1,5;2\n", ","), find_separator(b"a\n1\n", ",")
    (';', ',')
    """
    text = _sample(data)
    marks = list(dict.fromkeys([likely, *SEPARATORS]))
    found = {mark: records for mark in marks if len((records := _records(text, mark))[0]) > 1}
    even = {mark: records for mark, records in found.items() if len({len(record) for record in records}) == 1}
    even = {mark: records for mark, records in even.items() if mark != " " or _mostly_numbers(records[1:])}
    if even:
        return min(even, key=lambda mark: _strays(even[mark], mark))
    return next((mark for mark in found if mark != " "), likely)


def _sample(data: bytes) -> str:
    """The first lines, whole; two at least."""
    end = data.rfind(b"\n", 0, SAMPLE) if len(data) > SAMPLE else len(data)
    if end < 0 or b"\n" not in data[:end]:
        first = data.find(b"\n")
        second = data.find(b"\n", first + 1) if first >= 0 else -1
        end = second if second >= 0 else len(data)
    return data[:end].decode("utf-8", "replace")


def _records(text: str, mark: str) -> list[list[str]]:
    """The first records as lists of cells."""
    if mark == " ":
        text = "\n".join(" ".join(line.split()) for line in text.splitlines())
    records = []
    try:
        for record in csv.reader(io.StringIO(text, newline=""), delimiter=mark):
            if record:
                records.append(record)
            if len(records) == RECORDS:
                break
    except csv.Error:  # a cell too long for it
        pass
    if len(records) > 2 and len(records) < RECORDS and text.count('"') % 2:
        records.pop()  # it may go on behind the sample
    return records or [[]]


def _mostly_numbers(records: list[list[str]]) -> bool:
    cells = [cell for record in records for cell in record]
    return 2 * sum(NUMBER.fullmatch(cell.strip()) is not None for cell in cells) > len(cells)


def _strays(records: list[list[str]], mark: str) -> float:
    """The share of cells that hold another mark but are no numbers, or several blanks."""
    others = [other for other in SEPARATORS if other not in (mark, " ")]
    cells = [cell.strip() for record in records for cell in record]
    stray = [cell for cell in cells if "  " in cell or (any(map(cell.count, others)) and not NUMBER.fullmatch(cell))]
    return len(stray) / len(cells)
