"""Activations with learned numbers, computed in double with all of their derivatives."""

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp

from chainrule.arrays.doubles import held
from chainrule.kernels.elementwise import in_double

Function = Callable[..., Any]


def _snake(x: Any, alpha: Any) -> jax.Array:
    """x + sin² αx / α."""
    finite = jnp.where(jnp.isinf(x), 0, x)
    t = alpha * finite
    return x + finite * jnp.sin(t) * _sinc(t)


def _snake_slope(x: Any, alpha: Any) -> jax.Array:
    """1 + sin 2αx, without that sum where it cancels."""
    sine, cosine = jnp.sin(2 * alpha * x), jnp.cos(2 * alpha * x)
    return jnp.where(sine > 0, 1 + sine, cosine**2 / (1 - sine))


def _snake_by_alpha(x: Any, alpha: Any) -> jax.Array:
    t = alpha * x
    return x**2 * _sinc(t) * (2 * jnp.cos(t) - _sinc(t))


def _sinc(t: Any) -> jax.Array:
    zero = t == 0
    return jnp.where(zero, 1, jnp.sin(t) / jnp.where(zero, 1, t))


def _srelu(x: Any, t_l: Any, a_l: Any, t_r: Any, a_r: Any) -> jax.Array:
    x = held(x)
    return _of_parts(x, t_l, t_r, t_l + a_l * (x - t_l), x, t_r + a_r * (x - t_r))


def _of_parts(x: Any, t_l: Any, t_r: Any, left: Any, middle: Any, right: Any) -> jax.Array:
    return jnp.where(x <= t_l, left, jnp.where(x <= t_r, middle, right))


snake = in_double(_snake, _snake_slope, _snake_by_alpha, name="snake", learned=True)

srelu = in_double(
    _srelu,
    lambda x, t_l, a_l, t_r, a_r: _of_parts(x, t_l, t_r, a_l, 1, a_r),
    lambda x, t_l, a_l, t_r, a_r: jnp.where(x < t_l, 1 - a_l, 0),
    lambda x, t_l, a_l, t_r, a_r: _of_parts(x, t_l, t_r, held(x) - t_l, 0, 0),
    lambda x, t_l, a_l, t_r, a_r: jnp.where((x > t_l) & (x >= t_r), 1 - a_r, 0),
    lambda x, t_l, a_l, t_r, a_r: _of_parts(x, t_l, t_r, 0, 0, held(x) - t_r),
)


@cache
def apl(hinges: int) -> Function:
    """max(0, x) + Σₛ aₛ max(0, bₛ − x), of x, of each a and then of each b."""

    def value(x: Any, *numbers: Any) -> jax.Array:
        x = held(x)
        return jnp.maximum(x, 0) + sum(a * jnp.maximum(b - x, 0) for a, b in pairs(numbers))

    def slope(x: Any, *numbers: Any) -> jax.Array:
        return jnp.where(x > 0, 1, 0) - sum(jnp.where(x > b, 0, a) for a, b in pairs(numbers))

    def by_a(s: int) -> Function:
        return lambda x, *numbers: jnp.maximum(numbers[hinges + s] - held(x), 0)

    def by_b(s: int) -> Function:
        return lambda x, *numbers: jnp.where(x < numbers[hinges + s], numbers[s], 0)

    def pairs(numbers: Any) -> Any:
        return zip(numbers[:hinges], numbers[hinges:], strict=True)

    return in_double(value, slope, *map(by_a, range(hinges)), *map(by_b, range(hinges)))
