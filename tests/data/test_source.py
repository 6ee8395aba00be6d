import os
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.feather as feather
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


def test_sources_that_are_not_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "a\n1\n", "diamonds.csv")
    write(tmp_path, b"a\0b", "notes.doc")
    assert refusal("diamond.csv") == "There is no file 'diamond.csv'. Did you mean diamonds.csv?"
    assert refusal("digit") == "There is no file 'digit'. Did you mean digits?"
    assert refusal("qqq") == (
        "There is no file 'qqq'. Named sets are digits, iris, wine, breast_cancer, diabetes, mnist5k, BasicMotions, "
        "ItalyPowerDemand, JapaneseVowels, ArrowHead."
    )
    assert refusal("basicmotions") == "There is no file 'basicmotions'. Did you mean BasicMotions?"
    assert refusal("notes.doc") == (
        "'notes.doc': can't read files of this kind. Give one of .csv, .tsv, .parquet, .feather, .jsonl, .xlsx, "
        ".npz, .ts, or a folder of images."
    )


CSV = b"a,b\n1,2\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plain", CSV),
        ("notes.txt", CSV),
        ("iris.data", CSV),
        ("mark", b"\xef\xbb\xbf" + CSV),
        ("lines", b'{"a": 1, "b": 2}\n'),
        ("list", b' [{"a": 1, "b": 2}]'),
        (".hidden", CSV),
        (".csv", CSV),
    ],
)
def test_what_an_ending_does_not_say_the_content_does(tmp_path, name, content):
    table = read(write(tmp_path, content, name))
    assert ({column: values.tolist() for column, values in table.items()}, table.name) == ({"a": [1], "b": [2]}, name)


def test_binary_kinds_by_their_content(tmp_path):
    frame = pa.table({"a": [1], "b": [2]})
    parquet.write_table(frame, tmp_path / "one")
    feather.write_feather(frame, tmp_path / "two")
    (tmp_path / "three").write_bytes(b"@targetLabel true\n@data\n1,2:3\n")
    assert [list(read(tmp_path / name)) for name in ("one", "two")] == [["a", "b"]] * 2
    assert list(read(tmp_path / "three")) == ["series", "target"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_a_pipe_is_read_once(tmp_path):
    pipe = tmp_path / "rows"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=[CSV])
    writer.start()
    assert read(pipe).rows == 1
    writer.join()


def test_what_never_ends_is_refused(monkeypatch):
    if not Path("/dev/zero").exists():
        pytest.skip("no endless device")
    monkeypatch.setattr("chainrule.arrays.memory.most", lambda: 10**7)
    monkeypatch.setattr("chainrule.data.readers.packed.most", lambda: 10**7)
    assert refusal("/dev/zero").startswith("zero would take 0.0105 GB, more than a quarter of ")


def test_files_larger_than_memory_are_not_begun(tmp_path, monkeypatch):
    monkeypatch.setattr("chainrule.arrays.memory.most", lambda: 7)
    assert refusal(write(tmp_path, CSV, "a.csv")).startswith("a.csv would take 8e-09 GB, more than a quarter of ")


def test_links_to_what_is_not_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("dangling.csv").symlink_to("nowhere")
    assert refusal("dangling.csv").startswith("There is no file 'dangling.csv'.")
    Path("loop.csv").symlink_to("loop.csv")
    assert refusal("loop.csv") == "Can't reach 'loop.csv': Too many levels of symbolic links."
