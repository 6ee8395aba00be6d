"""Activations that bend a straight line, in double."""

from typing import Any

import jax
import jax.numpy as jnp

from chainrule.kernels.elementwise import in_double
from chainrule.kernels.sigmoidal import held

SMALL = 2.0**-6
"""Up to where quotients that are 0/0 at 0 are computed by their series, of whose terms the ninth no longer counts."""


def _bent(x: Any) -> jax.Array:
    """Without the difference √(x² + 1) − 1, which cancels near 0."""
    near = held(x)
    return x * (1 + near / (2 * (jnp.sqrt(near**2 + 1) + 1)))


def _bent_slope(x: Any) -> jax.Array:
    x = held(x)
    return 1 + x / (2 * jnp.sqrt(x**2 + 1))


def _soft_exponential(x: Any, alpha: Any) -> jax.Array:
    """Either case as x times a smooth function of alpha, so that its derivatives pass through alpha = 0, too."""
    above = alpha >= 0
    u, v = _exponents(x, alpha)
    near = jnp.where(jnp.abs(u) < SMALL, x * _expm1_over(u), jnp.expm1(u) / _away_from_0(alpha)) + alpha
    far = (jnp.exp(u) + (alpha - 1) * (alpha + 1)) / _away_from_0(alpha)  # where −1/α + α might leave too little
    grown = jnp.where(u < -0.5, far, near)
    shrunk = jnp.where(jnp.abs(v) < SMALL, (x + alpha) * _log1p_over(v), -jnp.log1p(v) / _away_from_0(alpha))
    return jnp.where(above, grown, shrunk)


def _soft_exponential_slope(x: Any, alpha: Any) -> jax.Array:
    u, v = _exponents(x, alpha)
    return jnp.where(alpha >= 0, jnp.exp(u), 1 / (1 + v))


def _soft_exponential_by_alpha(x: Any, alpha: Any) -> jax.Array:
    return jax.jvp(lambda alpha: _soft_exponential(x, alpha), (alpha,), (jnp.ones_like(alpha),))[1]


def _exponents(x: Any, alpha: Any) -> tuple[jax.Array, jax.Array]:
    """αx and −α(x + α), each where it is asked for, and 0 elsewhere."""
    near = jnp.where(alpha == 0, held(x), x)
    return jnp.where(alpha >= 0, alpha * near, 0), jnp.where(alpha >= 0, 0, -alpha * (near + alpha))


def _away_from_0(alpha: Any) -> jax.Array:
    return jnp.where(alpha == 0, 1, alpha)


def _expm1_over(u: Any) -> jax.Array:
    """(eᵘ − 1) / u for small u."""
    u, total = jnp.where(jnp.abs(u) < SMALL, u, 0), 1.0
    for n in range(9, 1, -1):
        total = 1 + u / n * total
    return jnp.asarray(total)


def _log1p_over(v: Any) -> jax.Array:
    """ln(1 + v) / v for small v."""
    v, total = jnp.where(jnp.abs(v) < SMALL, v, 0), 0.0
    for n in range(9, 0, -1):
        total = 1 / n - v * total
    return jnp.asarray(total)


bent_identity = in_double(_bent, _bent_slope, name="bent_identity")
soft_exponential = in_double(
    *(_soft_exponential, _soft_exponential_slope, _soft_exponential_by_alpha), name="soft_exponential", learned=True
)
