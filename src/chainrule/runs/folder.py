"""A run's folder: its run's own from the first moment on, and finished by a manifest of all that is in it.

While a run is not complete there may be checkpoints in its folder, and nobody takes it over then but who resumes it.
"""

import errno
import hashlib
import itertools
import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from fnmatch import fnmatch
from io import FileIO
from pathlib import Path
from typing import Any

from chainrule.data.files import UNDER_WAY, as_bytes, lock, reason, sync, under_way
from chainrule.errors import ArgumentError, ChainruleError
from chainrule.model.file import FILE
from chainrule.runs import manifest as manifests
from chainrule.runs.manifest import FILE as MANIFEST
from chainrule.runs.seen import FILE as ROWS
from chainrule.training import keeping

BUSY = "is being written by another training"
CUT_OFF = (
    "holds a training that was cut off. Go on with it by {resume}, replace it by {overwrite}, or name another folder"
)
REMEDY = "Name another folder by {out}"
ATTEMPTS = 50  # while other runs come and go
LAST = "metrics.json"  # without which a run is not complete
PICTURES = ("curves.png", "confusion.png", "predictions.png")
FILES = (FILE, ROWS, "history.csv", LAST, "run.toml", "config.json", "README.md", *PICTURES)


class Folder:
    """A folder that a run has claimed. Its manifest is locked while the run lasts, and lists the files of a whole run.

    Attributes:
        name: what it is called.
        path: where that is.
        place: where it is written: there, or, where it shall replace another, beside it until it is whole.
        whole: whether it is a run that stays.
        resumed: whether an earlier process began it.
    """

    def __init__(
        self, name: Path, path: Path, place: Path, manifest: FileIO, made: list[Path], old: FileIO | None = None
    ):
        self.name, self.path, self.place, self.manifest = name, path, place, manifest
        self.made = made  # for it, the deepest first
        self.old = old  # the locked manifest of the run that it replaces
        self.whole = self.begun = self.resumed = False
        self.digests: dict[str, str] = {}

    def __enter__(self) -> "Folder":
        return self

    def __exit__(self, *error: Any) -> None:
        self.release()

    def begin(self) -> None:
        """Mark it as unfinished. A run that was interrupted is so from here on, as its files are written again."""
        replaces = {} if self.place == self.path else {"replaces": self.path.name}
        self.manifest.truncate(0)  # which is unfinished too
        manifests.write(self.manifest, {"unfinished": f"by process {os.getpid()}", **replaces})
        self.begun = True

    def write(self, name: str, content: bytes | str) -> None:
        """Write one of its files; a whole run gets one more."""
        if not self.begun:
            self.begin()
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

    def clear(self) -> None:
        """Remove what is written, but checkpoints."""
        for path in (*(self.place / name for name in FILES), *self.place.glob(UNDER_WAY)):
            path.unlink(missing_ok=True)

    def complete(self) -> None:
        """Nothing more comes: what could have been resumed is removed."""
        for path in (*keeping.files(self.place), *self.place.glob(UNDER_WAY)):
            path.unlink()

    def release(self) -> None:
        """Let others have it; unless it is whole or can be resumed, as if nothing had been written."""
        if not (self.whole or self.manifest.closed or self.resumed or keeping.files(self.place)):
            _empty(self.place)
            _forget(self.made)
        self.manifest.close()
        if self.old is not None:
            self.old.close()

    def _list(self) -> None:
        sync(self.place)
        manifests.write(self.manifest, {"files": self.digests})


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
    if taken is None and can_be_resumed(path):
        raise ArgumentError(f"{{}} {CUT_OFF} by {{out}}.", wanted)
    if taken is None:
        raise ArgumentError(f"{{}} holds a run. {REMEDY}, or replace it: {{overwrite}}.", wanted)
    raise ArgumentError(f"{{}} {{}}. {REMEDY}.", wanted, taken)


def reopen(wanted: Path) -> Folder:
    """Claim the folder of a run that was cut off, or interrupted, to go on with it; or of one that was to replace it.

    Raises:
        ChainruleError: where there is none, or another process has it.
    """
    path = Path(os.path.realpath(wanted))
    [place, *_] = [*_replacements(path), path]
    try:
        manifest = FileIO(place / MANIFEST, "r+")
        unfinished, known = manifests.is_unfinished(manifest), manifests.files(manifest)
        if not (unfinished or known):
            manifest.close()
            raise FileNotFoundError
        if not unfinished and not can_be_resumed(place) and LAST in known:
            manifest.close()
            raise ChainruleError(f"{wanted} is finished, and has no checkpoint to go on from.")
        if (held := manifests.locked(manifest)) is None:
            raise ChainruleError(f"{wanted} {BUSY}.")
    except (FileNotFoundError, NotADirectoryError):
        raise ChainruleError(f"{wanted} holds no run to go on with. Train one: chainrule train digits.") from None
    except OSError as error:
        raise ChainruleError(f"Can't go on with {wanted}: {reason(error)}.") from None
    folder = Folder(wanted, path, place, held, [])
    folder.resumed = True
    return folder


