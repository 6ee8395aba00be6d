"""Costs: how far the network's output a is from the expected one E.

A cost adds up over an example's outputs and is averaged over the examples, by weight where weights are given.
The class axis is the last. In sequences and images each step or place is an example: it costs as much in a short
sequence as in a long one, and nothing if it is padding.
"""

from chainrule.costs.base import Cost
from chainrule.costs.distances import Quadratic
from chainrule.costs.entropies import CategoricalCrossEntropy, CrossEntropy

__all__ = ["CategoricalCrossEntropy", "Cost", "CrossEntropy", "Quadratic"]
