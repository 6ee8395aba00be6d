"""The folder where prepared data are kept for later trainings: each entry whole or not at all, the oldest go first."""

import errno
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Any
from weakref import finalize

from chainrule.data.files import UNDER_WAY, alone, lock, reason, sync, under_way
from chainrule.errors import ChainruleError

ABOUT = "about.json"  # written last, and locked: by who writes an entry alone, by those who read it together
PLACE = "CHAINRULE_CACHE"


def place() -> Path:
    """Where the cache is: the folder that CHAINRULE_CACHE names, else the platform's own for such things."""
    if said := os.environ.get(PLACE):
        return Path(said)
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "chainrule"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "chainrule" / "Cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "chainrule"


class Entry:
    """A whole entry, which nobody removes while it is open.

    Attributes:
        folder: where its files are.
        about: what was written about it.
    """

    def __init__(self, folder: Path, file: FileIO):
        self.folder, self.file = folder, file
        finalize(self, file.close)  # within a circle too, where `__del__` may come behind the file's own
        self.about: dict[str, Any] = json.loads(file.readall())

    @classmethod
    def find(cls, key: str) -> "Entry | None":
        """The entry of a key; None where there is none."""
        folder = place() / key
        with suppress(OSError, ValueError):
            file = FileIO(folder / ABOUT, "r+")
            lock(file.fileno(), shared=True)
            found = cls(folder, file)
            os.utime(folder / ABOUT)  # the last use
            if os.path.samestat(os.fstat(file.fileno()), os.stat(folder / ABOUT)):
                return found
        return None


@contextmanager
def writing(key: str, size: int) -> Iterator["Writing"]:
    """A new entry of so many bytes about; it is there once it is finished, and else nothing of it.

    Raises:
        ChainruleError: where there is no room, or it can't be written.
    """
    cache = place()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with alone(cache):  # or another process takes an entry that is not locked yet for what a killed one left
            _clean(cache)
            _make_room(cache, size)
            entry = Writing(cache, key)
        try:
            yield entry
        finally:
            entry.release()
    except OSError as error:
        full = error.errno == errno.ENOSPC
        why = "The disk is full" if full else reason(error)
        raise ChainruleError(
            f"Can't write {cache}: {why}. Nothing was kept; make room, or name another folder by {PLACE}."
        ) from None


class Writing:
    """An entry under way.

    Attributes:
        folder: where its files are written to.
    """

    def __init__(self, cache: Path, key: str):
        self.final, self.folder, self.done = cache / key, under_way(cache), False
        self.folder.mkdir()
        self.file = FileIO(self.folder / ABOUT, "x+")
        lock(self.file.fileno())

    def finish(self, about: dict[str, Any]) -> Entry:
        """Put the entry in its place, with what is said about it; where another process was first, its own stays."""
        for file in self.folder.iterdir():
            if file.name != ABOUT:
                _sync(file)
        self.file.write(json.dumps(about).encode())
        os.fsync(self.file.fileno())
        self.file.seek(0)
        sync(self.folder)
        with suppress(OSError):
            os.rename(self.folder, self.final)
            self.done = True
        sync(self.final.parent)
        if not self.done and (found := Entry.find(self.final.name)):
            return found
        self.done = True
        lock(self.file.fileno(), shared=True)
        return Entry(self.final, self.file)

    def release(self) -> None:
        """Leave nothing, unless it is finished."""
        if not self.done:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.file.close()


def _make_room(cache: Path, size: int) -> None:
    """Remove the entries that were not used for longest, until all take no more than half of what the disk has left."""
    entries = sorted(
        (each for each in cache.iterdir() if (each / ABOUT).is_file() and not each.name.startswith(".")),
        key=lambda each: (each / ABOUT).stat().st_mtime,
    )
    taken = {each: sum(file.stat().st_size for file in each.iterdir()) for each in entries}
    for each in entries:
        if sum(taken.values()) + size <= (shutil.disk_usage(cache).free + sum(taken.values())) // 2:
            return
        if _removed(each):
            del taken[each]
    free = shutil.disk_usage(cache).free
    if size > free:
        raise ChainruleError(
            f"The prepared rows take {size / 1e9:,.3g} GB, and {cache} has {free / 1e9:,.3g} GB left. Make room, or "
            f"name another folder by {PLACE}."
        )


def _removed(entry: Path) -> bool:
    """Whether an entry could be removed, as nobody reads it."""
    with suppress(OSError), FileIO(entry / ABOUT, "r+") as file:
        if lock(file.fileno()):
            aside = under_way(entry.parent)
            os.rename(entry, aside)
            shutil.rmtree(aside, ignore_errors=True)
            return True
    return False


def _clean(cache: Path) -> None:
    """Remove what killed processes left under way."""
    for each in cache.glob(UNDER_WAY):
        with suppress(OSError):
            if not any(each.iterdir()):
                each.rmdir()
            with FileIO(each / ABOUT, "r+") as file:
                if lock(file.fileno()):
                    shutil.rmtree(each, ignore_errors=True)


def _sync(file: Path) -> None:
    with open(file, "rb") as opened:
        os.fsync(opened.fileno())
