"""The cost of Sparsemax."""

import jax.numpy as jnp

from chainrule.activations import Sparsemax
from chainrule.costs.base import Cost, in_rows, summed
from chainrule.costs.targets import CLASSES
from chainrule.kernels.sparsemax import threshold


class SparsemaxCost(Cost):
    """The cost of z behind Sparsemax, whose output is a: convex, 0 where a is E by a margin, with the derivative a − E.

    Of outputs that are probabilities already, as those of Sparsemax are, it is half their squared distance from E;
    behind Sparsemax it is computed from z, and counts too how far below the others an expected entry is that a has as
    0. Neither Keras nor PyTorch has it.

    Reference: Martins & Astudillo, 2016, From softmax to sparsemax, ICML.

    >>> z, E = jnp.array([[1.5, 1.0, 0.0]]), jnp.array([[0.0, 0.0, 1.0]])
    >>> SparsemaxCost().behind(z, E).item()
    1.5625
    """

    canonical_activations = (Sparsemax,)
    is_default = True
    targets = CLASSES
    textbook = "sum((z - E)**2 - (z - a)**2) / 2"

    def each(self, a, E):
        return self.behind(a, E)

    def behind(self, z, E, end=None):
        return in_rows(_sparsemax_cost, z, E)


def _sparsemax_cost(z, E):
    z, tau, below = threshold(z)
    a, short = jnp.where(below, 0, z - tau), jnp.where(below & (E > 0), tau - z, 0)
    return summed((a - E) ** 2 / 2 + E * short)
