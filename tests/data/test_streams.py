"""Streams are what `read` reads as one table, or are refused with the place."""

import gzip
import os
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pyarrow import csv, feather, parquet

from chainrule.arrays import memory
from chainrule.data import read, streams
from chainrule.data.readers import delimited, images
from chainrule.data.streams import Stream, is_large
from chainrule.data.table import label
from chainrule.data.values import as_number
from chainrule.errors import ChainruleError

RNG = np.random.default_rng(0)
ROWS = 600
ARROW = pa.table(
    {
        "a": RNG.normal(size=ROWS).astype(np.float32),
        "b": RNG.integers(0, 9, ROWS),
        "c": RNG.choice(["x", 'y"q', "z,\nz"], ROWS),
        "d": pa.array([None if row % 7 == 0 else row for row in range(ROWS)]),
        "e": pa.array(RNG.integers(0, 2, ROWS).astype(bool)),
    }
)
CELLS = ["1", "2.5", "", "NA", "x", "true", "FALSE", "007", "$5", "57%", "1,5", "1.234", '"a\nb"', "9007199254740993"]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Blocks of some rows."""
    monkeypatch.setattr(memory, "NUMBERS", 256)
    monkeypatch.setattr(memory, "ROWS", 64)
    monkeypatch.setattr(delimited, "BLOCK", 1000)
    monkeypatch.setattr(images, "IMAGE_NUMBERS", 40)


def write(path: Path) -> Path:
    match path.suffix:
        case ".parquet":
            parquet.write_table(ARROW, path)
        case ".feather":
            feather.write_feather(ARROW, path)
        case ".arrows":
            with pa.ipc.new_stream(str(path), ARROW.schema) as stream:
                stream.write_table(ARROW, 100)
        case ".csv":
            csv.write_csv(ARROW, path)
        case ".gz":
            csv.write_csv(ARROW, path.with_suffix(""))
            path.write_bytes(gzip.compress(path.with_suffix("").read_bytes()))
    return path


def joined(tables, name):
    return np.concatenate([table[name] for table in tables])


def said(source, **choices) -> str:
    with pytest.raises(ChainruleError) as caught:
        for _ in Stream(source, **choices):
            pass
    return str(caught.value)


@pytest.mark.parametrize("name", ["d.parquet", "d.feather", "d.arrows", "d.csv", "d.csv.gz"])
def test_a_stream_is_the_whole_in_blocks(name, tmp_path):
    path = write(tmp_path / name)
    whole, stream = read(path), Stream(path)
    for _ in range(2):
        tables = [*stream]
        assert len(tables) > 4
        for column in whole:
            np.testing.assert_array_equal(joined(tables, column), whole[column])
        places = [table.place(row, "a") for table in tables for row in range(table.rows)]
        assert places == [whole.place(row, "a") for row in range(ROWS)]
    assert dict(stream.found.reading) == dict(whole.found.reading)


@pytest.mark.parametrize("name", ["d.parquet", "d.csv"])
def test_only_the_columns_that_are_wanted(name, tmp_path):
    stream = Stream(write(tmp_path / name))
    stream.only = {"a", "c"}
    assert all([*table] == ["a", "c"] for table in stream)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(data=st.data())
def test_any_cells_are_read_as_the_whole_or_refused(data, tmp_path, monkeypatch):
    rows = data.draw(st.lists(st.tuples(*[st.sampled_from(CELLS)] * 2), min_size=1, max_size=12))
    mark = data.draw(st.sampled_from(";\t"))
    monkeypatch.setattr(delimited, "BLOCK", data.draw(st.integers(8, 40)))
    (tmp_path / "d.csv").write_text(f"a{mark}b\n" + "".join(f"{mark.join(row)}\n" for row in rows))
    try:
        tables = [*Stream(tmp_path / "d.csv", separator=mark)]
    except ChainruleError as error:
        refused = error
    else:
        whole = read(tmp_path / "d.csv", separator=mark)
        for column in whole:
            found = [cell for table in tables for cell in table[column].tolist()]
            assert list(map(known, found)) == list(map(known, whole[column].tolist()))
        return
    assert re.search("Mend the cell|Round the numbers|Write them in one unit|Say the mark", refused.message)
    assert refused.choices


def known(cell):
    if cell is None or cell != cell:
        return None
    number = as_number(cell) if isinstance(cell, str) else cell
    if number is not None and abs(number) >= 2**53:  # which whoever wants numbers is refused
        return float(number)
    return cell if isinstance(cell, str) else label(cell)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (
            ["1"] * 600 + ["x"],
            "line 602, column 'aaa': expected a number, got 'x'. Mend the cell, or choose text=['aaa'].",
        ),
        (
            ["NA"] * 400 + ["x"],
            "line 402, column 'aaa': expected a number, got 'x'. Mend the cell, or choose text=['aaa'].",
        ),
        (
            ["true"] * 300 + ["maybe"],
            "line 302, column 'aaa': expected true and false, as in the rows before, got 'maybe'. Mend the cell, or "
            "choose drop=['aaa'].",
        ),
        (
            ["57%"] * 249 + ["5"] * 300,
            "line 251, column 'aaa': expected numbers with '%', as in the rows before, got one without a unit. Write "
            "them in one unit, or choose text=['aaa'].",
        ),
        (
            ["$1"] * 332 + ["€1"] * 300,
            "line 334, column 'aaa': expected numbers with '$', as in the rows before, got one with '€'. Write them in "
            "one unit, or choose text=['aaa'].",
        ),
    ],
)
def test_a_column_stays_what_it_is(cells, message, tmp_path):
    (tmp_path / "d.csv").write_text("aaa\n" + "\n".join(cells) + "\n")
    assert said(tmp_path / "d.csv", separator=",") == f"d.csv, {message}"


def test_a_column_that_begins_blank_becomes_text(tmp_path):
    cells = [*[""] * 600, *["x"] * 300, "7"]
    (tmp_path / "d.csv").write_text("a,b\n" + "".join(f"{cell},1\n" for cell in cells))
    kinds = [table["a"].dtype.kind for table in Stream(tmp_path / "d.csv")]
    assert (kinds[0], kinds[-1]) == ("f", "O")
    assert [*Stream(tmp_path / "d.csv")][-1]["a"][-1] == "7"


def test_the_decimal_mark_holds_for_the_whole_stream(tmp_path):
    (tmp_path / "d.csv").write_text("a;b\n" + "1,5;x\n" * 300 + "1.234;x\n" * 300)
    np.testing.assert_array_equal(joined([*Stream(tmp_path / "d.csv")], "a"), read(tmp_path / "d.csv")["a"])
    (tmp_path / "d.csv").write_text("a;b\n" + "1;x\n" * 600 + "1,5;x\n")
    found = re.sub(r"\d+", "N", said(tmp_path / "d.csv"))
    assert found == "d.csv: numbers with the decimal mark ',' begin behind line N. Say the mark, or choose decimal=','."
    assert joined([*Stream(tmp_path / "d.csv", decimal=",")], "a")[-1] == 1.5


def test_a_folder_of_files(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.csv").write_text(f"a,b\n{number},x\n")
    (folder / "1.csv").write_text("a,b\n")  # without rows
    (folder / "_SUCCESS").touch()
    tables = [*Stream(folder)]
    assert joined(tables, "a").tolist() == [0.0, 2.0]
    assert tables[-1].place(0, "a") == "parts/2.csv, line 2, column 'a'"
    (folder / "1.csv").write_text("a,c\n1,x\n")
    assert said(folder) == "parts/1.csv: has no column 'b', but 0.csv has. Give all files the same columns."
    (folder / "1.csv").write_text("a,b,c\n1,x,1\n")
    assert said(folder) == "parts/1.csv: has a column 'c', but 0.csv has not. Give all files the same columns."
    (folder / "1.csv").write_text("")
    assert "parts/1.csv: the file is empty." in said(folder)
    (folder / "1.csv").write_text("a,b\nz,x\n")
    assert said(folder).startswith("parts/1.csv, line 2, column 'a': expected a number, got 'z'. Mend the cell")
    parquet.write_table(ARROW, folder / "x.parquet")
    assert said(folder) == "parts: holds files of several kinds: .csv, .parquet. Keep those of one."


def test_images(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(5):
            pixels = RNG.integers(0, 255, (3, 4) if number < 3 else (3, 4, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pets" / name / f"{number}.png")
    whole, stream = read(tmp_path / "pets"), Stream(tmp_path / "pets")
    tables = [*stream]
    assert len(tables) > 3
    for column in whole:
        np.testing.assert_array_equal(joined(tables, column), whole[column])
    assert tables[-1].place(0, "image") == "pets, file dog/4.png, column 'image'"
    assert stream.found.reading == whole.found.reading
    digest = stream.digest()
    os.rename(tmp_path / "pets" / "dog" / "4.png", tmp_path / "pets" / "cat" / "9.png")
    assert Stream(tmp_path / "pets").digest() != digest


def test_the_digest_is_of_every_byte(tmp_path):
    path = write(tmp_path / "d.csv")
    before, data = Stream(path).digest(), bytearray(path.read_bytes())
    assert Stream(path).digest() == before
    about = path.stat()
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert Stream(path).digest() != before


def test_a_file_that_changes_is_refused(tmp_path):
    path = write(tmp_path / "d.csv")
    stream = Stream(path)
    stream.digest()
    with path.open("a") as file:
        file.write("1,2,x,4,true\n")
    with pytest.raises(ChainruleError, match=r"d.csv changed while it was read. Run again once it is whole\."):
        next(iter(stream))
    tables = iter(stream := Stream(path))
    next(tables)
    os.utime(path, (1, 1))
    with pytest.raises(ChainruleError, match=r"d.csv changed while it was read"):
        list(tables)


def test_what_cannot_be_a_stream(tmp_path):
    for name in ("d.xlsx", "d.jsonl", "d.zip"):
        (tmp_path / name).touch()
        with pytest.raises(ChainruleError, match=r"can't be read block after block. Give a CSV, TSV, Parquet"):
            Stream(tmp_path / name)
    with pytest.raises(ChainruleError, match="There is no file"):
        Stream(tmp_path / "none.csv")
    (tmp_path / "d.parquet").write_bytes(b"PAR1 broken")
    assert "d.parquet: is no whole Parquet file." in said(tmp_path / "d.parquet")
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(ChainruleError, match="can't be passed over twice"):
        Stream(tmp_path / "pipe.csv")


def test_shares_rise_to_one(tmp_path):
    for name in ("d.parquet", "d.csv.gz", "d.feather"):
        shares = []
        for _ in Stream(write(tmp_path / name)).tables(shares.append):
            pass
        assert shares[-1] == pytest.approx(1, abs=0.3)
        assert max(shares) <= 1


def test_what_is_large(tmp_path, monkeypatch):
    path = write(tmp_path / "d.parquet")
    assert not is_large(path)
    monkeypatch.setattr(streams, "free", lambda: 4 * 24 * ROWS * 5 - 1)
    assert is_large(path)
    assert not is_large("iris")
    assert not is_large({"a": [1]})
    assert not is_large(tmp_path / "none.csv")
