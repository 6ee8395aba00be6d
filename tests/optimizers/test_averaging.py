"""What publishes another point than it walks on: against plain recurrences in float64, and through `fit`."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from chainrule.errors import ChainruleError
from chainrule.formula.layer import Context
from chainrule.notation import parse
from chainrule.optimizers import Adam, Averaged, ClipNorm, GradientDescent, Lookahead, Momentum
from chainrule.training import fit

STEPS = 50
rng = np.random.default_rng(0)
A, B, START = rng.normal(size=(6, 5)), rng.normal(size=6), rng.normal(size=5)


def gradient(theta, xp=np):
    """Of Σ ln cosh(Aθ − b) + θ⁴ / 20."""
    return A.T.astype(theta.dtype) @ xp.tanh(A.astype(theta.dtype) @ theta - B.astype(theta.dtype)) + theta**3 / 5


@jax.jit
def paths(optimizer, theta):
    """Where an optimizer walks, and what it publishes, after each step; by Optax's protocol too."""

    def step(carry, _):
        w, state, other, others = carry
        slope = lambda w: ((0.0, None), {"first": gradient(w["all"], jnp)[:2]} | {"all": gradient(w["all"], jnp)})  # noqa: E731
        w, state, _ = optimizer.descend(slope, w, state)
        updates, others = optimizer.update(slope(other)[1], others, other)
        other = optax.apply_updates(other, updates)
        return (w, state, other, others), (w["all"], optimizer.published(w, state)["all"], other["all"])

    w = {"first": theta[:2], "all": theta}
    state = optimizer.init(w)
    return jax.lax.scan(step, (w, state, w, state), length=STEPS)[1]


def momentum(theta, v):
    v = 0.9 * v + 0.05 * gradient(theta)
    return theta - v, v


def averaged(share):
    theta, v, mean, walked = START, 0, START, []
    for t in range(1, STEPS + 1):
        theta, v = momentum(theta, v)
        mean = mean + share(t) * (theta - mean)
        walked.append((theta, mean))
    return walked


def ahead(k, alpha):
    theta, v, slow, walked = START, 0, START, []
    for t in range(1, STEPS + 1):
        theta, v = momentum(theta, v)
        if t % k == 0:
            theta = slow = slow + alpha * (theta - slow)
        walked.append((theta, slow))
    return walked


TRUTHS = {
    Averaged(Momentum(0.05)): lambda: averaged(lambda t: 1 / t),
    Averaged(Momentum(0.05), decay=0.8): lambda: averaged(lambda t: 0.2 / (1 - 0.8**t)),
    Lookahead(Momentum(0.05), k=4, alpha=0.3): lambda: ahead(4, 0.3),
}


@pytest.mark.parametrize("optimizer", TRUTHS, ids=repr)
def test_it_takes_the_steps_of_its_recurrence(optimizer):
    walked, published = map(np.array, zip(*TRUTHS[optimizer](), strict=True))
    ours = paths(optimizer, START.astype(np.float32))
    for path, truth in zip(ours, (walked, published, walked), strict=True):
        assert path.dtype == np.float32
        np.testing.assert_allclose(path, truth, rtol=3e-5, atol=3e-5)
    with jax.enable_x64(True):
        ours = paths(optimizer, START)
    for path, truth in zip(ours, (walked, published, walked), strict=True):
        np.testing.assert_allclose(path, truth, rtol=1e-11, atol=1e-12)


def test_the_mean_is_that_of_all_steps_with_weights_that_add_up_to_1():
    walked, mean, _ = paths(Averaged(Momentum(0.05), decay=0.8), START.astype(np.float32))
    weights = 0.8 ** np.arange(STEPS)[::-1]
    np.testing.assert_allclose(mean[-1], weights @ np.float64(walked) / weights.sum(), rtol=1e-5)


# Through fit

X = rng.normal(size=(40, 4)).astype(np.float32)
Y = (X @ rng.normal(size=(4, 3))).argmax(axis=1)
NETWORK = "Dense(8, bias=False) >> BatchNorm() >> ReLU() >> Dense(3) >> Softmax()"


def trained(optimizer, **options):
    ends = []
    plain = {
        "epochs": 4,
        "batch_size": 8,
        "progress": False,
        "validation": (X[:10], Y[:10]),
        "callbacks": [ends.append],
    }
    return fit(NETWORK, X, Y, optimizer=optimizer, **plain | options), ends


