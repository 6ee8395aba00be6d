"""From a name or a path to a table."""

import os
from collections.abc import Iterable
from pathlib import Path

from chainrule.data.named import NAMED, read_named
from chainrule.data.readers.delimited import read_csv
from chainrule.data.readers.images import read_images
from chainrule.data.readers.npz import read_npz
from chainrule.data.readers.parquet import read_parquet
from chainrule.data.readers.series import read_ts
from chainrule.errors import ChainruleError
from chainrule.files import known_path
from chainrule.notation import nearest
from chainrule.table import Table, shortened

SUFFIXES = (".csv", ".tsv", ".parquet", ".npz", ".ts")


def read(source: str | os.PathLike[str], text: Iterable[str] = ()) -> Table:
    """Read a data set: one of `NAMED`, a file, or a folder of images.

    Args:
        source: a name such as "iris"; the path of a `.csv`, `.tsv`, `.parquet`, `.npz` (arrays) or `.ts` (series)
            file; or that of a folder with a subfolder of PNG or JPEG images for each class.
        text: columns of text, though they look like numbers (postal codes, with their leading zeros).

    Raises:
        ChainruleError: for a source that is not there or can't be read, with the place and the remedy.

    >>> read("iris").rows
    150
    >>> read("irs")
    Traceback (most recent call last):
    chainrule.errors.ChainruleError: There is no file 'irs'. Did you mean iris?
    """
    if source in NAMED:
        return read_named(str(source))
    path, text = known_path(source), (text,) if isinstance(text, str) else tuple(text)
    _check_there(path, str(source))
    if path.is_dir():
        return read_images(path)
    match path.suffix.lower():
        case ".csv":
            return read_csv(path, text)
        case ".tsv":
            return read_csv(path, text, "\t")
        case ".parquet":
            return read_parquet(path, text)
        case ".ts":
            return read_ts(path)
        case _:
            return read_npz(path)


def _check_there(path: Path, source: str) -> None:
    if not path.exists():
        beside = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
        readable = [name for name in beside if name.lower().endswith(SUFFIXES)]
        hint = nearest(path.name, [*NAMED, *readable])
        raise ChainruleError(
            f"There is no file {source!r}.{hint or f' Named sets are {shortened(NAMED, len(NAMED))}.'}"
        )
    if not os.access(path, os.R_OK):
        raise ChainruleError(f"{source!r} can't be read by this user. Give yourself the right to read it.")
    if not path.is_dir() and path.suffix.lower() not in SUFFIXES:
        raise ChainruleError(
            f"{source!r}: can't read files of this kind. Give one of {', '.join(SUFFIXES)}, or a folder of images."
        )
