"""Activations that saturate, beside those with native kernels: smooth ones in double, straight ones as they are."""

from typing import Any

import jax
import jax.numpy as jnp

from chainrule.arrays import functions
from chainrule.arrays.dtypes import real_type
from chainrule.kernels.elementwise import Function, elementwise, in_double


def straight(plain: Function, slope: Function) -> Function:
    """A function of each number, in its own type, and its derivative by x; XLA fuses it with the layers beside it."""
    function = elementwise("", plain, slope)
    return lambda x, *numbers: function(as_real(x), *numbers)


def as_real(x: Any) -> jax.Array:
    """x in the type of real numbers that holds it."""
    return jnp.asarray(x, real_type(x))


def held(x: Any) -> jax.Array:
    """x, but for infinities: so far out nothing changes any more, and a square is still a number in double."""
    return jnp.clip(x, -1e100, 1e100)


def only(condition: Any, x: Any) -> jax.Array:
    """1 where the condition holds, 0 elsewhere."""
    return jnp.where(condition, jnp.ones_like(x), 0)


def _softsign(x: Any) -> jax.Array:
    x = held(x)
    return x / (1 + jnp.abs(x))


def _isru(x: Any, alpha: Any) -> jax.Array:
    x = held(x)
    return x / jnp.sqrt(1 + alpha * x**2)


def _isru_slope(x: Any, alpha: Any) -> jax.Array:
    return 1 / jnp.sqrt(1 + alpha * held(x) ** 2) ** 3


def _clipped(x: Any, low: Any, high: Any) -> jax.Array:
    """x within two numbers; by cases, since XLA's maximum loses a signalling NaN."""
    return jnp.where(x < low, low, jnp.where(x > high, high, x))


def _sqnl(x: Any) -> jax.Array:
    x = _clipped(x, -2, 2)
    return x * (1 - jnp.abs(x) / 4)


def _from_0(x: Any, a: Any, b: Any, c: Any, d: Any) -> tuple[Any, ...]:
    """Which side of 0 x is on, the distance, and the rates as they are seen from there."""
    right = x >= 0
    sides = zip((a, b, c, d), (b, a, d, c), strict=True)
    return right, held(jnp.where(right, x, -x)), *(jnp.where(right, here, there) for here, there in sides)


def _soboleva(x: Any, *rates: Any) -> jax.Array:
    right, t, a, b, c, d = _from_0(x, *rates)
    size = -jnp.expm1(-(a + b) * t) * jnp.exp((a - c) * t) / (1 + jnp.exp(-(c + d) * t))
    return jnp.where(right, size, -size)


def _soboleva_slope(x: Any, *rates: Any) -> jax.Array:
    """The quotient rule, numerator and denominator divided by e²ᶜᵗ."""
    _, t, a, b, c, d = _from_0(x, *rates)
    up = (a - c) * jnp.exp((a - c) * t) + (b + c) * jnp.exp(-(b + c) * t)
    down = (a + d) * jnp.exp((a - c - c - d) * t) + (b - d) * jnp.exp(-(b + c + c + d) * t)
    return (up + down) / (1 + jnp.exp(-(c + d) * t)) ** 2


def _soft_clipping(x: Any, alpha: Any) -> jax.Array:
    """The difference of two softplus, each of which is a straight line and what is added to that near its bend."""
    u, v = alpha * x, alpha * (x - 1)
    bends = jnp.log1p(jnp.exp(-jnp.abs(u))) - jnp.log1p(jnp.exp(-jnp.abs(v)))
    return jnp.clip(x, 0, 1) + bends / alpha


def _soft_clipping_slope(x: Any, alpha: Any) -> jax.Array:
    """σ(u) − σ(v), written so that it does not cancel far out."""
    return -jnp.expm1(-alpha) * jax.nn.sigmoid(alpha * x) * jax.nn.sigmoid(alpha * (1 - x))


def log_sigmoid(x: Any) -> jax.Array:
    """ln σ(x): minus the softplus of −x."""
    return _log_sigmoid(as_real(x))


_log_sigmoid = elementwise("log_sigmoid", lambda x: -functions.softplus(-x), lambda x: functions.sigmoid(-x))
softsign = in_double(_softsign, lambda x: 1 / (1 + jnp.abs(x)) ** 2, name="softsign")
arctan = in_double(jnp.arctan, lambda x: 1 / (1 + x**2), name="arctan")
isru = in_double(_isru, _isru_slope, name="isru")
soboleva_tanh = in_double(_soboleva, _soboleva_slope, name="soboleva_tanh")
soft_clipping = in_double(_soft_clipping, _soft_clipping_slope, name="soft_clipping")
sqnl = straight(_sqnl, lambda x: 1 - jnp.abs(_clipped(x, -2, 2)) / 2)
binary_step = straight(lambda x: jnp.where(jnp.isnan(x), x, only(x >= 0, x)), jnp.zeros_like)
hard_sigmoid = straight(
    lambda x: jnp.where(x <= -3, 0, jnp.where(x >= 3, 1, (x + 3) / 6)),
    lambda x: only((x > -3) & (x <= 3), x) / 6,
)
hard_tanh = straight(_clipped, lambda x, low, high: only((x > low) & (x <= high), x))
