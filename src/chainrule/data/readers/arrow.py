"""Files of Arrow's own typed columns as tables: Parquet, and Feather or Arrow IPC."""

import struct
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from chainrule.arrays.memory import CELL, check_memory, rows_of_block
from chainrule.data.cells import objects
from chainrule.data.readers.spelling import typed
from chainrule.data.reading import Reading
from chainrule.data.table import EXACT, Table, check_distinct
from chainrule.errors import ChainruleError

MAGIC = b"ARROW1"

Content = tuple[list[str], Callable[[str], Any]]
"""The names of a file's columns, and what reads one of them, once."""


def read_parquet(file: BinaryIO, name: str, reading: Reading, text: Iterable[str] = ()) -> Table:
    """A Parquet file; `text` names the columns not to be read as numbers."""

    def content() -> Content:
        import pyarrow.parquet as parquet

        # Without threads, which outlive a refusal; text as codes, so that a text that repeats is held once.
        stored = parquet.ParquetFile(file, pre_buffer=False)
        about = stored.metadata
        said = sum(about.row_group(number).total_byte_size for number in range(about.num_row_groups))
        size = max(CELL * about.num_rows * about.num_columns, said)
        check_memory(size, name, "Give fewer rows or columns.")
        texts = [field.name for field in stored.schema_arrow if _is_text(field.type)]
        stored = parquet.ParquetFile(file, pre_buffer=False, read_dictionary=texts)
        return stored.schema_arrow.names, lambda column: stored.read([column], use_threads=False).column(column)

    return _table(content, name, "Parquet", reading, text)


def read_feather(file: BinaryIO, name: str, reading: Reading, text: Iterable[str] = ()) -> Table:
    """A Feather or Arrow file, or Arrow's stream; `text` names the columns not to be read as numbers."""

    def content() -> Content:
        import pyarrow as pa

        data = pa.py_buffer(file.read())
        is_file = data[:6].to_pybytes() == MAGIC
        _check_declared(data[8:] if is_file else data, name)
        opened = pa.ipc.open_file if is_file else pa.ipc.open_stream
        with opened(data, options=pa.ipc.IpcReadOptions(use_threads=False)) as stored:
            whole = stored.read_all()
        return whole.column_names, dict(zip(whole.column_names, whole.columns, strict=True)).pop

    return _table(content, name, "Feather or Arrow", reading, text)


def _check_declared(stream: Any, name: str) -> None:
    """Refuse Arrow's messages that say of more rows or bytes than there is room for, before they are unpacked."""
    import pyarrow as pa

    size = columns = 0
    for message in pa.ipc.MessageReader.open_stream(stream):
        if message.type == "schema":
            columns = len(pa.ipc.read_schema(message))
            continue
        rows, unpacked = _declared(message.metadata, message.body, message.type == "dictionary")
        size += max(CELL * rows * columns, unpacked)
        check_memory(size, name, "Give fewer rows or columns.")


def _declared(metadata: Any, body: Any, dictionary: bool) -> tuple[int, int]:
    """The rows of a batch, and the bytes of its buffers once unpacked: fields of its message, a flatbuffer."""

    def field(table: int, number: int) -> int:
        """Where a field of a table lies; 0 where it is left out."""
        (back,) = struct.unpack_from("<i", metadata, table)
        (length,) = struct.unpack_from("<H", metadata, table - back)
        slot = 4 + 2 * number
        (offset,) = struct.unpack_from("<H", metadata, table - back + slot) if slot < length else (0,)
        return table + offset if offset else 0

    def follow(place: int) -> int:
        return place + struct.unpack_from("<I", metadata, place)[0]

    batch = follow(field(follow(0), 2))
    batch = follow(field(batch, 1)) if dictionary else batch
    (rows,) = struct.unpack_from("<q", metadata, at) if (at := field(batch, 0)) else (0,)
    buffers = follow(field(batch, 2))
    (count,) = struct.unpack_from("<I", metadata, buffers)
    unpacked = 0
    for offset, length in struct.iter_unpack("<qq", metadata[buffers + 4 : buffers + 4 + 16 * count]):
        packed = field(batch, 3) and length >= 8  # its length stands before it, or -1 where it is not
        unpacked += max(struct.unpack_from("<q", body, offset)[0], length) if packed else length
    return rows, unpacked


def parquet_blocks(
    file: BinaryIO, name: str, reading: Reading, text: Collection[str], only: Collection[str] | None = None
) -> Iterator[Table]:
    """A Parquet file, of any length, as tables one after another; `only` names the columns that are wanted."""

    def batches() -> Iterator[Any]:
        import pyarrow.parquet as parquet

        kinds = parquet.ParquetFile(file, pre_buffer=False).schema_arrow
        names = [each for each in kinds.names if only is None or each in only]
        coded = [field.name for field in kinds if _is_text(field.type)]
        stored = parquet.ParquetFile(file, pre_buffer=False, read_dictionary=coded)
        return stored.iter_batches(rows_of_block(len(names)), columns=names, use_threads=False)

    return _blocks(batches, name, "Parquet", reading, text)


