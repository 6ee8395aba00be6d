"""Activations of several values that change how many these are: the channels, on the last axis."""

import jax.numpy as jnp

from chainrule.activations.base import OfSeveral
from chainrule.arrays import functions
from chainrule.arrays.dtypes import real_type
from chainrule.formula.constraints import positive_int


class Maxout(OfSeveral):
    """The largest of each group of channels that are beside each other.

    Behind Dense(pieces · units) that is a convex function which is learned. Of equal values the first has the gradient.

    Reference: Goodfellow, Warde-Farley, Mirza, Courville & Bengio, 2013, Maxout networks, arXiv:1302.4389.

    >>> Maxout(2)(jnp.array([1.0, 3.0, -2.0, -5.0])).tolist()
    [3.0, -2.0]
    """

    pieces: int = positive_int(meaning="how many channels the largest is taken of")
    textbook = "y[c] = max(x[pieces * c + k] for k)"

    def output_shape(self, shape):
        *axes, channels = super().output_shape(shape)
        if channels % self.pieces:
            raise self.refuse(
                f"a multiple of {self.pieces} channels", shape, f"Put Dense({self.pieces} * units) before it."
            )
        return (*axes, channels // self.pieces)

    def __call__(self, x):
        groups = x.reshape(*self.output_shape(x.shape), self.pieces)
        first = jnp.argmax(groups, axis=-1, keepdims=True)
        return jnp.take_along_axis(groups, first, axis=-1)[..., 0]


class CReLU(OfSeveral):
    """Concatenated rectified linear unit: what is above 0, and beside it what is below, as twice as many channels.

    The derivative at 0 is 0 in both.

    Reference: Shang, Sohn, Almeida & Lee, 2016, Understanding and improving convolutional neural networks via
    concatenated rectified linear units, arXiv:1603.05201.

    >>> CReLU()(jnp.array([-1.0, 2.0])).tolist()
    [0.0, 2.0, 1.0, 0.0]
    """

    textbook = """
        y[c] = max(0, x[c])
        y[n + c] = max(0, -x[c])"""

    def output_shape(self, shape):
        *axes, channels = super().output_shape(shape)
        return (*axes, 2 * channels)

    def __call__(self, x):
        x = x.astype(real_type(x))
        return functions.relu(jnp.concatenate([x, -x], axis=-1))
