"""Softmax of rows, and its surprisal. Native kernels serve long rows and few of them; short ones XLA does as fast."""

import jax
import jax.numpy as jnp

from chainrule import functions
from chainrule.kernels import native

LONG = 128  # classes, from which on the kernels are faster
FEW = 256  # numbers in all, up to which a call costs less than XLA's threads


def _kernel(name: str, plain: functions.Function, z: jax.Array) -> jax.Array:
    z = jnp.asarray(z)
    if z.ndim and z.size and (z.shape[-1] >= LONG or z.size <= FEW):
        by_rows = lambda z: native.call(name, z.shape, z, vmap_method="broadcast_all")  # noqa: E731
        return native.either(by_rows, plain, z)
    return plain(z)


@jax.custom_jvp
def softmax(z: jax.Array) -> jax.Array:
    """exp z / Σ exp z over the last axis."""
    return _kernel("softmax", functions.softmax, z)


@jax.custom_jvp
def surprisal(z: jax.Array) -> jax.Array:
    """−ln softmax z."""
    return _kernel("surprisal", functions.surprisal, z)


@softmax.defjvp
def _(primals, tangents):
    p = softmax(*primals)
    return p, functions.softmax_tangent(p, *tangents)


@surprisal.defjvp
def _(primals, tangents):
    return surprisal(*primals), functions.surprisal_tangent(softmax(*primals), *tangents)
