"""What a model holds, which all of this room reads."""

from dataclasses import dataclass, field, fields
from typing import Any

import jax
import numpy as np

from chainrule.arrays.devices import on_device
from chainrule.arrays.masked import Shape
from chainrule.costs import Cost
from chainrule.data.preprocessing import Preprocessor
from chainrule.formula.layer import Chain
from chainrule.model.history import History
from chainrule.regularizers import Regularizer


@dataclass(frozen=True, repr=False, eq=False)
class Trained:
    """The fields of a `Model`."""

    network: Chain
    parameters: Any
    state: Any
    input_shape: Shape
    cost: Cost
    regularizer: Regularizer | None = None
    classes: tuple[Any, ...] | None = None
    preprocessor: Preprocessor | None = None
    history: History = field(default_factory=History)
    training: dict[str, Any] = field(default_factory=dict)

    def __getstate__(self) -> dict[str, Any]:
        """The fields, with NumPy's arrays, which need no JAX to be read again."""
        arrays = {name: jax.tree.map(np.asarray, getattr(self, name)) for name in ("parameters", "state")}
        return {field.name: getattr(self, field.name) for field in fields(self)} | arrays

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, parameters=on_device(state["parameters"]), state=on_device(state["state"]))
