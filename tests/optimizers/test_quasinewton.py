"""L-BFGS: against scipy's minimum and the dense recurrence of BFGS, its line search, and through `fit`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from chainrule import NetworkClassifier, NetworkRegressor
from chainrule.errors import ChainruleError
from chainrule.optimizers import LBFGS, SAM, Adam, ClipNorm
from chainrule.optimizers.quasinewton import Place, search
from chainrule.training import fit

rng = np.random.default_rng(0)
A, B, START = rng.normal(size=(6, 5)), rng.normal(size=6), rng.normal(size=5)


def cost(theta, xp=np):
    """Σ ln cosh(Aθ − b) + θ⁴ / 20."""
    r = A.astype(theta.dtype) @ theta - B.astype(theta.dtype)
    return xp.sum(xp.logaddexp(r, -r)) + xp.sum(theta**4) / 20


def gradient(theta):
    return A.T @ np.tanh(A @ theta - B) + theta**3 / 5


def paths(optimizer, theta, steps):
    """The parameters, as a tree of two of different shapes, after each step."""
    slope = jax.value_and_grad(lambda w: (cost(jnp.append(w["first"], w["rest"].ravel()), jnp), None), has_aux=True)

    def step(carry, _):
        w, state, _ = optimizer.descend(slope, *carry)
        return (w, state), jnp.append(w["first"], w["rest"].ravel())

    w = {"first": theta[:1], "rest": theta[1:].reshape(2, 2)}
    return np.asarray(jax.jit(lambda w: jax.lax.scan(step, (w, optimizer.init(w)), length=steps)[1])(w))


def strong(theta, d, length):
    """Whether a length keeps Wolfe's strong conditions."""
    there, slope = theta + length * d, gradient(theta) @ d
    falls = cost(there) <= cost(theta) + 1e-4 * length * slope
    return falls and abs(gradient(there) @ d) <= -0.9 * slope


def test_with_memory_for_all_steps_it_goes_the_ways_of_bfgs():
    """H is kept dense here, and scaled by the newest pair as L-BFGS scales it anew in each step."""
    with jax.enable_x64(True):
        ours = paths(LBFGS(memory=50), START, 12)
    theta, pairs = START, []
    for number, after in enumerate(ours):
        H = np.eye(5) * (pairs[-1][0] @ pairs[-1][1] / (pairs[-1][1] @ pairs[-1][1]) if pairs else 1)
        for s, y in pairs:
            V = np.eye(5) - np.outer(y, s) / (y @ s)
            H = V.T @ H @ V + np.outer(s, s) / (y @ s)
        d, step = -H @ gradient(theta), after - theta
        length = step @ d / (d @ d)
        np.testing.assert_allclose(step, length * d, rtol=1e-6, atol=1e-9)
        assert strong(theta, d, length), number
        pairs.append((step, gradient(after) - gradient(theta)))
        theta = after


def test_it_finds_scipys_minimum_and_rests_there():
    truth = optimize.minimize(cost, START, jac=gradient, method="L-BFGS-B", options={"gtol": 1e-12, "ftol": 1e-16})
    ours = paths(LBFGS(), START.astype(np.float32), 60)
    np.testing.assert_allclose(ours[-1], truth.x, atol=3e-4)
    assert cost(np.float64(ours[20])) - truth.fun < 1e-5
    assert np.isfinite(ours).all()


