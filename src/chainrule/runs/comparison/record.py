"""What a comparison is of, as its folder keeps it, and as it is repeated from there."""

import hashlib
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from chainrule.data.files import as_bytes
from chainrule.data.named import NAMED
from chainrule.data.table import Table
from chainrule.errors import ChainruleError
from chainrule.formula.base import notation
from chainrule.runs.comparison.axes import Axes
from chainrule.runs.comparison.journal import read
from chainrule.runs.parts import source_of

Record = dict[str, dict[str, Any]]
"""Sections of plain values."""


def described(
    source: str,
    table: Table,
    axes: Axes,
    seeds: Sequence[int],
    tune: Sequence[str],
    budget: int,
    choices: Mapping[str, Any],
) -> Record:
    """All that is said of a comparison, and by what its data are known again."""
    return {
        "axes": {axis: [*values] for axis, values in axes.items()},
        "comparison": {"seeds": [*seeds], "tune": [*tune], "budget": budget if tune else None},
        "choices": {name: _plain(choices[name]) for name in sorted(choices) if _is_said(choices[name])},
        "data": {"source": source, "rows": table.rows, "digest": _digest(table)},
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("chainrule", "jax", "numpy")},
        },
    }


def repeated(folder: str | os.PathLike, data: Any = None) -> dict[str, Any]:
    """The arguments of `planned` that repeat the comparison in a folder.

    Args:
        folder: where it is.
        data: where its data are, if elsewhere.

    Raises:
        ChainruleError: where there is none, or its data can't be read again.
    """
    record = read(folder)
    try:
        source, axes = record["data"]["source"], record["axes"]
        found = {"vary": axes, **record["comparison"], **record.get("choices", {})}
    except (KeyError, TypeError):
        raise ChainruleError(f"The record of {folder} is damaged. Compare again.") from None
    if data is None and source not in NAMED and not Path(source).exists():
        raise ChainruleError(f"{folder} compared on {source}, which is not there. Give the same data beside it.")
    return {"data": source if data is None else data, **found}


def _is_said(value: Any) -> bool:
    return value is not None and value is not False and not (isinstance(value, list | tuple) and not value)


def _plain(value: Any) -> Any:
    """A choice as a record has it."""
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return source_of(value) if isinstance(value, os.PathLike | Mapping) else notation(value)


def _digest(table: Table) -> str:
    """That of every cell."""
    digest = hashlib.sha256()
    for name, column in table.items():
        cells = column.tobytes() if column.dtype != object else as_bytes("\x1f".join(map(str, column)))
        digest.update(as_bytes(f"{name} {column.dtype} {column.shape} ") + cells)
    return digest.hexdigest()
