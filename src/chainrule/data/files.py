"""Files of data as tables: CSV and Parquet through Arrow, NPZ through NumPy."""

import contextlib
import csv
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.notation import nearest
from chainrule.table import Table, check_distinct, shortened


def read_csv(path: Path, text: Iterable[str] = (), delimiter: str = ",") -> Table:
    """A CSV file in UTF-8 with a header; `text` names the columns not to be read as numbers.

    Raises:
        ChainruleError: for a file that is empty or broken, with the line.
    """
    data = path.read_bytes()
    check_utf8(data, path.name, "Give a header with the columns' names, and rows below it.")
    try:
        arrow = _parse(data, delimiter, dict.fromkeys(text, "string"))
        dates = [field.name for field in arrow.schema if _is_date(field.type)]
        if dates:
            arrow = _parse(data, delimiter, dict.fromkeys((*text, *dates), "string"))
    except ValueError as error:
        raise _broken_csv(data, delimiter, path.name, error) from None
    _check_header(arrow.column_names, path.name)
    if not arrow.num_rows:
        raise ChainruleError(f"{path.name}: has a header but no rows. Put rows of data below it.")
    return Table(_columns(arrow, path.name), path.name, _lines(data, delimiter, arrow.num_rows), "line")


def read_parquet(path: Path, text: Iterable[str] = ()) -> Table:
    """A Parquet file; `text` names the columns not to be read as numbers."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        arrow = parquet.ParquetFile(path).read()
    except (pa.ArrowException, OSError, ValueError):
        raise ChainruleError(f"{path.name}: is no whole Parquet file. Write it again, or give a CSV file.") from None
    check_distinct(arrow.column_names, path.name)
    arrow = arrow.select([name for name in arrow.column_names if not name.startswith("__index_level_")])
    if not (arrow.num_rows and arrow.num_columns):
        raise ChainruleError(f"{path.name}: has no rows. Give rows of data.")
    for index, field in enumerate(arrow.schema):
        if field.name in text:
            arrow = arrow.set_column(index, field.name, arrow.column(index).cast(pa.string()))
    return Table(_columns(arrow, path.name), path.name)


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


def check_utf8(data: bytes, name: str, content: str) -> None:
    """Refuse a text file that is empty, with what belongs in it, or is not UTF-8."""
    if not data or data.isspace():
        raise ChainruleError(f"{name}: the file is empty. {content}")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ChainruleError(f"{name}, line {line}: is not UTF-8 text. Save the file as UTF-8.") from None


# NPZ


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


# Arrow


def _columns(arrow: Any, name: str) -> dict[str, np.ndarray]:
    return {column: _values(arrow.column(column), f"{name}, column {column!r}") for column in arrow.column_names}


def _values(column: Any, place: str) -> np.ndarray:
    """A column of Arrow as float64 with NaN, or as objects, `str` and None."""
    import pyarrow as pa
    from pyarrow import types

    kind = column.type
    if types.is_dictionary(kind):
        return _values(column.cast(kind.value_type), place)
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_null(kind):
        return column.cast(pa.float64(), safe=False).to_numpy()
    if types.is_boolean(kind) or _is_date(kind) or types.is_string(kind) or types.is_large_string(kind):
        return column.cast(pa.string()).to_numpy()
    raise ChainruleError(f"{place}: expected numbers or text, got {kind}. Leave the column out of the file.")


def _is_date(kind: Any) -> bool:
    from pyarrow import types

    return types.is_temporal(kind)


# CSV


def _parse(data: bytes, delimiter: str, kinds: dict[str, str]) -> Any:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    return arrow_csv.read_csv(
        pa.BufferReader(data),
        parse_options=arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(strings_can_be_null=True, column_types=kinds),
    )


def _records(data: bytes, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line on which it begins; for words about places only."""
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline=""), delimiter=delimiter)
    line = 1
    with contextlib.suppress(csv.Error):  # a cell beyond its limit: places after it are not known
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1


def _lines(data: bytes, delimiter: str, rows: int) -> np.ndarray:
    """The line on which each row begins."""
    if data.rstrip(b"\r\n").count(b"\n") == rows:
        return np.arange(2, rows + 2)
    lines = np.array([line for line, _ in _records(data, delimiter)][1:])
    return lines if len(lines) == rows else np.arange(2, rows + 2)


def _check_header(names: Sequence[str], source: str) -> None:
    check_distinct([name for name in names if name], source)
    if "" in names:
        raise ChainruleError(f"{source}: column {names.index('') + 1} has no name. Name it in the first line.")


def _broken_csv(data: bytes, delimiter: str, name: str, error: Exception) -> ChainruleError:
    columns = 0
    for line, cells in _records(data, delimiter):
        columns = columns or len(cells)
        if len(cells) != columns:
            return ChainruleError(f"{name}, line {line}: expected {columns} cells, got {len(cells)}. Mend the line.")
    return ChainruleError(f"{name}: is no whole CSV file: {str(error).splitlines()[0]}.")
