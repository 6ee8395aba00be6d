"""Layers that only change the shape."""

import math

from chainrule.formula.constraints import axes
from chainrule.formula.layer import Layer


class Flatten(Layer):
    """All of an example's axes made one, the last axis running fastest.

    >>> Flatten().output_shape((8, 8, 1))
    (64,)
    """

    textbook = "reshape(x, -1)"

    def output_shape(self, shape):
        return (math.prod(shape),)

    def forward(self, p, x):
        return x.reshape(x.shape[0], math.prod(x.shape[1:]))


class Reshape(Layer):
    """An example's values in another shape, the last axis running fastest.

    >>> Reshape((8, 8, 1)).output_shape((64,))
    (8, 8, 1)
    """

    shape: tuple[int, ...] = axes(meaning="one example's shape afterwards")
    textbook = "reshape(x, shape)"

    def output_shape(self, shape):
        if math.prod(shape) != math.prod(self.shape):
            expected = f"examples of {math.prod(self.shape)} values"
            raise self.refuse(
                expected, shape, f"They have {math.prod(shape)} values: choose axes whose product is that."
            )
        return self.shape

    def forward(self, p, x):
        return x.reshape(x.shape[0], *self.shape)
