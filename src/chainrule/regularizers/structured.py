"""Penalties that see a kernel's structure: the weights of a unit together, its units beside each other, its neighbours.

A kernel is (…, inputs, units): all weights into a unit stand in one place of the last axis.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from chainrule.arrays.dtypes import widely
from chainrule.arrays.functions import root
from chainrule.arrays.precision import exactly
from chainrule.formula.constraints import non_negative
from chainrule.regularizers.penalties import Regularizer


class GroupLasso(Regularizer):
    """The lengths of units, each the norm of all weights into it: units that are not needed become 0 as a whole.

    The gradient of a length would leave them dithering around 0; the proximal step after the optimizer's does not. Of a
    unit that is 0 the bias is left, so that it says the same of every input. A unit is a column of a kernel, of n
    weights: a neuron, a filter, in a recurrent layer each gate of a unit. `L1(a) + GroupLasso(b)` takes single weights
    out of the others too.

    Where an optimizer has a rate for each weight, as Adam does, the step is the one whose fixed point is the minimum:
    the unit's new length s solves Σᵢ (wᵢ / (s + λ √n ηᵢ))² = 1.

    Reference: Yuan & Lin, 2006, Model selection and estimation in regression with grouped variables; Scardapane,
    Comminiello, Hussain & Uncini, 2017, Group sparse regularization for deep neural networks, arXiv:1607.00485.

    >>> w = jnp.array([[1.0, 0.25], [1.0, 0.25], [1.0, 0.25], [1.0, 0.25]])
    >>> GroupLasso(0.5)(w).item()
    2.5
    >>> GroupLasso(0.5).proximal(w, 1.0).tolist()
    [[0.5, 0.0], [0.5, 0.0], [0.5, 0.0], [0.5, 0.0]]
    """

    strength: float = non_negative(meaning="λ, the weight of the term in the cost")
    has_kink = True
    reach = 1
    textbook = """
        norm[j] = sqrt(sum(w[i, j]**2 for i))
        strength * sqrt(n) * sum(norm[j] for j)"""

    @widely
    def __call__(self, w):
        return self._weight(w) * jnp.sum(lengths(w))

    @widely
    def smooth(self, w):
        return jnp.zeros((), w.dtype)

    @widely
    def proximal(self, w, rate):
        fall = rate * self._weight(w)
        left = jnp.maximum(lengths(w) - fall, 0) if jnp.ndim(fall) == 0 else _length_left(w, fall)
        return w * jnp.where(left > 0, left / jnp.where(left > 0, left + fall, 1), 0)

    def _weight(self, w: jax.Array) -> Any:
        """That of each unit's length: long units have many weights."""
        return self.strength * math.sqrt(max(math.prod(w.shape[:-1]), 1))


class Orthogonality(Regularizer):
    """How far the units of a kernel are from being orthogonal and of length 1, in the gradient.

    The kernel is seen as a matrix of all axes but the last by the last, as by the initialiser `Orthogonal`; where there
    are more units than weights into each, its rows are meant. Keras' OrthogonalRegularizer leaves lengths alone, and
    takes the sizes of cosines instead of the squares of products.

    Reference: Bansal, Chen & Wang, 2018, Can we gain more from orthogonality regularizations in training deep CNNs?,
    arXiv:1810.09102.

    >>> Orthogonality(0.5)(jnp.array([[1.0, 1.0], [0.0, 1.0]])).item()
    1.5
    """

    strength: float = non_negative(meaning="λ, the weight of the term in the cost")
    textbook = "strength * sum((sum(w[i, j] * w[i, k] for i) - (j == k))**2 for j, k)"

    @widely
    @exactly
    def __call__(self, w):
        units = w.reshape(-1, *w.shape[-1:])
        units = units if len(units) >= units.shape[-1] else units.T
        products = units.T @ units
        return self.strength * jnp.sum((products - jnp.eye(len(products), dtype=w.dtype)) ** 2)


class TotalVariation(Regularizer):
    """The sizes of steps from each weight to its neighbour, so that kernels become smooth, with few edges.

    Neighbours are next to each other in a convolution's window, in time, or in height and in width; of a matrix, they
    are the weights of inputs next to each other, which suits signals and spectra. It is in the gradient, of which the
    kink's is 0: neighbours come close to each other, and not to the same number.

    Reference: Rudin, Osher & Fatemi, 1992, Nonlinear total variation based noise removal algorithms; Tibshirani,
    Saunders, Rosset, Zhu & Knight, 2005, Sparsity and smoothness via the fused lasso.

    >>> TotalVariation(0.5)(jnp.array([[1.0], [3.0], [2.0]])).item()
    1.5
    """

    strength: float = non_negative(meaning="λ, the weight of the term in the cost")
    textbook = "strength * sum(abs(w[i+1, j] - w[i, j]) for i, j)"

    @widely
    def __call__(self, w):
        steps = (jnp.abs(jnp.diff(w, axis=axis)) for axis in range(min(max(w.ndim - 2, 1), w.ndim)))
        return self.strength * sum(map(jnp.sum, steps), start=jnp.zeros((), w.dtype))


def lengths(w: jax.Array) -> jax.Array:
    """The norm of all weights into each unit, (…, 1, units), also of weights whose squares no float holds."""
    axes = tuple(range(w.ndim - 1))
    largest = jnp.max(jnp.abs(w), axis=axes, keepdims=True, initial=0)
    unit = lax.stop_gradient(jnp.where((largest > 0) & jnp.isfinite(largest), largest, 1))
    return unit * root(jnp.sum((w / unit) ** 2, axis=axes, keepdims=True))


NEWTON = 8  # steps; four are enough for rates that differ by ten orders of magnitude


def _length_left(w: jax.Array, fall: jax.Array) -> jax.Array:
    """The length s of each unit after a proximal step in which each weight has a fall of its own.

    1 − (Σᵢ (wᵢ / (s + fᵢ))²)^(−½) falls with s and is convex, so that Newton's steps from below never go too far.
    """
    axes = tuple(range(w.ndim - 1))
    size, there = jnp.abs(w), w != 0

    def parts(s: Any) -> jax.Array:
        return jnp.where(there, size / jnp.where(there, s + fall, 1), 0)

    def total(values: jax.Array) -> jax.Array:
        return jnp.sum(values, axis=axes, keepdims=True)

    def better(_: Any, s: jax.Array) -> jax.Array:
        share = parts(s)
        squares, cubes = total(share**2), total(share**2 * jnp.where(there, 1 / jnp.where(there, s + fall, 1), 0))
        return s + (root(squares) - 1) * squares / jnp.where(cubes > 0, cubes, 1)

    alone = jnp.max(jnp.where(there, size - fall, 0), axis=axes, keepdims=True, initial=0)
    below = jnp.maximum(alone, lengths(w) - jnp.max(fall, axis=axes, keepdims=True, initial=0))
    return jnp.where(total(parts(0.0) ** 2) > 1, lax.fori_loop(0, NEWTON, better, below), 0)
