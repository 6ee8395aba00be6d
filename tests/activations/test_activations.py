"""What is particular to some activations: kinks, learned slopes, distributions and second derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.activations import ELU, LeakyReLU, NoisyReLU, PReLU, ReLU, Sigmoid, Softmax, Softplus, Tanh
from chainrule.formula.network import initialize, regularized


@pytest.mark.parametrize(
    ("activation", "slope"),
    [(ReLU(), 0), (NoisyReLU(), 0), (LeakyReLU(0.3), 0.3), (PReLU(0.4), 0.4), (ELU(2.0), 2), (ELU(), 1)],
    ids=repr,
)
def test_at_the_kink_the_derivative_is_the_left_one(activation, slope):
    for zero in (0.0, -0.0):
        assert float(jax.grad(activation)(zero)) == pytest.approx(slope)
        assert activation(jnp.array(zero)) == 0


def test_elu_is_not_the_misprinted_maximum():
    x = jnp.array([0.5, 1.0, 3.0])
    np.testing.assert_array_equal(ELU(5.0)(x), x)


def test_elu_keeps_all_digits_below_0():
    x = jnp.array([-1e-5, -1e-10, -1e-20, -1e-30])
    np.testing.assert_allclose(ELU()(x), x, rtol=6e-6)


def test_second_derivatives():
    x = np.array([-20.0, -3.0, -0.5, 0.0, 0.5, 3.0, 20.0])
    y, s = np.tanh(x), 1 / (1 + np.exp(-x))
    truth = {Tanh(): -2 * y / np.cosh(x) ** 2, Sigmoid(): s * (1 - s) * (1 - 2 * s), Softplus(): s * (1 - s)}
    for activation, values in truth.items():
        ours = jax.jit(jax.vmap(jax.grad(jax.grad(activation))))(jnp.asarray(x, jnp.float32))
        np.testing.assert_allclose(ours, values, rtol=1e-4, atol=1e-12)


def test_derivatives_survive_far_from_0():
    """Computed from the rounded output (1 − y², y(1 − y)) they would be 0 or half wrong."""
    x = np.float32([-20.0, 20.0, 40.0, -80.0])
    e = np.exp(-np.abs(np.float64(x)))
    np.testing.assert_allclose(jax.jit(jax.vmap(jax.grad(Sigmoid())))(x), e / (1 + e) ** 2, rtol=1e-6)
    np.testing.assert_allclose(jax.jit(jax.vmap(jax.grad(Tanh())))(x / 2), 4 * e / (1 + e) ** 2, rtol=1e-6)


def test_prelu_learns_a_slope_a_channel_or_one_for_all():
    x = jnp.array([[[-1.0, -1.0], [2.0, -3.0]]])
    p = initialize(PReLU(), (2, 2), jax.random.key(0))
    assert p["slope"].tolist() == [0.25, 0.25]
    assert initialize(PReLU(0.1, shared=True), (2, 2), jax.random.key(0))["slope"].tolist() == pytest.approx(0.1)
    assert regularized(PReLU(), (2, 2)) == {"slope": False}
    np.testing.assert_allclose(PReLU().forward({"slope": jnp.array([0.5, 0.1])}, x), [[[-0.5, -0.1], [2, -0.3]]])
    slopes = jax.grad(lambda p: PReLU().forward(p, x).sum())(p)
    assert slopes["slope"].tolist() == [-1, -4]


def test_a_slope_of_0_is_relu():
    x = jnp.linspace(-3, 3, 7)
    np.testing.assert_array_equal(LeakyReLU(0)(x), ReLU()(x))


def test_softmax_is_a_distribution_over_the_last_axis():
    z = jax.random.normal(jax.random.key(0), (2, 3, 5)) * 10
    a = Softmax()(z)
    np.testing.assert_allclose(a.sum(axis=-1), 1, rtol=1e-6)
    exact = np.exp(np.float64(z))
    np.testing.assert_allclose(a, exact / exact.sum(axis=-1, keepdims=True), rtol=3e-6)


def test_softmax_does_not_overflow_and_takes_impossible_classes():
    np.testing.assert_allclose(Softmax()(jnp.array([1e4, 1e4, -1e4])), [0.5, 0.5, 0])
    np.testing.assert_allclose(Softmax()(jnp.array([0.0, 0.0, -jnp.inf])), [0.5, 0.5, 0])
    np.testing.assert_allclose(Softmax()(jnp.array([3e38, -3e38])), [1, 0])


def test_softmax_of_a_shifted_input_has_the_same_value_and_derivative():
    z = jnp.array([0.5, -1.0, 2.0])
    slopes = jax.jit(jax.jacobian(Softmax()))
    jacobian = slopes(z)
    a = np.float64(Softmax()(z))
    np.testing.assert_allclose(jacobian, np.diag(a) - np.outer(a, a), atol=1e-7)
    np.testing.assert_allclose(slopes(z + 8), jacobian, atol=1e-6)
