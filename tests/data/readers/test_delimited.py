from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainrule.data import read
from chainrule.errors import ChainruleError


def write(folder: Path, content: str | bytes, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(source, **options) -> str:
    with pytest.raises(ChainruleError) as caught:
        read(source, **options)
    return str(caught.value)


def test_csv_keeps_numbers_text_and_blanks(tmp_path):
    table = read(write(tmp_path, "n,t,ok,day,none\n1,x,True,2020-01-01,\n,,FALSE,2021-01-01,\n2.5,NA,,2021-01-01,\n"))
    np.testing.assert_array_equal(table["n"], [1, np.nan, 2.5])
    assert list(table["t"]) == ["x", None, "NA"]
    assert list(table["ok"]) == ["true", "false", None]
    assert list(table["day"]) == ["2020-01-01", "2021-01-01", "2021-01-01"]
    assert np.isnan(table["none"]).all()
    assert (table.name, table.rows, list(table)) == ("a.csv", 3, ["n", "t", "ok", "day", "none"])


def test_text_columns_keep_their_zeros(tmp_path):
    assert list(read(write(tmp_path, "zip,a\n01234,1\n"), text="zip")["zip"]) == ["01234"]


@pytest.mark.parametrize(
    ("cells", "read_as"),
    [
        (["9007199254740993", "5"], [9007199254740993, 5]),
        (["9007199254740993", "", "5"], ["9007199254740993", None, "5"]),
        (["18446744073709551617", "-1"], ["18446744073709551617", "-1"]),
        (["9007199254740993", "0.5"], ["9007199254740993", "0.5"]),
        (["9007199254740992", "0.5"], [9007199254740992.0, 0.5]),
        (["1e300", "0.5"], [1e300, 0.5]),
    ],
)
def test_no_whole_number_is_rounded(tmp_path, cells, read_as):
    assert read(write(tmp_path, "a,b\n" + "".join(f"{cell},1\n" for cell in cells)))["a"].tolist() == read_as


def test_tsv_and_byte_order_mark(tmp_path):
    assert list(read(write(tmp_path, "\ufeffa\tb\n1\t2\n", "a.tsv"))) == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        ("a,b\n1,2\n3,4\n", [2, 3]),
        ("a,b\r\n1,2\r\n3,4", [2, 3]),
        ("a,b\n\n1,2\n\n3,4\n\n", [3, 5]),
        ('a,b\n"x\ny",2\n"z",4\n', [2, 4]),
    ],
)
def test_places_are_lines_of_the_file(tmp_path, content, lines):
    table = read(write(tmp_path, content))
    assert [table.place(row, "b") for row in range(2)] == [f"a.csv, line {line}, column 'b'" for line in lines]


def test_parts_keep_their_places(tmp_path):
    table = read(write(tmp_path, "a,b\n1,2\n3,4\n5,6\n")).take(np.array([2]))
    assert table.place(0, "a") == "a.csv, line 4, column 'a'"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "a.csv: the file is empty. Give a header with the columns' names, and rows below it."),
        ("a,b\n1,2\n3\n", "a.csv, line 3: expected 2 cells, got 1. Mend the line."),
        ('a,b\n"x\ny",2\n\n3,4,5\n', "a.csv, line 5: expected 2 cells, got 3. Mend the line."),
        ("a,b,a\n1,2,3\n", "a.csv: more than one column is called 'a'. Give every column its own name."),
        (",\n0,1\n", "a.csv: no column has a name. Name them in the first line, or choose header=False."),
        ("a,b\n1,caf\xe9\n".encode("latin-1"), "a.csv, line 2: is not UTF-8 text. Save the file as UTF-8."),
    ],
)
def test_bad_csv(tmp_path, content, message):
    assert refusal(write(tmp_path, content)) == message


cells = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Z")), max_size=5)


def test_a_header_alone_is_a_table_without_rows(tmp_path):
    table = read(write(tmp_path, "a,b\n"))
    assert ([*table], table.rows) == (["a", "b"], 0)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=60) | st.lists(st.lists(cells), max_size=5).map(str) | st.text('ab1,\n"\r.', max_size=40)
)
def test_any_file_is_read_or_refused_in_one_line(tmp_path, content):
    path = write(tmp_path, content)
    try:
        table = read(path)
    except ChainruleError as error:
        message = str(error)
    else:
        message = table.name
    assert "a.csv" in message
    assert "\n" not in message


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_numbers_survive_a_csv(tmp_path, numbers):
    table = read(write(tmp_path, "x\n" + "\n".join(map(repr, numbers)) + "\n"))
    np.testing.assert_array_equal(table["x"], numbers)
