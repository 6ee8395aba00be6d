"""Standard output and error, which may be closed, or full, or a pipe that nobody reads any more."""

import codecs
import os
import sys
from contextlib import contextmanager

TYPE_CHECKING = False  # as in `typing`, which is not light
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

UNKNOWN = "chainrule.unknown"


class Forgiving:
    """A stream that can fail without anybody failing by it: what comes after its first failure is dropped.

    Attributes:
        failure: what went wrong first; None while all is well.
    """

    def __init__(self, stream: "Any"):
        self.stream = stream
        self.failure: OSError | None = None

    def __getattr__(self, name: str) -> "Any":
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write, if it can be."""
        self._try(lambda: self.stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Flush, if it can be."""
        self._try(self.stream.flush)

    def _try(self, action: "Callable[[], object]") -> None:
        if self.failure is not None:
            return
        try:
            action()
        except OSError as error:
            self.failure = error
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())  # what is buffered still is dropped as well
            os.close(nowhere)


@contextmanager
def standard_streams() -> "Iterator[Callable[[], OSError | None]]":
    """Standard streams that are open and forgiving; gives a function that tells how standard output failed, if it did.

    A closed one is opened for reading, so that no other file gets its number, and writing to it fails.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)  # takes the least number that is free
    before = sys.stdout, sys.stderr
    codecs.register_error(UNKNOWN, _unknown)
    for number, name in enumerate(("stdout", "stderr"), 1):
        stream = getattr(sys, name)
        if stream is None:
            stream = open(number, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=UNKNOWN)
        setattr(sys, name, Forgiving(stream))
    out: Any = sys.stdout

    def failure() -> OSError | None:
        out.flush()
        return out.failure

    try:
        yield failure
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = before


def _unknown(error: UnicodeError) -> tuple[bytes, int]:
    """Letters that a terminal does not know as question marks, bytes of a file's name that are no text as they are."""
    assert isinstance(error, UnicodeEncodeError)
    letters = map(ord, error.object[error.start : error.end])
    return bytes(letter - 0xDC00 if 0xDC80 <= letter <= 0xDCFF else ord("?") for letter in letters), error.end
