"""Raw data larger than memory: a file, a folder of files or of images, as tables one after another."""

import gzip
import os
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from copy import deepcopy
from hashlib import sha256
from pathlib import Path, PurePath
from typing import Any, BinaryIO

from chainrule.arrays.memory import CELL, free
from chainrule.data.files import known_path
from chainrule.data.kinds import Kinds
from chainrule.data.named import NAMED
from chainrule.data.readers.arrow import feather_blocks, parquet_blocks, said_sizes
from chainrule.data.readers.delimited import delimited_blocks
from chainrule.data.readers.images import image_blocks, image_files
from chainrule.data.readers.spelling import blank_note
from chainrule.data.reading import Reading
from chainrule.data.source import ALIKE, READERS, check_there
from chainrule.data.table import Found, Table
from chainrule.errors import ChainruleError

BLOCKS: dict[str, Callable[..., Iterator[Table]]] = {
    ".csv": delimited_blocks,
    ".tsv": delimited_blocks,
    ".parquet": parquet_blocks,
    ".feather": feather_blocks,
}
"""What reads the blocks of each kind of file, by its usual ending."""
KINDS = "a CSV, TSV, Parquet, Feather or Arrow file, a folder of such files, or one of images"
GROWTH = {".csv": 3, ".tsv": 3, ".feather": 6}  # how many times larger a table is on its way than in its file, about
PACKED = 5  # and what a packed file holds
CHUNK = 1 << 22  # bytes that are digested at once

Share = Callable[[float], Any]
"""It is told which share of a pass is done."""


class Stream:
    """Tables one after another, each of some rows, to be passed over as often as wanted: what `read` reads as one.

    What a column holds (numbers, text, or true and false) is told by its first rows, and holds for all of them. A cell
    that is something else is refused at its place, with the choice by which `read` would have decided.

    Attributes:
        name: what people call the data.
        found: how the files were read, once a pass has ended.
        kinds: what the columns hold.
        only: the columns that are wanted, if not all.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as place:
    ...     _ = Path(place, "a.csv").write_text("n,t\\n1,x\\n"), Path(place, "b.csv").write_text("n,t\\n2,y\\n3,z\\n")
    ...     [(table["n"].tolist(), table.place(0, "n").split("/")[1]) for table in Stream(place)]
    [([1.0], "a.csv, line 2, column 'n'"), ([2.0, 3.0], "b.csv, line 2, column 'n'")]
    """

    def __init__(
        self,
        source: str | os.PathLike[str],
        text: Iterable[str] = (),
        *,
        separator: str | None = None,
        decimal: str | None = None,
        header: bool | None = None,
        blank: str | Iterable[str] | None = None,
        size: int | tuple[int, int] | str | None = None,
        like: Mapping[str, Any] | None = None,
    ):
        """Arguments are those of `chainrule.data.read`.

        Raises:
            ChainruleError: for a source that is not there, or is of no kind that can be read so.
        """
        self.path = known_path(source)
        check_there(self.path, str(source))
        self.name = self.path.name or str(self.path)
        self.files = _files(self.path)
        self.images = not self.files
        self.files = self.files or image_files(self.path)
        self.reading = Reading.of(like or {}, separator, decimal, header, blank, size)
        self.kinds = Kinds(set((text,) if isinstance(text, str) else text))
        self.only: Collection[str] | None = None
        self.found = Found()
        self.marks: dict[Path, tuple[int, ...]] = {}

    def __repr__(self) -> str:
        return f"<Stream {self.name}: {len(self.files):,} file{'s' * (len(self.files) > 1)}>"

    def __iter__(self) -> Iterator[Table]:
        return self.tables()

    @property
    def size(self) -> int:
        """The bytes that the data would take in memory on their way to a network, about."""
        return sum(map(_bytes, self.files))

    def rows(self, columns: int) -> int:
        """How many rows of so many columns there are, about."""
        return len(self.files) if self.images else self.size // (CELL * columns) + 1

    def first(self) -> Table:
        """The first rows, with all columns; no pass begins, and what the columns hold is still open."""
        afresh = deepcopy(self)
        afresh.only = None
        with closing(afresh.tables()) as tables:
            return next(table for table in tables if table.rows)

    def tables(self, share: Share = lambda _: None) -> Generator[Table, None, None]:
        """One pass: each table knows the places of its rows in their file."""
        if self.images:
            blocks = image_blocks(self.path, self.reading, lambda done, of: share(done / of))
            for table in blocks:
                self.found = table.found
                yield table
            return
        names: list[str] | None = None
        rows = 0
        reading, notes, words = self.reading, {}, dict[str, Counter]()
        for number, file in enumerate(self.files):
            for table in self._tables(file, reading, lambda part, n=number: share((n + part) / len(self.files))):
                names, rows = names or [*table], rows + table.rows
                _check_same(table, names, self.files[0].name)
                self.kinds.hold(table)
                notes = dict(table.found.notes) | notes
                for column, counts in table.found.blank.items():
                    words.setdefault(column, Counter()).update(counts)
                self.found = Found(table.found.reading, notes | blank_note(self.name, words), words)
                yield table
            if self.found.reading:  # later files are read as the first one was
                reading = Reading.of(self.found.reading, None, None, None, None)
        if not rows:
            raise ChainruleError(f"{self.name}: has no rows. Give rows of data.")

    def digest(self, share: Share = lambda _: None) -> str:
        """Of all bytes of all files, and of their names where they say classes: what tells these data from others."""
        whole, done, size = sha256(), 0, sum(file.stat().st_size for file in self.files) or 1
        for file in self.files:
            whole.update(f"{file.relative_to(self.path) if self.images else ''}\0{file.stat().st_size}\0".encode())
            with self._opened(file) as opened:
                while chunk := opened.read(CHUNK):
                    whole.update(chunk)
                    done += len(chunk)
                    share(done / size)
        return whole.hexdigest()

    def _tables(self, file: Path, reading: Reading, share: Share) -> Iterator[Table]:
        """Those of one file."""
        name = str(PurePath(self.name, file.name)) if file != self.path else self.name
        size = file.stat().st_size or 1
        with self._opened(file) as opened:
            unpacked: Any = gzip.GzipFile(fileobj=opened) if file.suffix.lower() == ".gz" else opened
            for table in BLOCKS[_kind(file)](unpacked, name, reading, self.kinds.text, self.only):
                if _mark(opened) != self.marks[file]:  # one that grows may have no end
                    raise _changed(file)
                share(min(opened.tell() / size, 1.0))
                yield table

    @contextmanager
    def _opened(self, file: Path) -> Iterator[BinaryIO]:
        """A file, which must be the one that was read before, and stay so while it is read."""
        try:
            with open(file, "rb") as opened:
                mark = _mark(opened)
                if self.marks.setdefault(file, mark) != mark:
                    raise _changed(file)
                yield opened
                if _mark(opened) != mark or not os.path.samestat(os.fstat(opened.fileno()), os.stat(file)):
                    raise _changed(file)
        except (OSError, EOFError, zlib.error) as error:
            said = getattr(error, "strerror", None) or error
            raise ChainruleError(f"Can't read {str(file)!r}: {said}.") from None


