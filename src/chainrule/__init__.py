"""Chainrule: every network is a composition of formulas, and every gradient is the chain rule."""

from importlib import import_module

from chainrule.formula.displays import draws
from chainrule.formula.exports import exports

TYPE_CHECKING = False  # as in `typing`, whose import would take most of this one's time
if TYPE_CHECKING:
    from typing import Any

    from chainrule import activations, costs, initializers, interchange, layers, metrics, optimizers, regularizers, runs
    from chainrule.arrays.masked import Masked
    from chainrule.data import loaders
    from chainrule.data.loaders import Loader
    from chainrule.errors import ChainruleError, DivergedError
    from chainrule.estimators import NetworkClassifier, NetworkRegressor
    from chainrule.formula.base import Formula
    from chainrule.model import Model, load
    from chainrule.notation import parse
    from chainrule.optimizers import schedules
    from chainrule.regularizers import EarlyStopping
    from chainrule.runs.comparison import compare
    from chainrule.training import fit

__all__ = [
    "ChainruleError",
    "DivergedError",
    "EarlyStopping",
    "Formula",
    "Loader",
    "Masked",
    "Model",
    "NetworkClassifier",
    "NetworkRegressor",
    "activations",
    "compare",
    "costs",
    "fit",
    "initializers",
    "interchange",
    "layers",
    "load",
    "loaders",
    "metrics",
    "optimizers",
    "parse",
    "regularizers",
    "runs",
    "schedules",
]

_HOMES = {
    "ChainruleError": "errors",
    "DivergedError": "errors",
    "EarlyStopping": "regularizers",
    "Formula": "formula.base",
    "Loader": "data.loaders",
    "Masked": "arrays.masked",
    "Model": "model",
    "NetworkClassifier": "estimators",
    "NetworkRegressor": "estimators",
    "compare": "runs.comparison",
    "fit": "training",
    "load": "model",
    "loaders": "data",
    "parse": "notation",
    "schedules": "optimizers",
}


def __getattr__(name: str) -> "Any":
    """What the library offers, imported when it is first used: `chainrule --help` needs no JAX."""
    if name not in __all__:
        raise AttributeError(f"module 'chainrule' has no attribute {name!r}")
    home = _room(_HOMES.get(name, name))
    return getattr(home, name) if name in _HOMES else home


def __dir__() -> list[str]:
    return __all__


def _room(name: str) -> "Any":
    return import_module(f"chainrule.{name}")


draws(lambda kind, thing: getattr(_room("pictures.notebook"), kind)(thing))

exports(lambda to, thing, *where: getattr(_room("interchange"), to)(thing, *where))
"""How models leave for other libraries, alike."""
