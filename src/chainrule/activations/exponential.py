"""The exponential function, by which networks end whose outputs are rates, scales and other positive numbers."""

from chainrule.activations.base import Activation
from chainrule.kernels.elementwise import exp


class Exp(Activation):
    """The exponential function. Behind the costs of positive numbers, such as Poisson, both are computed together.

    Keras calls it `exponential`. It grows fast: in the middle of a network few can bear it. (`Exponential` is a cost.)

    Reference: Nelder & Wedderburn, 1972, Generalized linear models: the inverse of the link that is the logarithm.

    >>> import jax.numpy as jnp
    >>> Exp()(jnp.array([0.0, 1.0])).tolist()
    [1.0, 2.7182817459106445]
    """

    textbook = "exp(x)"

    def __call__(self, x):
        return exp(x)
