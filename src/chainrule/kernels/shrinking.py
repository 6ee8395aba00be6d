"""Activations that shrink what is near 0. At a kink or a jump the derivative is that of the left side."""

from typing import Any

import jax
import jax.numpy as jnp

from chainrule.kernels.elementwise import in_double
from chainrule.kernels.sigmoidal import only, straight


def _tanh_shrink(x: Any) -> jax.Array:
    """x − tanh x; near 0, where that cancels, Taylor's series."""
    near = jnp.abs(x) < 2.0**-5
    s = jnp.where(near, x, 0) ** 2
    series = x * s * (1 / 3 - s * (2 / 15 - s * (17 / 315 - s * 62 / 2835)))
    return jnp.where(near, series, x - jnp.tanh(x))


def _outside(x: Any, threshold: Any) -> jax.Array:
    return only((x <= -threshold) | (x > threshold), x)


tanh_shrink = in_double(_tanh_shrink, lambda x: jnp.tanh(x) ** 2, name="tanh_shrink")
soft_shrink = straight(
    lambda x, threshold: jnp.where(jnp.abs(x) <= threshold, 0, x - jnp.sign(x) * threshold), _outside
)
hard_shrink = straight(lambda x, threshold: jnp.where(jnp.abs(x) <= threshold, 0, x), _outside)
threshold = straight(lambda x, at, value: jnp.where(x <= at, value, x), lambda x, at, value: only(x > at, x))
