"""What an activation is: a formula of each value, or of the values of the last axis."""

from abc import abstractmethod
from typing import Any, ClassVar

import jax

from chainrule.formula.layer import Layer


class Activation(Layer):
    """A formula applied to each value, without changing the shape."""

    probable: ClassVar[bool] = False
    """Whether its outputs are probabilities, so that a network of classes may end with it."""

    @abstractmethod
    def __call__(self, x: jax.Array) -> jax.Array:
        """The formula's value at each entry of x."""

    def forward(self, p: Any, x: jax.Array) -> jax.Array:
        return self(x)


class Identity(Activation):
    """The value itself.

    >>> import jax.numpy as jnp
    >>> Identity()(jnp.array([-1.0, 2.0])).tolist()
    [-1.0, 2.0]
    """

    textbook = "x"

    def __call__(self, x):
        return x
