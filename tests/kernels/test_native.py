"""The native kernels: built where a compiler is, and at home in XLA. `sanitize.py` tries them for every processor."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.formula.network import initialize
from chainrule.kernels import native
from chainrule.kernels.convolution import convolution, plain
from chainrule.kernels.elementwise import tanh
from chainrule.kernels.window import Window
from chainrule.notation import parse

SAME = Window((3, 3), (1, 1), (1, 1), ((1, 1), (1, 1)))
built = pytest.mark.skipif(native.processor() is None, reason="the native kernels are not built")


def layer_slopes(text, shape, batch=3):
    """The gradient of a layer's squared output by its parameters and its input, compiled."""
    layer = parse(text)
    p = initialize(layer, shape, jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), (batch, *shape))
    return jax.jit(jax.grad(lambda p, x: jnp.sum(layer.forward(p, x) ** 2), argnums=(0, 1))), p, x


def test_they_are_built_where_a_compiler_is():
    if shutil.which("c++") is None:
        pytest.skip("no C++ compiler")
    assert native.processor() is not None, "pip install again"


@built
@pytest.mark.parametrize("kernels", ["KERNELS", "DIRECT"])
def test_a_library_that_is_older_than_a_kernel_says_so(kernels, monkeypatch):
    monkeypatch.setattr(native, kernels, (*getattr(native, kernels), "of_tomorrow"))
    with pytest.warns(UserWarning, match=r"^The native kernels are of another .*chainrule_of_tomorrow.*pip install"):
        assert native.processor.__wrapped__() is None


def test_where_no_library_is_built_nobody_is_warned(monkeypatch):
    monkeypatch.setenv("CHAINRULE_KERNELS", "none")
    assert native.processor.__wrapped__() is None


@pytest.mark.by_turns(2)
@built
@pytest.mark.parametrize(("channels", "filters"), [(1, 1), (3, 5), (17, 16), (16, 33), (5, 64)])
@pytest.mark.parametrize("batch", [1, 7])
def test_whole_tiles_and_what_is_left_over(rng, channels, filters, batch):
    x = jnp.asarray(rng.normal(size=(batch, 9, 7, channels)), jnp.float32)
    kernel = jnp.asarray(rng.normal(size=(3, 3, channels, filters)), jnp.float32)

    @jax.jit
    def both(x, kernel):
        outer = jnp.sin(jnp.arange(batch * 63 * filters, dtype=jnp.float32)).reshape(batch, 9, 7, filters)
        pulls = [jax.vjp(lambda x, k, f=f: f(x, k, k[0, 0, 0], SAME), x, kernel) for f in (convolution, plain)]
        return [(y, *pull(outer)) for y, pull in pulls]

    for ours, truth in zip(*both(x, kernel), strict=True):
        np.testing.assert_allclose(ours, truth, rtol=1e-5, atol=1e-5 * float(jnp.abs(truth).max()))


@built
def test_rows_that_are_cut_since_they_are_long(rng):
    x = jnp.asarray(rng.normal(size=(2, 9000, 3)), jnp.float32)
    window = Window((5,), (2,), (1,), ((1, 4),))

    @jax.jit
    def both(x, kernel):
        pulls = [jax.vjp(lambda x, k, f=f: f(x, k, k[0, 0], window), x, kernel) for f in (convolution, plain)]
        return [(y, *pull(jnp.sin(y))) for y, pull in pulls]

    for ours, truth in zip(*both(x, jnp.asarray(rng.normal(size=(5, 3, 7)), jnp.float32)), strict=True):
        np.testing.assert_allclose(ours, truth, rtol=1e-4, atol=1e-5 * float(jnp.abs(truth).max()))


@built
def test_nan_and_infinity_reach_only_what_sees_them():
    x = jnp.ones((1, 6, 6, 2)).at[0, 0, 0, 0].set(jnp.nan).at[0, 5, 5, 1].set(jnp.inf)
    y = convolution(x, jnp.ones((3, 3, 2, 3)), jnp.zeros(3), SAME)
    np.testing.assert_array_equal(jnp.isnan(y[0, :, :, 0]).nonzero(), ([0, 0, 1, 1], [0, 1, 0, 1]))
    np.testing.assert_array_equal(jnp.isinf(y[0, :, :, 2]).nonzero(), ([4, 4, 5, 5], [4, 5, 4, 5]))