def said_sizes(path: Path) -> tuple[int, int]:
    """The bytes that a Parquet file says it has when unpacked, and those of its cells on their way; 0 if it is none."""
    import pyarrow.parquet as parquet

    try:
        about = parquet.read_metadata(path)
        said = sum(about.row_group(number).total_byte_size for number in range(about.num_row_groups))
        return said, CELL * about.num_rows * about.num_columns
    except Exception:  # Arrow raises errors of many kinds on damaged files, as is said where they are read
        return 0, 0


def feather_blocks(
    file: BinaryIO, name: str, reading: Reading, text: Collection[str], only: Collection[str] | None = None
) -> Iterator[Table]:
    """A Feather or Arrow file, or Arrow's stream, in the same way."""

    def batches() -> Iterator[Any]:
        import pyarrow as pa

        is_file = file.read(len(MAGIC)) == MAGIC
        file.seek(0)
        opened = (pa.ipc.open_file if is_file else pa.ipc.open_stream)(pa.PythonFile(file))
        stored = map(opened.get_batch, range(opened.num_record_batches)) if is_file else opened
        for batch in stored:
            batch = batch.select([each for each in batch.schema.names if only is None or each in only])
            step = rows_of_block(batch.num_columns)
            yield from (batch.slice(start, step) for start in range(0, len(batch), step))

    return _blocks(batches, name, "Feather or Arrow", reading, text)


def _blocks(
    batches: Callable[[], Iterator[Any]], name: str, kind: str, reading: Reading, text: Iterable[str]
) -> Iterator[Table]:
    """Tables of Arrow's batches of rows."""
    import pyarrow as pa

    before, found = 0, _whole(batches, name, kind)
    while (batch := _whole(partial(next, found, None), name, kind)) is not None:
        columns = {
            each: pa.chunked_array([values]) for each, values in zip(batch.schema.names, batch.columns, strict=True)
        }
        check_distinct(batch.schema.names, name)
        numbers = np.arange(before + 1, before + len(batch) + 1)
        yield _of_columns([*columns], columns.__getitem__, name, kind, reading, text, numbers)
        before += len(batch)


def _table(content: Callable[[], Content], name: str, kind: str, reading: Reading, text: Iterable[str]) -> Table:
    """A table of the columns of a file, of which one at a time is Arrow's and NumPy's too."""
    import pyarrow as pa

    names, read = _whole(content, name, kind)
    check_distinct(names, name)
    table = _of_columns(names, read, name, kind, reading, text)
    pa.default_memory_pool().release_unused()
    return table


def _of_columns(
    names: list[str],
    read: Callable[[str], Any],
    name: str,
    kind: str,
    reading: Reading,
    text: Iterable[str],
    numbers: np.ndarray | None = None,
) -> Table:
    """A table of Arrow's columns, each of which is read when its turn comes."""
    text = set(text)

    def validated(column: str) -> Any:
        found = read(column)
        found.validate(full=True)  # nothing that Arrow reads later lies outside of what is there
        return found

    names = [column for column in names if not column.startswith("__index_level_")]
    if not names:
        raise ChainruleError(f"{name}: has no columns. Give rows of data.")
    columns = {
        column: _values(_whole(partial(validated, column), name, kind), f"{name}, column {column!r}", column in text)
        for column in names
    }
    return typed(columns, name, reading, numbers)


def _whole(read: Callable[[], Any], name: str, kind: str) -> Any:
    """What is read of a file that must be whole."""
    try:
        return read()
    except ChainruleError:
        raise
    except Exception:  # Arrow raises errors of many kinds on damaged files
        raise ChainruleError(f"{name}: is no whole {kind} file. Write it again, or give a CSV file.") from None


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
            return _numbers(column)
        numbers = _numbers(column.cast(pa.float64(), safe=False))
        return objects(column.cast(pa.string())) if (np.abs(numbers) >= EXACT).any() else numbers
    except pa.ArrowException as error:
        said = str(error).splitlines()[0]
        raise ChainruleError(f"{place}: can't be read: {said}. Leave the column out of the file.") from None


def _numbers(column: Any) -> np.ndarray:
    """A column's numbers in memory of NumPy's, which goes back to the system once nobody needs it; Arrow keeps its."""
    chunks = [chunk.to_numpy(zero_copy_only=False) for chunk in column.chunks]
    return np.concatenate(chunks) if chunks else column.to_numpy()


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
