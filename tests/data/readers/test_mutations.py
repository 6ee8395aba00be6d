"""Damaged files of every format are read or refused in one line, and nothing else is said.

Each format is damaged some 50 times here, and as often as one likes by

    MUTATIONS=5000 pytest tests/data/readers/test_mutations.py

A mutation that fails is named by its number, which makes it again: `damaged("a.npz", 1234)`.
"""

import faulthandler
import gzip
import io
import json
import os
import sys
import zipfile
from collections.abc import Callable
from functools import cache

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from PIL import Image

from chainrule.data import read
from chainrule.errors import ChainruleError

MUTATIONS = int(os.environ.get("MUTATIONS", "50"))
PATIENCE = 120  # seconds for one file, after which the traceback of what hangs is shown
NUMBERS = [0, 1, 127, 128, 255, 256, 32767, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1]

CSV = "width;kind;day;price\n" + "".join(f"{n},5;{'ab'[n % 2]};2024-01-{n + 1:02};1.{n}00 €\n" for n in range(20))
TS = "@timeStamps false\n@univariate false\n@dimensions 2\n@classLabel true a b\n@data\n" + "1,2:3,4:a\n5,?:7,8:b\n" * 9
FRAME = pa.table(
    {
        "width": np.arange(20) / 7,
        "count": pa.array([None, *range(19)]),
        "kind": ["a", "b"] * 10,
        "code": pa.array(["x", "y"] * 10).dictionary_encode(),
        "day": pa.array(range(20), pa.timestamp("s", "Europe/Zurich")),
        "good": [True, False] * 10,
    }
)
PIXELS = np.random.default_rng(0).integers(0, 255, (9, 7, 3), np.uint8)


def packed(content: dict[str, bytes]) -> bytes:
    """A zip file, whole again around whatever is in it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, each in content.items():
            archive.writestr(name, each)
    return file.getvalue()


def unpacked(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def saved(write: Callable, *arguments, **options) -> bytes:
    file = io.BytesIO()
    write(*arguments, file, **options)
    return file.getvalue()


def image(kind: str) -> bytes:
    return saved(Image.fromarray(PIXELS).save, format=kind)


def sheet() -> bytes:
    book = openpyxl.Workbook()
    for row in (["width", "kind", "share"], *([n / 3, "ab"[n % 2], f"{n}%"] for n in range(20))):
        book.active.append(row)
    return saved(book.save)


def arrays() -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, x=np.arange(60.0).reshape(20, 3), y=np.array(["a", "b"] * 10))
    return file.getvalue()


def both(*paired: bytes) -> dict[str, bytes]:
    return {str(number): each for number, each in enumerate(paired)}


FORMATS: dict[str, tuple[Callable[[], dict[str, bytes]], Callable[[dict[str, bytes]], bytes]]] = {
    "a.csv": (lambda: both(CSV.encode()), lambda parts: parts["0"]),
    "a": (lambda: both(CSV.replace(";", "\t").encode()), lambda parts: parts["0"]),
    "a.csv.gz": (lambda: both(CSV.encode()), lambda parts: gzip.compress(parts["0"], mtime=0)),
    "a.zip": (lambda: {"b.csv": CSV.encode()}, packed),
    "a.jsonl": (
        lambda: both("".join(json.dumps({"a": n / 3, "b": "xy"[n % 2]}) + "\n" for n in range(20)).encode()),
        lambda parts: parts["0"],
    ),
    "a.xlsx": (lambda: unpacked(sheet()), packed),
    "a.npz": (lambda: unpacked(arrays()), packed),
    "a.ts": (lambda: both(TS.encode()), lambda parts: parts["0"]),
    "a.parquet": (
        lambda: both(saved(pyarrow.parquet.write_table, FRAME)),
        lambda parts: parts["0"],
    ),
    "a.feather": (
        lambda: both(saved(pyarrow.feather.write_feather, FRAME, compression="zstd")),
        lambda parts: parts["0"],
    ),
    "a.arrow": (
        lambda: both(saved(pyarrow.feather.write_feather, FRAME, compression="uncompressed")),
        lambda parts: parts["0"],
    ),
    **{
        f"images/a/1.{kind}": (lambda kind=kind: both(image(kind)), lambda parts: parts["0"])
        for kind in ("png", "jpeg", "webp", "bmp", "tiff")
    },
}


@cache
def parts(name: str) -> dict[str, bytes]:
    return FORMATS[name][0]()


def damaged(name: str, number: int) -> bytes:
    """A file of a format, damaged in one of its parts before it is packed, or as it lies on the disk."""
    generator = np.random.default_rng([number, *name.encode()])
    pack, content = FORMATS[name][1], parts(name)
    if generator.random() < 0.5:
        part = generator.choice(list(content))
        return pack(content | {part: mutated(content[part], generator)})
    return mutated(pack(content), generator)


def mutated(content: bytes, generator: np.random.Generator) -> bytes:
    """Bytes with some flipped, overwritten, left out, put in, repeated or cut off."""
    changed = bytearray(content)
    for _ in range(generator.integers(1, 5)):
        at = int(generator.integers(0, len(changed) + 1))
        length = int(generator.integers(1, 20))
        match generator.integers(0, 7):
            case 0:
                changed[at : at + 1] = bytes(byte ^ 1 << int(generator.integers(8)) for byte in changed[at : at + 1])
            case 1:
                changed[at : at + length] = generator.bytes(length)
            case 2:
                size = int(generator.choice([1, 2, 4, 8]))
                value = int(generator.choice(np.array(NUMBERS, np.uint64))) % 256**size
                changed[at : at + size] = value.to_bytes(size, generator.choice(["little", "big"]))
            case 3:
                del changed[at : at + length]
            case 4:
                changed[at:at] = changed[at : at + length]
            case 5:
                words = [b"NA", b'"', b"\0", b"\n", b"\xff", b"1e999", b"9" * 40, b"{", b"[" * 2000, b"%", b"nan", b","]
                changed[at:at] = words[generator.integers(len(words))]
            case _:
                if generator.random() < 0.2:
                    del changed[at:]
    return bytes(changed)


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_files_are_read_or_refused_in_one_line(tmp_path, name, capfd):
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    source = file.parent.parent if "images" in name else file
    for number in range(MUTATIONS):
        file.write_bytes(damaged(name, number))
        faulthandler.dump_traceback_later(PATIENCE, exit=True, file=sys.__stderr__)
        try:
            message = read(source).name
        except ChainruleError as error:
            message = str(error)
        except BaseException as error:
            raise AssertionError(f"damaged({name!r}, {number})") from error
        finally:
            faulthandler.cancel_dump_traceback_later()
        said = capfd.readouterr()
        assert "\n" not in message, number
        assert source.name in message, (number, message)
        assert not said.out + said.err, number


@pytest.mark.parametrize("name", FORMATS)
def test_whole_files_are_read(tmp_path, name):
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(FORMATS[name][1](parts(name)))
    table = read(file.parent.parent if "images" in name else file)
    assert table.rows == {"a.ts": 18}.get(name, 1 if "images" in name else 20)
