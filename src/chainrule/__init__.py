"""Chainrule: every network is a composition of formulas, and every gradient is the chain rule."""

from chainrule import activations, costs, initializers, layers, metrics, optimizers, regularizers, schedules
from chainrule.errors import ChainruleError, DivergedError
from chainrule.formula import Formula
from chainrule.model import Model
from chainrule.notation import parse
from chainrule.storage import load
from chainrule.training import EarlyStopping, fit

__all__ = [
    "ChainruleError",
    "DivergedError",
    "EarlyStopping",
    "Formula",
    "Model",
    "activations",
    "costs",
    "fit",
    "initializers",
    "layers",
    "load",
    "metrics",
    "optimizers",
    "parse",
    "regularizers",
    "schedules",
]
