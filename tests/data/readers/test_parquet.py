from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

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


@pytest.mark.parametrize(
    ("column", "read_as"),
    [
        (pa.array([2**53 + 1, 5]), [2**53 + 1, 5]),
        (pa.array([2**64 - 1, 5], pa.uint64()), [2**64 - 1, 5]),
        (pa.array([2**53 + 1, None]), ["9007199254740993", None]),
        (pa.array([10**20 + 1, 5], pa.decimal128(30, 0)), ["100000000000000000001", "5"]),
        (pa.array([0.1, 0.5], pa.float32()), [np.float32(0.1), 0.5]),
    ],
)
def test_no_number_is_rounded(tmp_path, column, read_as):
    parquet.write_table(pa.table({"a": column}), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet")["a"].tolist() == read_as


def test_bad_parquet(tmp_path):
    path = write(tmp_path, "junk", "a.parquet")
    assert refusal(path) == "a.parquet: is no whole Parquet file. Write it again, or give a CSV file."
    parquet.write_table(pa.table({"a": pa.array([[1], [2]])}), path)
    assert refusal(path) == (
        "a.parquet, column 'a': expected numbers or text, got list<element: int64>. Leave the column out of the file."
    )
    parquet.write_table(pa.table({"a": pa.array([], pa.int64())}), path)
    assert read(path).rows == 0
    parquet.write_table(pa.table({}), path)
    assert refusal(path) == "a.parquet: has no columns. Give rows of data."
    parquet.write_table(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), path)
    assert refusal(path) == "a.parquet: more than one column is called 'a'. Give every column its own name."


def test_cut_files_are_refused(tmp_path):
    parquet.write_table(pa.table({"a": range(1000)}), tmp_path / "a.parquet")
    whole = (tmp_path / "a.parquet").read_bytes()
    for part in (0.1, 0.5, 0.9):
        (tmp_path / "a.parquet").write_bytes(whole[: int(len(whole) * part)])
        assert "a.parquet: is no whole" in refusal(tmp_path / "a.parquet")


def test_text_that_is_none(tmp_path):
    path = tmp_path / "a.parquet"
    odd = pa.Array.from_buffers(pa.string(), 1, pa.array([b"caf\xe9"]).buffers())
    parquet.write_table(pa.table({"a": odd}), path)
    assert refusal(path) == "a.parquet: is no whole Parquet file. Write it again, or give a CSV file."
    parquet.write_table(pa.table({"a": pa.array([0], pa.timestamp("s", "Mars/Olympus"))}), path)
    assert refusal(path).startswith("a.parquet, column 'a': can't be read: ")
    assert refusal(path).endswith(". Leave the column out of the file.")
    parquet.write_table(pa.table({"a": pa.array([[1], [2]])}), path)
    assert refusal(path, text="a") == (
        "a.parquet, column 'a': expected numbers or text, got list<element: int64>. Leave the column out of the file."
    )


def test_bombs(tmp_path):
    whole = pa.table({"a": pa.array(np.zeros(2**20)), "b": pa.array(["x" * 50] * 2**20)})
    with parquet.ParquetWriter(tmp_path / "a.parquet", whole.schema) as writer:
        writer.write_table(whole)
    size = (tmp_path / "a.parquet").stat().st_size
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chainrule.arrays.memory.most", lambda: 10**7)
        assert size < 10**5
        assert refusal(tmp_path / "a.parquet") == (
            "a.parquet would take 0.0503 GB, more than a quarter of this machine's memory (0.01 GB). "
            "Give fewer rows or columns."
        )
    table = read(tmp_path / "a.parquet")
    assert (table.rows, table["b"][0] is table["b"][-1]) == (2**20, True)  # a text that repeats is held once


def test_chosen_words_are_blank(tmp_path):
    columns = {"a": [1, -999], "b": ["NA", "x"], "c": ["", "y"]}
    parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet")["b"].tolist() == ["NA", "x"]
    table = read(tmp_path / "a.parquet", blank=("NA", "-999"))
    np.testing.assert_array_equal(table["a"], [1, np.nan])
    assert (table["b"].tolist(), table["c"].tolist()) == ([None, "x"], [None, "y"])
    assert table.found.notes == {"blank": "a.parquet: read as blank: '-999' (1) in column 'a', 'NA' (1) in column 'b'."}
