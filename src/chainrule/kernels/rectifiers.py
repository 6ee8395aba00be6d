"""Rectifiers whose rounding would show: computed in double with their derivatives, those by their numbers too."""

from typing import Any

import jax
import jax.numpy as jnp

from chainrule.arrays.doubles import held
from chainrule.kernels.elementwise import in_double

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def _expm1(u: Any) -> jax.Array:
    """eᵘ − 1 below 0."""
    return jnp.expm1(jnp.minimum(u, 0))


def _exp(u: Any) -> jax.Array:
    """eᵘ below 0, 1 above."""
    return jnp.exp(jnp.minimum(u, 0))


def _selu(x: Any) -> jax.Array:
    return SELU_SCALE * jnp.where(x > 0, x, SELU_ALPHA * _expm1(x))


def _selu_slope(x: Any) -> jax.Array:
    return SELU_SCALE * jnp.where(x > 0, 1, SELU_ALPHA * _exp(x))


def _celu(x: Any, alpha: Any) -> jax.Array:
    return jnp.where(x > 0, x, alpha * _expm1(x / alpha))


def _celu_slope(x: Any, alpha: Any) -> jax.Array:
    return _exp(x / alpha)


def _celu_by_alpha(x: Any, alpha: Any) -> jax.Array:
    """eᵘ − 1 − u eᵘ for u = x / α, which near 0 is −u² / 2 and loses its digits."""
    u = jnp.minimum(held(x / alpha), 0)
    near = -(u**2) * (1 / 2 + u * (1 / 3 + u * (1 / 8 + u / 30)))
    return jnp.where(u > -1e-3, near, _expm1(u) - u * _exp(u))


def _isrlu(x: Any, alpha: Any) -> jax.Array:
    x = held(x)
    return x / _root(x, alpha)


def _isrlu_slope(x: Any, alpha: Any) -> jax.Array:
    return 1 / _root(x, alpha) ** 3


def _isrlu_by_alpha(x: Any, alpha: Any) -> jax.Array:
    below = jnp.minimum(held(x), 0)
    return -(below**3) / (2 * _root(below, alpha) ** 3)


def _root(x: Any, alpha: Any) -> jax.Array:
    """√(1 + αx²) below 0, 1 above."""
    return jnp.sqrt(1 + alpha * jnp.minimum(x, 0) ** 2)


selu = in_double(_selu, _selu_slope, name="selu")
celu = in_double(_celu, _celu_slope, _celu_by_alpha, name="celu")
isrlu = in_double(_isrlu, _isrlu_slope, _isrlu_by_alpha, name="isrlu")
