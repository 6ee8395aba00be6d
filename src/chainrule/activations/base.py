"""What an activation is: a formula of each value, or of the values of the last axis."""

from abc import abstractmethod
from typing import Any, ClassVar

import jax

from chainrule.formula.layer import Layer


class Activation(Layer):
    """A formula applied to each value, or to the values of the last axis."""

    probable: ClassVar[bool] = False
    """Whether its outputs are probabilities, so that a network of classes may end with it."""

    @abstractmethod
    def __call__(self, x: jax.Array) -> jax.Array:
        """The formula's value at each entry of x, or at each row of its last axis."""

    def forward(self, p: Any, x: jax.Array) -> jax.Array:
        return self(x)


class OfSeveral(Activation):
    """An activation of the values of the last axis, which belong together."""

    def output_shape(self, shape):
        if not shape:
            raise self.refuse("examples of at least one axis", shape, "Put Reshape((1,)) before it.")
        return shape

    @property
    def decides(self):
        return type(self).output_shape is not OfSeveral.output_shape

    def output_mask(self, x, mask):
        if mask is not None and x.ndim == mask.ndim:  # the last axis is that of the steps
            raise self.mixing()
        return super().output_mask(x, mask)


class Identity(Activation):
    """The value itself.

    >>> import jax.numpy as jnp
    >>> Identity()(jnp.array([-1.0, 2.0])).tolist()
    [-1.0, 2.0]
    """

    textbook = "x"

    def __call__(self, x):
        return x
