"""Layers that add places at the ends of the axes before the channels, or take some away."""

from abc import abstractmethod
from typing import ClassVar

import jax.numpy as jnp
from jax import lax

from chainrule.arrays.masked import filled
from chainrule.formula.layer import INFERENCE, Layer
from chainrule.kernels.window import Window
from chainrule.layers.windows import Padding, abstract, amounts, in_axes, live_places, window


class _Ends(Layer):
    """Every place as it is, between other ends: a window of one cell, whose padding may be negative."""

    rank: ClassVar[int] = abstract()
    """How many axes there are before the channels."""

    @abstractmethod
    def window(self, shape: tuple[int, ...]) -> Window:
        """The window over examples of this shape; refused where it does not fit."""

    def output_shape(self, shape):
        return (*self.window(shape).places(shape[:-1]), shape[-1])

    def forward(self, p, x):
        ends = [(*pads, 0) for pads in ((0, 0), *self.window(x.shape[1:]).pads, (0, 0))]
        return lax.pad(x, jnp.zeros((), x.dtype), ends)


class _InTime(_Ends):
    """The same of series: each sequence ends where it would alone."""

    rank = 1

    def output_mask(self, x, mask):
        return None if mask is None else live_places(self, mask, self.window(x.shape[1:]), padding=0)

    def apply(self, p, state, x, context=INFERENCE):
        return self.forward(p, filled(x, context.mask)), state


class _ZeroPad(_Ends):
    padding: Padding = amounts(1, "how many zeros are added at the ends")

    def window(self, shape):
        return window(self, shape, self.rank, 1, 1, self.padding)

    def in_textbook(self):
        return in_axes(self, self.rank, 1, 1, self.padding)


class _Crop(_Ends):
    cropping: Padding = amounts(1, "how many places are taken away at the ends")

    def window(self, shape):
        found = window(self, shape, self.rank, 1, 1, self.cropping)
        if any(sum(pads) >= length for pads, length in zip(found.pads, shape[:-1], strict=True)):
            expected = f"more than {' × '.join(str(sum(pads)) for pads in found.pads)} places, which it takes away"
            raise self.refuse(expected, shape, "Take fewer.")
        return found._replace(pads=tuple((-low, -high) for low, high in found.pads))

    def in_textbook(self):
        return in_axes(self, self.rank, 1, 1, self.cropping)


class ZeroPad1D(_ZeroPad, _InTime):
    """Zeros before the first step and behind the last: (time, features) → (low + time + high, features).

    `padding` is one number, or (before, after); x is 0 where it has no such step. Of sequences of unequal length each
    has its zeros behind its own last step.

    >>> ZeroPad1D((2, 1)).output_shape((100, 8))
    (103, 8)
    """

    textbook = "y[t, c] = x[t - pad, c]"


class ZeroPad2D(_ZeroPad):
    """Zeros around an image: (height, width, channels) → (rows, columns, channels).

    `padding` is one number, one for each axis, or (before, after) for each; x is 0 where it has no such place. That of
    PyTorch's ZeroPad2d is (left, right, top, bottom).

    >>> ZeroPad2D(((1, 0), (2, 2))).output_shape((8, 8, 3))
    (9, 12, 3)
    """

    rank = 2
    textbook = "y[i, j, c] = x[i - pad, j - pad, c]"


class Crop1D(_Crop, _InTime):
    """Steps taken away at both ends: (time, features) → (time − low − high, features).

    `cropping` is one number, or (before, after). Of sequences of unequal length each loses its own last steps.

    >>> Crop1D((2, 1)).output_shape((100, 8))
    (97, 8)
    """

    textbook = "y[t, c] = x[t + pad, c]"


class Crop2D(_Crop):
    """Rows and columns taken away at the ends: (height, width, channels) → (rows, columns, channels).

    `cropping` is one number, one for each axis, or (before, after) for each.

    >>> Crop2D((2, 0)).output_shape((8, 8, 3))
    (4, 8, 3)
    """

    rank = 2
    textbook = "y[i, j, c] = x[i + pad, j + pad, c]"
