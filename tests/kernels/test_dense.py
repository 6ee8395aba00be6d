"""The product of a few rows with a matrix: native and plain."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.kernels import native
from chainrule.kernels.dense import FEW, dense, plain

SIZES = [(1, 1), (3, 5), (17, 16), (784, 256), (5, 273), (2, 600)]


def test_it_is_the_definition_also_in_its_derivatives(rng):
    cases = [
        [jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in ((rows, depth), (depth, units), (units,))]
        for depth, units in SIZES
        for rows in range(1, FEW + 2)
    ]

    @jax.jit
    def all_of(cases):
        outer = [jnp.sin(jnp.arange(x.shape[0] * b.size, dtype=jnp.float32)).reshape(-1, b.size) for x, _, b in cases]
        pulls = [[jax.vjp(f, *case) for case in cases] for f in (dense, plain)]
        return [[(y, pull(g)) for (y, pull), g in zip(each, outer, strict=True)] for each in pulls]

    ours, truth = all_of(cases)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(truth), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5 * float(jnp.abs(b).max()))
    assert native.processor() is None or "@chainrule_dense(" in all_of.lower(cases).as_text()


def test_without_a_bias_forwards_and_for_a_population(rng):
    x, kernels = jnp.asarray(rng.normal(size=(2, 5)), jnp.float32), jnp.asarray(rng.normal(size=(3, 5, 7)), jnp.float32)
    together = jax.jit(jax.vmap(lambda kernel: jax.jvp(lambda x: dense(x, kernel, None), (x,), (x,))))(kernels)
    np.testing.assert_allclose(together[0], x @ kernels, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(together[1], x @ kernels, rtol=1e-5, atol=1e-6)


def test_other_numbers_are_left_to_jax():
    x, kernel = jnp.arange(6, dtype=jnp.uint8).reshape(2, 3), jnp.ones((3, 4))
    np.testing.assert_array_equal(dense(x, kernel, None), x @ kernel)


@pytest.mark.skipif(native.processor() is None, reason="the native kernels are not built")
def test_shapes_are_checked_before_memory_is_touched():
    with pytest.raises(jax.errors.JaxRuntimeError, match="dense: shapes of input, kernel, bias and output do not fit"):
        native.call("dense", (1, 4), jnp.ones((1, 3)), jnp.ones((2, 4)), jnp.ones(4))