FUNCTIONS = {
    "a step that is far too long": (lambda a: (a - 1e-3) ** 2, 1.0, (1e-5, 2e-3)),
    "one that is far too short": (lambda a: (a - 1e3) ** 2, 1.0, (50, 2e3)),
    "a wall": (lambda a: jnp.where(a > 0.3, jnp.nan, -a + a**2), 1.0, (0.01, 0.3)),
    "a cliff": (lambda a: -a + jnp.exp(8 * a) - 1e-3 * a, 4.0, None),
    "rising only": (lambda a: a, 1.0, (0, 0)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_line_search(name):
    function, first, bounds = FUNCTIONS[name]
    along = lambda a: Place(a, *jax.value_and_grad(function)(a))  # noqa: E731
    zero = along(jnp.float32(0))
    zero = zero._replace(slope=-jnp.abs(zero.slope))
    length = float(jax.jit(lambda: search(along, zero, first, 30))())
    low, high = bounds or (0, 0)
    assert low <= length <= high


# Through fit

X = rng.normal(size=(60, 4)).astype(np.float32)
Y = (X @ rng.normal(size=(4, 3))).argmax(axis=1)


def trained(optimizer="LBFGS()", **options):
    network = "Dense(6) >> Tanh() >> Dense(3) >> Softmax()"
    return fit(network, X, Y, optimizer=optimizer, progress=False, **{"epochs": 30} | options)


def test_it_takes_all_examples_and_falls_at_each_step():
    model = trained(regularizer="L2(0.0001)")
    assert model.training["batch_size"] == "all"
    costs = model.history["cost"]
    assert (np.diff(costs) < 1e-6).all()
    assert costs[-1] < 0.01 * costs[0] + 0.02 < trained("Adam(0.01)", batch_size="all").history["cost"][-1]


def test_in_a_population_each_has_its_own_lengths():
    models = trained(seed=[0, 1], regularizer="L2(0.01)", epochs=8)
    for seed, model in enumerate(models):
        alone = trained(seed=seed, regularizer="L2(0.01)", epochs=8)
        np.testing.assert_allclose(model.history["cost"], alone.history["cost"], rtol=2e-3)


def test_what_does_not_go_with_it_is_refused():
    state = LBFGS().init(jnp.ones(2))
    for optimizer, said in (
        (LBFGS(), "LBFGS(memory=10) asks for the cost along its way"),
        (SAM(Adam()), "SAM(Adam(learning_rate=0.001)) takes a gradient at a second place"),
        (ClipNorm(1.0) >> SAM(Adam()), "SAM(Adam(learning_rate=0.001)) takes a gradient at a second place"),
    ):
        said += ", which update is not given. Train by fit, or call descend(slope, params, state)."
        for call in (optimizer.update, lambda g, s, p, each=optimizer: each.advance(p, g, s)):
            with pytest.raises(ChainruleError) as caught:
                call(jnp.ones(2), state, jnp.ones(2))
            assert str(caught.value) == said
    with pytest.raises(ChainruleError) as caught:
        trained(batch_size=32)
    assert str(caught.value) == (
        'batch_size must be "all" for LBFGS(memory=10), whose steps are for all examples at once; got 32. Leave it out.'
    )
    with pytest.raises(ChainruleError, match=r"^fit: L1\(0\.1\) needs the rates of the optimizer's steps, which LBFGS"):
        trained(regularizer="L1(0.1)")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("load", [load_breast_cancer, load_diabetes], ids=lambda load: load.__name__)
def test_it_is_as_good_as_scikit_learns_within_the_spread_of_seeds(load):
    X, y = load(return_X_y=True)
    ours, theirs = NetworkClassifier, MLPClassifier
    if load is load_diabetes:
        ours, theirs, y = NetworkRegressor, MLPRegressor, StandardScaler().fit_transform(y[:, None])[:, 0]
    scores = []
    for seed in range(8):
        train, test, E, F = train_test_split(X, y, test_size=0.25, random_state=seed)
        scaler = StandardScaler().fit(train)
        train, test = scaler.transform(train), scaler.transform(test)
        of_ours = ours((20,), optimizer="LBFGS()", regularizer=f"L2({1.0 / 2 / len(E)})", epochs=100, random_state=seed)
        of_theirs = theirs(hidden_layer_sizes=(20,), solver="lbfgs", alpha=1.0, max_iter=100, random_state=seed)
        scores.append([model.fit(train, E).score(test, F) for model in (of_ours, of_theirs)])
    (mean, other), spread = np.mean(scores, axis=0), np.std(scores, axis=0)
    print(load.__name__, "ours", mean, "theirs", other, "spread", spread)
    assert abs(mean - other) < spread.max()
