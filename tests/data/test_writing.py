import io
import json
import os

from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from chainrule.data import kind_of, writer

printable = st.text(st.characters(blacklist_categories=("Cs",)), max_size=5)
cells = {
    str: printable,
    float: st.floats(allow_nan=False, allow_infinity=False),
    int: st.integers(-(2**63), 2**63 - 1),
}
tables = st.tuples(
    st.dictionaries(printable, st.sampled_from([str, float, int]), min_size=1, max_size=4),
    st.lists(st.integers(0, 4), max_size=3),
).flatmap(
    lambda drawn: st.tuples(
        st.just(drawn[0]),
        st.tuples(
            *(
                st.fixed_dictionaries(
                    {
                        name: st.lists(st.none() | cells[kind], min_size=rows, max_size=rows)
                        for name, kind in drawn[0].items()
                    }
                )
                for rows in drawn[1]
            )
        ),
    )
)


def whole(ending: str, kinds, *blocks) -> bytes:
    return b"".join(writer(f"a{ending}")(kinds, blocks))


@given(tables)
def test_what_is_written_reads_back_however_many_blocks_it_is(table):
    kinds, blocks = table
    rows = [dict(zip(block, row, strict=True)) for block in blocks for row in zip(*block.values(), strict=True)]
    assert [json.loads(line) for line in whole(".jsonl", kinds, *blocks).decode().split("\n")[:-1]] == rows
    read = parquet.read_table(io.BytesIO(whole(".parquet", kinds, *blocks)))
    assert read.to_pylist() == rows
    assert read.column_names == [*kinds]
    together = {name: [cell for block in blocks for cell in block[name]] for name in kinds}
    assert whole(".csv", kinds, *blocks) == whole(".csv", kinds, together)


@given(st.lists(st.none() | st.integers().map(str) | st.floats().map(repr) | printable, max_size=5))
def test_what_a_column_is_read_as_loses_nothing(texts):
    kind = kind_of(texts)
    assert [None if text is None else str(kind(text)) for text in texts] == texts


def test_blank_cells_and_delimiters():
    table = {"a,b": ["x", None], "c": [0.5, 1e-9]}
    kinds = {"a,b": str, "c": float}
    assert whole(".csv", kinds, table) == whole("", kinds, table) == b'"a,b",c\nx,0.5\n,1e-09\n'
    assert whole(".TSV", kinds, table) == b"a,b\tc\nx\t0.5\n\t1e-09\n"


def test_a_file_is_made_block_after_block():
    asked = []

    def blocks():
        for number in range(3):
            asked.append(number)
            yield {"a": [number] * 1000}

    for ending in (".csv", ".jsonl", ".parquet"):
        asked.clear()
        seen = [[*asked] for part in writer(f"a{ending}")({"a": int}, blocks()) if part]
        assert [0] in seen, "nothing of the first block came before the second was asked for"


def test_bytes_that_are_no_utf_8():
    """Names of folders can have them: CSV holds them as they are, the others as escapes."""
    columns = {"kind": [os.fsdecode(b"caf\xe9"), "th\u00e9", None]}
    assert whole(".csv", {"kind": str}, columns) == b'kind\ncaf\xe9\nth\xc3\xa9\n""\n'
    lines = whole(".jsonl", {"kind": str}, columns).splitlines()
    assert [json.loads(line)["kind"] for line in lines] == columns["kind"]
    read = parquet.read_table(io.BytesIO(whole(".parquet", {"kind": str}, columns))).to_pydict()
    assert read == {"kind": [r"caf\udce9", "th\u00e9", None]}
