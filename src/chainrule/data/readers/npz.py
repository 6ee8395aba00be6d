"""NPZ files of arrays as tables."""

import math
import warnings
import zipfile
from typing import Any, BinaryIO

import numpy as np

from chainrule.arrays.memory import check_memory
from chainrule.data.reading import Reading
from chainrule.data.table import Table, shortened
from chainrule.errors import ChainruleError, nearest

ARRAYS = ("x", "y", "x_test", "y_test")
TEXT = 64  # bytes that a text takes in memory beside its letters


def read_npz(file: BinaryIO, name: str, reading: Reading, text: Any = ()) -> Table:
    """An NPZ file of arrays `x`, (rows, …), and `y`, (rows,); `x_test` and `y_test` become the table's `test`.

    What `x` holds is told from its axes: (rows, features); (rows, time, channels), series; (rows, height, width,
    channels), images. Bytes (uint8) of three axes are grey images: (rows, height, width).
    """
    try:
        with zipfile.ZipFile(file) as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            found = [each.removesuffix(".npy") for each in archive.namelist()]
            arrays = {each: _array(archive, f"{each}.npy", f"{name}: {each}") for each in found if each in ARRAYS}
    except ChainruleError:
        raise
    except Exception:  # zipfile, its compressions and NumPy raise errors of many kinds on damaged files
        raise ChainruleError(f"{name}: is no whole NPZ file. Write it again by numpy.savez(file, x=…, y=…).") from None
    for each in ("x", "y", *(("x_test", "y_test") if {"x_test", "y_test"} & set(found) else ())):
        if each not in arrays:
            raise ChainruleError(
                f"{name}: there is no array {each!r}.{nearest(each, found)} The arrays are "
                f"{shortened(found) or 'none'}. Save it by numpy.savez(file, x=…, y=…)."
            )
    test = _examples(arrays["x_test"], arrays["y_test"], name, "_test") if "x_test" in arrays else None
    return _examples(arrays["x"], arrays["y"], name, test=test)


def _array(archive: zipfile.ZipFile, member: str, place: str) -> np.ndarray:
    """An array, whose size is checked before it is read."""
    with archive.open(member) as stored:
        version = np.lib.format.read_magic(stored)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, kind = header(stored)
    if kind.hasobject:
        raise ChainruleError(
            f"{place} is an array of Python objects, which are never read. Save arrays of numbers or text."
        )
    cell = kind.itemsize + TEXT if kind.kind in "US" else max(kind.itemsize, 1)
    check_memory(math.prod(shape) * cell, place, "Save fewer rows, or smaller ones.")
    with archive.open(member) as stored:
        return np.lib.format.read_array(stored, allow_pickle=False)


def _examples(x: np.ndarray, y: np.ndarray, name: str, suffix: str = "", test: Table | None = None) -> Table:
    if x.ndim == 0 or y.ndim == 0 or len(x) != len(y):
        raise ChainruleError(
            f"{name}: x{suffix} and y{suffix} must have one row for each example, got shapes {x.shape} and {y.shape}."
        )
    if not x.size:
        raise ChainruleError(f"{name}: x{suffix} is empty, of shape {x.shape}. Save one row for each example.")
    columns = {"x": x, "y": y[:, 0] if y.shape[1:] == (1,) else y}
    return Table(columns, f"{name} ({suffix[1:]})" if suffix else name, test=test)
