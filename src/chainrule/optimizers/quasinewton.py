"""Quasi-Newton steps: the curvature is learned from gradients, and how far to go is sought along the way."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.flatten_util import ravel_pytree

from chainrule.arrays.devices import put
from chainrule.arrays.dtypes import wide_type, widened
from chainrule.arrays.precision import exactly
from chainrule.errors import ChainruleError
from chainrule.formula.constraints import positive_int
from chainrule.optimizers.base import Optimizer, picked

DECREASE, CURVATURE = 1e-4, 0.9  # c₁ and c₂ of Wolfe's conditions, as Nocedal and Wright advise
LONGER = 4.0  # times, as long as a step goes down steeply


class LBFGS(Optimizer):
    """Newton's direction by the last m steps and what they changed of the gradient, as far as a line search finds good.

    It has no rate. Costs and gradients must be those of all examples: `batch_size` is "all", and an epoch is a step,
    which asks for the gradient twice or more. Steps keep Wolfe's strong conditions, as in SciPy and in PyTorch with
    `line_search_fn="strong_wolfe"`; the first is as long as there. Where no length is found good it rests, and begins
    again with the steepest descent. Noise such as `Dropout` is the same within a step, but another in the next. It has
    no `update`, since Optax's protocol gives one gradient; and with L1 no rates, so that `fit` refuses that.

    Reference: Liu & Nocedal, 1989, On the limited memory BFGS method for large scale optimization; Nocedal & Wright,
    2006, Numerical optimization.

    >>> lbfgs, w = LBFGS(), jnp.array([3.0, -2.0])
    >>> slope = jax.value_and_grad(lambda w: (w[0] ** 2 + 10 * w[1] ** 2, None), has_aux=True)
    >>> state = lbfgs.init(w)
    >>> for _ in range(10):
    ...     w, state, _ = lbfgs.descend(slope, w, state)
    >>> bool(abs(w).max() < 1e-5)
    True
    """

    memory: int = positive_int(10, "m, how many steps are remembered")
    trials: int = positive_int(20, "how many lengths are tried along a direction, at most")
    textbook = """
        s = theta - before
        y = g - gradient(before)
        H = (I - s @ y.T / (y.T @ s)) @ H @ (I - y @ s.T / (y.T @ s)) + s @ s.T / (y.T @ s)
        theta = theta - search(H @ g)"""

    @property
    def has_rates(self):
        return False

    @property
    def whole_batch(self):
        return True

    def init(self, params):
        leaves = jax.tree.leaves(params)
        dtype = wide_type(*leaves) if leaves else np.dtype(np.float32)
        one = np.zeros(sum(map(np.size, leaves)), dtype)
        many = np.zeros((self.memory, *one.shape), dtype)
        return put({"t": np.zeros((), np.int32), "before": one, "g": one, "s": many, "y": many})

    def update(self, grads, state, params=None):
        raise ChainruleError(
            f"{self!r} asks for the cost along its way, which update is not given. Train by fit, or call "
            f"descend(slope, params, state)."
        )

    @exactly
    def descend(self, slope, params, state, rest=None):
        theta, apart = ravel_pytree(jax.tree.map(widened, params))

        def at(theta: jax.Array) -> tuple[jax.Array, jax.Array, Any]:
            (cost, found), grads = slope(picked(apart(theta), params))
            return widened(cost).astype(theta.dtype), ravel_pytree(grads)[0].astype(theta.dtype), found

        cost, g, found = at(theta)
        known = state["t"] > 0
        s, y = _remembered(state["s"], state["y"], theta - state["before"], g - state["g"], known)
        d = -_newton(s, y, g)
        d = jnp.where(g @ d < 0, d, -g)
        steepest = 1 / jnp.maximum(jnp.sum(jnp.abs(g)), jnp.finfo(g.dtype).tiny)
        first = jnp.where(jnp.any(s[-1] != 0), 1, jnp.minimum(1, steepest))

        def along(length: jax.Array) -> Place:
            cost, g, _ = at(theta + length * d)
            return Place(length, cost, g @ d)

        length = search(along, Place(jnp.zeros((), d.dtype), cost, g @ d), first, self.trials)
        s, y = jax.tree.map(lambda pairs: jnp.where(length > 0, pairs, 0), (s, y))
        after = picked(apart(theta + length * d), params)
        t = jnp.minimum(state["t"], 1) + 1
        state = {"t": t, "before": theta, "g": g, "s": s, "y": y}
        return self.rested(rest, after, state), state, found


@exactly
def _remembered(s: Any, y: Any, step: Any, change: Any, known: Any) -> tuple[jax.Array, jax.Array]:
    """The pairs with a new one, the newest last, where it shows that the cost curves upwards."""
    size = jnp.sqrt(jnp.maximum(step @ step, 0)) * jnp.sqrt(jnp.maximum(change @ change, 0))
    curves = known & (step @ change > jnp.finfo(step.dtype).eps * size)
    pushed = lambda pairs, new: jnp.where(curves, jnp.concatenate([pairs[1:], new[None]]), pairs)  # noqa: E731
    return pushed(s, step), pushed(y, change)


@exactly
def _newton(s: jax.Array, y: jax.Array, g: jax.Array) -> jax.Array:
    """H g by the two loops over the pairs, of which none is there where it is 0."""
    products = jnp.sum(s * y, axis=1)
    rho = jnp.where(products > 0, 1 / jnp.where(products > 0, products, 1), 0)

    def back(q: jax.Array, pair: Any) -> tuple[jax.Array, jax.Array]:
        s, y, rho = pair
        a = rho * (s @ q)
        return q - a * y, a

    def forth(r: jax.Array, pair: Any) -> tuple[jax.Array, None]:
        s, y, rho, a = pair
        return r + (a - rho * (y @ r)) * s, None

    q, a = lax.scan(back, g, (s, y, rho), reverse=True)
    square = y[-1] @ y[-1]
    scale = jnp.where(rho[-1] > 0, products[-1] / jnp.where(square > 0, square, 1), 1)
    return lax.scan(forth, scale * q, (s, y, rho, a))[0]


class Place(NamedTuple):
    """A place along a direction: how far it is, the cost there, and its slope along the direction."""

    length: Any
    cost: Any
    slope: Any


def search(along: Callable[[Any], Place], start: Place, first: Any, trials: int) -> jax.Array:
    """A length where the cost is low and level enough by Wolfe's strong conditions; else the best that was tried, or 0.

    Lengths grow until a minimum lies between two of them, `low` with the lower cost and `high`, which close in on it.
    Where the cost has no digits left to fall by, the slopes alone decide, as in Hager & Zhang, 2005.
    """
    slack = 8 * jnp.finfo(start.cost.dtype).eps * jnp.abs(start.cost)

    def body(carry: Any) -> Any:
        length, low, high, count, _ = carry
        here = along(length)
        falls = here.cost <= start.cost + DECREASE * length * start.slope
        level = (here.cost <= start.cost + slack) & (here.slope <= (2 * DECREASE - 1) * start.slope)
        good = (falls & (here.cost < low.cost)) | level
        done = good & (jnp.abs(here.slope) <= -CURVATURE * start.slope)
        passed = good & (jnp.where(high.length > low.length, here.slope, -here.slope) >= 0)
        high = _either(good, _either(passed, low, high), here)
        low = _either(good, here, low)
        return _between(low, high), low, high, count + 1, done

    def goes_on(carry: Any) -> Any:
        *_, count, done = carry
        return ~done & (count < trials)

    nowhere = Place(jnp.full_like(start.length, jnp.inf), start.cost, start.slope)
    carry = jnp.asarray(first, start.length.dtype), start, nowhere, jnp.int32(0), jnp.bool_(False)
    _, low, *_ = lax.while_loop(goes_on, body, carry)
    return low.length


def _between(low: Place, high: Place) -> jax.Array:
    """Where to look next: farther while nothing is beyond; else where a cubic is lowest, or in the middle."""
    bounded = jnp.isfinite(high.length)
    end = jnp.where(bounded, high.length, low.length + 1)
    width = end - low.length
    mean = low.slope + high.slope - 3 * (high.cost - low.cost) / width
    inner = mean**2 - low.slope * high.slope
    turn = jnp.sign(width) * jnp.sqrt(jnp.maximum(inner, 0))
    lowest = end - width * (high.slope + turn - mean) / (high.slope - low.slope + 2 * turn)
    near, far = jnp.minimum(low.length, end) + 0.1 * jnp.abs(width), jnp.maximum(low.length, end) - 0.1 * jnp.abs(width)
    seen = jnp.isfinite(lowest) & (inner >= 0)
    inside = jnp.where(seen, jnp.clip(lowest, near, far), low.length + width / 2)
    return jnp.where(bounded, inside, LONGER * low.length)


def _either(condition: Any, one: Place, other: Place) -> Place:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), one, other)