def same(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


@pytest.mark.by_turns(2)
@pytest.mark.parametrize("text", ["Averaged(Adam(0.1))", "ClipNorm(1.0) >> Lookahead(Adam(0.1), k=7)"])
def test_what_is_validated_stopped_on_and_saved_is_what_is_published(text):
    optimizer = parse(text)
    model, ends = trained(optimizer, early_stopping=4)
    for end in ends:
        state = end.checkpoint().state
        published = optimizer.published(state.parameters, state.slots)
        same(end.model().parameters, published)
        assert not np.array_equal(published[0]["kernel"], state.parameters[0]["kernel"])
        assert end.model().evaluate(X[:10], Y[:10])["cost"] == end.row["validation_cost"]
    best = ends[model.history.best_epoch - 1]
    assert best.row["validation_cost"] == min(end.row["validation_cost"] for end in ends)
    same(model.parameters, best.checkpoint().best.parameters)


def test_statistics_are_those_of_the_published_point():
    """Each batch, in which all rows are, adds those of the mean before its step."""
    model, ends = trained("Averaged(Momentum(0.3))", batch_size="all")
    network, statistics = model.network, model.network.state((4,))
    means = [end.model().parameters for end in ends[:-1]]
    first, _ = trained("Averaged(Momentum(1e-30))", batch_size="all", epochs=1)
    for parameters in (first.parameters, *means):
        _, statistics = network.apply(parameters, statistics, X, Context(training=True))
    for ours, truth in zip(
        jax.tree.leaves(ends[-1].checkpoint().state.statistics), jax.tree.leaves(statistics), strict=True
    ):
        np.testing.assert_allclose(ours, truth, rtol=1e-5, atol=1e-6)


def test_the_walk_is_that_of_the_optimizer_alone():
    _, alone = trained("Adam(0.1)")
    _, ends = trained("Averaged(Adam(0.1))")
    same(ends[-1].checkpoint().state.parameters, alone[-1].checkpoint().state.parameters)
    assert [end.row["cost"] for end in ends] == [end.row["cost"] for end in alone]


def test_a_population_has_the_point_of_each():
    rates = [0.01, 0.1]
    models, _ = trained(Averaged(Adam(rates), decay=0.9), early_stopping=2)
    for rate, model in zip(rates, models, strict=True):
        alone, _ = trained(Averaged(Adam(rate), decay=0.9), early_stopping=2)
        np.testing.assert_allclose(model.history["validation_cost"], alone.history["validation_cost"], rtol=1e-4)
        for ours, truth in zip(jax.tree.leaves(model.parameters), jax.tree.leaves(alone.parameters), strict=True):
            np.testing.assert_allclose(ours, truth, rtol=1e-3, atol=1e-4)


def test_a_mean_is_of_points_that_hold_their_constraint():
    averaged, w = Averaged(GradientDescent(1.0)), jnp.array([0.5])
    state = averaged.init(w)
    for g in (2.0, -1.0, 2.0):  # to 0, 1 and 0
        w, state, _ = averaged.descend(
            lambda _, g=g: ((0.0, None), jnp.array([g])), w, state, lambda w, rates: jnp.maximum(w, 0)
        )
    assert (w.item(), averaged.published(w, state).item()) == (0, pytest.approx(1 / 3))
    with pytest.raises(ChainruleError, match=r"^fit: UnitNorm\(\) holds where Averaged"):
        trained("Averaged(Adam(0.1))", regularizer="UnitNorm()")  # a mean of units is shorter than one


def test_l1_and_a_second_point_are_refused():
    with pytest.raises(ChainruleError) as caught:
        trained("Lookahead(Adam(0.1))", regularizer="L1(0.1)")
    assert str(caught.value) == (
        "fit: L1(0.1) needs the rates of the optimizer's steps, which Lookahead(Adam(learning_rate=0.1)) does not "
        "tell. Use another optimizer, such as Adam(0.001), or L2."
    )
    with pytest.raises(ChainruleError) as caught:
        trained("Lookahead(Adam(0.1))", regularizer="MaxNorm(3)")
    assert str(caught.value) == (
        "fit: MaxNorm(3.0) holds where Lookahead(Adam(learning_rate=0.1)) walks, not for what it publishes. "
        "Use another optimizer, such as Adam(0.001)."
    )
    with pytest.raises(ChainruleError) as caught:
        Averaged(ClipNorm(1.0) >> Lookahead(Adam()))
    assert str(caught.value) == (
        "Averaged: ClipNorm(max_norm=1.0) >> Lookahead(Adam(learning_rate=0.001)) has a point of its own to publish "
        "already. Take one that has none, such as Adam()."
    )
    with pytest.raises(ChainruleError) as caught:
        Averaged(Adam()).update(jnp.ones(2), Averaged(Adam()).init(jnp.ones(2)))
    assert str(caught.value) == (
        "Averaged(Adam(learning_rate=0.001)): its steps depend on the parameters. Call update(grads, state, params)."
    )
