"""Optax and scikit-learn."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.metrics import log_loss

from chainrule.costs import CategoricalCrossEntropy, CrossEntropy, Quadratic
from chainrule.optimizers import Adadelta, Adagrad, Adam, AdamW, GradientDescent, Lion, Momentum, Nesterov, RMSprop
from chainrule.optimizers.schedules import CosineDecay, ExponentialDecay, StepDecay, Warmup

rng = np.random.default_rng(0)
Z, CLASSES = jnp.asarray(rng.normal(size=(6, 4)) * 5, jnp.float32), jnp.asarray(rng.integers(0, 4, 6))
E = jax.nn.one_hot(CLASSES, 4)
START, M = jnp.asarray(rng.normal(size=(3, 2)), jnp.float32), jnp.asarray(rng.normal(size=(4, 3)), jnp.float32)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Quadratic().each, lambda z, E: optax.losses.l2_loss(z, E).sum(-1)),
        (CrossEntropy().behind, lambda z, E: optax.losses.sigmoid_binary_cross_entropy(z, E).sum(-1)),
        (CategoricalCrossEntropy().behind, optax.losses.softmax_cross_entropy),
    ],
    ids=["Quadratic", "CrossEntropy", "CategoricalCrossEntropy"],
)
def test_costs(ours, theirs):
    np.testing.assert_allclose(ours(Z, E), theirs(Z, E), rtol=1e-6, atol=1e-6)
    slopes = [jax.grad(lambda z, f=f: f(z, E).sum())(Z) for f in (ours, theirs)]
    np.testing.assert_allclose(*slopes, rtol=1e-5, atol=1e-6)


def test_log_loss_is_the_mean_cross_entropy():
    a, weights = jax.nn.softmax(Z), np.float32([1, 2, 0.5, 3, 1, 1])
    for w in (None, weights):
        truth = log_loss(CLASSES, np.float64(a) / np.float64(a).sum(1, keepdims=True), sample_weight=w, labels=range(4))
        assert float(CategoricalCrossEntropy()(a, CLASSES, w)) == pytest.approx(truth, rel=1e-5)
    p, y = jax.nn.sigmoid(Z[:, :1]), jnp.array([0, 1, 1, 0, 1, 0])
    assert float(CrossEntropy()(p, y)) == pytest.approx(log_loss(y, np.float64(p[:, 0])), rel=1e-5)


OPTIMIZERS = {
    GradientDescent(0.05): optax.sgd(0.05),
    Momentum(0.05): optax.sgd(0.05, momentum=0.9),
    Nesterov(0.05): optax.sgd(0.05, momentum=0.9, nesterov=True),
    Adagrad(0.1): optax.adagrad(0.1, initial_accumulator_value=0.0, eps=1e-8),
    Adadelta(): optax.adadelta(1.0, rho=0.95, eps=1e-6),
    RMSprop(0.01): optax.rmsprop(0.01, decay=0.9, eps=1e-8, eps_in_sqrt=True),
    Adam(0.05): optax.adam(0.05),
    Adam(CosineDecay(0.1, steps=20)): optax.adam(optax.cosine_decay_schedule(0.1, 20)),
    AdamW(0.05, weight_decay=0.1): optax.adamw(0.05, weight_decay=0.1),
    Lion(0.01, weight_decay=0.1): optax.lion(0.01, weight_decay=0.1),
    Lion(CosineDecay(0.1, steps=20)): optax.lion(optax.cosine_decay_schedule(0.1, 20), weight_decay=0.0),
}


@pytest.mark.parametrize("ours", OPTIMIZERS, ids=repr)
def test_optimizers_for_20_steps(ours):
    def path(optimizer):
        def step(carry, _):
            w, state = carry
            updates, state = optimizer.update(jax.grad(lambda w: jnp.sum(jnp.tanh(M @ w - 1) ** 2))(w), state, w)
            return (w + updates, state), w + updates

        return jax.lax.scan(step, (START, optimizer.init(START)), length=20)[1]

    np.testing.assert_allclose(path(ours), path(OPTIMIZERS[ours]), rtol=1e-4, atol=1e-5)


SCHEDULES = {
    CosineDecay(1.0, final=0.1, steps=40): optax.cosine_decay_schedule(1.0, 40, alpha=0.1),
    ExponentialDecay(1.0, factor=0.1, steps=40): optax.exponential_decay(1.0, 40, 0.1),
    StepDecay(1.0, every=7, factor=0.5): optax.exponential_decay(1.0, 7, 0.5, staircase=True),
    Warmup(CosineDecay(1.0, steps=30), steps=10): optax.join_schedules(
        [optax.linear_schedule(0.1, 1.1, 10), optax.cosine_decay_schedule(1.0, 30)], [10]
    ),
}


@pytest.mark.parametrize("ours", SCHEDULES, ids=repr)
def test_schedules(ours):
    t = jnp.arange(60)
    np.testing.assert_allclose(jax.vmap(ours)(t), jax.vmap(SCHEDULES[ours])(t), rtol=2e-5, atol=1e-7)
