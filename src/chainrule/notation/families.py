"""The families of formulas: all that there are, and the names that people use."""

import inspect
import sys
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain
from typing import Any

from chainrule.activations import Activation
from chainrule.costs import Cost
from chainrule.formula.base import DEFINED, Formula
from chainrule.initializers import Initializer
from chainrule.layers import Layer
from chainrule.metrics import Metric
from chainrule.optimizers import Clipping, Optimizer
from chainrule.optimizers.schedules import Schedule
from chainrule.regularizers import Projection, Regularizer
from chainrule.regularizers.stopping import EarlyStopping

FAMILIES: dict[str, tuple[type[Formula], ...]] = {
    "activations": (Activation,),
    "layers": (Layer,),
    "costs": (Cost,),
    "regularizers": (Regularizer,),
    "constraints": (Projection,),
    "optimizers": (Optimizer, Clipping),
    "schedules": (Schedule,),
    "initializers": (Initializer,),
    "metrics": (Metric,),
    "stopping": (EarlyStopping,),
}


def bases_of(kind: type[Formula]) -> list[type[Formula]]:
    """The classes of the families that a formula is of, by its class: of an activation its own, and that of layers.

    >>> from chainrule.activations import ReLU
    >>> [base.__name__ for base in bases_of(ReLU)]
    ['Activation', 'Layer']
    """
    return [base for base in chain(*FAMILIES.values()) if issubclass(kind, base)]


def family(base: type[Formula]) -> Iterator[type[Any]]:
    """Every concrete formula below a class, itself too, in order of definition.

    >>> [formula.__name__ for formula in family(Clipping)]
    ['ClipNorm', 'ClipValue', 'ClipAdaptive']
    """
    return iter(_family(base, len(DEFINED)))


@lru_cache(1 << 7)
def _family(base: type[Formula], defined: int) -> list[type[Any]]:
    return [formula for formula in DEFINED[:defined] if issubclass(formula, base) and not inspect.isabstract(formula)]


def members(name: str) -> list[type[Formula]]:
    """Every formula of a family; an activation is a layer, and a constraint a regulariser, but stands in its own only.

    >>> [formula.__name__ for formula in members("constraints")]
    ['NonNegative', 'MaxNorm', 'UnitNorm']
    """
    bases = FAMILIES[name]
    inner = tuple(other for other in chain(*FAMILIES.values()) if other not in bases and issubclass(other, bases))
    return [formula for base in bases for formula in family(base) if not issubclass(formula, inner)]


def kinships(name: str) -> dict[str, list[type[Formula]]]:
    """The formulas of a family by what those of one room have in common, as the first line of its docstring tells.

    >>> [*kinships("stopping").values()]
    [[<class 'chainrule.regularizers.stopping.EarlyStopping'>]]
    """
    rooms: dict[str, list[type[Formula]]] = {}
    for formula in members(name):
        told = inspect.cleandoc(sys.modules[formula.__module__].__doc__ or "")
        rooms.setdefault(told.partition("\n")[0], []).append(formula)
    return rooms
