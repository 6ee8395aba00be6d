"""Convolution with pooling and ReLU behind it equals its definition, one after another, in value and gradient."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.arrays.functions import relu
from chainrule.kernels import native
from chainrule.kernels.convolution import plain
from chainrule.kernels.pooled import pooled_convolution
from chainrule.kernels.pooling import plain_max
from chainrule.kernels.window import Window

built = pytest.mark.skipif(native.processor() is None, reason="the native kernels are not built")
SAME = Window((3, 3), (1, 1), (1, 1), ((1, 1), (1, 1)))
CASES = {  # a window, lengths, channels and filters, and how many places one is kept of
    "tiles": (SAME, (8, 6), (2, 5), (2, 2)),
    "tiles and a rest": (SAME, (7, 9), (3, 33), (2, 4)),
    "ReLU alone": (SAME, (5, 4), (17, 16), (1, 1)),
    "all at once": (SAME, (5, 4), (1, 3), (5, 4)),
    "stride": (Window((3, 2), (2, 3), (1, 1), ((1, 0), (0, 1))), (13, 14), (3, 17), (3, 1)),
    "dilation": (Window((2, 3), (1, 1), (2, 3), ((0, 2), (1, 1))), (9, 11), (2, 4), (2, 3)),
    "stride and dilation": (Window((2, 3), (2, 1), (2, 3), ((0, 2), (1, 1))), (9, 11), (2, 4), (2, 3)),
    "series": (Window((5,), (1,), (1,), ((2, 2),)), (23,), (3, 20), (2,)),
    "causal, in threes": (Window((3,), (1,), (2,), ((4, 0),)), (10,), (4, 7), (3,)),
    "rows that are cut": (Window((5,), (2,), (1,), ((1, 4),)), (9000,), (3, 7), (4,)),
}


def in_turn(x, kernel, bias, window, size, rectified):
    """The definition."""
    y = plain_max(plain(x, kernel, bias, window), Window(size, size, (1,) * len(size), ((0, 0),) * len(size)))
    return relu(y) if rectified else y


def drawn(rng, window, lengths, widths, batch=3):
    shapes = (batch, *lengths, widths[0]), (*window.size, *widths), widths[1:]
    return [jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in shapes]


@pytest.mark.slow
@pytest.mark.parametrize("rectified", [False, True], ids=["largest", "rectified"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_value_and_gradients(rng, form, case, rectified):
    window, lengths, widths, size = case
    arrays = drawn(rng, window, lengths, widths)

    @jax.jit
    def both(*arrays):
        pulls = [jax.vjp(lambda *arrays: f(*arrays, window, size, rectified), *arrays) for f in (pooled, in_turn)]  # noqa: B023
        return [(y, *pull(jnp.cos(3 * y))) for y, pull in pulls], pooled(*arrays, window, size, rectified)

    pooled = pooled_convolution
    slopes, alone = both(*arrays)
    np.testing.assert_array_equal(alone, slopes[0][0])
    for ours, truth in zip(*slopes, strict=True):
        assert ours.shape == truth.shape
        largest = float(jnp.abs(truth).max(initial=0))
        np.testing.assert_allclose(ours, truth, rtol=2e-5, atol=2e-5 * (1 + largest))


@pytest.mark.parametrize("size", [(1, 1), (2, 2)])
def test_no_examples(rng, form, size):
    arrays = drawn(rng, SAME, (4, 4), (2, 3), batch=0)
    y, pull = jax.vjp(lambda *arrays: pooled_convolution(*arrays, SAME, size, True), *arrays)
    assert y.shape == (0, 4 // size[0], 4 // size[1], 3)
    assert all(not slope.any() for slope in pull(y))


@pytest.mark.by_turns(2)
def test_nan_ties_and_zeros_are_as_one_after_another(form):
    x = jnp.array([[[jnp.nan, 1, 2, 2, -1, -2, 0, -0.0, -jnp.inf, -jnp.inf, jnp.inf, 3]]])[:, 0, :, None]
    kernel, bias, window = jnp.ones((1, 1, 2)), jnp.zeros(2), Window((1,), (1,), (1,), ((0, 0),))
    for rectified, value, gradient in (
        (False, [np.nan, 2, -1, 0, -np.inf, np.inf], [2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0]),
        (True, [np.nan, 2, 0, 0, 0, np.inf], [0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 0]),
    ):
        y, pull = jax.vjp(lambda x: pooled_convolution(x, kernel, bias, window, (2,), rectified), x)  # noqa: B023
        np.testing.assert_array_equal(y[0, :, 0], np.float32(value))
        np.testing.assert_array_equal(pooled_convolution(x, kernel, bias, window, (2,), rectified), y)
        assert not np.signbit(y[0, 3, 0])
        np.testing.assert_array_equal(pull(jnp.ones_like(y))[0][0, :, 0], gradient)


@pytest.mark.slow
def test_a_population_and_second_derivatives(rng, form):
    x, kernel, bias = drawn(rng, SAME, (5, 4), (2, 3))

    def norm(f, *arrays):
        cost = lambda *arrays: jnp.sum(jnp.sin(f(*arrays, SAME, (2, 2), True)))  # noqa: E731
        return sum(jnp.sum(slope**2) for slope in jax.grad(cost, (0, 1, 2))(*arrays))

    kernels = kernel * jnp.arange(1.0, 4.0).reshape(3, 1, 1, 1, 1)
    for f in (jax.grad(norm, (1, 2, 3)), lambda f, *arrays: jax.grad(partial(norm, f), (0, 1, 2))(*arrays)):
        together = jax.jit(jax.vmap(partial(f, pooled_convolution), (None, 0, None)))(x, kernels, bias)
        alone = jax.jit(jax.vmap(partial(f, in_turn), (None, 0, None)))(x, kernels, bias)
        for ours, truth in zip(together, alone, strict=True):
            np.testing.assert_allclose(ours, truth, rtol=1e-4, atol=1e-4 * float(jnp.abs(truth).max()))


@built
@pytest.mark.parametrize(
    ("held", "kept", "groups"),
    [
        ((1, 2, 2, 5), (1, 1, 2, 2, 1), 1),  # cells of another shape
        ((0, 0, 0, 0), (1, 1, 2, 2, 1), 1),  # no cells, which only a gradient needs
        ((1, 2, 2, 4), (1, 1, 0, 2, 1), 1),
        ((1, 2, 2, 4), (1, 1, 2, 2), 1),  # a number too few
        ((1, 2, 2, 4), (1, 1, 128, 2, 1), 1),  # more than a byte tells apart
        ((1, 2, 2, 4), (1, 1, 2, 2, 1), 2),
    ],
)
def test_what_is_kept_is_checked_before_memory_is_touched(held, kept, groups):
    x, none, kernel = jnp.ones((1, 4, 4, 2)), jnp.zeros((0,) * 4, jnp.uint8), jnp.ones((3, 3, 2 // groups, 4))
    results = (1, 2, 2, 4), jax.ShapeDtypeStruct(held, jnp.uint8)
    numbers = {"window": SAME.numbers, "groups": groups}
    if any(held):
        with pytest.raises(jax.errors.JaxRuntimeError, match="convolve: shapes of input, kernel, bias and output do"):
            native.call("convolve", results, x, none, kernel, jnp.ones(4), **numbers, kept=kept, packed=0)
    dy, cell, kept = jnp.ones((1, 2, 2, 4)), jnp.zeros(held, jnp.uint8), kept[2 : 2 * len(kept) - 6]
    with pytest.raises(jax.errors.JaxRuntimeError, match="kernel_gradient: shapes of input, kernel, bias and output"):
        native.call("kernel_gradient", (kernel.shape, (4,)), x, dy, cell, **numbers, kept=kept)
