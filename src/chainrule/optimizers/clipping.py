"""Clipping: bounds on the gradient, put before an optimizer."""

from abc import abstractmethod
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from chainrule.arrays.dtypes import real_type, wide_type
from chainrule.arrays.functions import root
from chainrule.formula.base import Formula
from chainrule.formula.constraints import positive
from chainrule.optimizers.base import Around, Optimizer


class Clipping(Formula):
    """A bound on the gradient, put before an optimizer: `ClipNorm(1.0) >> Adam(0.003)`."""

    @abstractmethod
    def __call__(self, grads: Any) -> Any:
        """The tree of gradients, clipped."""

    def __rshift__(self, optimizer: Optimizer) -> "Clipped":
        if not isinstance(optimizer, Optimizer):
            return NotImplemented
        return Clipped(clipping=self, optimizer=optimizer)


class ClipNorm(Clipping):
    """Gradients longer than `max_norm`, all parameters taken together, are scaled down to it.

    Reference: Pascanu, Mikolov & Bengio, 2013, On the difficulty of training recurrent networks, arXiv:1211.5063.

    >>> import jax.numpy as jnp
    >>> ClipNorm(1.0)([jnp.array([3.0]), jnp.array([4.0])])
    [Array([0.6], dtype=float32), Array([0.8], dtype=float32)]
    """

    max_norm: float = positive(1.0, "the longest gradient that is let through")
    textbook = "g * min(1, max_norm / sqrt(sum(g**2)))"

    def __call__(self, grads):
        leaves, tree = jax.tree.flatten(grads)
        if not leaves:
            return grads
        wide = max(map(wide_type, leaves), key=lambda dtype: jnp.finfo(dtype).bits)
        gs = [jnp.asarray(g, wide) for g in leaves]
        largest = jnp.max(jnp.stack([jnp.max(jnp.abs(g), initial=0) for g in gs]))
        unit = lax.stop_gradient(jnp.clip(largest, 1e-30, 1e30))  # so that neither a square nor their sum overflows
        norm = root(sum(jnp.sum((g / unit) ** 2) for g in gs))
        long = norm > self.max_norm / unit
        share = self.max_norm / jnp.where(long, norm, 1)
        clipped = (jnp.where(long, g / unit * share, g) for g in gs)
        return tree.unflatten([g.astype(real_type(was)) for g, was in zip(clipped, leaves, strict=True)])


class ClipValue(Clipping):
    """Every entry of the gradient is brought between −limit and limit.

    Reference: Mikolov, 2012, Statistical language models based on neural networks.

    >>> import jax.numpy as jnp
    >>> ClipValue(1.0)(jnp.array([-3.0, 0.5])).tolist()
    [-1.0, 0.5]
    """

    limit: float = positive(1.0, "the largest entry that is let through")
    textbook = "max(-limit, min(g, limit))"

    def __call__(self, grads):
        return jax.tree.map(lambda g: jnp.clip(jnp.asarray(g, real_type(g)), -self.limit, self.limit), grads)


class Clipped(Around):
    """An optimizer whose gradients are clipped first: `ClipNorm(1.0) >> Adam(0.003)`.

    >>> from chainrule.optimizers import Adam
    >>> ClipNorm(1.0) >> Adam(0.003)
    ClipNorm(max_norm=1.0) >> Adam(learning_rate=0.003)
    """

    clipping: Clipping
    optimizer: Optimizer
    textbook = """
        g = clipping(g)
        theta = optimizer(theta, g)"""

    def __repr__(self) -> str:
        inner = f"({self.optimizer!r})" if isinstance(self.optimizer, Clipped) else repr(self.optimizer)
        return f"{self.clipping!r} >> {inner}"

    def update(self, grads, state, params=None):
        return self.optimizer.update(self.clipping(grads), state, params)

    def advance(self, params, grads, state):
        return self.optimizer.advance(params, self.clipping(grads), state)

    def descend(self, slope, params, state):
        def clipped(params: Any) -> tuple[Any, Any]:
            cost, grads = slope(params)
            return cost, self.clipping(grads)

        return self.optimizer.descend(clipped, params, state)
