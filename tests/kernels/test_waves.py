"""Vectors of numbers by waves: native and plain, in value and derivatives, beside double precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.kernels import native
from chainrule.kernels.waves import plain, waves

SIZES = [(1, 1, 1, 1), (7, 3, 5, 2), (256, 26, 16, 3), (1001, 1, 16, 3), (5, 700, 3, 33)]
"""Rows, columns, waves of each, units: as small as can be, beside whole vectors, and enough for several threads."""


def drawn(rng, rows, columns, many, units):
    own, vectors = (columns, many), (columns, units)
    spread = {(rows, columns): 2, own: 0.5}
    shapes = (rows, columns), own, own, (*own, units), vectors
    return [jnp.asarray(spread.get(shape, 1) * rng.normal(size=shape), jnp.float32) for shape in shapes]


def value_and_gradients(form, *arrays):
    y, pull = jax.vjp(form, *arrays)
    return y, *pull(1 + jnp.sin(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape))


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_value_and_gradients_are_those_of_double_precision(rng, form, sizes):
    arrays = drawn(rng, *sizes)
    run = jax.jit(lambda *arrays: value_and_gradients(waves, *arrays))
    with jax.enable_x64(True):
        found = value_and_gradients(plain, *(jnp.asarray(array, jnp.float64) for array in arrays))
        exact = [np.asarray(array) for array in found]
    for ours, truth in zip(run(*arrays), exact, strict=True):
        np.testing.assert_allclose(ours, truth, rtol=0, atol=5e-6 * np.abs(truth).max())
    text = run.lower(*arrays).as_text()
    assert form == "jax" or all(f"@chainrule_{name}(" in text for name in ("waves", "waves_gradient"))


def test_further_derivatives_are_those_of_the_definition(rng, form):
    arrays = drawn(rng, *SIZES[1])

    @jax.jit
    def both(*arrays):
        costs = [lambda *of, f=f: jnp.sum(jnp.sin(f(*of))) for f in (waves, plain)]
        slopes = [jax.grad(cost, argnums=(0, 1, 2, 3, 4)) for cost in costs]
        return [jax.jvp(slope, arrays, tuple(map(jnp.cos, arrays))) for slope in slopes]

    for ours, truth in zip(*map(jax.tree.leaves, both(*arrays)), strict=True):
        np.testing.assert_allclose(ours, truth, rtol=1e-4, atol=1e-5 * float(jnp.abs(truth).max()))


def test_networks_have_waves_of_their_own(rng, form):
    several = [drawn(rng, *SIZES[1]) for _ in range(3)]
    together = jax.jit(jax.vmap(lambda *of: value_and_gradients(waves, *of)))(
        *map(jnp.stack, zip(*several, strict=True))
    )
    for number, arrays in enumerate(several):
        for ours, truth in zip(together, value_and_gradients(plain, *arrays), strict=True):
            np.testing.assert_allclose(ours[number], truth, rtol=1e-4, atol=1e-4)


def test_of_a_thousand_turns_each_digit_is_as_good_as_of_one(form):
    """Of x in turns; beyond 2²⁰, where floats have no sixteenths of a turn between, any wave is as good as another."""
    if form == "jax":
        pytest.skip("the definition rounds 2πfx before it knows the turns")
    turns = np.concatenate([np.linspace(-1000, 1000, 100_001), np.arange(-8, 9) / 8]).astype(np.float32)
    one, zero = jnp.ones((1, 1)), jnp.zeros((1, 1))

    def wave(x):
        return waves(jnp.asarray(x, jnp.float32)[:, None], one, zero, one[None], zero)[:, 0, 0]

    exact = np.cos(2 * np.pi * (turns.astype(float) % 1))
    np.testing.assert_allclose(wave(turns), exact, rtol=0, atol=1.5e-7)
    assert np.isnan(wave([np.inf, -np.inf, np.nan])).all()
    assert (np.abs(wave([2.0**20, 1e30, -3e38])) <= 1).all()


@pytest.mark.skipif(native.processor() is None, reason="the native kernels are not built")
@pytest.mark.parametrize("of", ["numbers, parameters and vectors", "numbers, parameters and gradients"])
def test_shapes_are_checked_before_memory_is_touched(of):
    own, name = [jnp.ones(shape) for shape in ((4, 3), (3, 2), (3, 2), (3, 2, 5), (3, 5))], "waves"
    shape = (4, 3, 6)
    if of.endswith("gradients"):
        own.append(jnp.ones((4, 3, 5)))
        name, shape = "waves_gradient", [(4, 3), (3, 2), (3, 2), (3, 2, 6), (3, 5)]
    with pytest.raises(jax.errors.JaxRuntimeError, match=f"{name}: shapes of {of} do not fit"):
        native.call(name, shape, *own)
