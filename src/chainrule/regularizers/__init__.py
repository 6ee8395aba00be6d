"""Regularisers: what keeps a network from learning its examples by heart: penalties, constraints, stopping early.

A penalty is added to the cost for every regularised parameter (kernels; not biases, not PReLU slopes), and a constraint
holds for them after each step.
"""

from chainrule.regularizers.penalties import L1, L2, Regularizer, Sum, penalty, shrunk
from chainrule.regularizers.projections import MaxNorm, NonNegative, Projection, UnitNorm
from chainrule.regularizers.stopping import EarlyStopping
from chainrule.regularizers.structured import GroupLasso, Orthogonality, TotalVariation

__all__ = [
    "L1",
    "L2",
    "EarlyStopping",
    "GroupLasso",
    "MaxNorm",
    "NonNegative",
    "Orthogonality",
    "Projection",
    "Regularizer",
    "Sum",
    "TotalVariation",
    "UnitNorm",
    "penalty",
    "shrunk",
]
