"""What sets are made of: columns by name, as `chainrule.data.Table` takes them."""

import io
from collections.abc import Iterable
from typing import Any

import numpy as np

Columns = dict[str, np.ndarray]
"""Numbers with NaN where a cell is blank, texts with None, images and series with more axes."""

BLANK = ("", "NA", "?")


def of_csv(content: bytes, **reading: Any) -> Columns:
    """The columns of a CSV file; what says how it is read goes to pandas."""
    import pandas

    frame = pandas.read_csv(io.BytesIO(content), keep_default_na=False, na_values=BLANK, **reading)
    return of_frame(frame[[name for name in frame if not str(name).startswith("Unnamed:")]])


def of_frame(frame: Any) -> Columns:
    """The columns of a data frame: numbers as float64, booleans and categories as texts."""
    import pandas

    def column(series: Any) -> np.ndarray:
        if pandas.api.types.is_numeric_dtype(series) and not pandas.api.types.is_bool_dtype(series):
            return series.to_numpy(np.float64, na_value=np.nan)
        return texts(series)

    return {str(name): column(frame[name]) for name in frame}


def texts(cells: Iterable[Any]) -> np.ndarray:
    """Cells as texts, None where they are blank; booleans as the words of a table."""
    import pandas

    return np.array([None if pandas.isna(cell) else _word(cell) for cell in cells], dtype=object)


def _word(cell: Any) -> str:
    return str(cell).lower() if isinstance(cell, bool | np.bool_) else str(cell)


def without(columns: Columns, *names: str) -> Columns:
    """The other columns."""
    return {name: cells for name, cells in columns.items() if name not in names}


def known(columns: Columns, target: str) -> Columns:
    """The rows whose target is known."""
    cells = columns[target]
    rows = cells != np.array(None) if cells.dtype == object else ~np.isnan(cells)
    return {name: cells[rows] for name, cells in columns.items()}
