"""Descent: the gradient taken ahead, and published defaults."""

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.optimizers import Momentum, Nesterov


def test_nesterov_is_the_look_ahead_form_step_by_step():
    """θ by the published rule, and φ = θ − γv by ours, without any textbook text between."""
    gradient = lambda theta: np.sin(theta) + theta[::-1] / 5  # noqa: E731
    start, eta, gamma = np.random.default_rng(0).normal(size=5), 0.05, 0.9
    nesterov, theta, v = Nesterov(eta, gamma), start.copy(), np.zeros(5)
    with jax.enable_x64(True):
        phi = jnp.asarray(start)
        state = nesterov.init(phi)
        for _ in range(50):
            v = gamma * v + eta * gradient(theta - gamma * v)
            theta = theta - v
            updates, state = nesterov.update(jnp.asarray(gradient(np.asarray(phi))), state)
            phi = phi + updates
            np.testing.assert_allclose(phi, theta - gamma * v, rtol=1e-12, atol=1e-13)
            np.testing.assert_allclose(state["v"], v, rtol=1e-12, atol=1e-13)


def test_defaults_are_the_published_ones():
    assert Momentum().momentum == Nesterov().momentum == 0.9
