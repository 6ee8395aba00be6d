"""Activations that saturate on both sides."""

from chainrule.activations.base import Activation
from chainrule.kernels.elementwise import sigmoid, tanh


class Tanh(Activation):
    """Hyperbolic tangent, from −1 to 1.

    Reference: LeCun, Bottou, Orr & Müller, 1998, Efficient BackProp.

    >>> import jax.numpy as jnp
    >>> Tanh()(jnp.array([0.0])).tolist()
    [0.0]
    """

    textbook = "(exp(x) - exp(-x)) / (exp(x) + exp(-x))"

    def __call__(self, x):
        return tanh(x)


class Sigmoid(Activation):
    """Logistic function, from 0 to 1. Behind CrossEntropy both are computed together.

    Reference: Rumelhart, Hinton & Williams, 1986, Learning representations by back-propagating errors.

    >>> import jax.numpy as jnp
    >>> Sigmoid()(jnp.array([0.0])).tolist()
    [0.5]
    """

    probable = True
    textbook = "1 / (1 + exp(-x))"

    def __call__(self, x):
        return sigmoid(x)
