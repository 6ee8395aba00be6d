"""Clipping: bounds on the gradient, put before an optimizer."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import lax

from chainrule.arrays.dtypes import real_type, wide_type
from chainrule.arrays.functions import norm, root
from chainrule.errors import ChainruleError
from chainrule.formula.base import Formula
from chainrule.formula.constraints import positive
from chainrule.formula.network import of_each
from chainrule.optimizers.base import Around, Optimizer


class Clipping(Formula):
    """A bound on the gradient, put before an optimizer: `ClipNorm(1.0) >> Adam(0.003)`."""

    layerwise: ClassVar[bool] = False
    """Whether the bound of a number depends on others of its parameter alone, so that repetitions in one array count.

    Such a clipping takes a third argument, `repeated`: of each parameter, how many of its first axes count those.
    """

    @abstractmethod
    def __call__(self, grads: Any, params: Any = None) -> Any:
        """The tree of gradients, clipped; by that of the parameters, if need be."""

    def __rshift__(self, optimizer: Optimizer) -> "Clipped":
        if not isinstance(optimizer, Optimizer):
            return NotImplemented
        return Clipped(clipping=self, optimizer=optimizer)


class ClipNorm(Clipping):
    """Gradients longer than `max_norm`, all parameters taken together, are scaled down to it.

    Reference: Pascanu, Mikolov & Bengio, 2013, On the difficulty of training recurrent networks, arXiv:1211.5063.

    >>> ClipNorm(1.0)([jnp.array([3.0]), jnp.array([4.0])])
    [Array([0.6], dtype=float32), Array([0.8], dtype=float32)]
    """

    max_norm: float = positive(1.0, "the longest gradient that is let through")
    textbook = "g * min(1, max_norm / sqrt(sum(g**2)))"

    def __call__(self, grads, params=None):
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

    >>> ClipValue(1.0)(jnp.array([-3.0, 0.5])).tolist()
    [-1.0, 0.5]
    """

    limit: float = positive(1.0, "the largest entry that is let through")
    textbook = "max(-limit, min(g, limit))"

    def __call__(self, grads, params=None):
        return jax.tree.map(lambda g: jnp.clip(jnp.asarray(g, real_type(g)), -self.limit, self.limit), grads)


class ClipAdaptive(Clipping):
    """Adaptive gradient clipping: the gradient of each unit is at most a part of its weights' length long.

    The weights of a unit are those with one index of the last axis; a vector, such as a bias, is clipped as a whole.
    For an embedding that is a column of the table. Optax takes the second axis of an array of three for units too.

    Reference: Brock, De, Smith & Simonyan, 2021, High-performance large-scale image recognition without normalization,
    arXiv:2102.06171.

    >>> w, g = jnp.array([[3.0, 30.0], [4.0, 40.0]]), jnp.ones((2, 2))
    >>> ClipAdaptive(0.1)(g, w).round(3).tolist()
    [[0.3540000021457672, 1.0], [0.3540000021457672, 1.0]]
    """

    factor: float = positive(0.01, "λ, the longest gradient that is let through, in parts of the weights' length")
    epsilon: float = positive(1e-3, "ε, the least length of the weights, so that those at 0 may leave it")
    layerwise = True
    textbook = """
        a[j] = factor * max(epsilon, sqrt(sum(theta[:, j]**2)))
        g[i, j] = g[i, j] * min(1, a[j] / sqrt(sum(g[:, j]**2)))"""

    def __call__(self, grads, params=None, repeated: Sequence[int] = ()):
        if params is None:
            raise ChainruleError(f"{self!r}: its bounds depend on the parameters. Call update(grads, state, params).")
        gs, tree = jax.tree.flatten(grads)
        each = zip(gs, jax.tree.leaves(params), repeated or [0] * len(gs), strict=True)
        return tree.unflatten([of_each(axes, self._clipped)(g, w) for g, w, axes in each])

    def _clipped(self, gradient: jax.Array, w: jax.Array) -> jax.Array:
        wide, axes = wide_type(gradient), tuple(range(w.ndim - 1)) or None
        g = jnp.asarray(gradient, wide)
        longest = self.factor * jnp.maximum(self.epsilon, norm(jnp.asarray(w, wide), axes))
        length = norm(g, axes)
        long = length > longest
        return jnp.where(long, g * (longest / jnp.where(long, length, 1)), g).astype(real_type(gradient))


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
        return self.optimizer.update(self.clipping(grads, params), state, params)

    def advance(self, params, grads, state):
        return self.optimizer.advance(params, self.clipping(grads, params), state)

    def descend(self, slope, params, state, rest=None):
        def clipped(params: Any) -> tuple[Any, Any]:
            cost, grads = slope(params)
            return cost, self.clipping(grads, params)

        return self.optimizer.descend(clipped, params, state, rest)
