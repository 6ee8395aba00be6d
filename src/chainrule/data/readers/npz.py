"""NPZ files of arrays as tables."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.notation import nearest
from chainrule.table import Table, shortened


def read_npz(path: Path) -> Table:
    """An NPZ file of arrays `x`, (rows, …), and `y`, (rows,); `x_test` and `y_test` become the table's `test`.

    What `x` holds is told from its axes: (rows, features); (rows, time, channels), series; (rows, height, width,
    channels), images. Bytes (uint8) of three axes are grey images: (rows, height, width).
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files if name in ("x", "y", "x_test", "y_test")}
            found = archive.files
    except ValueError as error:
        if "Object arrays" in str(error):
            raise ChainruleError(
                f"{path.name}: holds arrays of Python objects, which are never read. Save arrays of numbers or text."
            ) from None
        raise _broken_npz(path) from None
    except (OSError, EOFError, AttributeError, TypeError, zipfile.BadZipFile, zlib.error):
        raise _broken_npz(path) from None
    for name in ("x", "y", *(("x_test", "y_test") if {"x_test", "y_test"} & set(found) else ())):
        if name not in arrays:
            raise ChainruleError(
                f"{path.name}: there is no array {name!r}.{nearest(name, found)} The arrays are "
                f"{shortened(found) or 'none'}. Save it by numpy.savez(file, x=…, y=…)."
            )
    test = _examples(arrays["x_test"], arrays["y_test"], path.name, "_test") if "x_test" in arrays else None
    return _examples(arrays["x"], arrays["y"], path.name, test=test)


def _broken_npz(path: Path) -> ChainruleError:
    return ChainruleError(f"{path.name}: is no whole NPZ file. Write it again by numpy.savez(file, x=…, y=…).")


def _examples(x: np.ndarray, y: np.ndarray, name: str, suffix: str = "", test: Table | None = None) -> Table:
    if x.ndim == 0 or y.ndim == 0 or len(x) != len(y):
        raise ChainruleError(
            f"{name}: x{suffix} and y{suffix} must have one row for each example, got shapes {x.shape} and {y.shape}."
        )
    if not x.size:
        raise ChainruleError(f"{name}: x{suffix} is empty, of shape {x.shape}. Save one row for each example.")
    columns = {"x": x, "y": y[:, 0] if y.shape[1:] == (1,) else y}
    return Table(columns, f"{name} ({suffix[1:]})" if suffix else name, test=test)
