"""What costs of positive outputs share: they are written by a and ln a, which canonical activations know exactly."""

from abc import abstractmethod
from functools import partial

import jax
import jax.numpy as jnp

from chainrule.activations import Activation
from chainrule.costs.base import Cost, in_rows, summed
from chainrule.costs.logits import LOGARITHMS, exp, held


class PositiveCost(Cost):
    """A cost of positive outputs, computed in double; behind an activation of which ln a is known, from that."""

    @abstractmethod
    def of_each(self, a: jax.Array, log_a: jax.Array, E: jax.Array) -> jax.Array:
        """What each output a costs, given ln a too."""

    def each(self, a, E):
        return in_rows(_each, a, E, self)

    def behind(self, z, E, end=None):
        return in_rows(partial(_behind, end or self.canonical_activations[0]), z, E, self)


def _each(a: jax.Array, E: jax.Array, cost: PositiveCost) -> jax.Array:
    log_a = jnp.log(jnp.where((a == 0) & (E == 0), 1, a))  # where E is 0, it does not count
    return summed(cost.of_each(a, log_a, E))


def _behind(end: type[Activation], z: jax.Array, E: jax.Array, cost: PositiveCost) -> jax.Array:
    log_a = LOGARITHMS[end](held(z))
    return summed(cost.of_each(exp(log_a), log_a, E))
