"""Softmax of rows, and its surprisal: natively in one pass over the rows, which XLA makes many of."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from chainrule.arrays import functions
from chainrule.kernels import native
from chainrule.kernels.derivatives import differentiable
from chainrule.kernels.sharding import by_parts


@by_parts("..._->..._")
def softmax(z: jax.Array) -> jax.Array:
    """exp z / Σ exp z over the last axis."""

    def by_rows(z):
        return native.call("softmax", z.shape, z, rule="..._->..._", together=True)

    return differentiable(partial(_either, by_rows, functions.softmax), _softmax_change, jnp.asarray(z))


@by_parts("..._->..._")
def surprisal(z: jax.Array) -> jax.Array:
    """−ln softmax z."""
    return _with_softmax(jnp.asarray(z))[0]


def _with_softmax(z: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The surprisal, and the softmax that its derivative needs."""

    def by_rows(z):
        return native.call("surprisal", (z.shape,) * 2, z, rule="..._->..._,..._", together=True)

    def plain(z):
        return (functions.surprisal(z), functions.softmax(z))

    return differentiable(partial(_either, by_rows, plain), _with_softmax_change, z)


def _softmax_change(arguments: tuple, tangents: tuple) -> tuple[jax.Array, jax.Array]:
    p = softmax(*arguments)
    return p, functions.softmax_tangent(p, *tangents)


def _with_softmax_change(arguments: tuple, tangents: tuple) -> tuple[tuple, tuple]:
    s, p = _with_softmax(*arguments)
    return (s, p), (functions.surprisal_tangent(p, *tangents), functions.softmax_tangent(p, *tangents))


def _either(by_rows: Callable, plain: Callable, z: jax.Array) -> Any:
    return native.either(by_rows, plain, z) if z.ndim and z.size else plain(z)
