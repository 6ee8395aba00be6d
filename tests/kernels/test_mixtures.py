"""Rows of a table mixed by weights: native and plain, beside the product with the whole matrix."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.kernels import native
from chainrule.kernels.mixtures import mixed, plain

SIZES = [(7, 1, 5, 4), (300, 33, 40, 9), (5, 3, 2000, 7), (40000, 2, 6, 3)]  # rows, units, examples, places


def drawn(rng, rows, units, examples, places):
    """A table, weights, and rising numbers, some of which are beyond the table."""
    table, weights = (jnp.asarray(rng.normal(size=size), jnp.float32) for size in ((rows, units), (examples, places)))
    numbers = np.sort(rng.integers(-1, rows + rows // 5 + 1, (examples, places)), axis=1)
    return table, weights, jnp.asarray(numbers, jnp.int32)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_it_is_a_product_with_a_matrix_of_few_entries(rng, form, size):
    table, weights, numbers = drawn(rng, *size)
    matrix = np.zeros((size[2], size[0]), np.float32)
    for example, (row, of_row) in enumerate(zip(np.asarray(weights), np.asarray(numbers), strict=True)):
        np.add.at(matrix[example], np.maximum(of_row[of_row < size[0]], 0), row[of_row < size[0]])
    np.testing.assert_allclose(mixed(table, weights, numbers), matrix @ table, rtol=1e-4, atol=1e-4)
    assert form == "jax" or "@chainrule_mix(" in jax.jit(mixed).lower(table, weights, numbers).as_text()


@pytest.mark.by_turns(2)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_its_derivatives_are_those_of_the_definition(rng, form, size):
    table, weights, numbers = drawn(rng, *size)

    @jax.jit
    def both(*of):
        cost = lambda f, *of: jnp.sum(jnp.sin(f(*of, numbers)))  # noqa: E731
        slope = [jax.grad(lambda *of, f=f: cost(f, *of), argnums=(0, 1)) for f in (mixed, plain)]
        steep = [jax.grad(lambda *of, g=g: sum(jnp.sum(d**2) for d in g(*of)), argnums=(0, 1)) for g in slope]
        forwards = [jax.jvp(g, of, tuple(map(jnp.cos, of)))[1] for g in slope]
        return [(g(*of), s(*of), d) for g, s, d in zip(slope, steep, forwards, strict=True)]

    for ours, truth in zip(*map(jax.tree.leaves, both(table, weights)), strict=True):
        np.testing.assert_allclose(ours, truth, rtol=1e-4, atol=1e-5 * float(jnp.abs(truth).max()))
    assert form == "jax" or "@chainrule_mix_gradient(" in both.lower(table, weights).as_text()


def test_populations_have_tables_of_their_own(rng, form):
    tables = jnp.asarray(rng.normal(size=(3, 20, 5)), jnp.float32)
    _, weights, numbers = drawn(rng, 20, 5, 10, 4)
    each = jnp.stack([mixed(table, weights, numbers) for table in tables])
    np.testing.assert_allclose(jax.vmap(mixed, (0, None, None))(tables, weights, numbers), each, rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(native.processor() is None, reason="the native kernels are not built")
@pytest.mark.parametrize("name", ["mix", "mix_gradient"])
def test_shapes_are_checked_before_memory_is_touched(name):
    with pytest.raises(jax.errors.JaxRuntimeError, match=f"{name}: shapes"):
        native.call(name, (4, 4), jnp.ones((4, 3)), jnp.ones((4, 2)), jnp.zeros((4, 2), jnp.int32))
