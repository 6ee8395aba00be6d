"""Constraints: sets that kernels stay in, since after each step they are put back to the nearest place there.

A constraint is a regulariser like any other: a term that is 0 in its set and infinite outside, whose proximal step is
the projection, however long the optimizer's step was. So it is said where a regulariser is, and added to others:
`L2(0.0001) + MaxNorm(3)`.
"""

from abc import abstractmethod

import jax
import jax.numpy as jnp

from chainrule.arrays.dtypes import widely
from chainrule.formula.constraints import positive
from chainrule.regularizers.penalties import Regularizer
from chainrule.regularizers.structured import lengths


class Projection(Regularizer):
    """A constraint on kernels, which holds after each step; it adds nothing to the cost."""

    has_kink = True
    reach = 2

    @property
    def needs_rates(self):
        return False

    @widely
    def __call__(self, w):
        return jnp.zeros((), w.dtype)

    @abstractmethod
    def project(self, w: jax.Array) -> jax.Array:
        """The nearest kernel that holds it."""

    @widely
    def proximal(self, w, rate):
        return self.project(w)


class NonNegative(Projection):
    """No weight is below 0: parts are added up, and never taken away.

    A network whose activations rise then rises with each of its inputs.

    Reference: Chorowski & Zurada, 2015, Learning understandable neural networks with nonnegative weight constraints.

    >>> NonNegative().project(jnp.array([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """

    reach = 0
    keeps_means = True
    textbook = "w = max(0, w)"

    def project(self, w):
        return jnp.maximum(w, 0)


class MaxNorm(Projection):
    """No unit is longer than a bound: one whose weights' norm exceeds it is shortened to it. Made for dropout.

    The weights of a unit are all those into it. In Keras they are those along `axis`, which of a convolution must be
    named; there the bound is 2 unless it is said.

    Reference: Hinton, Srivastava, Krizhevsky, Sutskever & Salakhutdinov, 2012, Improving neural networks by preventing
    co-adaptation of feature detectors, arXiv:1207.0580.

    >>> MaxNorm(2.5).project(jnp.array([[3.0, 0.25], [4.0, 0.5]])).tolist()
    [[1.5, 0.25], [2.0, 0.5]]
    """

    max_norm: float = positive(meaning="c, the longest unit that may be")

    keeps_means = True
    textbook = """
        norm[j] = sqrt(sum(w[i, j]**2 for i))
        w[i, j] = w[i, j] * min(1, max_norm / norm[j])"""

    def project(self, w):
        length = lengths(w)
        return w * jnp.where(length > self.max_norm, self.max_norm / jnp.where(length > 0, length, 1), 1)


class UnitNorm(Projection):
    """Every unit is of length 1: what it learns is the direction of its weights. One of zeros has none, and stays.

    Reference: Huang, Liu, Lang & Li, 2017, Projection based weight normalization for deep neural networks,
    arXiv:1710.02338.

    >>> w = jnp.array([[3.0, 0.0], [3.0, 4.0], [3.0, 0.0], [3.0, 0.0]])
    >>> UnitNorm().project(w).tolist()
    [[0.5, 0.0], [0.5, 1.0], [0.5, 0.0], [0.5, 0.0]]
    """

    textbook = """
        norm[j] = sqrt(sum(w[i, j]**2 for i))
        w[i, j] = w[i, j] / norm[j]"""

    def project(self, w):
        length = lengths(w)
        return w / jnp.where(length > 0, length, 1)