def _files(path: Path) -> list[Path]:
    """The files of tables; none for a folder of images."""
    if not path.is_dir():
        if not path.is_file():
            raise ChainruleError(f"{str(path)!r}: can't be passed over twice. Give {KINDS}.")
        _check_kinds(path, [path])
        return [path]
    files = _tables_in(path)
    _check_kinds(path, files)
    return files


def _tables_in(path: Path) -> list[Path]:
    """The files of tables in a folder, by their names, but those that programs hide or mark."""
    return sorted(each for each in path.iterdir() if each.is_file() and each.name[0] not in "._" and _kind(each))


def _check_kinds(path: Path, files: list[Path]) -> None:
    """Refuse files of several kinds, or of one that can't be read in blocks."""
    kinds = dict.fromkeys(map(_kind, files))
    if len({BLOCKS.get(kind) for kind in kinds}) > 1:
        raise ChainruleError(
            f"{path.name or path}: holds files of several kinds: {', '.join(kinds)}. Keep those of one."
        )
    if not kinds.keys() <= BLOCKS.keys():
        raise ChainruleError(f"{str(path)!r}: can't be read block after block. Give {KINDS}.")


def _kind(file: Path) -> str:
    """A file's usual ending, by its name; none for what is no table."""
    ending = file.with_suffix("").suffix if file.suffix.lower() == ".gz" else file.suffix
    kind = ALIKE.get(ending.lower(), ending.lower())
    return kind if kind in READERS else ""


def _bytes(file: Path) -> int:
    """What a file would take in memory on its way to a network, about."""
    size, packed = file.stat().st_size, file.suffix.lower()
    if _kind(file) == ".parquet":
        return max(size, *said_sizes(file))
    return size * GROWTH.get(_kind(file), 1) * (PACKED if packed in (".gz", ".jpg", ".jpeg", ".png", ".webp") else 1)


def _mark(file: BinaryIO) -> tuple[int, ...]:
    """What changes when a file is written to, or is another one."""
    about = os.fstat(file.fileno())
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns


def _changed(file: Path) -> ChainruleError:
    return ChainruleError(f"{file.name} changed while it was read. Run again once it is whole.")


def _check_same(table: Table, names: list[str], first: str) -> None:
    """Refuse a file of other columns than the first."""
    missing, more = [each for each in names if each not in table], [each for each in table if each not in names]
    if missing or more:
        odd = f"no column {missing[0]!r}, but {first} has" if missing else f"a column {more[0]!r}, but {first} has not"
        raise ChainruleError(f"{table.name}: has {odd}. Give all files the same columns.")


def is_large(source: Any) -> bool:
    """Whether data would take more than a quarter of the memory that is free, or are a folder of tables."""
    if not isinstance(source, str | os.PathLike) or source in NAMED:
        return False
    if is_folder_of_tables(source):
        return True
    try:
        return Stream(source).size > free() / 4
    except (ChainruleError, OSError):  # as is said where it is read
        return False


def is_folder_of_tables(source: Any) -> bool:
    """Whether a source is a folder with files of tables in it."""
    with suppress(OSError, ValueError, TypeError):
        return Path(source).is_dir() and bool(_tables_in(Path(source)))
    return False
