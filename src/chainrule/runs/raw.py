"""Models for raw rows, as a run makes them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data import read
from chainrule.data.preprocessing import Preprocessor
from chainrule.data.table import Table, blanks, check_column
from chainrule.data.values import is_text
from chainrule.errors import ChainruleError, warn
from chainrule.model import Model, load
from chainrule.runs import folder
from chainrule.runs.parts import table_of


def load_whole(path: str) -> Model:
    """A model from its file or a run's folder, which is compared with its manifest."""
    if altered := folder.check(path):
        warn(f"{path}: {altered}. The model is intact.")
    return load(path)


def load_for_rows(path: str) -> tuple[Model, Preprocessor]:
    """A model and its preprocessor of raw rows; refused for a model that takes prepared arrays only."""
    model = load_whole(path)
    if model.preprocessor is None:
        raise ChainruleError(f"{path}: this model takes arrays, not rows of a table. Use it in Python: chainrule.load.")
    return model, model.preprocessor


def read_rows(source: Any, model: Model, reading: dict[str, Any], keep: Iterable[str] = ()) -> Table:
    """Raw rows for a model, read as its training file was where nothing else is said; columns to keep as they are."""
    return table_of(source, as_text(model, keep), **reading, like=model.training.get("reading"))


def as_text(model: Model, keep: Iterable[str]) -> list[str]:
    """The columns of raw rows that are read as text: the model's, and those to keep that it does not take."""
    assert model.preprocessor is not None
    return [*model.preprocessor.text, *(name for name in keep if name not in model.preprocessor.schema.inputs)]


def as_written(source: str, table: Table, names: list[str], model: Model, reading: dict[str, Any]) -> Table:
    """Columns as their file has them: those that a model takes as numbers are read again, from what is no pipe."""
    for name in names:
        check_column(table, name)
    if all(is_text(table[name]) for name in names) or not Path(source).is_file():
        return table
    return read(source, names, **reading, like=model.training.get("reading"))


def answerable(table: Table, preprocessor: Preprocessor) -> Any:
    """Which rows a model can answer, as a mask: all, but those with blank cells where training left such rows out."""
    mask = np.ones(table.rows, bool)
    if preprocessor.schema.missing == "drop":
        for name in preprocessor.schema.inputs:
            if name in table:
                mask &= ~blanks(table[name]).reshape(table.rows, -1).any(axis=1)
    return mask
