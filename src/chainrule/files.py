"""Files that are written whole or not at all."""

import os
import tempfile
from pathlib import Path

from chainrule.errors import ChainruleError


def write_whole(path: str | os.PathLike, content: bytes | str) -> None:
    """Write a file so that, whatever happens, either the old content or the new is there in full.

    Raises:
        ChainruleError: where it can't be written (no such folder, no right, disk full); the old file stays.
    """
    path = Path(path)
    data = content.encode() if isinstance(content, str) else content
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        kept = " The old file is unchanged." if path.is_file() else " Nothing was written."
        raise ChainruleError(f"Can't write {path}: {error.strerror or error}.{kept}") from None
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def known_path(path: str | os.PathLike) -> Path:
    """A path that the system can be asked about, whether or not something is there.

    Raises:
        ChainruleError: for a name that is too long or that no file can have, or a folder that this user may not enter.
    """
    try:
        Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:
        raise ChainruleError(f"Can't read {str(path)!r}: {getattr(error, 'strerror', None) or error}.") from None
    return Path(path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
