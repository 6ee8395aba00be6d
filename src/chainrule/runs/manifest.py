"""The manifest of a run's folder: unfinished and locked while the run lasts, and then a list of its files."""

import errno
import json
import os
from io import FileIO
from typing import Any

from chainrule.data.files import as_bytes, lock

FILE = "manifest.json"


def write(manifest: FileIO, said: dict[str, Any]) -> None:
    """Write what is longer than what is there, at once, so that whoever is killed leaves the one or the other."""
    manifest.seek(0)
    manifest.write(as_bytes(json.dumps(said, indent=2) + "\n"))
    manifest.truncate()
    os.fsync(manifest.fileno())


def is_unfinished(manifest: FileIO) -> bool:
    """Whether a manifest is that of a run which has just begun, is trained, or was killed."""
    return _text(manifest) == b"" or {"unfinished"} <= set(content(manifest)) <= {"unfinished", "replaces"}


def files(manifest: FileIO) -> dict[str, str]:
    """The digests of a whole run's files by name; none for a file of another kind."""
    found = content(manifest).get("files")
    return found if isinstance(found, dict) else {}


def content(manifest: FileIO) -> dict[str, Any]:
    """What it says; nothing for a file of another kind."""
    try:
        found = json.loads(_text(manifest))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(manifest: FileIO) -> bytes:
    manifest.seek(0)
    return manifest.readall()


def locked(manifest: FileIO, new: bool = True) -> FileIO | None:
    """A manifest with its lock; None where another process has it, or, unless it is new, may have it."""
    held = lock(manifest.fileno())
    if held or (new and held is None):
        if os.fstat(manifest.fileno()).st_nlink:
            return manifest
        manifest.close()
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))  # its run was given up or replaced meanwhile
    manifest.close()
    return None
