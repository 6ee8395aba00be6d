"""Activations of several values, those of the last axis."""

from chainrule.activations.base import Activation
from chainrule.kernels.softmax import softmax


class Softmax(Activation):
    """Probabilities over the last axis. Behind CategoricalCrossEntropy both are computed together.

    Reference: Bridle, 1990, Probabilistic interpretation of feedforward classification network outputs.

    >>> import jax.numpy as jnp
    >>> Softmax()(jnp.array([0.0, 0.0])).tolist()
    [0.5, 0.5]
    """

    probable = True
    textbook = "exp(x[i]) / sum(exp(x))"

    def __call__(self, x):
        return softmax(x)
