"""How much memory one thing may take: sizes are checked before they are allocated, and much goes in blocks."""

import ctypes
import gc
import math
import os
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError

CELL = 24  # bytes of a table's cell on its way: as it is read, as it is kept, and standardised
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # of a container, in Linux
NUMBERS, ROWS = 1 << 21, 1 << 14  # of a block: as many numbers, but as many rows at least
ALIGNED = 64  # bytes, at whose multiples an array begins that JAX takes without a copy
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


def blocks(rows: int, numbers: int = 1) -> Iterator[slice]:
    """Rows of so many numbers in blocks, so that what is computed on the way is never as large as all of them.

    Each has a power of two of rows, but the last, to which those belong that make no whole block. Few rows are one.

    >>> [len(range(*block.indices(50_000))) for block in blocks(50_000, 784)], [*blocks(30_000, 784)]
    ([16384, 16384, 17232], [slice(0, 30000, None)])
    """
    if rows < ROWS:
        return iter((slice(0, rows),))
    size = rows_of_block(numbers)
    starts = [*range(0, max(rows - size, 0) + 1, size)]
    return map(slice, starts, [*starts[1:], rows])


def rows_of_block(numbers: int = 1) -> int:
    """How many rows of so many numbers are a block."""
    return max(1 << max(NUMBERS // max(numbers, 1), 1).bit_length() - 1, ROWS)


def free() -> int:
    """The bytes of memory that this machine, or the container, has left, as far as the system says."""
    left = most() * 4
    with suppress(OSError, StopIteration, ValueError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        left = min(left, 1024 * int(next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))))
    return left


def give_back() -> None:
    """Let go of what nobody needs any more, and of the memory that the process keeps for later, where that is known."""
    gc.collect()
    with suppress(OSError, AttributeError, TypeError):  # of a system whose C library is another one
        ctypes.CDLL(None).malloc_trim(0)


def aligned(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array of zeros, which takes no memory before it is written to, and which JAX takes as it is.

    >>> aligned((3, 2), np.float32).ctypes.data % 64
    0
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    room = np.zeros(size + ALIGNED, np.uint8)
    start = -room.ctypes.data % ALIGNED
    return room[start : start + size].view(dtype).reshape(shape)
