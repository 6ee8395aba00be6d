"""Softmax of rows and its surprisal: native and plain."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.arrays import functions
from chainrule.kernels import native
from chainrule.kernels.softmax import softmax, surprisal

SHAPES = ((1, 1), (1, 10), (7, 3), (8, 128), (2, 3, 129), (40, 1000), (900, 10))
ROWS = [
    [jnp.inf, 0, 1],
    [jnp.inf, jnp.inf, 0],
    [-jnp.inf, -jnp.inf, -jnp.inf],
    [jnp.nan, 0, 1],
    [-jnp.inf, 0, 1],
    [3e38, -3e38, 0],
    [-1e4, 0, 1e4],
]


@pytest.mark.slow
def test_they_are_the_definitions_also_in_their_derivatives(rng):
    logits = [jnp.asarray(rng.normal(0, 20, shape), jnp.float32) for shape in SHAPES]

    @jax.jit
    def all_of(logits):
        pulls = [[jax.vjp(f, z) for z in logits] for f in (softmax, functions.softmax, surprisal, functions.surprisal)]
        return [[(y, *pull(jnp.sin(z))) for (y, pull), z in zip(each, logits, strict=True)] for each in pulls]

    mine, truth, mine_of_surprisal, truth_of_surprisal = all_of(logits)
    for a, b in zip(*map(jax.tree.leaves, ((mine, mine_of_surprisal), (truth, truth_of_surprisal))), strict=True):
        np.testing.assert_allclose(a, b, rtol=3e-6, atol=1e-6)
    assert native.processor() is None or "@chainrule_surprisal(" in all_of.lower(logits).as_text()


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_rows_without_a_finite_top_and_extremes(row):
    z = jnp.asarray([row], jnp.float32)
    np.testing.assert_allclose(softmax(z), functions.softmax(z), rtol=3e-7)
    np.testing.assert_allclose(surprisal(z), functions.surprisal(z), rtol=3e-7)


def test_many_classes_are_within_half_a_unit(rng):
    z = rng.normal(0, 5, (50, 1000)).astype(np.float32)
    e = np.exp(z.astype(np.float64) - z.max(axis=1, keepdims=True))
    truth = e / e.sum(axis=1, keepdims=True)
    ulp = np.abs(np.asarray(softmax(z), np.float64) - truth) / np.spacing(truth.astype(np.float32))
    assert ulp.max() < (0.51 if native.processor() else 2)


@pytest.mark.by_turns(2)
@pytest.mark.parametrize(
    ("mine", "truth"), [(softmax, functions.softmax), (surprisal, functions.surprisal)], ids=["softmax", "surprisal"]
)
def test_a_population_and_second_derivatives(mine, truth):
    z = jax.random.normal(jax.random.key(0), (2, 3, 128))
    np.testing.assert_allclose(jax.vmap(mine)(z), truth(z), rtol=1e-6)
    bent = lambda f: jax.jit(jax.grad(lambda z: jnp.sum(jax.grad(lambda z: jnp.sum(f(z) ** 2))(z) ** 2)))(z)  # noqa: E731
    np.testing.assert_allclose(bent(mine), bent(truth), rtol=1e-4, atol=1e-9)


def test_each_row_is_the_same_alone_and_beside_others(rng):
    z = jnp.asarray(rng.normal(0, 20, (13, 10)), jnp.float32)
    np.testing.assert_array_equal(surprisal(z), jnp.concatenate([surprisal(row[None]) for row in z]))


@pytest.mark.skipif(native.processor() is None, reason="the native kernels are not built")
def test_shapes_are_checked_before_memory_is_touched():
    with pytest.raises(jax.errors.JaxRuntimeError, match="softmax: shapes of input and output do not fit"):
        native.call("softmax", (2, 3), jnp.ones((2, 2)))
    with pytest.raises(jax.errors.JaxRuntimeError, match="surprisal: shapes of input and outputs do not fit"):
        native.call("surprisal", [(2, 2), (2, 3)], jnp.ones((2, 2)))