def can_be_resumed(path: Path) -> bool:
    """Whether there are checkpoints of a run."""
    return bool(keeping.files(path))


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
            unfinished, files = manifests.is_unfinished(manifest), manifests.files(manifest)
    except (OSError, ValueError):  # a model's file, a folder of an older version, or nothing that is there
        return ""
    if unfinished:
        raise ChainruleError(
            f"{path} is unfinished: its training is still running, or was killed. Go on with it: "
            f"chainrule train --resume {path}"
        )
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
        folder.clear()
        folder.begin()
    except BaseException:
        folder.release()
        raise
    return folder


def _replacement(wanted: Path, path: Path) -> Folder | None:
    """A folder beside the run that it shall replace; None where that is being written or replaced already."""
    for other in _replacements(path):
        _empty(other)
        _forget([other])
    beside, old = under_way(path.parent), None
    if (path / MANIFEST).exists() and (old := manifests.locked(FileIO(path / MANIFEST, "r+"))) is None:
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
    if names and (MANIFEST not in names or not all(map(_is_ours, names)) or keeping.files(path)):
        return None
    try:
        manifest, new = FileIO(path / MANIFEST, "x+"), True
    except FileExistsError:
        try:
            manifest, new = FileIO(path / MANIFEST, "r+"), False
        except PermissionError:
            return None
    if (
        manifests.is_unfinished(manifest) and manifests.locked(manifest, new) and manifests.is_unfinished(manifest)
    ):  # still
        return manifest
    manifest.close()
    return None


def _taken(path: Path) -> str | None:
    """Why a folder is nobody's to replace; None where it holds a run and nothing else."""
    if not path.is_dir():
        return "is a file"
    looked_at, names = os.stat(path), set(os.listdir(path))
    if not os.path.samestat(looked_at, os.stat(path)):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))  # another run took its place meanwhile
    strange = sorted(name for name in names if not _is_ours(name))
    if MANIFEST in names:
        with FileIO(path / MANIFEST) as manifest:
            if manifests.is_unfinished(manifest):
                if not keeping.files(path) or lock(manifest.fileno()) is False:
                    return BUSY
            elif not manifests.files(manifest):
                strange = sorted([MANIFEST, *strange])
    if FILE not in names and not keeping.files(path):
        return "is not empty, and holds no run"
    return f"holds {strange[0]}, which no run wrote" if strange else None


def _forget(made: list[Path]) -> None:
    """Remove folders that are empty, the deepest first."""
    for folder in made:
        with suppress(OSError):
            folder.rmdir()


def _names(path: Path) -> Iterator[Path]:
    return itertools.chain([path], (path.with_name(f"{path.name}-{number}") for number in itertools.count(2)))


def _clean(folder: Path) -> None:
    """Remove what killed runs left beside the folders that they were to replace, and nobody can go on with."""
    for path in folder.glob(UNDER_WAY):
        with suppress(OSError), open(path / MANIFEST, "r+b") as manifest:
            if lock(manifest.fileno()) and not keeping.files(path):
                _empty(path)
                _forget([path])


def _replacements(path: Path) -> list[Path]:
    """Where killed runs that were to replace this one left checkpoints."""
    found = []
    for beside in path.parent.glob(UNDER_WAY):
        with suppress(OSError), FileIO(beside / MANIFEST) as manifest:
            mine = manifests.content(manifest).get("replaces") == path.name and keeping.files(beside)
            found += [beside] if mine and lock(manifest.fileno()) is not False else []
    return found


def _empty(path: Path) -> None:
    """Remove what a run wrote into a folder, the manifest last; anything else stays."""
    with suppress(OSError):
        for name in sorted(filter(_is_ours, os.listdir(path)), key=MANIFEST.__eq__):
            (path / name).unlink()


def _is_ours(name: str) -> bool:
    """Whether a run may have written a file of this name."""
    return name in (*FILES, MANIFEST) or keeping.is_checkpoint(name) or fnmatch(name, UNDER_WAY)


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


def _digest(file: Path) -> str:
    try:
        with open(file, "rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError:
        return ""
