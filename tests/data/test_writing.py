import io
import json
import os

from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from chainrule.data import typed, writer

printable = st.text(st.characters(blacklist_categories=("Cs",)), max_size=5)
columns = st.integers(0, 5).flatmap(
    lambda rows: st.dictionaries(
        printable,
        st.lists(st.none() | printable, min_size=rows, max_size=rows)
        | st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), min_size=rows, max_size=rows),
        min_size=1,
        max_size=4,
    )
)


@given(columns)
def test_what_is_written_reads_back(table):
    rows = [dict(zip(table, cells, strict=True)) for cells in zip(*table.values(), strict=True)]
    lines = writer("a.jsonl")(table).decode().split("\n")
    assert [json.loads(line) for line in lines[:-1]] == rows
    assert parquet.read_table(io.BytesIO(writer("a.parquet")(table))).to_pylist() == rows


@given(st.lists(st.none() | st.integers().map(str) | st.floats().map(repr) | printable, max_size=5))
def test_typed_columns_lose_nothing(texts):
    found = typed(texts)
    assert [None if cell is None else str(cell) for cell in found] == texts
    assert len({type(cell) for cell in found if cell is not None}) <= 1


def test_blank_cells_and_delimiters():
    table = {"a,b": ["x", None], "c": [0.5, 1e-9]}
    assert writer("a.csv")(table) == writer("a")(table) == b'"a,b",c\nx,0.5\n,1e-09\n'
    assert writer("a.TSV")(table) == b"a,b\tc\nx\t0.5\n\t1e-09\n"


def test_bytes_that_are_no_utf_8():
    """Names of folders can have them: CSV holds them as they are, the others as escapes."""
    columns = {"kind": [os.fsdecode(b"caf\xe9"), "th\u00e9", None]}
    assert writer("a.csv")(columns) == b'kind\ncaf\xe9\nth\xc3\xa9\n""\n'
    assert [json.loads(line)["kind"] for line in writer("a.jsonl")(columns).splitlines()] == columns["kind"]
    read = parquet.read_table(io.BytesIO(writer("a.parquet")(columns))).to_pydict()
    assert read == {"kind": [r"caf\udce9", "th\u00e9", None]}
