from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainrule.data import read
from chainrule.errors import ChainruleError
from chainrule.preparation import Preparation


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
    assert list(table["t"]) == ["x", None, None]
    assert list(table["ok"]) == ["true", "false", None]
    assert list(table["day"]) == ["2020-01-01", "2021-01-01", "2021-01-01"]
    assert np.isnan(table["none"]).all()
    assert (table.name, table.rows, list(table)) == ("a.csv", 3, ["n", "t", "ok", "day", "none"])


def test_text_columns_keep_their_zeros(tmp_path):
    assert list(read(write(tmp_path, "zip,a\n01234,1\n"), text="zip")["zip"]) == ["01234"]


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
        ("a,b\n", "a.csv: has a header but no rows. Put rows of data below it."),
        ("a,b\n1,2\n3\n", "a.csv, line 3: expected 2 cells, got 1. Mend the line."),
        ('a,b\n"x\ny",2\n\n3,4,5\n', "a.csv, line 5: expected 2 cells, got 3. Mend the line."),
        ("a,b,a\n1,2,3\n", "a.csv: more than one column is called 'a'. Give every column its own name."),
        (",a\n0,1\n", "a.csv: column 1 has no name. Name it in the first line."),
        ("a,b\n1,caf\xe9\n".encode("latin-1"), "a.csv, line 2: is not UTF-8 text. Save the file as UTF-8."),
    ],
)
def test_bad_csv(tmp_path, content, message):
    assert refusal(write(tmp_path, content)) == message


cells = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Z")), max_size=5)


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
        message = "a.csv" if table.rows else ""
    assert "a.csv" in message
    assert "\n" not in message


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_numbers_survive_a_csv(tmp_path, numbers):
    table = read(write(tmp_path, "x\n" + "\n".join(map(repr, numbers)) + "\n"))
    np.testing.assert_array_equal(table["x"], numbers)


def test_parquet(tmp_path):
    columns = {
        "whole": pa.array([1, None]),
        "kind": pa.array(["a", None]).dictionary_encode(),
        "ok": pa.array([True, False]),
        "zip": pa.array([12, 34]),
        "__index_level_0__": pa.array([0, 1]),
    }
    parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    table = read(tmp_path / "a.parquet", text=("zip",))
    np.testing.assert_array_equal(table["whole"], [1, np.nan])
    assert [list(table[name]) for name in ("kind", "ok", "zip")] == [["a", None], ["true", "false"], ["12", "34"]]
    assert list(table) == ["whole", "kind", "ok", "zip"]
    assert table.place(1, "ok") == "a.parquet, row 2, column 'ok'"


def test_bad_parquet(tmp_path):
    path = write(tmp_path, "junk", "a.parquet")
    assert refusal(path) == "a.parquet: is no whole Parquet file. Write it again, or give a CSV file."
    parquet.write_table(pa.table({"a": pa.array([[1], [2]])}), path)
    assert refusal(path) == (
        "a.parquet, column 'a': expected numbers or text, got list<element: int64>. Leave the column out of the file."
    )
    parquet.write_table(pa.table({"a": pa.array([], pa.int64())}), path)
    assert refusal(path) == "a.parquet: has no rows. Give rows of data."
    parquet.write_table(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), path)
    assert refusal(path) == "a.parquet: more than one column is called 'a'. Give every column its own name."


def test_npz(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.ones((3, 4, 4), np.uint8), y=[[0], [1], [2]], x_test=np.ones((1, 4, 4)), y_test=[1])
    table = read(path)
    assert table["x"].shape == (3, 4, 4, 1)
    assert list(table["y"]) == [0, 1, 2]
    assert table.test is not None
    assert (table.test.rows, table.test.place(0, "y")) == (1, "a.npz (test), row 1, column 'y'")


def test_npz_of_each_kind(tmp_path):
    arrays = {
        "table": np.ones((4, 6)),
        "series": np.ones((4, 6, 5), np.int16),
        "images": np.ones((4, 6, 5), np.uint8),
        "arrays": np.ones((4, 2, 6, 5, 3)),
    }
    for kind, x in arrays.items():
        np.savez(tmp_path / "a.npz", x=x, y=list("abab"))
        preparation = Preparation.fit(read(tmp_path / "a.npz"))
        assert preparation.kind == kind
        assert preparation.inputs(x).shape == (4, *preparation.input_shape)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"X": [1], "y": [1]},
            "a.npz: there is no array 'x'. Did you mean X? The arrays are X, y. "
            "Save it by numpy.savez(file, x=…, y=…).",
        ),
        ({"x": [1]}, "a.npz: there is no array 'y'. The arrays are x. Save it by numpy.savez(file, x=…, y=…)."),
        (
            {"x": [1], "y": [1], "x_test": [1]},
            "a.npz: there is no array 'y_test'. Did you mean x_test? The arrays are x, y, x_test. "
            "Save it by numpy.savez(file, x=…, y=…).",
        ),
        (
            {"x": np.ones((3, 2)), "y": [1, 2]},
            "a.npz: x and y must have one row for each example, got shapes (3, 2) and (2,).",
        ),
        ({"x": np.ones((0, 2)), "y": []}, "a.npz: x is empty, of shape (0, 2). Save one row for each example."),
        (
            {"x": np.array([None]), "y": [1]},
            "a.npz: holds arrays of Python objects, which are never read. Save arrays of numbers or text.",
        ),
        (
            {"x": np.ones((2, 1), complex), "y": [1, 2]},
            "a.npz, column 'x': expected numbers or text, got complex128 of shape (2, 1).",
        ),
    ],
)
def test_bad_npz(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    assert refusal(tmp_path / "a.npz") == message


@pytest.mark.parametrize("content", [b"", b"junk", b"PK\x03\x04junk"])
def test_broken_npz(tmp_path, content):
    path = write(tmp_path, content, "a.npz")
    assert refusal(path) == "a.npz: is no whole NPZ file. Write it again by numpy.savez(file, x=…, y=…)."


def test_cut_files_are_refused(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", x=np.arange(1000.0), y=np.arange(1000))
    parquet.write_table(pa.table({"a": range(1000)}), tmp_path / "a.parquet")
    for name in ("a.npz", "a.parquet"):
        whole = (tmp_path / name).read_bytes()
        for part in (0.1, 0.5, 0.9):
            (tmp_path / name).write_bytes(whole[: int(len(whole) * part)])
            assert f"{name}: is no whole" in refusal(tmp_path / name)


def test_sources_that_are_not_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "a\n1\n", "diamonds.csv")
    write(tmp_path, "a\n1\n", "notes.txt")
    assert refusal("diamond.csv") == "There is no file 'diamond.csv'. Did you mean diamonds.csv?"
    assert refusal("digit") == "There is no file 'digit'. Did you mean digits?"
    assert refusal("qqq") == (
        "There is no file 'qqq'. Named sets are digits, iris, wine, breast_cancer, diabetes, mnist5k, BasicMotions, "
        "ItalyPowerDemand, JapaneseVowels, ArrowHead."
    )
    assert refusal("basicmotions") == "There is no file 'basicmotions'. Did you mean BasicMotions?"
    assert refusal("notes.txt") == (
        "'notes.txt': can't read files of this kind. Give one of .csv, .tsv, .parquet, .npz, .ts, or a folder of "
        "images."
    )
