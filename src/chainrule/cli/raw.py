"""Models for raw rows, as `train` makes them."""

from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.model import Model
from chainrule.preparation import Preparation
from chainrule.storage import load
from chainrule.table import Table, blanks


def load_for_rows(path: str) -> tuple[Model, Preparation]:
    """A model and its preparation of raw rows; refused for a model that takes prepared arrays only."""
    model = load(path)
    if model.preparation is None:
        raise ChainruleError(f"{path}: this model takes arrays, not rows of a table. Use it in Python: chainrule.load.")
    return model, model.preparation


def answerable(table: Table, preparation: Preparation) -> Any:
    """Which rows a model can answer, as a mask: all, but those with blank cells where training left such rows out."""
    mask = np.ones(table.rows, bool)
    if preparation.roles.missing == "drop":
        for name in preparation.roles.inputs:
            if name in table:
                mask &= ~blanks(table[name]).reshape(table.rows, -1).any(axis=1)
    return mask