@built
@pytest.mark.parametrize("text", ["Conv2D(8, 3) >> MaxPool2D(3, stride=2)", "LSTM(24)"])
def test_the_same_bits_every_time_and_from_many_threads(text):
    slopes, p, x = layer_slopes(text, (12, 12, 3) if text.startswith("Conv") else (12, 3), batch=40)
    first = jax.tree.map(np.asarray, slopes(p, x))
    with ThreadPoolExecutor(8) as threads:
        others = list(threads.map(lambda _: jax.tree.map(np.asarray, slopes(p, x)), range(40)))
    for other in others:
        jax.tree.map(np.testing.assert_array_equal, other, first)


@built
def test_a_population_of_kernels():
    x, kernels = jnp.ones((2, 5, 5, 2)), jax.random.normal(jax.random.key(0), (3, 3, 3, 2, 4))
    together = jax.vmap(lambda kernel: convolution(x, kernel, kernel[0, 0, 0], SAME))(kernels)
    apart = jnp.stack([convolution(x, kernel, kernel[0, 0, 0], SAME) for kernel in kernels])
    np.testing.assert_allclose(together, apart, rtol=1e-6)


def test_other_numbers_than_float32_are_left_to_jax():
    with jax.enable_x64(True):
        x, kernel = jnp.ones((1, 4, 4, 1), jnp.float64), jnp.full((3, 3, 1, 1), 0.1, jnp.float64)
        assert convolution(x, kernel, jnp.zeros(1, jnp.float64), SAME)[0, 1, 1, 0] == pytest.approx(0.9, abs=1e-15)


@built
def test_where_there_are_other_devices_each_has_its_form(monkeypatch):
    monkeypatch.setattr(native, "backends", lambda: {"cpu": None, "cuda": None})
    traced = jax.jit(tanh).trace(np.ones(3, np.float32))
    texts = {platform: traced.lower(lowering_platforms=(platform,)).as_text() for platform in ("cpu", "cuda")}
    assert "@chainrule_tanh(" in texts["cpu"]
    assert "chainrule_tanh" not in texts["cuda"]


@pytest.mark.slow
@built
def test_second_derivatives():
    x, kernel = jax.random.normal(jax.random.key(0), (2, 5, 5, 2)), jax.random.normal(jax.random.key(1), (3, 3, 2, 3))
    cost = lambda f, x, k: jnp.sum(jnp.sin(f(x, k, k[0, 0, 0], SAME)))  # noqa: E731
    of = lambda f: jax.grad(lambda k: jnp.sum(jax.grad(lambda x: cost(f, x, k))(x) ** 2))(kernel)  # noqa: E731
    np.testing.assert_allclose(of(convolution), of(plain), rtol=1e-4, atol=1e-4)


@built
@pytest.mark.parametrize(
    ("kernel", "shape", "arrays", "numbers", "expected"),
    [
        ("convolve", (1, 4, 4, 3), [(1, 4, 4, 2), (3, 3, 1, 3), (3,)], {}, "convolve: shapes of input, kernel"),
        ("convolve", (1, 4, 4, 3), [(1, 4, 4, 1), (3, 3, 1, 3), (2,)], {}, "convolve: shapes of input, kernel, bias"),
        (
            "convolve",
            (1, 4, 4, 3),
            [(1, 4, 4, 1), (3, 3, 1, 3), (3,)],
            {"window": (0, 1, 1, 1, 1, 1)},
            "do not fit the window",
        ),
        ("kernel_gradient", ((3, 3, 1, 3), (3,)), [(1, 4, 4, 1), (2, 4, 4, 3)], {}, "kernel_gradient: shapes of input"),
        ("kernel_gradient", ((3, 3, 1, 3), (1,)), [(1, 4, 4, 1), (1, 4, 4, 3)], {}, "kernel_gradient: shapes of input"),
    ],
)
def test_shapes_are_checked_before_memory_is_touched(kernel, shape, arrays, numbers, expected):
    first, *rest = map(jnp.ones, arrays)
    whole = jnp.zeros((0,) * 4, jnp.uint8)
    forward = kernel == "convolve"
    told = {"kept": (1, 1, 1, 1, 0), "packed": 0} if forward else {"kept": (1, 1)}
    numbers = {"window": (1,) * 6, "groups": 1} | told | numbers
    shape, inputs = ((shape, whole), [first, whole, *rest]) if forward else (shape, [first, *rest, whole])
    with pytest.raises(jax.errors.JaxRuntimeError, match=expected):
        native.call(kernel, shape, *inputs, **numbers)


