"""The families of formulas, by the names that people use."""

from chainrule.activations import Activation
from chainrule.costs import Cost
from chainrule.formula import Formula
from chainrule.initializers import Initializer
from chainrule.layers import Layer
from chainrule.metrics import Metric
from chainrule.optimizers import Clipping, Optimizer
from chainrule.regularizers import Regularizer
from chainrule.schedules import Schedule
from chainrule.stopping import EarlyStopping

FAMILIES: dict[str, tuple[type[Formula], ...]] = {
    "activations": (Activation,),
    "layers": (Layer,),
    "costs": (Cost,),
    "regularizers": (Regularizer,),
    "optimizers": (Optimizer, Clipping),
    "schedules": (Schedule,),
    "initializers": (Initializer,),
    "metrics": (Metric,),
    "stopping": (EarlyStopping,),
}


def members(family: str) -> list[type[Formula]]:
    """Every formula of a family; an activation is a layer, but stands in its own family only.

    >>> [formula.__name__ for formula in members("costs")]
    ['Quadratic', 'CrossEntropy', 'CategoricalCrossEntropy']
    """
    found = [formula for base in FAMILIES[family] for formula in base.family()]
    return [formula for formula in found if family == "activations" or not issubclass(formula, Activation)]
