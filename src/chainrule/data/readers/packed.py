"""Files that hold one other file, packed: gzip and zip.

What they hold is given with the name that people see, and the one whose ending tells its kind.
"""

import gzip
import io
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO, Protocol

from chainrule.arrays.memory import check_memory, most
from chainrule.data.table import shortened
from chainrule.errors import ChainruleError

CHUNK = 2**20  # bytes
IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


class Place(Protocol):
    """A folder or a file, of the system or in a .zip file."""

    @property
    def name(self) -> str:
        """The last part of its path."""
        ...

    @property
    def suffix(self) -> str:
        """The ending of its name."""
        ...

    def is_dir(self) -> bool:
        """Whether it is a folder."""
        ...

    def is_file(self) -> bool:
        """Whether it is a file."""
        ...

    def iterdir(self) -> Iterator[Any]:
        """What lies in it."""
        ...

    def open(self, mode: Any = "r") -> Any:
        """Its content."""
        ...


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


def images_in_zip(file: BinaryIO, name: str) -> zipfile.Path | None:
    """The folder of images that a .zip file holds, in it alone or within one of their own; None of any other file."""
    try:
        archive = zipfile.ZipFile(file)
        archive.filename = name  # as `Path` calls the outermost folder
        images = [each for each in archive.infolist() if each.filename.lower().endswith(IMAGES)]
        check_memory(sum(each.file_size for each in images), name, "Give fewer images.")
        folder = zipfile.Path(archive)
        while (
            len(inner := visible(folder)) == 1
            and inner[0].is_dir()
            and any(map(zipfile.Path.is_dir, visible(inner[0])))
        ):
            [folder] = inner
    except ChainruleError:
        raise
    except Exception:  # of a damaged file, which is said where it is unpacked
        return None
    finally:
        file.seek(0)
    return folder if len(images) > 1 else None


def _alone(folder: zipfile.Path) -> zipfile.Path | None:
    """The folder that lies alone in another."""
    inner = visible(folder)
    return inner[0] if len(inner) == 1 and inner[0].is_dir() else None


def visible(folder: Place) -> list[Any]:
    """What lies in a folder, but for what systems put beside it."""
    return [each for each in folder.iterdir() if not each.name.startswith((".", "__MACOSX"))]


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
