"""A run's folder: its run's own from the first moment on, and finished by a manifest of all that is in it."""

import errno
import hashlib
import itertools
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from io import FileIO
from pathlib import Path
from typing import Any

from chainrule.data.files import UNDER_WAY, as_bytes, lock, reason, sync, under_way
from chainrule.errors import ArgumentError, ChainruleError
from chainrule.model.file import FILE
from chainrule.runs.seen import FILE as ROWS

MANIFEST = "manifest.json"
BUSY = "is being written by another training"
REMEDY = "Name another folder by {out}"
ATTEMPTS = 50  # while other runs come and go
FILES = (FILE, ROWS, "history.csv", "metrics.json", "run.toml", "curves.png", "confusion.png", "predictions.png")


class Folder:
    """A folder that a run has claimed. Its manifest is locked while the run lasts, and lists the files of a whole run.

    Attributes:
        name: what it is called.
        path: where that is.
        place: where it is written: there, or, where it shall replace another, beside it until it is whole.
        whole: whether it is a run that stays.
    """

    def __init__(
        self, name: Path, path: Path, place: Path, manifest: FileIO, made: list[Path], old: FileIO | None = None
    ):
        self.name, self.path, self.place, self.manifest = name, path, place, manifest
        self.made = made  # for it, the deepest first
        self.old = old  # the locked manifest of the run that it replaces
        self.whole = False
        self.digests: dict[str, str] = {}

    def __enter__(self) -> "Folder":
        return self

    def __exit__(self, *error: Any) -> None:
        self.release()

    def write(self, name: str, content: bytes | str) -> None:
        """Write one of its files; a whole run gets one more."""
        data = as_bytes(content)
        with open(self.place / name, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        self.digests[name] = hashlib.sha256(data).hexdigest()
        if self.whole:
            self._list()

    def finish(self) -> None:
        """Make it a whole run, under its name."""
        self._list()
        if self.place != self.path:
            _exchange(self.place, self.path)
            self.place = self.path
        sync(self.path.parent)
        self.whole = True

    def release(self) -> None:
        """Let others have it; unless it is whole, as if nothing had been written."""
        if not (self.whole or self.manifest.closed):
            _empty(self.place)
            _forget(self.made)
        self.manifest.close()
        if self.old is not None:
            self.old.close()

    def _list(self) -> None:
        sync(self.place)
        _write(self.manifest, {"files": self.digests})


def claim(wanted: Path, *, counted: bool = False, overwrite: bool = False) -> Folder:
    """Claim a folder for a run, exclusively: a new one, an empty one, or one whose run was killed.

    Args:
        wanted: its name.
        counted: whether the next free name will do (`digits-2`, `digits-3`, …).
        overwrite: whether a run that is there may be replaced; it stays until the new one is finished.

    Raises:
        ChainruleError: where it is taken, or can't be written.
    """
    try:
        for _ in range(ATTEMPTS):
            with suppress(FileNotFoundError):  # where another run gives up a folder just now
                return _claim(wanted, counted, overwrite)
        return _claim(wanted, counted, overwrite)
    except ChainruleError:
        raise
    except (OSError, ValueError) as error:
        raise ArgumentError(f"Can't write {{}}: {{}}. {REMEDY}.", wanted, reason(error)) from None


def _claim(wanted: Path, counted: bool, overwrite: bool) -> Folder:
    path = Path(os.path.realpath(wanted))
    made = [parent for parent in path.parents if not parent.exists()]
    try:
        if path.parent.is_file():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        path.parent.mkdir(parents=True, exist_ok=True)
        _clean(path.parent)
        for name in _names(path) if counted else [path]:
            mine = [] if name.is_dir() and not any(name.iterdir()) else [name]
            if manifest := _claimed(name):
                shown = wanted.with_name(name.name) if counted else wanted
                return _begun(Folder(shown, name, name, manifest, [*mine, *made]))
        taken = _taken(path)
        if taken is None and overwrite:
            if folder := _replacement(wanted, path):
                return folder
            taken = BUSY
    except OSError:
        _forget(made)
        raise
    if taken is None:
        raise ArgumentError(f"{{}} holds a run. {REMEDY}, or replace it: {{overwrite}}.", wanted)
    raise ArgumentError(f"{{}} {{}}. {REMEDY}.", wanted, taken)


def check(path: str | os.PathLike) -> str:
    """Compare a run's folder with its manifest; any other place is none of its business.

    Returns:
        What is not as the run wrote it, apart from the model, in words; empty where all is.

    Raises:
        ChainruleError: where the run is unfinished, or the model is not the one that it wrote.
    """
    folder = Path(path)
    try:
        with FileIO(folder / MANIFEST) as manifest:
            unfinished, files = _is_unfinished(manifest), _files(manifest)
    except (OSError, ValueError):  # a model's file, a folder of an older version, or nothing that is there
        return ""
    if unfinished:
        raise ChainruleError(f"{path} is unfinished: its training is still running, or was killed. Train again.")
    altered = [name for name, digest in files.items() if _digest(folder / name) != digest]
    if FILE in altered:
        raise ChainruleError(f"{folder / FILE} is not the model that this run wrote. Use an intact copy.")
    missing = [name for name in altered if not (folder / name).exists()]
    changed = [name for name in altered if name not in missing]
    said = [f"{', '.join(changed)} changed after the run was saved"] * bool(changed)
    return "; ".join([*said, *(f"{name} is missing" for name in missing)])


def written(path: str | os.PathLike) -> list[Path]:
    """The files that a run's folder holds, or the model's file itself."""
    return [Path(path), *(Path(path) / name for name in (*FILES, MANIFEST))]


def _begun(folder: Folder) -> Folder:
    """A folder that was just claimed, without what a killed run left in it."""
    try:
        for name in FILES:
            (folder.place / name).unlink(missing_ok=True)
        _write(folder.manifest, {"unfinished": f"by process {os.getpid()}"})
    except BaseException:
        folder.release()
        raise
    return folder


def _replacement(wanted: Path, path: Path) -> Folder | None:
    """A folder beside the run that it shall replace; None where that is being written or replaced already."""
    beside, old = under_way(path.parent), None
    if (path / MANIFEST).exists() and (old := _locked(FileIO(path / MANIFEST, "r+"))) is None:
        return None
    with ExitStack() as unless_claimed:
        if old is not None:
            unless_claimed.enter_context(old)
        if manifest := _claimed(beside):
            unless_claimed.pop_all()
            return _begun(Folder(wanted, path, beside, manifest, [beside], old))
    return None


def _claimed(path: Path) -> FileIO | None:
    """The locked manifest of a folder that nobody has; None where somebody does."""
    with suppress(FileExistsError):
        path.mkdir()
    names = set(os.listdir(path)) if path.is_dir() else {""}
    if names and not {MANIFEST} <= names <= {MANIFEST, *FILES}:
        return None
    try:
        manifest, new = FileIO(path / MANIFEST, "x+"), True
    except FileExistsError:
        try:
            manifest, new = FileIO(path / MANIFEST, "r+"), False
        except PermissionError:
            return None
    if _is_unfinished(manifest) and _locked(manifest, new) and _is_unfinished(manifest):  # still
        return manifest
    manifest.close()
    return None


def _locked(manifest: FileIO, new: bool = True) -> FileIO | None:
    """A manifest with its lock; None where another process has it, or, unless it is new, may have it."""
    held = lock(manifest.fileno())
    if held or (new and held is None):
        if os.fstat(manifest.fileno()).st_nlink:
            return manifest
        manifest.close()
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))  # its run was given up or replaced meanwhile
    manifest.close()
    return None


