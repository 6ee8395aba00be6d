"""Sparsemax: the distribution that is nearest to the last axis, computed in double."""

import jax
import jax.numpy as jnp
from jax import lax

from chainrule.kernels.doubles import through_double
from chainrule.kernels.sharding import by_parts


def threshold(z: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """z as seen from its largest entry, τ there with Σ max(0, z − τ) = 1, and which entries are not above it.

    Which these are changes at kinks only, so that derivatives take it as given.
    """
    top = lax.stop_gradient(jnp.max(z, axis=-1, keepdims=True))  # which no result depends on
    z = jnp.where(jnp.isinf(z) & (z == top), 0, z - top)
    falling = -jnp.sort(-lax.stop_gradient(z), axis=-1)
    finite = jnp.where(jnp.isinf(falling), 0, falling)
    counts = jnp.cumsum(jnp.ones_like(finite), axis=-1)
    inside = ~jnp.isinf(falling) & (1 + counts * finite > jnp.cumsum(finite, axis=-1))
    last = jnp.take_along_axis(falling, jnp.sum(inside, axis=-1, keepdims=True) - 1, axis=-1)
    below = z < last
    size = jnp.sum(~below, axis=-1, keepdims=True, dtype=z.dtype)
    return z, (jnp.sum(jnp.where(below, 0, z), axis=-1, keepdims=True) - 1) / size, below


@by_parts("..._->..._")
@through_double
def sparsemax(z: jax.Array) -> jax.Array:
    """max(0, z − τ), where τ makes the sum over the last axis 1."""
    if not z.size:
        return z
    z, tau, below = threshold(z)
    return jnp.where(below, 0, z - tau)
