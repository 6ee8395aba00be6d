"""Costs of values: distances between what comes and what is expected."""

from chainrule.costs.base import Cost, summed


class Quadratic(Cost):
    """Half the squared distance. Its derivative by a is a − E.

    Keras' and PyTorch's mean squared error divide by the number of outputs instead of by 2.

    Reference: Rumelhart, Hinton & Williams, 1986, Learning representations by back-propagating errors.

    >>> import jax.numpy as jnp
    >>> Quadratic()(jnp.array([[1.0, 3.0]]), jnp.array([[1.0, 1.0]])).item()
    2.0
    """

    textbook = "sum((a - E)**2) / 2"

    def each(self, a, E):
        return summed((a - E) ** 2) / 2
