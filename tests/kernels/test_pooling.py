"""Pooling equals its plain definition, in value and gradient; ties and NaN as promised."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.kernels import native, pooling
from chainrule.kernels.pooling import max_pool, mean_pool, plain_max, plain_mean
from chainrule.kernels.window import Window

PAIRS = {"max": (max_pool, plain_max), "mean": (mean_pool, plain_mean)}
built = pytest.mark.skipif(native.processor() is None, reason="the native kernels are not built")
X = jnp.ones((1, 300, 1))
BESIDE, OVER = Window((2,), (2,), (1,), ((0, 0),)), Window((3,), (1,), (1,), ((1, 1),))


@pytest.mark.by_turns(3)
@pytest.mark.parametrize("kind", PAIRS)
def test_value_and_gradient(seen, rng, kind):
    x = rng.permutation(2 * np.prod(seen.lengths) * 3).reshape(2, *seen.lengths, 3).astype(np.float32)
    g = rng.normal(size=(2, *seen.places, 3)).astype(np.float32)
    patches = seen.patches(x, np.nan)
    if set(seen.window.dilation) != {1} or np.isnan(patches).all(axis=seen.cells).any():
        return  # dilation, whose gradient XLA has not, and windows of padding alone, which layers refuse

    @jax.jit
    def both(x, g):
        pulls = [jax.vjp(partial(f, window=seen.window), x) for f in PAIRS[kind]]
        return [(y, pull(g)[0]) for y, pull in pulls]

    (value, slope), (_, truth) = both(x, g)
    by_a_loop = (np.nanmax if kind == "max" else np.nanmean)(patches, axis=seen.cells)
    np.testing.assert_allclose(value, by_a_loop, rtol=1e-6)
    np.testing.assert_allclose(slope, truth, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("window", "slope"), [(BESIDE, [1, 0, 1, 0]), (OVER, [2, 1, 1, 0])], ids=["side by side", "overlapping"]
)
def test_of_equal_values_the_first_has_the_gradient(window, slope):
    x = jnp.ones((1, 4, 1))
    assert jax.jit(jax.grad(lambda x: max_pool(x, window).sum()))(x)[0, :, 0].tolist() == slope


@pytest.mark.parametrize(
    "window", [Window((2, 2), (2, 2), (1, 1), ((0, 0),) * 2), Window((2, 2), (1, 2), (1, 1), ((0, 0),) * 2)]
)
def test_first_means_row_by_row(window):
    x = jnp.array([[0.0, 7.0], [7.0, 7.0]])[None, :, :, None]
    assert jax.jit(jax.grad(lambda x: max_pool(x, window).sum()))(x)[0, :, :, 0].tolist() == [[0, 1], [0, 0]]


@pytest.mark.parametrize("window", [BESIDE, OVER], ids=["side by side", "overlapping"])
@pytest.mark.parametrize("pool", [max_pool, mean_pool])
def test_nan_stays_nan_where_it_is_seen(window, pool):
    x = jnp.array([1.0, jnp.nan, 2.0, 3.0])[None, :, None]
    seen = jnp.isnan(pool(x, window))[0, :, 0].tolist()
    assert seen == ([True, False] if window is BESIDE else [True, True, True, False])


def test_infinities_and_their_gradients():
    x = jnp.array([-jnp.inf, -jnp.inf, -jnp.inf, 1.0, jnp.inf, 5.0])[None, :, None]
    assert max_pool(x, BESIDE)[0, :, 0].tolist() == [-jnp.inf, 1, jnp.inf]
    assert jax.jit(jax.grad(lambda x: max_pool(x, BESIDE).sum()))(x)[0, :, 0].tolist() == [1, 0, 0, 1, 1, 0]


@pytest.mark.parametrize("kind", PAIRS)
@pytest.mark.parametrize("window", [BESIDE, OVER], ids=["side by side", "overlapping"])
def test_the_gradient_inside_a_compiled_loop_is_that_of_the_definition(rng, kind, window):
    x = jnp.asarray(rng.normal(size=(2, 6, 2)), jnp.float32)
    ours, truth = (jax.grad(lambda x, f=f: jnp.sum(f(x, window) ** 3)) for f in PAIRS[kind])
    by_definition, truth = x, jax.jit(truth)
    for _ in range(3):
        by_definition = by_definition - 0.05 * truth(by_definition)
    looped = jax.jit(lambda x: jax.lax.fori_loop(0, 3, lambda _, x: x - 0.05 * ours(x), x))(x)
    assert float(jnp.abs(by_definition - x).max()) > 1e-2
    np.testing.assert_allclose(looped, by_definition, rtol=1e-5, atol=1e-6)


def both_forms(monkeypatch, slopes, *arrays):
    """What a function gives with the native kernels, and what with JAX's form alone."""
    ours = jax.jit(lambda *arrays: slopes(*arrays))(*arrays)
    monkeypatch.setattr(native, "processor", lambda: None)
    return ours, jax.jit(lambda *arrays: slopes(*arrays))(*arrays)


