"""Waves and bumps, in double: the sine's reduction of large x loses no digits there."""

from typing import Any

import jax
import jax.numpy as jnp

from chainrule.kernels.elementwise import in_double
from chainrule.kernels.sigmoidal import held


def _sinc(x: Any) -> jax.Array:
    x = held(x)
    zero = x == 0
    return jnp.where(zero, 1, jnp.sin(x) / jnp.where(zero, 1, x))


def _sinc_slope(x: Any) -> jax.Array:
    """(x cos x − sin x) / x²; near 0, where that cancels, Taylor's series."""
    x = held(x)
    near = jnp.abs(x) < 2.0**-4
    s, far = jnp.where(near, x, 0) ** 2, jnp.where(near, 1, x)
    series = x * (-1 / 3 + s * (1 / 30 - s * (1 / 840 - s / 45360)))
    return jnp.where(near, series, (jnp.cos(far) - jnp.sin(far) / far) / far)


def _bell(x: Any) -> jax.Array:
    return jnp.exp(-(jnp.clip(x, -100, 100) ** 2))  # 0 further out


sinusoid = in_double(jnp.sin, jnp.cos, name="sinusoid")
sinc = in_double(_sinc, _sinc_slope, name="sinc")
gaussian = in_double(_bell, lambda x: -2 * jnp.clip(x, -100, 100) * _bell(x), name="gaussian")
