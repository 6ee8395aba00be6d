"""Products of matrices: native and plain."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.kernels import native
from chainrule.kernels.dense import FEW, dense, plain, product

SIZES = [(1, 1), (3, 5), (17, 16), (784, 256), (5, 273), (2, 600)]


@pytest.mark.slow
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


LARGER = [(9, 1, 1), (32, 17, 16), (11, 64, 10), (25, 16, 33), (33, 300, 70), (129, 96, 65)]


@pytest.mark.slow
@pytest.mark.parametrize("axes", [(None, None), (0, None), (None, 0), (0, 0)], ids=str)
def test_products_of_more_rows_and_of_populations(rng, form, axes):
    for rows, depth, units in LARGER:
        x, kernel = (
            jnp.asarray(rng.normal(size=shape if axis is None else (3, *shape)), jnp.float32)
            for axis, shape in zip(axes, ((rows, depth), (depth, units)), strict=True)
        )

        def value_and_gradients(f, x, kernel):
            y, pull = jax.vjp(f, x, kernel)
            return y, pull(jnp.sin(y))

        @jax.jit
        def both(x, kernel):
            ours = lambda x, kernel: dense(x, kernel, None)  # noqa: E731
            each = [partial(value_and_gradients, f) for f in (ours, jnp.matmul)]
            return [f(x, kernel) if axes == (None, None) else jax.vmap(f, in_axes=axes)(x, kernel) for f in each]

        ours, truth = both(x, kernel)
        for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(truth), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5 * float(jnp.abs(b).max()))
        assert form == "jax" or "@chainrule_product(" in both.lower(x, kernel).as_text()


@pytest.mark.parametrize("rows", [9, 13, 32, 40])
def test_a_few_long_rows_by_a_matrix_that_lies_turned(rng, form, rows):
    """Of these factors the smaller one is packed, and the result turned back."""
    a, b = (rng.normal(size=shape).astype(np.float32) for shape in ((2, rows, 130), (301, 130)))
    truth = a.astype(np.float64) @ b.T.astype(np.float64)
    both = jax.jit(lambda a, b: (product(a[0], b, (False, True)), product(a, b, (False, True))))
    one, several = both(a, b)
    np.testing.assert_allclose(one, truth[0], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(several, truth, rtol=1e-5, atol=1e-5)
    assert form == "jax" or "@chainrule_product(" in both.lower(a, b).as_text()


@pytest.mark.by_turns(2)
@pytest.mark.parametrize("turned", [(False, False), (False, True), (True, False), (True, True)], ids=str)
def test_gradients_of_products_are_products(rng, turned):
    """Forwards over backwards and backwards over backwards, of each kind, for arrays that a population shares."""
    shapes = ((13, 9) if turned[0] else (9, 13), (11, 13) if turned[1] else (13, 11))
    a, b = (jnp.asarray(rng.normal(size=(3, *shape)), jnp.float32) for shape in shapes)
    definition = lambda a, b: (a.T if turned[0] else a) @ (b.T if turned[1] else b)  # noqa: E731

    def derivatives(f):
        cost = lambda a, b: jnp.sum(jnp.sin(jax.vmap(f, in_axes=(0, None))(a, b)))  # noqa: E731
        slopes = jax.grad(cost, argnums=(0, 1))
        steep = lambda a, b: sum(jnp.sum(d**2) for d in slopes(a, b))  # noqa: E731
        return jax.jit(lambda a, b: (jax.jvp(slopes, (a, b), (jnp.cos(a), b)), jax.grad(steep, argnums=(0, 1))(a, b)))

    ours = derivatives(lambda a, b: product(a, b, turned))(a, b[0])
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(derivatives(definition)(a, b[0])), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4 * float(jnp.abs(other).max()))


def test_populations_of_populations_and_rows_of_sequences(rng):
    x, kernels = (
        jnp.asarray(rng.normal(size=(2, 9, 5)), jnp.float32),
        jnp.asarray(rng.normal(size=(3, 4, 5, 7)), jnp.float32),
    )
    many = jax.vmap(jax.vmap(lambda kernel: dense(x, kernel, None)))
    np.testing.assert_allclose(many(kernels), x @ kernels[:, :, None], rtol=1e-5, atol=1e-6)


def test_one_population_for_each_factor(rng):
    x, kernels = (jnp.asarray(rng.normal(size=(3, *shape)), jnp.float32) for shape in ((9, 5), (5, 7)))
    every = jax.vmap(lambda kernel: jax.vmap(lambda x: dense(x, kernel, None))(x))
    np.testing.assert_allclose(every(kernels), x @ kernels[:, None], rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(native.processor() is None, reason="the native kernels are not built")
def test_shapes_are_checked_before_memory_is_touched():
    with pytest.raises(jax.errors.JaxRuntimeError, match="dense: shapes of input, kernel, bias and output do not fit"):
        native.call("dense", (1, 4), jnp.ones((1, 3)), jnp.ones((2, 4)), jnp.ones(4), packed=0, rectified=0)
    with pytest.raises(jax.errors.JaxRuntimeError, match="product: shapes of factors and result do not fit"):
        native.call("product", (9, 4), jnp.ones((9, 3)), jnp.ones((2, 4)), left_turned=0, right_turned=0, packed=0)
