"""The gated recurrent unit as published: the reset gate acts on the state before its product, so a step has two."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from chainrule.functions import sigmoid, tanh
from chainrule.kernels import native
from chainrule.kernels.recurrence import Weights, native_backward, native_forward


def plain(a: jax.Array, weights: Weights, start: jax.Array, mask: jax.Array | None) -> jax.Array:
    """The definition: a loop over time.

    Args:
        a: x's part of the gates r, z and n, (time, batch, 3 · units).
        weights: h's part, without a bias.
        start: the state before the first step, (batch, units).
        mask: (time, batch), False where a step is padding, which leaves the state as it is.

    Returns:
        The state after each step, (time, batch, units).
    """
    units = start.shape[-1]

    def step(h: jax.Array, now: Any) -> tuple[jax.Array, jax.Array]:
        a, live = now
        seen = h if weights.keep is None else h * weights.keep
        r, z = jnp.split(sigmoid(a[:, : 2 * units] + seen @ weights.kernel[:, : 2 * units]), 2, axis=-1)
        n = tanh(a[:, 2 * units :] + (r * seen) @ weights.kernel[:, 2 * units :])
        new = (1 - z) * n + z * h
        new = new if live is None else jnp.where(live[:, None], new, h)
        return new, new

    return lax.scan(step, start, (a, mask))[1]


def gru(a: jax.Array, weights: Weights, start: jax.Array, mask: jax.Array | None) -> jax.Array:
    """`plain`, on the CPU by native kernels with backpropagation through time written by hand."""
    return native.either(_native, plain, a, weights, start, mask, also=bool)


@jax.custom_vjp
def _native(a: jax.Array, weights: Weights, start: jax.Array, mask: jax.Array | None) -> jax.Array:
    return _forward(a, weights, start, mask)[0]


def _forward(a: jax.Array, weights: Weights, start: jax.Array, mask: jax.Array | None) -> tuple:
    (h,), gates = native_forward("published_gru", a.shape[-1], a, weights, (start,), mask)
    return h, (weights, start, mask, h, gates)


def _backward(saved: tuple, d_h: jax.Array) -> tuple:
    weights, start, mask, h, gates = saved
    d_gates, (d_start,) = native_backward("published_gru", weights, (start,), mask, (h,), gates, (d_h,))
    units = start.shape[-1]
    seen = jnp.concatenate([start[None], h[:-1]])
    seen = seen if weights.keep is None else seen * weights.keep
    reset = sigmoid(gates[..., :units]) * seen
    d_kernel = [
        jnp.einsum("tbu,tbg->ug", seen, d_gates[..., : 2 * units]),
        jnp.einsum("tbu,tbg->ug", reset, d_gates[..., 2 * units :]),
    ]
    d_keep = None if weights.keep is None else jnp.zeros_like(weights.keep)
    return d_gates, Weights(jnp.concatenate(d_kernel, axis=-1), None, d_keep), d_start, None


_native.defvjp(_forward, _backward)
