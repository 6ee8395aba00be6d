"""Running statistics through a training: from which rows they are, and where they go."""

import pickle
import re

import jax
import numpy as np
import pytest

from chainrule import NetworkClassifier, NetworkRegressor, load
from chainrule.arrays.random import seeded, words_of
from chainrule.errors import ChainruleError
from chainrule.optimizers import Momentum
from chainrule.training import fit
from chainrule.training.batches import on_device, shuffled
from chainrule.training.step import Problem, first, step

random = np.random.default_rng(0)
X = random.normal(3, 2, size=(45, 4)).astype(np.float32)
Y = (X @ random.normal(size=(4, 3))).argmax(axis=1)
NETWORK = "BatchNorm() >> Dense(8) >> BatchNorm() >> ReLU() >> Dense(3) >> Softmax()"
OPTIONS = {"epochs": 4, "batch_size": 8, "optimizer": "Adam(0.01)", "progress": False}


def equal(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


def close(one, other, rtol=1e-5, atol=1e-6):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=atol), one, other)


def of_batches(batches, momentum):
    """The running statistics of some batches, in float64."""
    weights = momentum ** np.arange(len(batches))[::-1]
    means, variances = zip(*((rows.mean(axis=0), rows.var(axis=0, ddof=1)) for rows in batches), strict=True)
    mean, variance = (np.average(each, 0, weights) for each in (means, variances))
    return {"mean": mean, "variance": variance, "count": weights.sum()}


@pytest.mark.by_turns(2)
@pytest.mark.parametrize("momentum", [0.9, 1.0])
@pytest.mark.parametrize("rows", [9, 16, 41, 45])
def test_they_are_of_the_rows_of_each_batch_and_of_no_other(rows, momentum):
    """Not of those that fill up the last batch, nor of padding; 9 rows leave a last batch of one, which has none."""
    x = X[:rows].astype(np.float64)
    model = fit(f"BatchNorm({momentum}) >> Dense(3) >> Softmax()", X[:rows], Y[:rows], seed=5, **OPTIONS)
    _, shuffles = words_of(seeded(5), 2)
    orders = [np.asarray(shuffled(shuffles, epoch, on_device(X[:rows], Y[:rows], None))) for epoch in (1, 2, 3, 4)]
    batches = [x[order[begin : min(begin + 8, rows)]] for order in orders for begin in range(0, rows, 8)]
    close(model.state[0], of_batches([batch for batch in batches if len(batch) > 1], momentum))


def test_a_whole_batch_is_not_padded_either():
    x = X[:9]  # of which 10 go to the device
    model = fit("BatchNorm() >> Dense(3) >> Softmax()", x, Y[:9], **OPTIONS | {"batch_size": "all"})
    close(model.state[0], of_batches([x.astype(np.float64)] * 4, 0.9))


@pytest.mark.slow
def test_rows_of_weight_n_train_as_n_rows_do():
    times = np.resize([1, 2, 0, 3], len(X))
    rows, options = np.repeat(np.arange(len(X)), times), OPTIONS | {"batch_size": "all", "optimizer": "Momentum(0.1)"}
    network = "BatchNorm() >> Dense(8) >> Tanh() >> BatchNorm() >> Dense(3) >> Softmax()"
    weighted = fit(network, X, Y, sample_weight=times, **options)
    repeated = fit(network, X[rows], Y[rows], **options)
    close(weighted.parameters, repeated.parameters, rtol=1e-4, atol=1e-5)
    close(weighted.history["cost"], repeated.history["cost"], rtol=1e-5)
    close(weighted.state[0]["mean"], repeated.state[0]["mean"])


def test_inference_uses_them_and_neither_validation_nor_evaluation_changes_them():
    with_it = fit(NETWORK, X, Y, validation=(X[:20] * 100, Y[:20]), **OPTIONS)
    without = fit(NETWORK, X, Y, **OPTIONS)
    equal(with_it.state, without.state)
    before = jax.tree.map(np.array, with_it.state)
    with_it.evaluate(X, Y)
    close(np.concatenate([with_it(X[row : row + 1]) for row in range(len(X))]), with_it(X))
    equal(with_it.state, before)


