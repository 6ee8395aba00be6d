"""Softmax of rows, and its surprisal: natively in one pass over the rows, which XLA makes many of."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from chainrule import functions
from chainrule.kernels import native


@jax.custom_jvp
def softmax(z: jax.Array) -> jax.Array:
    """exp z / Σ exp z over the last axis."""
    by_rows = lambda z: native.call("softmax", z.shape, z, vmap_method="broadcast_all")  # noqa: E731
    return _either(by_rows, functions.softmax, z)


@softmax.defjvp
def _(primals, tangents):
    p = softmax(*primals)
    return p, functions.softmax_tangent(p, *tangents)


def surprisal(z: jax.Array) -> jax.Array:
    """−ln softmax z."""
    return _with_softmax(z)[0]


@jax.custom_jvp
def _with_softmax(z: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The surprisal, and the softmax that its derivative needs."""
    by_rows = lambda z: tuple(native.call("surprisal", [z.shape] * 2, z, vmap_method="broadcast_all"))  # noqa: E731
    return _either(by_rows, lambda z: (functions.surprisal(z), functions.softmax(z)), z)


@_with_softmax.defjvp
def _(primals, tangents):
    s, p = _with_softmax(*primals)
    return (s, p), (functions.surprisal_tangent(p, *tangents), functions.softmax_tangent(p, *tangents))


def _either(by_rows: Callable, plain: Callable, z: Any) -> Any:
    z = jnp.asarray(z)
    return native.either(by_rows, plain, z) if z.ndim and z.size else plain(z)
