"""Margins: costs of scores, which are 0 where the class that is expected is ahead by 1."""

import jax.numpy as jnp

from chainrule.arrays.functions import relu
from chainrule.costs.base import Cost, summed
from chainrule.costs.targets import RANKED, SIGNS


class Hinge(Cost):
    """How much of a margin of 1 is missing on the side of E, which is −1 or +1. At the margin its derivative is 0.

    Class numbers are made −1 and +1, and an output above 0 tells the second class: support vector machines, with L2.
    Keras takes 0 and 1 too, and divides by the number of outputs.

    Reference: Cortes & Vapnik, 1995, Support-vector networks, Machine Learning 20.

    >>> Hinge()(jnp.array([[0.5], [-2.0]]), jnp.array([1, -1])).item()
    0.25
    """

    targets = SIGNS
    textbook = "sum(max(0, 1 - E * a))"

    def each(self, a, E):
        return summed(relu(1 - E * a))


class SquaredHinge(Cost):
    """The square of how much of a margin of 1 is missing on the side of E, which is −1 or +1: it has no kink.

    Reference: Tang, 2013, Deep learning using linear support vector machines.

    >>> SquaredHinge()(jnp.array([[0.5], [-2.0]]), jnp.array([1, -1])).item()
    0.125
    """

    targets = SIGNS
    textbook = "sum(max(0, 1 - E * a)**2)"

    def each(self, a, E):
        return summed(relu(1 - E * a) ** 2)


class CategoricalHinge(Cost):
    """How much of a margin of 1 is missing between the expected class and the best of the others.

    That is max(0, 1 + maxⱼ aⱼ − a_E), the maximum being over the other classes. Where several are equally far ahead,
    the derivative is shared among them. Keras counts 0 as one of the others' scores, so that its own is larger where
    all of these are below 0; PyTorch's `multi_margin_loss` adds up over all others.

    Reference: Crammer & Singer, 2001, On the algorithmic implementation of multiclass kernel-based vector machines.

    >>> CategoricalHinge()(jnp.array([[2.0, 1.5, -3.0]]), jnp.array([0])).item()
    0.5
    """

    targets = RANKED
    textbook = "max(a[j] + 1 - E[j] for j) - sum(E * a)"

    def each(self, a, E):
        return jnp.max(a + 1 - E, axis=-1) - summed(E * a)