def _taken(path: Path) -> str | None:
    """Why a folder is nobody's to replace; None where it holds a run and nothing else."""
    if not path.is_dir():
        return "is a file"
    looked_at, names = os.stat(path), set(os.listdir(path))
    if not os.path.samestat(looked_at, os.stat(path)):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))  # another run took its place meanwhile
    ours = {*FILES}
    if MANIFEST in names:
        with FileIO(path / MANIFEST) as manifest:
            if _is_unfinished(manifest):
                return BUSY
            ours |= {MANIFEST} if _files(manifest) else set()
    if FILE not in names:
        return "is not empty, and holds no run"
    strange = sorted(names - ours)
    return f"holds {strange[0]}, which no run wrote" if strange else None


def _forget(made: list[Path]) -> None:
    """Remove folders that are empty, the deepest first."""
    for folder in made:
        with suppress(OSError):
            folder.rmdir()


def _names(path: Path) -> Iterator[Path]:
    return itertools.chain([path], (path.with_name(f"{path.name}-{number}") for number in itertools.count(2)))


def _clean(folder: Path) -> None:
    """Remove what killed runs left beside the folders that they were to replace."""
    for path in folder.glob(UNDER_WAY):
        with suppress(OSError), open(path / MANIFEST, "r+b") as manifest:
            if lock(manifest.fileno()):
                _empty(path)
                _forget([path])


def _empty(path: Path) -> None:
    """Remove what a run wrote into a folder, the manifest last; anything else stays."""
    for name in (*FILES, MANIFEST):
        with suppress(OSError):
            (path / name).unlink()


def _exchange(new: Path, old: Path) -> None:
    """Put a new run in an old one's place, at once where the system can, and remove the old one."""
    aside = next(name for name in _names(old.with_name(f"{old.name}-replaced")) if not name.exists())
    if _swapped(new, old):
        replaced = new
    else:
        with suppress(FileNotFoundError):
            os.rename(old, aside)
        os.rename(new, old)
        replaced = aside
    _empty(replaced)
    _forget([replaced])
    if replaced.exists() and replaced != aside:  # with something that came to the old run meanwhile
        os.rename(replaced, aside)


def _swapped(one: Path, other: Path) -> bool:
    """Whether the system could let two folders change their names at once."""
    import ctypes

    here, both = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    try:
        rename = ctypes.CDLL(None).renameat2
        return rename(here, os.fsencode(one), here, os.fsencode(other), both) == 0
    except (AttributeError, OSError, TypeError):
        return False


def _write(manifest: FileIO, content: dict[str, Any]) -> None:
    """Write what is longer than what is there, at once, so that whoever is killed leaves the one or the other."""
    manifest.seek(0)
    manifest.write(as_bytes(json.dumps(content, indent=2) + "\n"))
    manifest.truncate()
    os.fsync(manifest.fileno())


def _is_unfinished(manifest: FileIO) -> bool:
    """Whether a manifest is that of a run which has just begun, is trained, or was killed."""
    return _text(manifest) == b"" or set(_content(manifest)) == {"unfinished"}


def _files(manifest: FileIO) -> dict[str, str]:
    """The digests of a whole run's files by name; none for a file of another kind."""
    files = _content(manifest).get("files")
    return files if isinstance(files, dict) else {}


def _content(manifest: FileIO) -> dict[str, Any]:
    try:
        content = json.loads(_text(manifest))
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _text(manifest: FileIO) -> bytes:
    manifest.seek(0)
    return manifest.readall()


def _digest(file: Path) -> str:
    try:
        with open(file, "rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError:
        return ""
