"""Vectors of numbers by learned waves. On the CPU a native kernel computes each wave where it is needed, value and
gradient, so that none is kept."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from chainrule.arrays.dtypes import of_axes
from chainrule.arrays.precision import exactly
from chainrule.kernels import native
from chainrule.kernels.derivatives import with_gradient
from chainrule.kernels.sharding import by_parts

RULE = "n_,__,__,___,__"


@exactly
def plain(x: jax.Array, frequency: jax.Array, phase: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
    """The definition: of numbers (examples, columns) vectors, (examples, columns, units).

    Args:
        x: the numbers.
        frequency: of each column's waves, (columns, waves).
        phase: of each, (columns, waves).
        kernel: each column's linear map of its waves, (columns, waves, units).
        bias: what is added to it, (columns, units).
    """
    x = x[..., None]
    waves = jnp.cos(2 * math.pi * of_axes(frequency, x) * x + of_axes(phase, x))
    vectors = jnp.einsum("ncf,cfu->ncu", waves, kernel)
    return vectors + of_axes(bias, vectors)


@by_parts("n*,*,*,*,*->n*")
def waves(x: jax.Array, frequency: jax.Array, phase: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
    """`plain`, without the memory for the waves where a native kernel serves."""
    learned = x, frequency, phase, kernel, bias

    def natively(*of: jax.Array) -> jax.Array:
        return native.call("waves", (*x.shape, bias.shape[-1]), *of, rule=f"{RULE}->n__")

    def natively_back(*of: jax.Array) -> tuple:
        return tuple(native.call("waves_gradient", [a.shape for a in learned], *of, rule=f"{RULE},n__->{RULE}"))

    def in_one_back(*of: jax.Array) -> tuple:
        return jax.vjp(plain, *of[:-1])[1](of[-1])

    def value(learned: tuple, given: tuple) -> jax.Array:
        return native.either(natively, plain, *learned)

    def gradient(learned: tuple, given: tuple, kept: Any, d_y: jax.Array) -> tuple:
        return native.either(natively_back, in_one_back, *learned, d_y)

    return with_gradient(
        lambda learned, given: plain(*learned),
        value,
        lambda learned, given: (value(learned, given), ()),
        gradient,
        learned,
        (),
    )