@built
@pytest.mark.parametrize(
    ("y", "cells", "size", "window"),
    [
        ((1, 2, 2, 2), (1, 2, 2, 3), (2, 2), (2, 2, 1, 1, 0, 0)),
        ((1, 2, 2, 3), (1, 2, 1, 3), (2, 2), (2, 2, 1, 1, 0, 0)),
        ((1, 2, 2, 3), (1, 2, 2, 3), (17, 16), (2, 2, 1, 1, 0, 0)),
        ((1, 2, 2, 3), (1, 2, 2, 3), (2, 2), (2, 0, 1, 1, 0, 0)),
        ((2, 2, 2, 3), (2, 2, 2, 3), (2, 2), (2, 2, 1, 1, 0, 0)),
        ((1, 2, 2, 3), (1, 2, 2, 3), (2,), (2, 2, 1, 1, 0, 0)),
    ],
)
def test_shapes_of_pooling_are_checked_too(y, cells, size, window):
    cell = jax.ShapeDtypeStruct(cells, jnp.uint8)
    with pytest.raises(jax.errors.JaxRuntimeError, match="max_pool: shapes of input and output"):
        native.call("max_pool", (y, cell), jnp.ones((1, 4, 4, 3)), size=size, window=window)
    with pytest.raises(jax.errors.JaxRuntimeError, match="max_pool_gradient: shapes of input and output"):
        native.call("max_pool_gradient", (1, 4, 4, 3), jnp.ones(y), jnp.ones(cells, "uint8"), size=size, window=window)


@built
@pytest.mark.parametrize(
    "wrong", [{"a": (5, 3, 7)}, {"kernel": (3, 8)}, {"bias": (7,)}, {"keep": (2, 2)}, {"mask": (5, 2)}]
)
def test_shapes_of_recurrences_are_checked_too(wrong):
    shapes = {
        "a": (5, 3, 8),
        "kernel": (2, 8),
        "bias": (8,),
        "keep": (0, 0),
        "start": (2, 3, 2),
        "mask": (0, 0),
    } | wrong
    with pytest.raises(jax.errors.JaxRuntimeError, match="recurrence: the shapes of gates, kernel, states and mask"):
        native.call("lstm", ((5, 3, 8), (2, 5, 3, 2)), *map(jnp.ones, shapes.values()), packed=0)


@built
@pytest.mark.parametrize(
    "wrong", [{"k": (2, 5, 3, 3)}, {"v": (2, 4, 3, 6)}, {"mask": (2, 4)}, {"keep": (2, 3, 5, 4)}, {"sums": (2, 3, 4)}]
)
def test_shapes_of_attention_are_checked_too(wrong):
    shapes = {
        "q": (2, 5, 3, 4),
        "k": (2, 5, 3, 4),
        "v": (2, 5, 3, 6),
        "mask": (0, 0),
        "keep": (0, 0),
        "sums": (2, 3, 5),
    } | wrong
    *arrays, sums = shapes.values()
    with pytest.raises(jax.errors.JaxRuntimeError, match="attention: shapes of queries, keys, values, mask"):
        native.call("attention", ((2, 5, 3, 6), sums, sums), *map(jnp.ones, arrays), causal=0)
    each = ((2, 5, 3, 4), (2, 5, 3, 4), (2, 5, 3, 6))
    with pytest.raises(jax.errors.JaxRuntimeError, match="attention_gradient: shapes of queries, keys, values"):
        native.call("attention_gradient", each, *map(jnp.ones, (*arrays, sums, sums, (2, 5, 3, 6))), causal=0)
