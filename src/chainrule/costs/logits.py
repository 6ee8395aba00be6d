"""What costs know of outputs a that canonical activations make of z: ln a, and 1 − a, without a loss of digits.

All of it is to be computed in double, where so large a number stands for infinity that none of float32 reaches it.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from chainrule.activations import Activation, Exp, Sigmoid, Softmax, Softplus
from chainrule.arrays.functions import smooth, softmax, softplus, surprisal

INFINITE = 1e100
TINY = 1e-300


def _log_softplus(z: jax.Array) -> jax.Array:
    far = z < -37  # where ln(1 + eᶻ) is eᶻ
    return jnp.where(far, z, jnp.log(softplus(jnp.where(far, 0, z))))


LOGARITHMS: dict[type[Activation], Callable[[Any], Any]] = {
    Softmax: lambda z: -surprisal(z),
    Sigmoid: lambda z: -softplus(-z),
    Softplus: _log_softplus,
    Exp: lambda z: z,
}
"""ln a by z, for each activation."""


@jax.custom_jvp
def held(z: jax.Array) -> jax.Array:
    """Logits, none of them infinite; a derivative there is the limit."""
    return jnp.clip(z, -INFINITE, INFINITE)


held.defjvp(lambda primals, tangents: (held(*primals), *tangents))


def rest(z: jax.Array) -> jax.Array:
    """1 − softmax z: near 1, the sum of the others."""
    p = softmax(z)
    sure = p > 0.5
    return jnp.where(sure, jnp.sum(jnp.where(sure, 0, p), axis=-1, keepdims=True), 1 - p)


def times_log(E: jax.Array, a: jax.Array) -> jax.Array:
    """E ln a with 0 where E is 0, in value and in gradient."""
    return jnp.where(E == 0, 0, E * jnp.log(jnp.where(E == 0, 1, a)))


def with_derivative_of(written: jax.Array, value: jax.Array) -> jax.Array:
    """A value with the derivative of another form of it: one of them loses no digits, the other's derivative none."""
    return lax.stop_gradient(value) + (written - lax.stop_gradient(written))


# Functions that are held at numbers far beyond those of float32, so that 0 times them is 0.


@smooth(lambda x: exp(x))  # type: ignore[misc]
def exp(x: jax.Array) -> jax.Array:
    """eˣ."""
    return jnp.exp(jnp.minimum(x, 300.0))


@smooth(exp)
def expm1(x: jax.Array) -> jax.Array:
    """eˣ − 1, whose derivative JAX takes from the rounded result."""
    return jnp.expm1(jnp.minimum(x, 300.0))


@smooth(expm1)
def excess(t: jax.Array) -> jax.Array:
    """eᵗ − 1 − t: in double, without a loss of the digits that a float has."""
    near = jnp.abs(t) < 0.01
    series = t**2 / 2 * (1 + t / 3 * (1 + t / 4 * (1 + t / 5 * (1 + t / 6 * (1 + t / 7)))))
    return jnp.where(near, series, expm1(t) - t)
