"""From a name or a path to a table."""

import os
import stat
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path, PurePath
from typing import Any, BinaryIO

from chainrule.arrays.memory import check_memory
from chainrule.data.files import known_path
from chainrule.data.named import NAMED, read_named
from chainrule.data.readers.arrow import read_feather, read_parquet
from chainrule.data.readers.delimited import read_delimited
from chainrule.data.readers.excel import read_xlsx
from chainrule.data.readers.images import is_image, read_images
from chainrule.data.readers.jsonl import read_jsonl
from chainrule.data.readers.npz import read_npz
from chainrule.data.readers.packed import bounded, images_in_zip, unpack_gzip, unpack_zip
from chainrule.data.readers.series import read_test_beside, read_ts
from chainrule.data.reading import Reading
from chainrule.data.table import Table, shortened
from chainrule.errors import ArgumentError, ChainruleError, nearest

READERS: dict[str, Any] = {
    ".csv": read_delimited,
    ".tsv": read_delimited,
    ".parquet": read_parquet,
    ".feather": read_feather,
    ".jsonl": read_jsonl,
    ".xlsx": read_xlsx,
    ".npz": read_npz,
    ".ts": read_ts,
}
"""The reader of each kind of file, by its usual ending."""
ALIKE = {".tab": ".tsv", ".arrow": ".feather", ".arrows": ".feather", ".ndjson": ".jsonl", ".json": ".jsonl"}
PACKED = {".gz": unpack_gzip, ".zip": unpack_zip}
BEGINNINGS = {b"PAR1": ".parquet", b"ARROW1": ".feather", b"PK\x03\x04": ".zip", b"\x1f\x8b": ".gz"}


def read(
    source: str | os.PathLike[str],
    text: Iterable[str] = (),
    *,
    separator: str | None = None,
    decimal: str | None = None,
    header: bool | None = None,
    blank: str | Iterable[str] | None = None,
    size: int | tuple[int, int] | str | None = None,
    like: Mapping[str, Any] | None = None,
) -> Table:
    """Read a data set: one of `NAMED`, a file, or a folder of images.

    How the cells of a text file are separated and its numbers are written is found in the file; what was found, and
    what people may have meant otherwise, is in the table's `found`.

    Args:
        source: a name such as "iris"; the path of a `.csv`, `.tsv`, `.parquet`, `.feather`, `.jsonl`, `.xlsx`, `.npz`
            (arrays) or `.ts` (series) file, which may be packed as `.gz` or `.zip`, and is known by its content where
            its ending says nothing; or that of a folder with a subfolder of images for each class.
        text: columns of text, though they look like numbers (postal codes, with their leading zeros).
        separator: what stands between the cells of a line: ",", ";", a tab, "|", or " " for any number of blanks.
        decimal: what stands before a number's fraction, "." or ",".
        header: whether the first line names the columns; if not, they are called 1, 2, …
        blank: the words that stand for no value, in every column. Where it is not given, NA, NaN, null and their like
            do so in columns of numbers; in a column of text only the empty cell is blank.
        size: pixels to which images are resized, such as 64, or (width, height).
        like: how another file was read (its table's `found.reading`), for what is not said here.

    Raises:
        ChainruleError: for a source that is not there or can't be read, with the place and the remedy.

    >>> read("iris").rows
    150
    >>> read("irs")
    Traceback (most recent call last):
    chainrule.errors.ChainruleError: There is no file 'irs'. Did you mean iris?
    """
    reading = Reading.of(like or {}, separator, decimal, header, blank, size)
    alien = ArgumentError("{}: {size} is for folders of images. Leave it out.", repr(str(source)))
    if source in NAMED:
        if size is not None:
            raise alien
        return read_named(str(source))
    path, text = known_path(source), (text,) if isinstance(text, str) else tuple(text)
    try:
        check_there(path, str(source))
        if path.is_dir() or (reading.alone and is_image(path)):
            return read_images(path, reading)
        with path.open("rb") as file:
            name = path.name or str(path)
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                check_memory(os.fstat(file.fileno()).st_size, name, "Give fewer rows or columns.")
                table = _read(file, name, reading, text)
            else:  # a pipe, which can't be read twice
                table = _read(bounded(file, name), name, reading, text)
    except OSError as error:
        raise ChainruleError(f"Can't read {str(source)!r}: {error.strerror or error}.") from None
    if size is not None and "colour" not in table.found.reading:  # which images have
        raise alien
    table.test = table.test or read_test_beside(path)
    return table


def read_bytes(content: bytes, name: str, text: Iterable[str] = (), size: int | tuple[int, int] | None = None) -> Table:
    """The table that the bytes of a file hold, which is known by its name and its content, as `read` knows one.

    `size` is that to which images, of a folder in a .zip file, are resized.

    >>> read_bytes(b"a,b\\n1,2\\n3,4\\n", "two.csv").rows
    2
    """
    check_memory(len(content), name, "Give fewer rows or columns.")
    return _read(BytesIO(content), name, Reading.of({}, None, None, None, None, size), tuple(text))


def _read(file: BinaryIO, name: str, reading: Reading, text: tuple[str, ...]) -> Table:
    ending = _ending(file, name)
    if ending == ".zip" and (folder := images_in_zip(file, name)) is not None:
        return read_images(folder, reading)
    if ending in PACKED:
        file, name, inner = PACKED[ending](file, name)
        ending = _ending(file, inner)
    if ending not in READERS:
        raise ChainruleError(
            f"{name!r}: can't read files of this kind. Give one of {', '.join(READERS)}, "
            f"{'an image, ' if reading.alone else ''}or a folder of images."
        )
    return READERS[ending](file, name, reading, text)


def _ending(file: BinaryIO, name: str) -> str:
    """The usual ending of a file's kind, from its name or else its content; none for what is no table."""
    ending = PurePath(f"_{name}").suffix.lower()
    ending = ALIKE.get(ending, ending)
    if ending in READERS or ending in PACKED:
        return ending
    head = file.read(4096)
    file.seek(0)
    for beginning, kind in BEGINNINGS.items():
        if head.startswith(beginning):
            return kind
    lines = [line for line in head.removeprefix(b"\xef\xbb\xbf").splitlines() if line.strip() and line[:1] not in b"#%"]
    if b"\0" in head:
        return ""
    return {b"{": ".jsonl", b"[": ".jsonl", b"@": ".ts"}.get(lines[0].strip()[:1] if lines else b"", ".csv")


def check_there(path: Path, source: str) -> None:
    """Refuse a path where nothing is, or nothing that this user may read."""
    if not path.exists():
        beside = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
        readable = [name for name in beside if PurePath(name).suffix.lower() in {*READERS, *ALIKE, *PACKED}]
        hint = nearest(path.name, [*NAMED, *readable])
        raise ChainruleError(
            f"There is no file {source!r}.{hint or f' Named sets are {shortened(NAMED, len(NAMED))}.'}"
        )
    if not os.access(path, os.R_OK):
        raise ChainruleError(f"{source!r} can't be read by this user. Give yourself the right to read it.")
