"""Attention equals its plain definition, in value and gradient, whatever its sizes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.kernels import native
from chainrule.kernels.attention import attention, plain

SIZES = [  # batch, time, heads, key, value
    (1, 1, 1, 1, 1),
    (2, 7, 3, 5, 2),
    (1, 16, 1, 16, 33),
    (3, 33, 2, 40, 16),
    (1, 700, 2, 3, 4),
]
"""As small as can be, whole vectors and what is left over, several tiles, more queries than are worked on at once."""


def problem(rng, batch, time, heads, key, value, mask=False, keep=False):
    array = lambda *shape: jnp.asarray(rng.normal(size=shape), jnp.float32)  # noqa: E731
    lengths = rng.integers(0, time + 1, (batch, 1))
    given = (
        jnp.asarray(np.arange(time) < lengths) if mask else None,
        jnp.asarray(2 * rng.integers(0, 2, (batch, heads, time, time)), jnp.float32) if keep else None,
    )
    return (array(batch, time, heads, key), array(batch, time, heads, key), array(batch, time, heads, value)), given


def value_and_gradients(function, learned, given, causal):
    y, pull = jax.vjp(lambda learned: function(*learned, *given, causal), learned)
    return y, pull(jnp.sin(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape))


def close(ours, theirs, rtol=1e-4):
    for mine, truth in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(mine, truth, rtol=rtol, atol=1e-5 * max(1, float(jnp.abs(truth).max())))


@pytest.mark.slow
@pytest.mark.parametrize("causal", [False, True], ids=["all", "causal"])
@pytest.mark.parametrize("options", [{}, {"mask": True}, {"keep": True}, {"mask": True, "keep": True}], ids=str)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_value_and_gradients(rng, sizes, options, causal):
    learned, given = problem(rng, *sizes, **options)
    both = jax.jit(
        lambda learned, given: [value_and_gradients(of, learned, given, causal) for of in (attention, plain)]
    )
    close(*both(learned, given))


@pytest.mark.skipif(native.processor() is None, reason="the native kernels are not built")
def test_it_keeps_no_softmax(rng):
    """At 2,000 steps the definition's would be 16 MB a head."""
    learned, given = problem(rng, 1, 2000, 1, 4, 4)
    run = jax.jit(lambda *of: value_and_gradients(attention, *of, True)).lower(learned, given).compile()
    assert run.memory_analysis().temp_size_in_bytes < 2**20


@pytest.mark.slow
@pytest.mark.by_turns(2)
def test_a_population_of_networks(rng, form):
    (q, k, v), (mask, _) = problem(rng, 2, 6, 2, 3, 4, mask=True)
    several = jnp.stack([q, 2 * q, -q])
    each = lambda q: value_and_gradients(attention, (q, k, v), (mask, None), True)  # noqa: E731
    close(jax.jit(jax.vmap(each))(several), jax.tree.map(lambda *of: jnp.stack(of), *map(each, several)))


@pytest.mark.parametrize("size", [30.0, 1e4])
def test_slopes_keep_their_digits_where_one_key_is_sure(form, size):
    """∂o/∂q = p₁ p₂ (v₁ − v₂) (k₁ − k₂), where p₂ = e⁻ˢⁱᶻᵉ is far below the rounding of p₁."""
    q, k = jnp.ones((1, 1, 1, 1)), jnp.array([0.0, -size]).reshape(1, 2, 1, 1)
    q = jnp.broadcast_to(q, k.shape)
    v = jnp.array([1e3, 1e3 + 1]).reshape(1, 2, 1, 1)
    slope = jax.jit(jax.grad(lambda q: attention(q, k, v, None, None, False)[0, 0, 0, 0]))(q)[0, 0, 0, 0]
    assert float(slope) == pytest.approx(-size * np.exp(-size), rel=1e-5)
