"""Weight and spectral normalisation: which arrays they are about, how they begin, and what is left of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.errors import ChainruleError
from chainrule.formula.layer import Context
from chainrule.formula.network import count, initialize, regularized
from chainrule.initializers import Normal
from chainrule.layers import Dense, Frozen, SpectralNorm, WeightNorm
from chainrule.notation import parse
from chainrule.training import fit

KEY = jax.random.key(0)
TRAINING = Context(training=True)


def test_each_kernel_has_a_length_for_each_output_and_regularisers_see_these():
    layer = parse("WeightNorm(Conv2D(4, 3, groups=2) >> Flatten() >> Dense(5) >> PReLU())")
    p = layer.parameters((5, 5, 2))
    assert [each.shape for each in p["lengths"]] == [(4,), (5,)]
    chosen = regularized(layer, (5, 5, 2))
    assert chosen["lengths"] == [True, True]
    assert not any(jax.tree.leaves(chosen["layer"]))
    assert count(layer, (5, 5, 2)) == count(layer.layer, (5, 5, 2)) + 9


def test_it_begins_as_the_initialiser_draws():
    """The length of a normal vector says nothing of its direction, so both may be drawn apart."""
    layer = WeightNorm(Dense(2000, kernel_initializer=Normal(0.5)))
    p = initialize(layer, (3,), KEY)
    kernel = layer.forward(p, jnp.eye(3))
    assert float(kernel.mean()) == pytest.approx(0, abs=0.03)
    assert float(kernel.std()) == pytest.approx(0.5, rel=0.03)
    np.testing.assert_allclose(jnp.sqrt(jnp.sum(kernel**2, axis=0)), p["lengths"][0], rtol=1e-5)


def test_a_vector_of_zeros_stays_and_has_gradients():
    layer, x = WeightNorm(Dense(2, bias=False)), jnp.ones((1, 3))
    p = {"layer": {"kernel": jnp.zeros((3, 2))}, "lengths": [jnp.ones(2)]}
    slopes = jax.grad(lambda p: layer.forward(p, x).sum())(p)
    assert all(jnp.isfinite(slope).all() for slope in jax.tree.leaves(slopes))


def test_the_largest_singular_value_is_1_after_some_steps_and_before_the_first():
    layer = SpectralNorm(parse("Repeat(Dense(6, bias=False), 3)"))
    p = jax.tree.map(lambda w: 5 * w, initialize(layer, (6,), KEY))
    kernels = np.asarray(jax.tree.leaves(p)[0])
    truth = np.linalg.multi_dot([np.eye(6), *(w / np.linalg.norm(w, 2) for w in kernels)])
    state, apply = layer.state((6,)), jax.jit(layer.apply, static_argnums=3)
    fresh, kept = apply(p, state, jnp.eye(6), Context())
    np.testing.assert_allclose(fresh, truth, atol=0.02)
    jax.tree.map(np.testing.assert_array_equal, kept, state)  # inference keeps nothing
    for _ in range(60):
        y, state = apply(p, state, jnp.eye(6), TRAINING)
    np.testing.assert_allclose(y, truth, atol=1e-4)
    frozen = Frozen(layer)
    assert frozen.apply(p, state, jnp.eye(6), TRAINING)[1] is state


def test_a_network_with_both_is_trained_saved_and_loaded(tmp_path):
    from chainrule import load

    x = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
    network = "WeightNorm(Dense(8)) >> Tanh() >> SpectralNorm(Dense(8)) >> Tanh() >> Dense(1)"
    model = fit(
        network, x, x[:, 0] * x[:, 1], epochs=2, optimizer="Adam(0.01)", regularizer="L2(0.001)", progress=False
    )
    model.save(tmp_path / "both.safetensors")
    np.testing.assert_array_equal(load(tmp_path / "both.safetensors")(x), model(x))
    assert "WeightNorm(Dense(8))" in str(model.summary())


@pytest.mark.parametrize("kind", [WeightNorm, SpectralNorm])
def test_a_layer_without_kernels_is_refused(kind):
    with pytest.raises(ChainruleError) as caught:
        (kind(parse("ReLU()")) >> Dense(3)).parameters((4,))
    assert str(caught.value) == (
        f"{kind.__name__}: expected a layer with kernels, got ReLU(), which has none. "
        "Put it around a dense, convolutional or recurrent layer."
    )
