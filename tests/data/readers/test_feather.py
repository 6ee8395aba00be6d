import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pytest

from chainrule.data import read
from chainrule.errors import ChainruleError

FRAME = pa.table(
    {
        "width": [1.5, None],
        "kind": ["a", ""],
        "code": pa.array(["x", None]).dictionary_encode(),
        "day": pa.array([0, None], pa.timestamp("s", "Europe/Zurich")),
    }
)


def refusal(source) -> str:
    with pytest.raises(ChainruleError) as caught:
        read(source)
    return str(caught.value)


@pytest.mark.parametrize("compression", ["zstd", "lz4", "uncompressed"])
@pytest.mark.parametrize("name", ["a.feather", "a.arrow", "a"])
def test_feather(tmp_path, compression, name):
    feather.write_feather(FRAME, tmp_path / name, compression=compression)
    table = read(tmp_path / name)
    np.testing.assert_array_equal(table["width"], [1.5, np.nan])
    assert {column: table[column].tolist() for column in ("kind", "code", "day")} == {
        "kind": ["a", None],
        "code": ["x", None],
        "day": ["1970-01-01 01:00:00+0100", None],
    }


def test_a_stream(tmp_path):
    with pa.ipc.new_stream(tmp_path / "a.arrows", FRAME.schema) as stream:
        stream.write_table(FRAME)
    assert read(tmp_path / "a.arrows").rows == 2


def test_broken_files(tmp_path):
    feather.write_feather(FRAME, tmp_path / "a.feather")
    whole = (tmp_path / "a.feather").read_bytes()
    for content in (b"", b"junk", whole[:200], whole[:-20], whole[:100] + b"\xff" * 100 + whole[200:]):
        (tmp_path / "a.feather").write_bytes(content)
        assert refusal(tmp_path / "a.feather") == (
            "a.feather: is no whole Feather or Arrow file. Write it again, or give a CSV file."
        )


@pytest.mark.parametrize("compression", ["zstd", "uncompressed"])
def test_bombs(tmp_path, compression, monkeypatch):
    monkeypatch.setattr("chainrule.arrays.memory.most", lambda: 10**6)
    message = (
        "a.feather would take {} GB, more than a quarter of this machine's memory (0.001 GB). "
        "Give fewer rows or columns."
    )
    feather.write_feather(
        pa.table({"a": np.zeros(10**5)}), tmp_path / "a.feather", compression=compression, chunksize=10**5
    )
    assert refusal(tmp_path / "a.feather") == message.format("0.0024")
    feather.write_feather(pa.table({"a": ["x" * 10**7]}), tmp_path / "a.feather", compression="zstd")
    assert refusal(tmp_path / "a.feather") == message.format("0.01")
