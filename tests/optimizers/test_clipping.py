"""Clipping: what is cut, what passes untouched, and how it stands before an optimizer."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from chainrule.errors import ChainruleError
from chainrule.notation import as_optimizer
from chainrule.optimizers import Adam, ClipAdaptive, ClipNorm, Clipped, ClipValue, GradientDescent
from chainrule.regularizers import L2


def test_a_long_gradient_is_scaled_to_the_bound_over_all_parameters():
    clipped = ClipNorm(2.0)({"a": jnp.array([3.0, 0.0]), "b": jnp.array([[4.0]])})
    np.testing.assert_allclose(clipped["a"], [1.2, 0], rtol=1e-6)
    np.testing.assert_allclose(clipped["b"], [[1.6]], rtol=1e-6)


@pytest.mark.parametrize("scale", [0.0, 1e-45, 1e-38, 1e-30, 1e-20, 0.1])
def test_a_short_gradient_passes_untouched(scale):
    g = jnp.array([3.0, -4.0]) * scale
    np.testing.assert_array_equal(ClipNorm(1.0)(g), g)


@pytest.mark.parametrize("size", [1e10, 1e20, 1e30, 3e38])
def test_a_huge_gradient_keeps_its_direction(size):
    np.testing.assert_allclose(ClipNorm(1.0)(jnp.array([size, -size, size, size])), [0.5, -0.5, 0.5, 0.5], rtol=1e-6)


@pytest.mark.parametrize("clipping", [ClipNorm(1.0), ClipValue(1.0)], ids=repr)
def test_clipping_keeps_dtypes_also_mixed_ones(clipping):
    g = {name: jnp.full(2, 60_000.0, name) for name in ("float16", "bfloat16", "float32")}
    clipped = clipping(g)
    assert {name: leaf.dtype for name, leaf in clipped.items()} == {name: jnp.dtype(name) for name in g}
    assert all(0.3 < float(leaf[0]) <= 1 for leaf in clipped.values())


@pytest.mark.parametrize("clipping", [ClipNorm(1.0), ClipValue(1.0)], ids=repr)
def test_complex_gradients_are_refused(clipping):
    with pytest.raises(ChainruleError) as caught:
        clipping({"w": jnp.ones(2) * 1j})
    assert str(caught.value) == "Expected real numbers, got complex64. Make of a complex number two real ones."


@pytest.mark.parametrize("clipping", [ClipNorm(1.0), ClipValue(1.0)], ids=repr)
def test_of_no_gradients_there_are_none_to_clip(clipping):
    assert clipping({}) == {}
    assert clipping([(), {}]) == [(), {}]


def test_clipping_agrees_with_optax():
    g = {"a": np.linspace(-2, 3, 5, dtype=np.float32), "b": np.full((2, 2), -3, np.float32)}
    ours = jax.jit(ClipNorm(0.7))(g)
    theirs = jax.jit(lambda g: optax.clip_by_global_norm(0.7).update(g, optax.EmptyState())[0])(g)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), ours, theirs)
    assert ClipValue(0.5)(jnp.array([-3.0, 0.2, 3.0])).tolist() == pytest.approx([-0.5, 0.2, 0.5])


def test_a_clipped_optimizer_clips_first():
    params = jnp.zeros(2)
    clipped = ClipNorm(1.0) >> GradientDescent(0.5)
    updates, state = clipped.update(jnp.array([30.0, -40.0]), clipped.init(params), params)
    np.testing.assert_allclose(updates, [-0.3, 0.4], rtol=1e-6)
    assert clipped.rates(state, params) == 0.5


def test_clippings_compose_with_optimizers_only():
    nested = ClipNorm(1.0) >> (ClipValue(0.5) >> Adam(0.1))
    assert repr(nested) == "ClipNorm(max_norm=1.0) >> (ClipValue(limit=0.5) >> Adam(learning_rate=0.1))"
    assert as_optimizer(repr(nested)) == nested == Clipped(ClipNorm(1.0), Clipped(ClipValue(0.5), Adam(0.1)))
    with pytest.raises(TypeError):
        ClipNorm(1.0) >> L2(1.0)


def test_the_gradient_of_a_unit_is_clipped_by_the_length_of_its_weights():
    rng = np.random.default_rng(0)
    shapes = {"kernel": (3, 3, 2, 4), "table": (6, 4), "bias": (4,), "scalar": (), "none": (0, 4)}
    w, g = ({name: rng.normal(size=shape) * size for name, shape in shapes.items()} for size in (1.0, 0.2))
    w["table"][:, 1] = 0  # a unit at 0 may leave it
    clipped = jax.jit(ClipAdaptive(0.05))(g, w)
    for name, own in g.items():
        axes = tuple(range(max(own.ndim - 1, 0))) or None
        longest = 0.05 * np.maximum(1e-3, np.sqrt(np.sum(np.square(w[name]), axes)))
        length = np.sqrt(np.sum(np.square(own), axes))
        np.testing.assert_allclose(clipped[name], own * np.minimum(1, longest / np.maximum(length, 1e-30)), rtol=1e-5)
        assert (length > longest).any() or not own.size


def test_adaptive_clipping_asks_for_the_parameters():
    optimizer, g = ClipAdaptive() >> GradientDescent(), jnp.ones(2)
    with pytest.raises(ChainruleError) as caught:
        optimizer.update(g, optimizer.init(g))
    assert str(caught.value) == (
        "ClipAdaptive(factor=0.01): its bounds depend on the parameters. Call update(grads, state, params)."
    )
    for dtype in ("float16", "bfloat16"):
        half = jnp.full(2, 300.0, dtype)
        assert ClipAdaptive()(half, half).dtype == dtype
        np.testing.assert_allclose(ClipAdaptive()(half, half).astype("float32"), 3, rtol=1e-2)
