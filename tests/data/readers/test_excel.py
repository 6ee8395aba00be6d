import datetime
import sys

import numpy as np
import openpyxl
import pytest

from chainrule.data import read
from chainrule.errors import ChainruleError


def save(folder, **sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    path = folder / "a.xlsx"
    book.save(path)
    return path


def refusal(source) -> str:
    with pytest.raises(ChainruleError) as caught:
        read(source)
    return str(caught.value)


ROWS = [
    ["width", " share", "good", "day", "kind", None],
    [1.5, "57%", True, datetime.datetime(2024, 1, 2), "a", None],
    [],
    [2, "5%", False, datetime.datetime(2024, 1, 2, 3, 4), "NA", None],
    ["NA", "6%", None, None, 7, None],
]


def test_a_sheet(tmp_path):
    table = read(save(tmp_path, data=ROWS))
    np.testing.assert_array_equal(table["width"], [1.5, 2, np.nan])
    assert {name: table[name].tolist() for name in ("share", "good", "day", "kind")} == {
        "share": [0.57, 0.05, 0.06],
        "good": ["true", "false", None],
        "day": ["2024-01-02", "2024-01-02T03:04:00", None],
        "kind": ["a", "NA", "7"],
    }
    assert [table.place(row, "width") for row in (0, 1)] == [
        "a.xlsx, row 2, column 'width'",
        "a.xlsx, row 4, column 'width'",
    ]
    assert table.found.blank == {"width": {"NA": 1}}


def test_the_first_sheet_that_has_cells(tmp_path):
    path = save(tmp_path, empty=[], data=[["a"], [1]], more=[["b"], [2]])
    assert (list(read(path)), read(path).found.notes) == (
        ["a"],
        {"sheet": "a.xlsx: the sheet 'data' is read, not 'more'."},
    )
    assert refusal(save(tmp_path, empty=[])) == (
        "a.xlsx: no sheet has cells. Give a header with the columns' names, and rows below it."
    )


def test_no_header(tmp_path):
    path = save(tmp_path, data=[[5.1, "x"], [4.9, "y"]])
    assert read(path).found.notes["header"] == (
        "a.xlsx: the first line is taken for the columns' names, among them 5.1."
    )
    assert read(path, header=False)["1"].tolist() == [5.1, 4.9]


def test_broken_files(tmp_path):
    whole = save(tmp_path, data=ROWS).read_bytes()
    for content in (b"junk", whole[:-30], whole[:200]):
        (tmp_path / "a.xlsx").write_bytes(content)
        assert refusal(tmp_path / "a.xlsx") == "a.xlsx: is no whole Excel file (.xlsx). Save it again, or as CSV."


def test_without_openpyxl(tmp_path, monkeypatch):
    path = save(tmp_path, data=ROWS)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    assert refusal(path) == "a.xlsx: Excel files need openpyxl. Install it: pip install 'chainrule[xlsx]'"
