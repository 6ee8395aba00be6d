"""Initialisers: the parameters' first values, drawn from a key.

A kernel's shape is (…, inputs, outputs). Its fan_in is the number of values that one output sums over, its
fan_out the number of outputs that one input reaches. Kernels side by side in one array, which see nothing of each
other, are drawn one by one (`each_group`, `each_place`).
"""

from chainrule.initializers.base import Initializer, each_group, each_place
from chainrule.initializers.distributions import Normal, TruncatedNormal, Uniform
from chainrule.initializers.known import Constant, Dirac, Eye, Pretrained, Zeros
from chainrule.initializers.scaled import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LeCunNormal,
    LeCunUniform,
    Orthogonal,
    VarianceScaling,
)

__all__ = [
    "Constant",
    "Dirac",
    "Eye",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Initializer",
    "LeCunNormal",
    "LeCunUniform",
    "Normal",
    "Orthogonal",
    "Pretrained",
    "TruncatedNormal",
    "Uniform",
    "VarianceScaling",
    "Zeros",
    "each_group",
    "each_place",
]
