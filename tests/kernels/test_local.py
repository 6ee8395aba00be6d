"""The locally connected product equals its plain definition and a loop, in value and gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.kernels.local import local, plain
from chainrule.kernels.window import Window


@pytest.mark.by_turns(3)
def test_value_and_gradients(seen, rng):
    channels, filters = 3, 2
    x = rng.normal(size=(2, *seen.lengths, channels)).astype(np.float32)
    kernel = rng.normal(size=(*seen.places, *seen.window.size, channels, filters)).astype(np.float32)
    g = rng.normal(size=(2, *seen.places, filters)).astype(np.float32)

    @jax.jit
    def both(x, kernel, g):
        def run(f):
            y, pull = jax.vjp(lambda x, kernel: f(x, kernel, seen.window), x, kernel)
            return y, *pull(g)

        return run(local), run(plain)

    ours, theirs = both(x, kernel, g)
    by_a_loop = np.zeros_like(g)
    patches = seen.patches(x)
    for place in np.ndindex(*seen.places):
        for n in range(2):
            by_a_loop[(n, *place)] = (patches[(n, *place)][..., None] * kernel[place]).reshape(-1, filters).sum(axis=0)
    np.testing.assert_allclose(ours[0], by_a_loop, rtol=1e-5, atol=1e-5)
    for mine, truth in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, truth, rtol=1e-5, atol=1e-5)


def test_training_inside_a_compiled_loop_is_that_of_the_definition(rng):
    window = Window((2, 2), (1, 2), (1, 1), ((0, 0), (1, 0)))
    x = jnp.asarray(rng.normal(size=(3, 3, 3, 2)), jnp.float32)
    kernel = jnp.asarray(rng.normal(size=(2, 2, 2, 2, 2, 4)), jnp.float32)
    ours, truth = (jax.grad(lambda k, f=f: jnp.mean(jnp.tanh(f(x, k, window)) ** 2)) for f in (local, plain))
    by_definition, truth = kernel, jax.jit(truth)
    for _ in range(3):
        by_definition = by_definition - truth(by_definition)
    looped = jax.jit(lambda k: jax.lax.fori_loop(0, 3, lambda _, k: k - ours(k), k))(kernel)
    assert float(jnp.abs(by_definition - kernel).max()) > 1e-2
    np.testing.assert_allclose(looped, by_definition, rtol=1e-5, atol=1e-6)
