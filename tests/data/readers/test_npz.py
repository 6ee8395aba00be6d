import zipfile
from pathlib import Path

import numpy as np
import pytest

from chainrule.data import read
from chainrule.data.preprocessing import Preprocessor
from chainrule.errors import ChainruleError


def write(folder: Path, content: str | bytes, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(source, **options) -> str:
    with pytest.raises(ChainruleError) as caught:
        read(source, **options)
    return str(caught.value)


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
        preprocessor = Preprocessor.fit(read(tmp_path / "a.npz"))
        assert preprocessor.kind == kind
        assert preprocessor.inputs(x).shape == (4, *preprocessor.input_shape)


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
            "a.npz: x is an array of Python objects, which are never read. Save arrays of numbers or text.",
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
    whole = (tmp_path / "a.npz").read_bytes()
    for part in (0.1, 0.5, 0.9):
        (tmp_path / "a.npz").write_bytes(whole[: int(len(whole) * part)])
        assert "a.npz: is no whole" in refusal(tmp_path / "a.npz")


def test_bombs_and_headers_that_lie(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, x=np.zeros((10**5, 10)), y=np.zeros(10**5))
    assert path.stat().st_size < 10**5
    monkeypatch.setattr("chainrule.arrays.memory.most", lambda: 10**6)
    assert refusal(path) == (
        "a.npz: x would take 0.008 GB, more than a quarter of this machine's memory (0.001 GB). "
        "Save fewer rows, or smaller ones."
    )
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 9)}\n"
    member = np.lib.format.magic(1, 0) + len(header).to_bytes(2, "little") + header
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", member)
        archive.writestr("y.npy", member)
    assert refusal(path).startswith("a.npz: x would take 7.2e+03 GB, more than")


@pytest.mark.parametrize(("place", "value"), [(6, 1), (8, 99), (8, 6)])  # encrypted, packed in unknown ways
def test_zip_files_of_other_kinds(tmp_path, place, value):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.ones((3, 2)), y=[1, 2, 3])
    content = bytearray(path.read_bytes())
    for start, shift in ((content.find(b"PK\x03\x04"), 0), (content.find(b"PK\x01\x02"), 2)):
        content[start + shift + place] = value
    path.write_bytes(content)
    assert refusal(path) == "a.npz: is no whole NPZ file. Write it again by numpy.savez(file, x=…, y=…)."
