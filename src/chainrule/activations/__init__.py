"""Activations: scalar formulas between the layers, and some of several values, those of the last axis.

At a kink the derivative is that of the left side.
"""

from chainrule.activations.base import Activation, Identity
from chainrule.activations.channels import CReLU, Maxout
from chainrule.activations.exponential import Exp
from chainrule.activations.gated import GELU, ELiSH, HardELiSH, HardSwish, LiSHT, Mish, SiLU, TanhExp
from chainrule.activations.learned import APL, PReLU, Snake, SReLU
from chainrule.activations.rectifiers import (
    CELU,
    ELU,
    ISRLU,
    SELU,
    LeakyReLU,
    NoisyReLU,
    ReLU,
    ReLU6,
    RReLU,
    Softplus,
    SquaredReLU,
)
from chainrule.activations.sigmoidal import Sigmoid, Tanh
from chainrule.activations.softmax import LogSoftmax, Softmax, Softmin
from chainrule.activations.sparsemax import Sparsemax

__all__ = [
    "APL",
    "CELU",
    "ELU",
    "GELU",
    "ISRLU",
    "SELU",
    "Activation",
    "CReLU",
    "ELiSH",
    "Exp",
    "HardELiSH",
    "HardSwish",
    "Identity",
    "LeakyReLU",
    "LiSHT",
    "LogSoftmax",
    "Maxout",
    "Mish",
    "NoisyReLU",
    "PReLU",
    "RReLU",
    "ReLU",
    "ReLU6",
    "SReLU",
    "SiLU",
    "Sigmoid",
    "Snake",
    "Softmax",
    "Softmin",
    "Softplus",
    "Sparsemax",
    "SquaredReLU",
    "Tanh",
    "TanhExp",
]
