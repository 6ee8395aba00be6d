"""SAM: gradients from uphill, against a plain recurrence in float64, and through `fit`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.optimizers import SAM, Adam, Averaged, ClipNorm, GradientDescent, Momentum
from chainrule.training import fit

rng = np.random.default_rng(0)
A, B, START = rng.normal(size=(6, 5)), rng.normal(size=6), rng.normal(size=5)


def gradient(theta, xp=np):
    """Of Σ ln cosh(Aθ − b) + θ⁴ / 20."""
    return A.T.astype(theta.dtype) @ xp.tanh(A.astype(theta.dtype) @ theta - B.astype(theta.dtype)) + theta**3 / 5


@jax.jit
def path(optimizer, theta):
    def slope(w):
        g = gradient(jnp.append(w["first"], w["rest"].ravel()), jnp)
        return (0.0, None), {"first": g[:1], "rest": g[1:].reshape(2, 2)}

    def step(carry, _):
        w, state, _ = optimizer.descend(slope, *carry)
        return (w, state), jnp.append(w["first"], w["rest"].ravel())

    w = {"first": theta[:1], "rest": theta[1:].reshape(2, 2)}
    return jax.lax.scan(step, (w, optimizer.init(w)), length=50)[1]


@pytest.mark.parametrize("bound", [None, 0.3])
def test_it_takes_the_steps_of_its_recurrence(bound):
    inner = Momentum(0.02) if bound is None else ClipNorm(bound) >> Momentum(0.02)
    theta, v, truth = START, 0, []
    for _ in range(50):
        g = gradient(theta)
        g = gradient(theta + 0.2 * g / np.linalg.norm(g))
        g = g if bound is None else g * min(1, bound / np.linalg.norm(g))
        v = 0.9 * v + 0.02 * g
        theta = theta - v
        truth.append(theta)
    np.testing.assert_allclose(path(SAM(inner, rho=0.2), START.astype(np.float32)), truth, rtol=3e-5, atol=3e-5)
    with jax.enable_x64(True):
        np.testing.assert_allclose(path(SAM(inner, rho=0.2), START), truth, rtol=1e-11, atol=1e-12)


def test_where_the_gradient_is_0_or_huge_nothing_is_lost():
    """The second gradient is the place where it is taken, so that descent shows how far that is."""
    sam = SAM(GradientDescent(1.0), rho=0.5)

    @jax.jit
    def uphill(g):
        gradients = [g]
        slope = lambda w: ((0.0, None), gradients.pop() if gradients else w)  # noqa: E731
        return -sam.descend(slope, jnp.zeros(4), sam.init(jnp.zeros(4)))[0]

    for size, far in ((0.0, 0.0), (1e-29, 0.25), (1e30, 0.25)):
        np.testing.assert_allclose(uphill(jnp.full(4, size)), far, rtol=1e-6)


@pytest.mark.slow
def test_it_trains_keeping_the_statistics_and_costs_of_where_it_stands():
    x = rng.normal(size=(40, 4)).astype(np.float32)
    y = (x @ rng.normal(size=(4, 3))).argmax(axis=1)
    network, plain = "Dense(8) >> BatchNorm() >> ReLU() >> Dense(3) >> Softmax()", {"batch_size": "all", "epochs": 1}
    states = {}
    for optimizer in ("Adam(0.01)", "SAM(Adam(0.01), rho=0.5)", "Averaged(SAM(Adam(0.01), rho=0.5))"):
        ends = []
        fit(network, x, y, optimizer=optimizer, progress=False, callbacks=[ends.append], **plain)
        states[optimizer] = ends[-1].checkpoint().state, ends[-1].row["cost"]
    (alone, cost), (sam, same), (averaged, again) = states.values()
    assert cost == pytest.approx(same) == again
    for ours, truth in zip(jax.tree.leaves(sam.statistics), jax.tree.leaves(alone.statistics), strict=True):
        np.testing.assert_allclose(ours, truth, rtol=1e-5, atol=1e-6)
    one, other, third = (state.parameters[0]["kernel"] for state in (alone, sam, averaged))
    assert np.abs(one - other).max() > 1e-4
    np.testing.assert_array_equal(other, third)
    assert Averaged(SAM(Adam())).publishes
    assert not SAM(Adam()).publishes
