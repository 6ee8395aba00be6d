"""Activations: scalar formulas between the layers, and Softmax. At a kink the derivative is that of the left side."""

from chainrule.activations.base import Activation, Identity
from chainrule.activations.gated import GELU
from chainrule.activations.rectifiers import ELU, LeakyReLU, NoisyReLU, PReLU, ReLU, Softplus
from chainrule.activations.sigmoidal import Sigmoid, Tanh
from chainrule.activations.softmax import Softmax

__all__ = [
    "ELU",
    "GELU",
    "Activation",
    "Identity",
    "LeakyReLU",
    "NoisyReLU",
    "PReLU",
    "ReLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
]
