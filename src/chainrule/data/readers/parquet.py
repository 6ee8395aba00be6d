"""Parquet files as tables, by Arrow."""

from collections.abc import Iterable
from pathlib import Path

from chainrule.data.readers.arrow import columns
from chainrule.errors import ChainruleError
from chainrule.table import Table, check_distinct


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
    return Table(columns(arrow, path.name), path.name)
