"""What is particular to activations that bend a line: no cancellation, and an alpha that is learned through 0."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from chainrule.activations import BentIdentity, SoftExponential
from chainrule.initializers import Constant


def test_the_bent_identity_neither_cancels_nor_overflows():
    x = np.float32([1e-30, -1e-5, 3, -1e30, -np.inf, np.inf])
    value, slope = jax.jit(lambda x: jax.jvp(BentIdentity(), (x,), (jnp.ones_like(x),)))(x)
    wide = x[:3].astype(float)
    np.testing.assert_allclose(value[:3], wide + wide**2 / 2 / (np.sqrt(wide**2 + 1) + 1), rtol=1e-7)
    assert value[3:].tolist() == [np.float32(-5e29), -np.inf, np.inf]
    assert slope[3:].tolist() == [0.5, 0.5, 1.5]


def exact(x, alpha):
    if alpha == 0:
        return x
    if alpha < 0:
        return -mpmath.log(1 - alpha * (x + alpha)) / alpha
    return mpmath.expm1(alpha * x) / alpha + alpha


ALPHAS = [-0.5, -0.01, -1e-7, -1e-20, 0, 1e-20, 1e-7, 0.01, 0.5, 2]


@pytest.mark.parametrize("x", [-1.25, -1e-6, 0.0, 0.5, 3.0])
def test_soft_exponentials_of_any_alpha_have_exact_derivatives_by_x_and_alpha(x):
    pull = jax.jit(jax.vmap(jax.value_and_grad(SoftExponential().__call__, (0, 1)), (None, 0)))
    alphas = np.float32(ALPHAS)
    value, (by_x, by_alpha) = pull(jnp.float32(x), alphas)
    x = mpmath.mpf(float(np.float32(x)))
    with mpmath.workdps(120):
        step = mpmath.mpf(10) ** -40
        for k, alpha in enumerate(map(mpmath.mpf, alphas.tolist())):
            assert float(value[k]) == pytest.approx(float(exact(x, alpha)), rel=2e-7, abs=1e-37)
            slope = 1 / (1 - alpha * (x + alpha)) if alpha < 0 else mpmath.exp(alpha * x)
            assert float(by_x[k]) == pytest.approx(float(slope), rel=2e-7)
            truth = (exact(x, alpha + step) - exact(x, alpha - step)) / (2 * step)
            assert float(by_alpha[k]) == pytest.approx(float(truth), rel=2e-7)


def test_soft_exponentials_far_out_and_where_a_logarithm_has_no_value():
    x = jnp.array([-jnp.inf, -1e30, -2.0, 1e30, jnp.inf])
    by = jax.jit(lambda x, alpha: SoftExponential()(x, alpha))
    assert by(x, 0.0).tolist() == x.tolist()
    assert by(x, 0.5).tolist() == [-1.5, -1.5, pytest.approx(2 * np.expm1(-1) + 0.5), np.inf, np.inf]
    logarithm = by(x, -0.5)
    assert jnp.isnan(logarithm[:3]).all()
    assert logarithm[3:].tolist() == [pytest.approx(2 * np.log(5e29), rel=1e-6), np.inf]


def test_of_an_exponential_nothing_is_lost_where_it_is_small():
    assert SoftExponential()(jnp.float32(-40), alpha=1.0).item() == pytest.approx(np.exp(-40), rel=1e-7)


def test_one_alpha_a_channel_is_learned_or_one_for_all():
    x = jnp.array([[1.0, 2.0], [3.0, -1.0]])
    for shared, shape in ((False, (2,)), (True, ())):
        declared = SoftExponential(0.5, shared).parameters((3, 2))["alpha"]
        assert (declared.shape, declared.initializer, declared.regularized) == (shape, Constant(0.5), False)
    slopes = jax.grad(lambda p: SoftExponential().forward(p, x).sum())({"alpha": jnp.zeros(2)})
    assert slopes["alpha"].tolist() == [1.5 + 5.5, 3 + 1.5]  # 1 + x²/2, at alpha = 0
