"""Sparsemax: probabilities over the last axis, of which some are exactly 0."""

from chainrule.activations.base import OfSeveral
from chainrule.kernels.sparsemax import sparsemax


class Sparsemax(OfSeveral):
    """Sparse probabilities over the last axis: the distribution nearest to it, in which what is far below is exactly 0.

    Behind SparsemaxCost both are computed together. Of entries that τ just reaches the derivative is that of those
    below. Neither Keras (which has it as `sparsemax`, computed in float32) nor PyTorch has the cost.

    Reference: Martins & Astudillo, 2016, From softmax to sparsemax, ICML.

    >>> import jax.numpy as jnp
    >>> Sparsemax()(jnp.array([1.5, 1.0, 0.25])).tolist()
    [0.75, 0.25, 0.0]
    """

    probable = True
    textbook = "max(0, x[i] - tau), sum(max(0, x[j] - tau) for j) == 1"

    def __call__(self, x):
        return sparsemax(x)
