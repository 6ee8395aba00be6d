"""How much memory one thing may take: sizes are checked before anything is allocated."""

import os
from functools import cache
from pathlib import Path

from chainrule.errors import ChainruleError

CELL = 24  # bytes of a table's cell on its way: as it is read, as it is kept, and standardised
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # of a container, in Linux
UNKNOWN = 16 * 2**30  # where a system does not say what it has


@cache
def most() -> int:
    """The bytes that one thing may take: a quarter of the machine's memory, as it is copied on its way."""
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        memory = UNKNOWN
    for limit in map(Path, LIMITS):
        said = limit.read_text().strip() if limit.is_file() else ""
        memory = min(memory, int(said)) if said.isdecimal() else memory
    return memory // 4


def check_memory(size: int, what: str, remedy: str) -> None:
    """Refuse what would take more bytes than `most`.

    >>> check_memory(10**30, "big.npz: x", "Give fewer rows.")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    chainrule.errors.ChainruleError: big.npz: x would take 1e+21 GB, more than a quarter of ... Give fewer rows.
    """
    if size > most():
        raise ChainruleError(
            f"{what} would take {size / 1e9:.3g} GB, more than a quarter of this machine's memory "
            f"({most() / 1e9:.3g} GB). {remedy}"
        )
