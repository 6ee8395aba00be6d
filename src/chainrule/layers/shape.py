"""Layers that only change the shape."""

import dataclasses
import math
from typing import Any

import jax.numpy as jnp

from chainrule.formula.constraints import axes, constrained
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


def _order() -> Any:

    def holds(v: Any) -> bool:
        return type(v) is tuple and bool(v) and all(type(axis) is int for axis in v) and sorted(v) == [*_counted(v)]

    expected = "a tuple of all axes of an example, counted from 1: (2, 1), for example"
    meaning = "which axis of the input each axis of the output is, counted from 1, behind that of the batch"
    return constrained(dataclasses.MISSING, meaning, expected, holds, ((0, 1), (1, 1), (1, 3), (1.0,), 1, (), None))


def _counted(axes: tuple[int, ...]) -> range:
    return range(1, len(axes) + 1)


class Permute(Layer):
    """An example's axes in another order, counted from 1, since axis 0 is the batch's.

    `Permute((2, 1))` makes (time, features) of (features, time), and `Permute((2, 3, 1))` images of PyTorch's, whose
    channels come first; it is PyTorch's `x.permute(0, 2, 3, 1)`, and Keras' Permute.

    >>> Permute((2, 3, 1)).output_shape((3, 28, 28))
    (28, 28, 3)
    """

    axes: tuple[int, ...] = _order()
    textbook = "transpose(x, axes)"

    def in_textbook(self):
        letters = "ijklpq"[: len(self.axes)]
        if len(letters) < len(self.axes):
            return self.textbook
        seen = (letters[self.axes.index(axis)] for axis in _counted(self.axes))
        return f"y[{', '.join(letters)}] = x[{', '.join(seen)}]"

    def output_shape(self, shape):
        if len(shape) != len(self.axes):
            raise self.refuse(f"examples of {len(self.axes)} axes", shape, "Name all of their axes, and no other.")
        return tuple(shape[axis - 1] for axis in self.axes)

    def output_mask(self, x, mask):
        if mask is not None and self.axes[0] != 1:
            raise self.mixing()
        return mask

    def forward(self, p, x):
        self.output_shape(x.shape[1:])
        return jnp.transpose(x, (0, *self.axes))
