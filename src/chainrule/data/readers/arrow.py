"""Files of Arrow's own typed columns as tables: Parquet, and Feather or Arrow IPC."""

from collections.abc import Iterable
from typing import Any, BinaryIO

import numpy as np

from chainrule.data.cells import objects
from chainrule.data.readers.spelling import typed
from chainrule.data.reading import Reading
from chainrule.errors import ChainruleError
from chainrule.memory import check_memory
from chainrule.table import EXACT, Table, check_distinct

CELL = 8  # bytes: a number, or a reference to a text


def read_parquet(file: BinaryIO, name: str, reading: Reading, text: Iterable[str] = ()) -> Table:
    """A Parquet file; `text` names the columns not to be read as numbers."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    def content(data: Any) -> Any:
        # Without threads, which outlive a refusal; text as codes, so that a text that repeats is held once.
        stored = parquet.ParquetFile(data, pre_buffer=False)
        about = stored.metadata
        check_memory(CELL * about.num_rows * about.num_columns, name, "Give fewer rows or columns.")
        texts = [field.name for field in stored.schema_arrow if _is_text(field.type)]
        return parquet.ParquetFile(data, pre_buffer=False, read_dictionary=texts).read(use_threads=False)

    return _table(content, pa.py_buffer(file.read()), name, "Parquet", reading, text)


def read_feather(file: BinaryIO, name: str, reading: Reading, text: Iterable[str] = ()) -> Table:
    """A Feather or Arrow file, or Arrow's stream; `text` names the columns not to be read as numbers."""
    import pyarrow as pa

    def content(data: Any) -> Any:
        serial = pa.ipc.IpcReadOptions(use_threads=False)
        with (pa.ipc.open_file if data[:6].to_pybytes() == b"ARROW1" else pa.ipc.open_stream)(
            data, options=serial
        ) as stored:
            batches = []
            for batch in _batches(stored):
                batches.append(batch)
                size = sum(max(each.nbytes, CELL * each.num_rows * each.num_columns) for each in batches)
                check_memory(size, name, "Give fewer rows or columns.")
            return pa.Table.from_batches(batches, stored.schema)

    return _table(content, pa.py_buffer(file.read()), name, "Feather or Arrow", reading, text)


def _batches(stored: Any) -> Iterable[Any]:
    if hasattr(stored, "num_record_batches"):
        return (stored.get_batch(number) for number in range(stored.num_record_batches))
    return stored


def _table(content: Any, data: Any, name: str, kind: str, reading: Reading, text: Iterable[str]) -> Table:
    try:
        whole = content(data)
        whole.validate(full=True)  # nothing that Arrow reads later lies outside of what is there
    except ChainruleError:
        raise
    except Exception:  # Arrow raises errors of many kinds on damaged files
        raise ChainruleError(f"{name}: is no whole {kind} file. Write it again, or give a CSV file.") from None
    check_distinct(whole.column_names, name)
    whole = whole.select([column for column in whole.column_names if not column.startswith("__index_level_")])
    if not whole.num_columns:
        raise ChainruleError(f"{name}: has no columns. Give rows of data.")
    text = set(text)
    columns = {
        column: _values(whole.column(column), f"{name}, column {column!r}", column in text)
        for column in whole.column_names
    }
    return typed(columns, name, reading)


def _values(column: Any, place: str, text: bool) -> Any:
    """A column of Arrow as numbers with NaN, or as objects, `str` and None, lest whole ones be rounded."""
    import pyarrow as pa
    from pyarrow import types

    kind = column.type
    if types.is_dictionary(kind):
        if _is_text(kind.value_type):
            return objects(column)
        return _values(column.cast(kind.value_type), place, text)
    number = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_null(kind)
    if not (number or types.is_boolean(kind) or types.is_temporal(kind) or _is_text(kind)):
        raise ChainruleError(f"{place}: expected numbers or text, got {kind}. Leave the column out of the file.")
    try:
        if text or not number:
            return objects(column.cast(pa.string()))
        if types.is_floating(kind) or (types.is_integer(kind) and not column.null_count):
            return column.to_numpy()
        numbers = column.cast(pa.float64(), safe=False).to_numpy()
        return objects(column.cast(pa.string())) if (np.abs(numbers) >= EXACT).any() else numbers
    except pa.ArrowException as error:
        said = str(error).splitlines()[0]
        raise ChainruleError(f"{place}: can't be read: {said}. Leave the column out of the file.") from None


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
