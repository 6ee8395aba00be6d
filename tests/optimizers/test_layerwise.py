"""Layer-wise rates: lengths, vectors, zeros, and repetitions of a parameter in one array."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.optimizers import LAMB, LARS, Adafactor, Adam, ClipAdaptive, Momentum
from chainrule.optimizers.repeated import told_of
from chainrule.training import fit

RNG = np.random.default_rng(0)
W, G = (jnp.asarray(RNG.normal(size=(4, 3)), jnp.float32) for _ in range(2))


def length(x):
    return float(np.linalg.norm(np.float64(x)))


def first_step(rule, w, g):
    return np.asarray(rule.update(g, rule.init(w), w)[0])


def test_defaults_are_the_published_ones():
    assert dataclasses.asdict(LARS()) == {
        "learning_rate": 1.0, "momentum": 0.9, "weight_decay": 0.0005, "trust": 0.001,
    }  # fmt: skip
    assert (LAMB().learning_rate, LAMB().epsilon, LAMB().weight_decay) == (0.001, 1e-6, 0.01)
    adafactor = Adafactor()
    assert (adafactor.learning_rate, adafactor.decay, adafactor.threshold) == (0.01, 0.8, 1.0)
    assert (adafactor.smallest, adafactor.epsilon) == (1e-3, 1e-30)


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1.0, 1e25])
def test_a_step_is_as_long_as_the_parameter_whatever_the_gradient(scale):
    assert length(first_step(LARS(2.0, weight_decay=0.0), W, scale * G)) == pytest.approx(0.002 * length(W), rel=1e-5)
    if scale < 1e10:  # whose squares float32 has
        assert length(first_step(LAMB(0.1), W, scale * G)) == pytest.approx(0.1 * length(W), rel=1e-5)
        step = first_step(Adafactor(0.1, epsilon=1e-45), W, max(scale, 1e-15) * G)
        assert length(step) <= 0.1 * length(W) * (1 + 1e-5)


def test_a_parameter_may_leave_0():
    zero = jnp.zeros(3)
    g = jnp.array([1.0, -2.0, 0.0])
    np.testing.assert_allclose(first_step(LARS(1.0), zero, g), -0.001 * g, rtol=1e-6)
    np.testing.assert_allclose(first_step(LAMB(0.1), zero, g), [-0.1, 0.1, 0], rtol=1e-5)
    root = np.sqrt(2 / 3)  # of the mean square of signs, below the threshold
    np.testing.assert_allclose(first_step(Adafactor(), zero, g), [-1e-5, 1e-5, 0], rtol=1e-5)
    assert root < 1


def test_of_a_vector_adafactor_keeps_all_squares():
    rule, w = Adafactor(0.05, threshold=0.5), np.linspace(0.5, 2, 4)
    theta, V = w.copy(), np.zeros(4)
    params, state = jnp.asarray(w, jnp.float32), rule.init(jnp.asarray(w, jnp.float32))
    for t in range(1, 51):
        g = np.sin(7 * t + theta)
        V = (1 - t**-0.8) * V + t**-0.8 * (g**2 + 1e-30)
        u = g / np.sqrt(V)
        u /= max(1, np.sqrt(np.mean(u**2)) / 0.5)
        step = min(0.05, t**-0.5) * max(1e-3, np.sqrt(np.mean(theta**2))) * u
        updates, state = rule.update(jnp.asarray(g, jnp.float32), state, params)
        np.testing.assert_allclose(updates, -step, rtol=1e-4, atol=1e-7)
        theta, params = theta - step, jnp.asarray(theta - step, jnp.float32)


def test_each_matrix_of_a_kernel_is_factored_by_itself():
    kernel = Adafactor().init(jnp.ones((3, 3, 5, 7)))
    assert (kernel["R"].shape, kernel["C"].shape) == ((3, 3, 5, 1), (3, 3, 1, 7))


# Repetitions


LAYERWISE = LARS(5.0), LAMB(0.05), Adafactor(0.05), ClipAdaptive(0.05) >> Momentum(0.1)


def test_repetitions_are_parameters_of_their_own():
    """Three of each parameter in one array, and beside each other: with the steps of both, and the rates."""
    kernels, biases, last = RNG.normal(size=(3, 4, 5)), RNG.normal(size=(3, 5)), RNG.normal(size=5)
    stacked = jax.tree.map(jnp.asarray, [kernels, biases, last])
    written = jax.tree.map(jnp.asarray, [[*kernels], [*biases], last])

    @jax.jit
    def both(stacked, written):
        return [[walk(told_of([1, 1, 0], rule), stacked), walk(rule, written)] for rule in LAYERWISE]

    for ours, truth in both(stacked, written):
        together = [[jnp.stack(array) if isinstance(array, list) else array for array in tree] for tree in truth]
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), ours, together)


def walk(optimizer, params):
    """Parameters after some steps, and the rates of the last, a number for each."""

    def step(_, carry):
        return optimizer.advance(carry[0], jax.tree.map(jnp.tanh, carry[0]), carry[1])

    params, state = jax.lax.fori_loop(0, 5, step, (params, optimizer.init(params)))
    return [
        params,
        jax.tree.map(lambda w, rate: jnp.broadcast_to(rate, w.shape), params, optimizer.rates(state, params)),
    ]


def test_fit_tells_rules_of_repetitions():
    """In a population, with L1, and of repetitions within repetitions."""
    x = np.random.default_rng(0).normal(size=(8, 3))
    network = "Repeat(Repeat(Identity() + (Dense(3) >> Tanh()), 2), 2) >> Dense(1)"
    choices = {"epochs": 2, "batch_size": "all", "regularizer": "L1(0.001)", "progress": False}
    for optimizer in ("LAMB([0.01, 0.1])", "ClipAdaptive() >> Adam([0.01, 0.1])"):
        models = fit(network, x, x[:, 0], optimizer=optimizer, **choices)
        assert models[0].history["cost"] != models[1].history["cost"]
        assert all(np.isfinite(model.history["cost"]).all() for model in models)


def test_rules_of_each_number_need_not_know():
    assert told_of([1, 0], Adam(0.1)) == Adam(0.1)
    assert told_of([0, 0], LAMB(0.1)) == LAMB(0.1)
    told = told_of([1], ClipAdaptive() >> Momentum(0.1))
    assert told.optimizer == Momentum(0.1)
    assert (told.clipping.formula, told.clipping.repeated) == (ClipAdaptive(), (1,))