def test_the_best_epochs_are_kept_with_its_parameters():
    ends = []
    options = OPTIONS | {"epochs": 30, "callbacks": [lambda end: ends.append(end.model())]}
    model = fit(NETWORK, X, Y, validation=(X[:20], (Y[:20] + 1) % 3), early_stopping=2, **options)
    best = model.history.best_epoch
    assert best < len(model.history)
    equal((model.parameters, model.state), (ends[best - 1].parameters, ends[best - 1].state))


@pytest.mark.by_turns(2)
@pytest.mark.parametrize("options", [{}, {"validation": 0.2, "early_stopping": 100}])
def test_a_checkpoint_goes_on_with_them(options):
    def train(epochs, after=None):
        ends = []
        model = fit(NETWORK, X, Y, after=after, callbacks=[ends.append], **OPTIONS | options | {"epochs": epochs})
        return model, ends[-1].checkpoint()

    whole, _ = train(5)
    halves, _ = train(2, pickle.loads(pickle.dumps(train(3)[1])))
    equal((whole.parameters, whole.state), (halves.parameters, halves.state))


def test_a_file_and_a_pickle_keep_them(tmp_path):
    model = fit(NETWORK, X, Y, **OPTIONS)
    model.save(tmp_path / "model.safetensors")
    for read in (load(tmp_path / "model.safetensors"), pickle.loads(pickle.dumps(model))):
        equal(read.state, model.state)
        assert {leaf.dtype for leaf in jax.tree.leaves(read.state)} == {np.dtype("float32")}
        np.testing.assert_array_equal(read(X), model(X))


def test_partial_fits_and_warm_starts_go_on_with_them():
    estimator = NetworkClassifier("BatchNorm(1.0) >> Dense(4)", epochs=2, batch_size=45, warm_start=True)
    for fitted in (estimator.partial_fit, estimator.partial_fit, estimator.fit, estimator.fit):
        fitted(X, Y)
    assert float(estimator.model_.state[0]["count"]) == 1 + 1 + 2 + 2
    close(estimator.model_.state[0]["mean"], X.mean(axis=0), rtol=1e-5)
    afresh = NetworkRegressor("BatchNorm(1.0) >> Dense(4) >> Tanh()", epochs=2, batch_size=45)
    assert [float(afresh.fit(X, X[:, 0]).model_.state[0]["count"]) for _ in range(2)] == [2, 2]


def test_batches_of_one_row_are_refused():
    message = (
        "BatchNorm: expected training batches of 2 values or more of each channel, got 1, which has no variance. "
        "Take a larger batch_size, or LayerNorm()."
    )
    with pytest.raises(ChainruleError) as caught:
        fit(NETWORK, X, Y, **OPTIONS | {"batch_size": 1})
    assert re.match(re.escape(message), str(caught.value))


@pytest.mark.slow
def test_trainings_side_by_side_are_those_one_by_one():
    """A population of first values, under one vmap over all of their steps."""
    model = fit(NETWORK, X[:8], Y[:8], **OPTIONS)
    problem = Problem(model.network, model.cost, Momentum(0.01), None, ())
    states = [first(problem, jax.random.key(seed), (4,)) for seed in range(3)]
    together = jax.tree.map(lambda *leaves: np.stack(leaves), *[state._replace(key=0) for state in states])
    weights = np.ones(8, np.float32)

    def train(state, key):
        state, costs = state._replace(key=key), []
        for begin in (0, 8, 16, 24):
            state, record = step(problem, state, X[begin : begin + 8], Y[begin : begin + 8], weights)
            costs.append(record[0])
        return state.parameters, state.statistics, costs

    keys = jax.random.key_data(jax.random.split(jax.random.key(9), 3))
    population = jax.jit(jax.vmap(train))(together, keys)
    alone = jax.jit(train)
    for one, state in enumerate(states):
        expected = alone(state._replace(key=0), keys[one])
        close(jax.tree.map(lambda leaf, one=one: leaf[one], population), expected, rtol=1e-3, atol=1e-5)
