"""Files that hold one other file, packed: gzip and zip.

What they hold is given with the name that people see, and the one whose ending tells its kind.
"""

import gzip
import io
import zipfile
from typing import BinaryIO

from chainrule.arrays.memory import check_memory, most
from chainrule.data.table import shortened
from chainrule.errors import ChainruleError

CHUNK = 2**20  # bytes


def unpack_gzip(file: BinaryIO, name: str) -> tuple[BinaryIO, str, str]:
    """What a .gz file holds."""
    try:
        with gzip.GzipFile(fileobj=file) as packed:
            content = bounded(packed, name)  # type: ignore[arg-type]
    except ChainruleError:
        raise
    except Exception:  # gzip and zlib raise errors of many kinds on damaged files
        raise ChainruleError(f"{name}: is no whole .gz file. Pack it again, or give the file that it holds.") from None
    return content, name, name[:-3] if name.lower().endswith(".gz") else ""


def unpack_zip(file: BinaryIO, name: str) -> tuple[BinaryIO, str, str]:
    """What a .zip file holds; the kinds of file that are zip files themselves are given back as they are.

    Raises:
        ChainruleError: for a file that is broken, or holds none or several.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            if "[Content_Types].xml" in names:
                return _again(file), name, ".xlsx"
            if names and all(each.endswith(".npy") for each in names):
                return _again(file), name, ".npz"
            files = [each for each in names if not (each.endswith("/") or each.startswith("__MACOSX/"))]
            if len(files) == 1:
                check_memory(archive.getinfo(files[0]).file_size, f"{name}: {files[0]}", "Give fewer rows or columns.")
                with archive.open(files[0]) as packed:
                    return bounded(packed, name), f"{name}/{files[0]}", files[0]  # type: ignore[arg-type]
    except ChainruleError:
        raise
    except Exception:  # zipfile and its compressions raise errors of many kinds on damaged files
        raise ChainruleError(f"{name}: is no whole .zip file. Pack it again, or give the file that it holds.") from None
    raise ChainruleError(f"{name}: expected one file in it, got {shortened(files) or 'none'}. Give that one alone.")


def bounded(file: BinaryIO, name: str) -> BinaryIO:
    """A file's content in memory, as far as there is room for it."""
    content = io.BytesIO()
    while content.tell() <= most() and (chunk := file.read(CHUNK)):
        content.write(chunk)
    check_memory(content.tell(), name, "Give fewer rows or columns.")
    return _again(content)


def _again(file: BinaryIO) -> BinaryIO:
    file.seek(0)
    return file
