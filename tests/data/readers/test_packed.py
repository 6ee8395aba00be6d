import gzip
import io
import zipfile

import numpy as np
import pytest

from chainrule.arrays import memory
from chainrule.data import read
from chainrule.errors import ChainruleError

CSV = b"a;b\n1,5;x\n2,5;y\n"


def refusal(source) -> str:
    with pytest.raises(ChainruleError) as caught:
        read(source)
    return str(caught.value)


@pytest.fixture
def little(monkeypatch):
    """A machine on which one thing may take a million bytes."""
    memory.most.cache_clear()
    monkeypatch.setattr(memory, "most", lambda: 10**6)
    monkeypatch.setattr("chainrule.data.readers.packed.most", lambda: 10**6)


def pack(path, **files: bytes):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("_", "."), content)
    return path


@pytest.mark.parametrize("name", ["a.csv.gz", "a.CSV.GZ", "a.gz", "a"])
def test_gzip(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress(CSV))
    table = read(path)
    assert (table["a"].tolist(), table["b"].tolist(), table.place(0, "a")) == (
        [1.5, 2.5],
        ["x", "y"],
        f"{name}, line 2, column 'a'",
    )


def test_tabs_are_usual_in_what_is_packed(tmp_path):
    (tmp_path / "a.tsv.gz").write_bytes(gzip.compress(b"a\tb\n1\t2\n"))
    assert read(tmp_path / "a.tsv.gz").found.notes == {}
    assert read(pack(tmp_path / "a.zip", b_tsv=b"a\tb\n1\t2\n")).found.notes == {}


def test_zip(tmp_path):
    path = pack(tmp_path / "a.zip", b_csv=CSV)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("__MACOSX/b.csv", b"resource")
    table = read(path)
    assert (table["a"].tolist(), table.place(0, "a")) == ([1.5, 2.5], "a.zip/b.csv, line 2, column 'a'")


def test_zip_of_arrays(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.ones((2, 3)), y=[0, 1])
    (tmp_path / "a.npz").rename(tmp_path / "a.zip")
    assert read(tmp_path / "a.zip").rows == 2


def test_zip_of_none_or_several(tmp_path):
    assert refusal(pack(tmp_path / "a.zip", a_csv=CSV, b_csv=CSV)) == (
        "a.zip: expected one file in it, got a.csv, b.csv. Give that one alone."
    )
    assert refusal(pack(tmp_path / "a.zip")) == "a.zip: expected one file in it, got none. Give that one alone."
    assert refusal(pack(tmp_path / "a.zip", readme_md=b"hello")) == (
        "a.zip/readme.md: is no whole text file of cells. Give a header with the columns' names, and rows below it."
    )
    assert refusal(pack(tmp_path / "a.zip", b_doc=b"\0")).startswith("'a.zip/b.doc': can't read files of this kind.")


def test_packed_twice_is_refused(tmp_path):
    (tmp_path / "a.csv.gz.gz").write_bytes(gzip.compress(gzip.compress(CSV)))
    assert refusal(tmp_path / "a.csv.gz.gz").startswith("'a.csv.gz.gz': can't read files of this kind.")


@pytest.mark.parametrize(
    "content", [b"junk", gzip.compress(CSV)[:20], gzip.compress(CSV) + b"junk"], ids=["junk", "cut", "more"]
)
def test_broken_gzip(tmp_path, content):
    (tmp_path / "a.csv.gz").write_bytes(content)
    assert refusal(tmp_path / "a.csv.gz") == (
        "a.csv.gz: is no whole .gz file. Pack it again, or give the file that it holds."
    )


def test_broken_zip(tmp_path):
    whole = pack(tmp_path / "a.zip", b_csv=CSV).read_bytes()
    for content in (b"junk", whole[:-9], whole.replace(b"PK\x03\x04", b"PK\x03\x05")):
        (tmp_path / "a.zip").write_bytes(content)
        assert refusal(tmp_path / "a.zip") == (
            "a.zip: is no whole .zip file. Pack it again, or give the file that it holds."
        )


def test_bombs(tmp_path, little):
    zeros = b"a,b\n" + b"1,2\n" * 10**6
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(zeros))
    message = (
        "would take 0.00{} GB, more than a quarter of this machine's memory (0.001 GB). Give fewer rows or columns."
    )
    assert refusal(tmp_path / "a.csv.gz") == f"a.csv.gz {message.format('105')}"
    assert refusal(pack(tmp_path / "a.zip", b_csv=zeros)) == f"a.zip: b.csv {message.format('4')}"


def test_a_zip_that_says_less_than_it_holds(tmp_path, little):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b.csv", b"a,b\n" + b"1,2\n" * 10**6)
    content = file.getvalue().replace((4 * 10**6 + 4).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    (tmp_path / "a.zip").write_bytes(content)
    assert refusal(tmp_path / "a.zip") == "a.zip: is no whole .zip file. Pack it again, or give the file that it holds."
