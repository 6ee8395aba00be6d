"""Costs of probabilities, from information theory."""

import jax
import jax.numpy as jnp

from chainrule.activations import Sigmoid, Softmax
from chainrule.costs.base import Cost, summed
from chainrule.costs.targets import CLASSES, PROBABILITIES
from chainrule.kernels.elementwise import softplus
from chainrule.kernels.softmax import surprisal


class CrossEntropy(Cost):
    """Binary cross-entropy of each output, added up. Its derivative by a is (a − E) / ((1 − a) a).

    Behind Sigmoid it is computed from the pre-activation, where the derivative is a − E: exact however sure and
    wrong the network is. 0 ln 0 is 0.

    Reference: Hinton, 1989, Connectionist learning procedures.

    >>> CrossEntropy()(jnp.array([[0.5]]), jnp.array([[1.0]])).item()
    0.6931471824645996
    """

    canonical_activation = Sigmoid
    is_default = True
    targets = PROBABILITIES
    textbook = "-sum(E * ln(a) + (1 - E) * ln(1 - a))"

    def each(self, a, E):
        return -summed(_times_log(E, a) + _times_log(1 - E, 1 - a))

    def behind(self, z, E):
        return summed(_times(E, softplus(-z)) + _times(1 - E, softplus(z)))


class CategoricalCrossEntropy(Cost):
    """Cross-entropy of a distribution over classes. Its derivative by a is −E / a.

    Behind Softmax it is computed from the pre-activation, where the derivative is a − E. 0 ln 0 is 0.

    Reference: Bridle, 1990, Probabilistic interpretation of feedforward classification network outputs.

    >>> CategoricalCrossEntropy()(jnp.array([[0.25, 0.75]]), jnp.array([0])).item()
    1.3862943649291992
    """

    canonical_activation = Softmax
    is_default = True
    targets = CLASSES
    textbook = "-sum(E * ln(a))"

    def each(self, a, E):
        return -summed(_times_log(E, a))

    def behind(self, z, E):
        return summed(_times(E, surprisal(z)))


def _times(E: jax.Array, cost: jax.Array) -> jax.Array:
    """E times a cost, where 0 ∞ is 0."""
    return E * jnp.where((E == 0) & jnp.isinf(cost), 0, cost)


def _times_log(E: jax.Array, a: jax.Array) -> jax.Array:
    """E ln a with 0 where E is 0, in value and in gradient."""
    return jnp.where(E == 0, 0, E * jnp.log(jnp.where(E == 0, 1, a)))
