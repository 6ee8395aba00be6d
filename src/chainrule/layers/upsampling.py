"""Upsampling: several places for each one, alike or in between."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from chainrule.arrays.dtypes import real_type, wide_type
from chainrule.arrays.masked import filled
from chainrule.formula.constraints import one_of
from chainrule.formula.layer import INFERENCE, Layer
from chainrule.layers.windows import Axes, abstract, lengths_of, lengths_under, numbered, per_axis, spread


class _Upsample(Layer):
    """So many places for each one, along each axis before the channels."""

    size: Axes = per_axis(2, "how many places each one becomes, one number or one for each axis")
    interpolation: str = one_of("nearest", "bilinear", default="nearest", meaning="what is between two pixels")

    rank: ClassVar[int] = abstract()
    """How many axes there are before the channels."""
    between: ClassVar[str] = abstract()
    """The textbook form of interpolation."""

    def in_textbook(self):
        text = self.textbook if self.interpolation == "nearest" else self.between
        return numbered(text, size=spread(self, self.size, self.rank))

    def output_shape(self, shape):
        sizes = spread(self, self.size, self.rank)
        return (*(n * size for n, size in zip(lengths_of(self, shape, self.rank), sizes, strict=True)), shape[-1])

    def forward(self, p, x):
        self.output_shape(x.shape[1:])
        sizes = enumerate(spread(self, self.size, self.rank), start=1)
        if self.interpolation == "nearest":
            for axis, size in sizes:
                x = jnp.repeat(x, size, axis)
            return x
        y = x.astype(wide_type(x))
        for axis, size in sizes:
            y = _interpolated(y, axis, size)
        return y.astype(real_type(x))


class Upsample1D(_Upsample):
    """So many steps for each one: (time, features) → (size · time, features), alike, or linear in between.

    Each step lies in the middle of those that it becomes, and beyond the middle of the first and the last one nothing
    changes, as in PyTorch by default. Of sequences of unequal length each ends with its own last step.

    >>> Upsample1D(2).forward({}, jnp.array([[[0.0], [4.0]]]))[0, :, 0].tolist()
    [0.0, 0.0, 4.0, 4.0]
    >>> Upsample1D(2, "linear").forward({}, jnp.array([[[0.0], [4.0]]]))[0, :, 0].tolist()
    [0.0, 1.0, 3.0, 4.0]
    """

    interpolation: str = one_of("nearest", "linear", default="nearest", meaning="what is between two steps")
    rank = 1
    textbook = "y[t, c] = x[floor(t / size), c]"
    between = """
        a[t] = min(max((t + 1 / 2) / size - 1 / 2, 0), T - 1)
        y[t, c] = sum(max(0, 1 - abs(a[t] - k)) * x[k, c] for k)"""

    def output_mask(self, x, mask):
        return None if mask is None else jnp.repeat(mask, *spread(self, self.size, 1), axis=1)

    def apply(self, p, state, x, context=INFERENCE):
        x = filled(x, context.mask)
        return self.forward(p, x if self.interpolation == "nearest" else _lasting(x, context.mask)), state


class Upsample2D(_Upsample):
    """So many pixels for each one, along both axes: alike, or bilinear in between.

    Each pixel lies in the middle of those that it becomes, and beyond the middles of the outermost ones nothing
    changes, as in Keras, and in PyTorch by default (`align_corners=False`).

    >>> Upsample2D(2).output_shape((7, 7, 64))
    (14, 14, 64)
    """

    rank = 2
    textbook = "y[i, j, c] = x[floor(i / size), floor(j / size), c]"
    between = """
        a[i] = min(max((i + 1 / 2) / size - 1 / 2, 0), m - 1)
        b[j] = min(max((j + 1 / 2) / size - 1 / 2, 0), n - 1)
        y[i, j, c] = sum(max(0, 1 - abs(a[i] - k)) * max(0, 1 - abs(b[j] - l)) * x[k, l, c] for k, l)"""


def _interpolated(x: jax.Array, axis: int, size: int) -> jax.Array:
    """So many places for each one along an axis, on the lines between the middles of neighbours."""
    length = x.shape[axis]
    first, last = (lax.slice_in_dim(x, at, at + 1, axis=axis) for at in (0, length - 1))
    padded = jnp.concatenate([first, x, last], axis)
    before, at, behind = (
        jnp.expand_dims(lax.slice_in_dim(padded, n, n + length, axis=axis), axis + 1) for n in range(3)
    )
    off = (np.arange(size) + 0.5) / size - 0.5  # how far behind the middle
    off = jax.device_put(off.astype(x.dtype).reshape((1,) * (axis + 1) + (size,) + (1,) * (x.ndim - axis - 1)))
    y = at * (1 - abs(off)) + jnp.where(off < 0, before, behind) * abs(off)
    return y.reshape(*x.shape[:axis], length * size, *x.shape[axis + 1 :])


def _lasting(x: jax.Array, mask: Any) -> jax.Array:
    """Sequences whose last step stands in the place of padding, too."""
    if mask is None:
        return x
    last = jnp.maximum(lengths_under(mask) - 1, 0)
    return jnp.take_along_axis(x, jnp.minimum(jnp.arange(mask.shape[1])[None], last)[..., None], axis=1)
