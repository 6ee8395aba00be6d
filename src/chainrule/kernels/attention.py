"""Steps of sequences that attend to each other: softmax(q kᵀ) v of each head.

The definition keeps the softmax of all queries for its gradient. On the CPU a native kernel computes it again, some
queries at a time, so that it takes no memory and is much faster.
"""

from typing import Any

import jax
import jax.numpy as jnp

from chainrule.arrays.dtypes import wide_type
from chainrule.arrays.functions import softmax_tangent
from chainrule.arrays.precision import exactly
from chainrule.kernels import native
from chainrule.kernels.derivatives import with_gradient
from chainrule.kernels.sharding import by_parts


@exactly
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


@by_parts("n*,n*,n*,n*,n*->n*")
def attention(
    q: jax.Array, k: jax.Array, v: jax.Array, mask: jax.Array | None, keep: jax.Array | None, causal: bool
) -> jax.Array:
    """`plain`, without the memory for the softmax where a native kernel serves."""

    def natively(q: Any, k: Any, v: Any, mask: Any, keep: Any) -> tuple[jax.Array, tuple]:
        o, *sums = call("attention", (v.shape, *_sums(q)), q, k, v, _numbers(mask), _numbers(keep))
        return o, tuple(sums)

    def natively_back(q: Any, k: Any, v: Any, mask: Any, keep: Any, *rest: Any) -> tuple:
        shapes = q.shape, k.shape, v.shape
        return tuple(call("attention_gradient", shapes, q, k, v, _numbers(mask), _numbers(keep), *rest))

    def in_one(q: Any, *others: Any) -> tuple[jax.Array, tuple]:
        return plain(q, *others, causal=causal), tuple(jnp.zeros_like(q, jnp.float32, shape) for shape in _sums(q))

    def in_one_back(q: Any, k: Any, v: Any, mask: Any, keep: Any, *rest: Any) -> tuple:
        return jax.vjp(lambda q, k, v: plain(q, k, v, mask, keep, causal), q, k, v)[1](rest[-1])

    def call(name: str, shapes: Any, *arrays: jax.Array) -> Any:
        rule = "->".join(",".join("n*" for _ in side) for side in (arrays, shapes))
        return native.call(name, shapes, *arrays, rule=rule, together=True, causal=int(causal))

    def form(learned: tuple, given: tuple) -> tuple[jax.Array, tuple]:
        return native.either(natively, in_one, *learned, *given, also=bool)

    return with_gradient(
        lambda learned, given: plain(*learned, *given, causal=causal),
        lambda learned, given: form(learned, given)[0],
        form,
        lambda learned, given, sums, d_o: native.either(
            natively_back, in_one_back, *learned, *given, *sums, d_o, also=bool
        ),
        (q, k, v),
        (mask, keep),
    )


def _sums(q: jax.Array) -> tuple[tuple[int, ...], ...]:
    """The shapes of each query's largest score, and of the sum of the exponentials below it."""
    batch, time, heads, _ = q.shape
    return ((batch, heads, time),) * 2


def _numbers(given: jax.Array | None) -> jax.Array:
    """A mask or factors as the kernels take them: empty where there are none."""
    return jnp.zeros((0, 0), jnp.float32) if given is None else given.astype(jnp.float32)
