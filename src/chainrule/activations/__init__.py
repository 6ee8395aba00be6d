"""Activations: scalar formulas between the layers, and some of several values, those of the last axis.

At a kink the derivative is that of the left side.
"""

from chainrule.activations.base import Activation, Identity
from chainrule.activations.bending import BentIdentity, SoftExponential
from chainrule.activations.channels import CReLU, Maxout
from chainrule.activations.exponential import Exp
from chainrule.activations.gated import GELU, ELiSH, HardELiSH, HardSwish, LiSHT, Mish, SiLU, TanhExp
from chainrule.activations.learned import APL, PReLU, Snake, SReLU
from chainrule.activations.periodic import Gaussian, Sinc, Sinusoid
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
from chainrule.activations.shrinking import HardShrink, SoftShrink, TanhShrink, Threshold
from chainrule.activations.sigmoidal import (
    ISRU,
    SQNL,
    ArcTan,
    BinaryStep,
    HardSigmoid,
    HardTanh,
    LogSigmoid,
    Sigmoid,
    SobolevaTanh,
    SoftClipping,
    Softsign,
    Tanh,
)
from chainrule.activations.softmax import LogSoftmax, Softmax, Softmin
from chainrule.activations.sparsemax import Sparsemax

__all__ = [
    "APL",
    "CELU",
    "ELU",
    "GELU",
    "ISRLU",
    "ISRU",
    "SELU",
    "SQNL",
    "Activation",
    "ArcTan",
    "BentIdentity",
    "BinaryStep",
    "CReLU",
    "ELiSH",
    "Exp",
    "Gaussian",
    "HardELiSH",
    "HardShrink",
    "HardSigmoid",
    "HardSwish",
    "HardTanh",
    "Identity",
    "LeakyReLU",
    "LiSHT",
    "LogSigmoid",
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
    "Sinc",
    "Sinusoid",
    "Snake",
    "SobolevaTanh",
    "SoftClipping",
    "SoftExponential",
    "SoftShrink",
    "Softmax",
    "Softmin",
    "Softplus",
    "Softsign",
    "Sparsemax",
    "SquaredReLU",
    "Tanh",
    "TanhExp",
    "TanhShrink",
    "Threshold",
]
