"""Steps of sequences that attend to each other: softmax(q kᵀ) v of each head."""

from typing import Any

import jax
import jax.numpy as jnp

from chainrule.arrays.dtypes import wide_type
from chainrule.arrays.functions import softmax_tangent


def plain(
    q: jax.Array, k: jax.Array, v: jax.Array, mask: jax.Array | None, keep: jax.Array | None, causal: bool
) -> jax.Array:
    """The definition, summed in 32 bits at least.

    Args:
        q: the queries, (batch, time, heads, size), scaled.
        k: the keys, (batch, time, heads, size).
        v: the values, (batch, time, heads, value_size).
        mask: (batch, time), False where a step is padding, which is not seen. Of nothing at all, the softmax is 0.
        keep: factors on the softmax, (batch, heads, time, time), or None; without a gradient.
        causal: whether a step sees itself and those before it alone.
    """
    wide, seen = wide_type(q, k, v), _seen(q.shape[1], mask, causal)
    scores = jnp.einsum("bthd,bshd->bhts", q, k, preferred_element_type=wide)
    least = jnp.finfo(wide).min  # not −∞, of which alone there is no softmax
    p = _softmax(scores) if seen is None else jnp.where(seen, _softmax(jnp.where(seen, scores, least)), 0)
    p = p if keep is None else p * keep
    return jnp.einsum("bhts,bshd->bthd", p, v.astype(wide)).astype(v.dtype)


@jax.custom_jvp
def _softmax(z: jax.Array) -> jax.Array:
    """Softmax as exact as its logits, which are rounded sums; of its slopes, no digits are lost in the tails."""
    e = jnp.exp(z - z.max(axis=-1, keepdims=True, initial=-jnp.inf))
    return e / e.sum(axis=-1, keepdims=True)


@_softmax.defjvp
def _(primals: tuple, tangents: tuple) -> tuple[jax.Array, jax.Array]:
    p = _softmax(*primals)
    return p, softmax_tangent(p, *tangents)


def _seen(time: int, mask: jax.Array | None, causal: bool) -> Any:
    """Which steps see which, (batch, 1, time, time), or with axes of 1 that spread; None: all see all."""
    seen = None if mask is None else mask[:, None, None, :]
    if not causal:
        return seen
    before = jnp.tril(jnp.ones((time, time), bool))[None, None]
    return before if seen is None else before & seen


attention = plain
