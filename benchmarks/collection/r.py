"""Tables out of R's packages, without R."""

import bz2
import lzma
import warnings
import zlib
from typing import Any

from benchmarks.collection.packages import CollectionError, Package


def r_object(package: Package, file: str, name: str) -> Any:
    """An object that R keeps, as pandas and NumPy have it.

    Args:
        package: one of Debian's.
        file: an `.rda` or `.RData` file, or the `.rdb` file of a database of objects, beside which is its index.
        name: the object's.
    """
    content = package.file(file)
    if file.endswith(".rdb"):
        start, length = _read(package.file(f"{file[:-1]}x"))["variables"][name]
        return _read(_unpacked(content[int(start) : int(start + length)]))
    return _read(content)[name]


def _read(content: bytes) -> Any:
    try:
        import rdata
    except ImportError:
        raise CollectionError("R's tables need the rdata package. Install it: pip install '.[collection]'") from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of R's classes, which are read as what they are made of
        return rdata.conversion.convert(rdata.parser.parse_data(content), default_encoding="utf8")


def _unpacked(chunk: bytes) -> bytes:
    """An object of a database: its length comes first, and then how it is packed, or at once zlib's own header."""
    match chunk[4:5]:
        case b"Z":
            return lzma.decompress(chunk[5:], lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2}])
        case b"2":
            return bz2.decompress(chunk[5:])
        case _:
            return zlib.decompress(chunk[4:])
