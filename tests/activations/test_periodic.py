"""What is particular to waves and bumps: exactness far out, and a derivative that must not cancel near 0."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np

from chainrule.activations import Gaussian, Sinc, Sinusoid

both = jax.jit(lambda x: [jax.jvp(f, (x,), (jnp.ones_like(x),)) for f in (Sinusoid(), Sinc(), Gaussian())])


def test_large_numbers_and_multiples_of_pi_keep_all_digits():
    x = np.float32([1e5, 1e10, 1e20, 3e38, np.pi, 100 * np.pi, 16367173 * 2.0**72])  # the last is almost one of π/2
    (sine, cosine), (sinc, _), _ = both(x)
    with mpmath.workdps(100):
        exact = [mpmath.mpf(float(each)) for each in x]
        np.testing.assert_allclose(sine, [float(mpmath.sin(each)) for each in exact], rtol=1e-7)
        np.testing.assert_allclose(cosine, [float(mpmath.cos(each)) for each in exact], rtol=1e-7)
        np.testing.assert_allclose(sinc[:3], [float(mpmath.sin(each) / each) for each in exact[:3]], rtol=1e-7)


def test_near_0_and_at_infinity():
    x = np.float32([0, 1e-30, 1e-3, 0.06, 0.0626, np.inf, -np.inf])
    (sine, _), (sinc, slope), (bell, fall) = both(x)
    np.testing.assert_allclose(slope[:5], -x[:5] / 3 + x[:5].astype(float) ** 3 / 30, rtol=1e-6)
    np.testing.assert_allclose(fall[:5], -2 * x[:5] * np.exp(-(x[:5].astype(float) ** 2)), rtol=1e-6)
    for each in (sinc, slope, bell, fall):
        assert np.abs(each[5:]).tolist() == [0, 0]
    assert np.isnan(sine[5:]).all()


def test_the_bell_far_out():
    x = np.float32([9.2, -9.3])
    np.testing.assert_allclose(both(x)[2][0], np.exp(-(x.astype(float) ** 2)), rtol=2e-7)


def test_further_derivatives():
    found = jax.jit(jax.vmap(lambda x: [jax.grad(jax.grad(f))(x) for f in (Sinusoid(), Sinc(), Gaussian())]))
    truth = ([0, -np.sin(2)], [-1 / 3, float(mpmath.diff(mpmath.sinc, 2, 2))], [-2, 14 * np.exp(-4)])
    np.testing.assert_allclose(found(jnp.array([0.0, 2.0])), truth, rtol=1e-5)
