"""Columns of Arrow as those of a table."""

from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.table import EXACT


def columns(arrow: Any, name: str) -> dict[str, np.ndarray]:
    """The columns of a table of Arrow."""
    return {column: _values(arrow.column(column), f"{name}, column {column!r}") for column in arrow.column_names}


def _values(column: Any, place: str) -> np.ndarray:
    """A column of Arrow as numbers with NaN, or as objects, `str` and None, lest whole ones be rounded."""
    import pyarrow as pa
    from pyarrow import types

    kind = column.type
    if types.is_dictionary(kind):
        return _values(column.cast(kind.value_type), place)
    if types.is_floating(kind) or (types.is_integer(kind) and not column.null_count):
        return column.to_numpy()
    if types.is_integer(kind) or types.is_decimal(kind) or types.is_null(kind):
        numbers = column.cast(pa.float64(), safe=False).to_numpy()
        return column.cast(pa.string()).to_numpy() if (np.abs(numbers) >= EXACT).any() else numbers
    if types.is_boolean(kind) or is_date(kind) or types.is_string(kind) or types.is_large_string(kind):
        return column.cast(pa.string()).to_numpy()
    raise ChainruleError(f"{place}: expected numbers or text, got {kind}. Leave the column out of the file.")


def is_date(kind: Any) -> bool:
    """Whether a type of Arrow is a date or a time."""
    from pyarrow import types

    return types.is_temporal(kind)
