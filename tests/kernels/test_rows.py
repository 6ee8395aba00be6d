"""Rows of a table by their numbers: native and plain."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.kernels import native
from chainrule.kernels.rows import plain, take

TABLES = [((7, 1000), (3, 4)), ((300, 33), (150,)), ((2000, 3, 5), (400,)), ((1, 5), (2000,)), ((5, 3), (2,))]


@pytest.mark.by_turns(2)
@pytest.mark.parametrize(("shape", "rows"), TABLES, ids=str)
def test_it_is_the_definition_also_in_its_derivatives(rng, form, shape, rows):
    table = jnp.asarray(rng.normal(size=shape), jnp.float32)
    numbers = jnp.asarray(rng.integers(-2, shape[0] + 2, rows), jnp.int32)  # those beyond the table are held

    @jax.jit
    def both(table):
        cost = lambda f, table: jnp.sum(jnp.sin(f(table, numbers)))  # noqa: E731
        slope = [jax.grad(lambda table, f=f: cost(f, table)) for f in (take, plain)]
        steep = [jax.grad(lambda table, g=g: jnp.sum(g(table) ** 2)) for g in slope]
        forwards = [jax.jvp(g, (table,), (jnp.cos(table),))[1] for g in slope]
        values = [f(table, numbers) for f in (take, plain)]
        return [(y, g(table), s(table), d) for y, g, s, d in zip(values, slope, steep, forwards, strict=True)]

    for ours, truth in zip(*both(table), strict=True):
        np.testing.assert_allclose(ours, truth, rtol=1e-5, atol=1e-5 * float(jnp.abs(truth).max()))
    large = table.size // shape[0] * numbers.size > 1 << 12
    assert form == "jax" or ("@chainrule_spread(" in both.lower(table).as_text()) == large


def test_whole_numbers_are_rows_too(rng, form):
    table = jnp.asarray(rng.integers(-(2**31), 2**31, (30, 3, 50)), jnp.int32)  # all bits, those of a NaN among them
    numbers = jnp.asarray(rng.integers(-2, 32, 40), jnp.int32)
    taking = jax.jit(take)
    np.testing.assert_array_equal(taking(table, numbers), np.asarray(table)[np.clip(numbers, 0, 29)])
    assert taking(table, numbers).dtype == jnp.int32
    assert form == "jax" or "@chainrule_take(" in taking.lower(table, numbers).as_text()


@pytest.mark.by_turns(2)
def test_populations_of_tables_and_of_numbers(rng, form):
    tables = jnp.asarray(rng.normal(size=(3, 20, 50)), jnp.float32)
    numbers = jnp.asarray(rng.integers(0, 20, (3, 100)), jnp.int32)
    slopes = jax.vmap(jax.grad(lambda table, rows: jnp.sum(take(table, rows) ** 2)))(tables, numbers)
    counts = np.stack([np.bincount(rows, minlength=20) for rows in np.asarray(numbers)])
    np.testing.assert_allclose(slopes, 2 * tables * counts[..., None], rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(native.processor() is None, reason="the native kernels are not built")
@pytest.mark.parametrize("name", ["take", "spread"])
def test_shapes_are_checked_before_memory_is_touched(name):
    with pytest.raises(jax.errors.JaxRuntimeError, match=f"{name}: shapes"):
        native.call(name, (4, 4), jnp.ones((4, 3)), jnp.zeros(4, jnp.int32))
