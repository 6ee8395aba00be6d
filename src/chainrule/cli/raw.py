"""Models for raw rows, as `train` makes them."""

from chainrule.errors import ChainruleError
from chainrule.model import Model
from chainrule.preparation import Preparation
from chainrule.storage import load


def load_for_rows(path: str) -> tuple[Model, Preparation]:
    """A model and its preparation of raw rows; refused for a model that takes prepared arrays only."""
    model = load(path)
    if model.preparation is None:
        raise ChainruleError(f"{path}: this model takes arrays, not rows of a table. Use it in Python: chainrule.load.")
    return model, model.preparation
