"""Sharpness: gradients from where the cost is worst nearby."""

from typing import Any

import jax
import jax.numpy as jnp

from chainrule.arrays.dtypes import real_type, widened
from chainrule.arrays.functions import root
from chainrule.errors import ChainruleError
from chainrule.formula.constraints import positive
from chainrule.optimizers.base import Around, Optimizer


class SAM(Around):
    """Sharpness-aware minimisation: another optimizer steps by the gradient from uphill, at the distance ρ.

    So it seeks places around which the cost is low too. A step takes two gradients, and nearly twice as long. What is
    recorded, evaluated and saved are the cost and the parameters where it stands; statistics of layers such as
    `BatchNorm` are gathered there alone. It has no `update`, since Optax's protocol gives one gradient.

    Reference: Foret, Kleiner, Mobahi & Neyshabur, 2021, Sharpness-aware minimization for efficiently improving
    generalization, arXiv:2010.01412.

    >>> from chainrule.optimizers import GradientDescent
    >>> sam, w = SAM(GradientDescent(0.5), rho=1.0), jnp.array([3.0])
    >>> slope = jax.value_and_grad(lambda w: (w @ w / 2, None), has_aux=True)
    >>> sam.descend(slope, w, sam.init(w))[0].tolist()
    [1.0]
    """

    optimizer: Optimizer
    rho: float = positive(0.05, "ρ, how far uphill the gradient is taken")
    textbook = """
        g = gradient(theta)
        theta = optimizer(theta, gradient(theta + rho * g / sqrt(sum(g**2))))"""

    def update(self, grads, state, params=None):
        raise ChainruleError(
            f"{self!r} takes a gradient at a second place, which update is not given. Train by fit, or call "
            f"descend(slope, params, state)."
        )

    def advance(self, params, grads, state):
        return self.update(grads, state, params)

    def descend(self, slope, params, state, rest=None):
        def sharp(params: Any) -> tuple[Any, Any]:
            cost, grads = slope(params)
            uphill = jax.tree.map(lambda w, way: (w + self.rho * way).astype(real_type(w)), params, _direction(grads))
            return cost, slope(uphill)[1]

        return self.optimizer.descend(sharp, params, state, rest)


def _direction(grads: Any) -> Any:
    """A gradient as one of length 1, or of 0."""
    leaves, tree = jax.tree.flatten(jax.tree.map(widened, grads))
    if not leaves:
        return grads
    largest = jnp.max(jnp.stack([jnp.max(jnp.abs(g), initial=0) for g in leaves]))
    unit = jnp.clip(largest, 1e-30, 1e30)  # so that no square overflows, nor is lost
    length = root(sum(jnp.sum((g / unit) ** 2) for g in leaves))
    return tree.unflatten([g / unit / jnp.where(length > 0, length, 1) for g in leaves])
