"""Costs: how far the network's output is from the expected one."""

from chainrule.costs.base import Cost
from chainrule.costs.distances import Quadratic
from chainrule.costs.entropies import CategoricalCrossEntropy, CrossEntropy

__all__ = ["CategoricalCrossEntropy", "Cost", "CrossEntropy", "Quadratic"]
