"""Files that are written whole or not at all."""

import os
import secrets
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from chainrule.errors import ChainruleError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

TEMPORARY: set[Path] = set()  # the files that this process has under way
UNDER_WAY = ".chainrule-" + 16 * "[0-9a-f]"  # files and folders, each locked by the process that makes it


Content = bytes | str | Iterable[bytes]


def write_whole(path: str | os.PathLike, content: Content, inputs: Iterable[str | os.PathLike] = ()) -> None:
    """Write a file so that, whatever happens, either the old content or the new is there in full.

    A link is followed. A file that was there keeps its other names, its mode, owner and rights. What is no regular
    file, such as a device or a pipe, is written to.

    Args:
        path: the file.
        content: text becomes UTF-8; or bytes one after another, as they come to be.
        inputs: files that are not written over, as they are read.

    Raises:
        ChainruleError: where it can't be written (no such folder, no right, disk full); the old file stays.
    """
    check_output(path, inputs)
    path, data = Path(path), [as_bytes(content)] if isinstance(content, bytes | str) else content
    try:
        old = os.stat(path) if path.exists() else None
        if old is None or (stat.S_ISREG(old.st_mode) and not _is_open(old)):
            _write(Path(os.path.realpath(path)), data, old)
        else:
            whole = [b"".join(data)]
            with _stream(path, old) as stream:
                _fill(stream, whole)
    except OSError as error:
        raise _refused(path, error) from None


def known_path(path: str | os.PathLike) -> Path:
    """A path that the system can be asked about, whether or not something is there.

    Raises:
        ChainruleError: for what is no path, a name that is too long or that no file can have, or a folder that this
            user may not enter.
    """
    if not isinstance(path, str | os.PathLike):
        raise ChainruleError(f"Expected the path of a file, got {path!r}.")
    try:
        Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:
        raise ChainruleError(f"Can't reach {str(path)!r}: {reason(error)}.") from None
    return Path(path)


def check_output(path: str | os.PathLike, inputs: Iterable[str | os.PathLike] = ()) -> None:
    """Refuse a file that can't be written, or that is read, before any work is done.

    Raises:
        ChainruleError: as `write_whole` would.
    """
    path = Path(path)
    try:
        why = _hindrance(path, inputs)
    except (OSError, ValueError) as error:  # a name that is too long, or has a NUL
        why = error
    if why:
        raise _refused(path, why)


def _hindrance(path: Path, inputs: Iterable[str | os.PathLike]) -> str:
    """Why a file can't be written, as far as its place tells; empty where it may be."""
    if path.is_dir():
        return "Is a directory"
    if not path.exists():
        folder = Path(os.path.realpath(path)).parent
        if not folder.is_dir():
            return "Not a directory" if folder.exists() else "No such file or directory"
        return "" if os.access(folder, os.W_OK) else "Permission denied"
    if not os.access(path, os.W_OK) or not os.stat(path).st_mode & 0o222:  # root may, but does not mean to
        return "Permission denied"
    if path.is_file() and any(os.path.exists(other) and os.path.samefile(path, other) for other in inputs):
        return "It is read, too"
    return ""


def as_bytes(content: bytes | str) -> bytes:
    """Text as UTF-8; bytes in names of files that are no UTF-8 stay what they are."""
    return content.encode(errors="surrogateescape") if isinstance(content, str) else content


def under_way(folder: Path) -> Path:
    """A new name for what is being written in a folder."""
    return folder / f".chainrule-{secrets.token_hex(8)}"


def lock(descriptor: int, shared: bool = False, wait: bool = False) -> bool | None:
    """Take the lock of an open file, which lasts as long as its process; alone, or with others who share it.

    Returns:
        False where another one has it and is not waited for, None where the file system has no locks.
    """
    try:
        how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX  # type: ignore[union-attr]
        fcntl.flock(descriptor, how if wait else how | fcntl.LOCK_NB)  # type: ignore[union-attr]
    except BlockingIOError:
        return False
    except (OSError, AttributeError):
        return None
    return True


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, as soon as nobody else does, where the system has such."""
    descriptor = None
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        lock(descriptor, wait=True)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def sync(folder: Path) -> None:
    """Have a folder's names on the disk, as far as the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _refused(path: Path, why: str | Exception) -> ChainruleError:
    kept = "The old file is unchanged." if os.path.isfile(path) else "Nothing was written."
    return ChainruleError(f"Can't write {path}: {reason(why)}. {kept}")


def reason(why: str | Exception) -> str:
    """What went wrong, in the system's words."""
    return (why.strerror if isinstance(why, OSError) else None) or str(why)


def _write(target: Path, data: Iterable[bytes], old: os.stat_result | None) -> None:
    """Put a new file in an old one's place; where that would not be the same file, write over it."""
    if old is not None and old.st_nlink > 1:
        _overwrite(target, b"".join(data))
        return
    try:
        _replace(target, data, old)
    except PermissionError:  # the folder takes no new file, or the new file not the old one's owner
        if old is None:
            raise
        _overwrite(target, b"".join(data))


def _replace(target: Path, data: Iterable[bytes], old: os.stat_result | None) -> None:
    _clean(target.parent)
    with _temporary(target.parent) as (name, file):
        if old is not None:
            new = os.fstat(file.fileno())
            if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
                os.chown(name, old.st_uid, old.st_gid)  # before any data are taken, should it be refused
        _fill(file, data)
        if old is not None:
            shutil.copystat(target, name)  # mode, and rights beyond it
            os.utime(name)
        os.fsync(file.fileno())
        os.replace(name, target)
    sync(target.parent)


def _overwrite(target: Path, data: bytes) -> None:
    with open(target, "r+b", buffering=0) as file:
        before = file.readall()
        try:
            file.seek(0)
            _fill(file, [data])
            file.truncate()
            os.fsync(file.fileno())
        except BaseException:
            file.seek(0)
            _fill(file, [before])
            file.truncate()
            raise


def _fill(file: FileIO | BinaryIO, data: Iterable[bytes]) -> None:
    """Write all of the data to a file without a buffer."""
    for some in data:
        left = memoryview(some)
        while left:
            left = left[file.write(left) :]


@contextmanager
def _temporary(folder: Path) -> Iterator[tuple[Path, FileIO]]:
    """A new file, which is gone afterwards unless it was renamed; as a new file of anybody's it has the usual mode."""
    while True:
        name = under_way(folder)
        TEMPORARY.add(name)
        try:
            with open(name, "xb", buffering=0) as file:
                if lock(file.fileno()) is False or not os.fstat(file.fileno()).st_nlink:
                    continue  # taken for a leftover before it had its lock
                yield name, file
                return
        finally:
            with suppress(OSError):
                name.unlink()
            TEMPORARY.discard(name)


def abandon() -> None:
    """Remove the files that are under way, for a process that ends at once."""
    for name in [*TEMPORARY]:
        with suppress(OSError):
            name.unlink()


def _clean(folder: Path) -> None:
    """Remove files that killed processes left under way."""
    for name in folder.glob(UNDER_WAY):
        with suppress(OSError), open(name, "r+b") as file:
            if lock(file.fileno()):
                name.unlink()


def _is_open(file: os.stat_result) -> bool:
    """Whether a file is where standard output goes."""
    with suppress(OSError):
        return os.path.samestat(file, os.fstat(1))
    return False


def _stream(path: Path, file: os.stat_result) -> FileIO:
    """Where to write what is no regular file, or is open as standard output: behind what is there."""
    if sys.stdout is not None:
        sys.stdout.flush()
    return open(os.dup(1) if _is_open(file) else path, "wb", buffering=0)  # type: ignore[return-value]
