"""Convolution equals its plain definition, in value and gradient."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.kernels import native
from chainrule.kernels.convolution import convolution, plain
from chainrule.kernels.window import Window

GROUPS = [(1, 3, 1), (4, 6, 2), (2, 4, 2), (3, 3, 3)]
"""Channels, filters, groups: one channel, grouped, depthwise with two filters a channel, and with one."""


def by_a_loop(seen, x, kernel, groups):
    """The sums over what the window sees, group by group."""
    axes = seen.cells
    inputs, outputs = np.split(seen.patches(x), groups, axis=-1), np.split(kernel, groups, axis=-1)
    contracted = [(*axes, axes[-1] + 1), tuple(range(len(axes) + 1))]
    return np.concatenate([np.tensordot(i, o, contracted) for i, o in zip(inputs, outputs, strict=True)], axis=-1)


@pytest.mark.slow
@pytest.mark.parametrize(("channels", "filters", "groups"), GROUPS)
def test_value_and_gradients(seen, rng, form, channels, filters, groups):
    x = rng.normal(size=(2, *seen.lengths, channels)).astype(np.float32)
    kernel = rng.normal(size=(*seen.window.size, channels // groups, filters)).astype(np.float32)
    bias = rng.normal(size=filters).astype(np.float32)
    g = rng.normal(size=(2, *seen.places, filters)).astype(np.float32)

    @jax.jit
    def both(x, kernel, bias, g):
        def run(f):
            y, pull = jax.vjp(lambda *arrays: f(*arrays, seen.window, groups), x, kernel, bias)
            return y, *pull(g)

        return run(convolution), run(plain)

    ours, theirs = both(x, kernel, bias, g)
    np.testing.assert_allclose(ours[0], by_a_loop(seen, x, kernel, groups) + bias, rtol=1e-5, atol=1e-5)
    for mine, truth in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, truth, rtol=1e-5, atol=2e-5)


WIDE = [
    (19, Window((3, 3), (1, 1), (1, 1), ((1, 1), (1, 1)))),
    (9, Window((2, 5), (1, 2), (2, 3), ((0, 1), (7, 6)))),
]
"""Channels, and windows over images of 3 × 25 places, so that vectors of channels, places and cells are full or not."""


@pytest.mark.parametrize(("channels", "window"), WIDE)
def test_each_channel_by_itself(rng, channels, window):
    x, g = (rng.normal(size=(2, 3, 25, channels)).astype(np.float32) for _ in range(2))
    g = g[:, : window.places((3, 25))[0], : window.places((3, 25))[1]]
    kernel = rng.normal(size=(*window.size, 1, channels)).astype(np.float32)

    @jax.jit
    def both(*arrays):
        pulls = [jax.vjp(lambda *arrays, f=f: f(*arrays, window, channels), *arrays) for f in (convolution, plain)]
        return [(y, *pull(g)) for y, pull in pulls]

    ours, theirs = both(x, kernel, kernel[0, 0, 0])
    for mine, truth in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, truth, rtol=1e-5, atol=2e-5)


@pytest.mark.by_turns(2)
@pytest.mark.parametrize("groups", [1, 2])
def test_training_inside_a_compiled_loop_is_that_of_the_definition(rng, form, groups):
    window = Window((3, 2), (2, 1), (1, 2), ((1, 0), (1, 1)))
    x = jnp.asarray(rng.normal(size=(4, 6, 5, 2)), jnp.float32)
    kernel = jnp.asarray(rng.normal(size=(3, 2, 2 // groups, 4)), jnp.float32)
    bias, how = jnp.arange(4.0) / 10, (window, groups)

    def step(f):
        return jax.grad(
            lambda kernel: jnp.mean(f(jnp.tanh(f(x, kernel, bias, *how))[..., :2], kernel, 2 * bias, *how) ** 2)
        )

    by_definition, defined = kernel, jax.jit(step(plain))
    for _ in range(3):
        by_definition = by_definition - 0.1 * defined(by_definition)
    gradient = step(convolution)
    looped = jax.jit(lambda k: jax.lax.fori_loop(0, 3, lambda _, k: k - 0.1 * gradient(k), k))(kernel)
    scanned, _ = jax.jit(lambda k: jax.lax.scan(lambda k, _: (k - 0.1 * gradient(k), None), k, length=3))(kernel)
    assert float(jnp.abs(by_definition - kernel).max()) > 1e-3
    np.testing.assert_allclose(looped, by_definition, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(scanned, by_definition, rtol=1e-5, atol=1e-6)


def test_a_population_of_kernels_under_vmap(rng):
    window = Window((3,), (1,), (1,), ((1, 1),))
    x = jnp.asarray(rng.normal(size=(2, 5, 2)), jnp.float32)
    kernels = jnp.asarray(rng.normal(size=(3, 3, 2, 4)), jnp.float32)
    gradient = jax.grad(lambda kernel, f: jnp.sum(f(x, kernel, kernel[0, 0], window) ** 2))
    together = jax.jit(jax.vmap(lambda kernel: gradient(kernel, convolution)))(kernels)
    alone = jax.jit(lambda kernel: gradient(kernel, plain))
    for kernel, mine in zip(np.asarray(kernels), np.asarray(together), strict=True):
        np.testing.assert_allclose(mine, alone(kernel), rtol=1e-5, atol=1e-5)


def test_second_derivatives_in_value_and_bias(rng, form):
    window = Window((2, 3), (1, 2), (1, 1), ((1, 0), (1, 1)))
    arrays = [jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in ((2, 4, 5, 2), (2, 3, 2, 3), (3,))]

    def norm(f, *arrays):
        cost = lambda *arrays: jnp.sum(jnp.sin(f(*arrays, window)))  # noqa: E731
        return sum(jnp.sum(slope**2) for slope in jax.grad(cost, (0, 1, 2))(*arrays))

    ours, truth = (jax.jit(jax.grad(partial(norm, f), (0, 1, 2)))(*arrays) for f in (convolution, plain))
    for mine, true in zip(ours, truth, strict=True):
        np.testing.assert_allclose(mine, true, rtol=1e-4, atol=1e-4)


@pytest.mark.by_turns(2)
@pytest.mark.parametrize(
    ("length", "window"),
    [
        (9, Window((3,), (10**6,), (1,), ((0, 0),))),  # a stride out of the input
        (9, Window((3,), (10**6,), (1,), ((2, 0),))),
        (40, Window((3,), (18,), (1,), ((1, 1),))),  # farther than the window is long
        (48, Window((16,), (16,), (1,), ((0, 0),))),  # patches side by side
        (30, Window((7,), (3,), (1,), ((2, 1),))),  # two kinds of phases
    ],
)
@pytest.mark.parametrize("groups", [1, 2])
def test_strides_of_every_length(rng, length, window, groups):
    arrays = [
        jnp.asarray(rng.normal(size=of), jnp.float32) for of in ((2, length, 4), (*window.size, 4 // groups, 6), (6,))
    ]

    @jax.jit
    def both(*arrays):
        pulls = [jax.vjp(lambda *arrays, f=f: f(*arrays, window, groups), *arrays) for f in (convolution, plain)]
        return [(y, pull(jnp.sin(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape))) for y, pull in pulls]

    for ours, truth in zip(*map(jax.tree.leaves, both(*arrays)), strict=True):
        np.testing.assert_allclose(ours, truth, rtol=1e-5, atol=2e-5)


@pytest.mark.skipif(native.processor() is None, reason="the native kernels are not built")
def test_phases_of_a_long_stride_are_filters_of_one_convolution():
    window = Window((16, 16), (16, 16), (1, 1), ((0, 0), (0, 0)))
    slope = jax.grad(lambda x, k: jnp.sum(convolution(x, k, jnp.zeros(2), window)))
    program = jax.jit(slope).lower(jnp.zeros((1, 32, 32, 3)), jnp.zeros((16, 16, 3, 2))).as_text()
    assert program.count("@chainrule_convolve") <= 2
