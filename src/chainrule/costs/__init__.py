"""Costs: how far the network's output a is from the expected one E.

A cost adds up over an example's outputs and is averaged over the examples, by weight where weights are given.
The class axis is the last. In sequences and images each step or place is an example: it costs as much in a short
sequence as in a long one, and nothing if it is padding.
"""

from chainrule.costs.base import Cost
from chainrule.costs.distances import AbsoluteError, Exponential, Huber, LogCosh, Quadratic, SquaredLog
from chainrule.costs.divergences import GeneralizedKL, Hellinger, ItakuraSaito, KullbackLeibler
from chainrule.costs.entropies import CategoricalCrossEntropy, CategoricalFocal, CrossEntropy, Focal
from chainrule.costs.likelihoods import Gamma, GaussianNLL, Poisson, Tweedie
from chainrule.costs.margins import CategoricalHinge, Hinge, SquaredHinge
from chainrule.costs.overlaps import CosineDistance, Dice
from chainrule.costs.quantiles import Quantile
from chainrule.costs.sparsemax import SparsemaxCost

__all__ = [
    "AbsoluteError",
    "CategoricalCrossEntropy",
    "CategoricalFocal",
    "CategoricalHinge",
    "CosineDistance",
    "Cost",
    "CrossEntropy",
    "Dice",
    "Exponential",
    "Focal",
    "Gamma",
    "GaussianNLL",
    "GeneralizedKL",
    "Hellinger",
    "Hinge",
    "Huber",
    "ItakuraSaito",
    "KullbackLeibler",
    "LogCosh",
    "Poisson",
    "Quadratic",
    "Quantile",
    "SparsemaxCost",
    "SquaredHinge",
    "SquaredLog",
    "Tweedie",
]