@pytest.mark.slow
@built
def test_native_and_jax_are_equal(monkeypatch, rng):
    windows = [
        *(Window((3, 3), (2, 2), (1, 1), ((1, 1), (0, 1))), Window((2, 3), (1, 4), (2, 1), ((0, 0), (2, 1)))),
        *(Window((3,), (1,), (1,), ((2, 0),)), Window((2,), (3,), (3,), ((0, 1),))),
        *(Window((2, 2), (2, 2), (1, 1), ((0, 0), (0, 0))), Window((7, 3), (7, 3), (1, 1), ((0, 0), (0, 0)))),
        *(Window((3,), (3,), (1,), ((0, 0),)), Window((2,), (2,), (1,), ((0, 1),))),
    ]
    shapes = {1: [(3, 9, c) for c in (1, 3, 16, 17, 33)] + [(0, 9, 3)], 2: [(2, 7, 8, c) for c in (1, 17)]}
    cases = [(window, shape) for window in windows for shape in shapes[len(window.size)]]
    values = np.array([-np.inf, -1, 0, 0.5, 2, np.inf, np.nan], np.float32)  # many equal ones in each window
    xs = [rng.choice(values, shape, p=[0.1, 0.2, 0.2, 0.2, 0.2, 0.05, 0.05]) for _, shape in cases]
    outers = [rng.normal(size=(len(x), *w.places(x.shape[1:-1]), x.shape[-1])) for x, (w, _) in zip(xs, cases)]  # noqa: B905

    def slopes(xs, outers):
        pulls = [jax.vjp(partial(max_pool, window=window), x) for x, (window, _) in zip(xs, cases, strict=True)]
        return [(y, *pull(outer.astype(y.dtype))) for (y, pull), outer in zip(pulls, outers, strict=True)]

    for ours, truth in zip(*both_forms(monkeypatch, slopes, xs, outers), strict=True):
        np.testing.assert_array_equal(ours[0], truth[0])
        np.testing.assert_allclose(ours[1], truth[1], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int32", "uint8"])
def test_in_loops_it_is_what_it_is_in_one_piece(monkeypatch, rng, dtype):
    windows = [
        *(Window((3, 3), (2, 2), (1, 1), ((1, 1), (0, 1))), Window((2, 3), (1, 4), (2, 1), ((0, 0), (2, 1)))),
        *(
            Window((3,), (1,), (1,), ((2, 0),)),
            Window((2,), (3,), (3,), ((0, 1),)),
            Window((4,), (3,), (1,), ((1, 2),)),
        ),
        *(Window((2, 2), (2, 2), (1, 1), ((0, 0), (0, 0))), Window((1, 3), (1, 1), (1, 1), ((0, 0), (2, 2)))),
    ]
    values = np.array([0, 1, 1, 3] if "int" in dtype else [-np.inf, -1, 0, 0.5, 2, np.inf, np.nan])
    xs = [jnp.asarray(rng.choice(values, (2, *(7, 8)[: len(w.size)], 3)), dtype) for w in windows]
    outers = [rng.normal(size=(2, *w.places(x.shape[1:-1]), 3)) for w, x in zip(windows, xs, strict=True)]

    def everything(xs, outers):
        for x, window, outer in zip(xs, windows, outers, strict=True):
            yield max_pool(x, window)
            if jnp.issubdtype(x.dtype, jnp.floating):
                finite = jnp.where(jnp.isfinite(x), x, 0)
                for f in (max_pool, mean_pool):
                    y, pull = jax.vjp(partial(f, window=window), finite)
                    yield from (y, pull(outer.astype(y.dtype)), jax.jvp(partial(f, window=window), (x,), (finite,))[1])

    monkeypatch.setattr(native, "processor", lambda: None)
    forms = []
    for few in (100, 0):
        monkeypatch.setattr(pooling, "FEW", few)
        forms.append(jax.tree.leaves(jax.jit(lambda *of: list(everything(*of)))(xs, outers)))
    for ours, truth in zip(*forms, strict=True):
        assert ours.dtype == truth.dtype
        rtol = 2e-2 if dtype == "bfloat16" else 1e-6
        np.testing.assert_allclose(np.float64(ours), np.float64(truth), rtol=rtol, atol=rtol)


@pytest.mark.parametrize("pool", [max_pool, mean_pool])
def test_its_program_does_not_grow_with_the_window(pool):
    def lines(size):
        window = Window((size, size), (1, 1), (1, 1), ((0, 0), (0, 0)))
        slope = jax.jit(jax.grad(lambda x: pool(x, window).sum()))
        return len(slope.lower(jax.ShapeDtypeStruct((1, 60, 60, 1), jnp.float32)).as_text().splitlines())

    assert lines(40) == lines(20)


def test_a_window_as_large_as_the_image_is_its_maximum_and_its_mean(rng):
    x, whole = (
        jnp.asarray(rng.normal(size=(2, 28, 28, 3)), jnp.float32),
        Window((28, 28), (28, 28), (1, 1), ((0, 0),) * 2),
    )
    for pool, truth in ((max_pool, jnp.max), (mean_pool, jnp.mean)):
        ours, defined = (
            jax.jit(jax.value_and_grad(lambda x, f=f: jnp.sum(f(x) ** 2)))(x)
            for f in (partial(pool, window=whole), partial(truth, axis=(1, 2)))
        )
        for mine, true in zip(ours, defined, strict=True):
            np.testing.assert_allclose(mine, true, rtol=1e-5)


@built
def test_second_derivatives_and_populations(monkeypatch, rng):
    x = jnp.asarray(rng.normal(size=(3, 2, 7, 2)), jnp.float32)
    cost = lambda x: jnp.sum(jnp.sin(max_pool(x, OVER)) ** 2)  # noqa: E731
    norm = lambda x: jnp.sum(jax.grad(cost)(x) ** 2)  # noqa: E731
    forward = lambda x: jax.jvp(jax.grad(cost), (x,), (jnp.cos(x),))[1]  # noqa: E731
    slopes = lambda x: (jax.vmap(jax.grad(norm))(x), jax.vmap(forward)(x))  # noqa: E731
    for ours, truth in zip(*both_forms(monkeypatch, slopes, x), strict=True):
        np.testing.assert_allclose(ours, truth, rtol=1e-5, atol=1e-6)


@built
def test_windows_of_more_cells_than_a_byte_tells_apart_are_left_to_jax():
    pool = jax.jit(lambda x, size: max_pool(x, Window((size,), (1,), (1,), ((0, 0),))), static_argnums=1)
    assert "chainrule_max_pool" in pool.lower(X, 3).as_text()
    assert "chainrule_max_pool" not in pool.lower(X, 257).as_text()


def test_padding_never_has_the_gradient():
    window = Window((3, 3), (2, 2), (1, 1), ((1, 1), (1, 1)))
    x = jnp.full((1, 5, 5, 2), -jnp.inf)
    slopes = jax.jit(jax.grad(lambda x: max_pool(x, window).sum()))(x)
    assert slopes.sum() == 18  # of 3 × 3 places in 2 channels, each within


def test_windows_larger_than_the_image_have_no_places():
    window = Window((3, 3), (1, 1), (1, 1), ((0, 0), (0, 0)))
    np.testing.assert_array_equal(jax.grad(lambda x: max_pool(x, window).sum())(jnp.ones((2, 2, 5, 3))), 0)
