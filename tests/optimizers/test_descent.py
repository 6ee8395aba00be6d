"""Descent: the gradient taken ahead, and published defaults."""

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.optimizers import AggMo, GradientDescent, Momentum, Nesterov, QHMomentum


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
    assert (QHMomentum().momentum, QHMomentum().nu) == (0.999, 0.7)
    assert (AggMo().learning_rate, AggMo().momentum, AggMo().velocities) == (0.1, 0.9, 3)


def test_relatives():
    """What a rule becomes where a field of it is at its end, by the same gradients."""
    gradients = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)

    @jax.jit
    def steps(rules):
        states, found = [rule.init(jnp.zeros(3)) for rule in rules], []
        for g in gradients:
            each = [rule.update(g, state) for rule, state in zip(rules, states, strict=True)]
            states, found = [state for _, state in each], [*found, jnp.stack([step for step, _ in each])]
        return jnp.stack(found, 1)

    for one, other in (
        (QHMomentum(1.0, 0.9, nu=0.9), Nesterov(0.1, 0.9)),  # whose velocity is a sum, of which 1 − 0.9 is the mean
        (QHMomentum(1.0, 0.9, nu=1.0), Momentum(0.1, 0.9)),
        (QHMomentum(0.1, nu=0.0), GradientDescent(0.1)),
        (AggMo(0.1, velocities=1), GradientDescent(0.1)),
        (AggMo(0.1, momentum=0.0, velocities=4), GradientDescent(0.1)),
    ):
        ours, truth = steps([one, other])
        np.testing.assert_allclose(ours, truth, rtol=1e-4, atol=1e-6)
