"""The compiled loop against the same training in plain NumPy, however it is cut; and what it compiles."""

import logging

import jax
import numpy as np
import pytest

from chainrule.arrays.random import keyed
from chainrule.costs import Quadratic
from chainrule.layers import Dense
from chainrule.metrics import MAE, RMSE
from chainrule.notation import as_chain
from chainrule.optimizers import GradientDescent
from chainrule.training import fit, loop
from chainrule.training.batches import bucket, on_device, shuffled
from chainrule.training.feed import InMemory, first_values
from chainrule.training.loop import Loop
from chainrule.training.step import Problem, first

ROWS, RATE = 33, 0.1
random = np.random.default_rng(0)
X = random.normal(size=(ROWS, 2)).astype(np.float32)
E = random.normal(size=(ROWS, 1)).astype(np.float32)
WEIGHTS = random.uniform(0.1, 2, ROWS).astype(np.float32)


def linear(batch_size, x=X, E=E, weights=None) -> Loop:
    """The loop of a linear network."""
    problem = Problem(as_chain(Dense(1)), Quadratic(), GradientDescent(RATE), None, (RMSE(), MAE()))
    size = bucket(len(x)) if batch_size == "all" else batch_size
    visited = InMemory(on_device(x, E, weights), size, seed=7)
    return Loop(problem, visited, first(problem, keyed(first_values(7)), visited.shape))


def by_hand(batch_size, loop: Loop, weights=None) -> tuple[np.ndarray, np.ndarray, float]:
    """Kernel, bias and mean cost after an epoch of the loop, in float64."""
    kernel, bias = (np.asarray(loop.state.parameters[0][name], np.float64) for name in ("kernel", "bias"))
    order = np.asarray(shuffled(loop.feed.words, 1, loop.feed.examples))[:ROWS]
    weights, costs = np.ones(ROWS) if weights is None else weights.astype(np.float64), []
    for rows in np.split(order, range(batch_size, ROWS, batch_size)):
        x, w = X[rows].astype(np.float64), weights[rows] / weights[rows].sum()
        error = x @ kernel + bias - E[rows]
        costs.append(weights[rows].sum() * (w @ error**2 / 2).item())
        kernel, bias = kernel - RATE * x.T @ (w[:, None] * error), bias - RATE * w @ error
    return kernel, bias, sum(costs) / weights.sum()


def compilations(caplog, action) -> list[str]:
    """What an action makes JAX compile."""
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        caplog.clear()
        action()
    return [record.message for record in caplog.records if record.message.startswith("Compiling")]


@pytest.mark.by_turns(2)
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize("batch_size", [1, 7, "all"])
def test_an_epoch_is_what_it_is_by_hand(batch_size, weights):
    trained = linear(batch_size, weights=weights)
    kernel, bias, cost = by_hand(ROWS if batch_size == "all" else batch_size, trained, weights)
    row = trained.epoch(1, lambda step: None)
    [p] = trained.state.parameters
    np.testing.assert_allclose(p["kernel"], kernel, rtol=1e-5)
    np.testing.assert_allclose(p["bias"], bias, rtol=1e-5)
    assert row["cost"] == pytest.approx(cost, rel=1e-6)
    assert row["epoch"] == 1


def test_metrics_are_those_of_all_rows_before_each_step():
    trained = linear("all", weights=WEIGHTS)
    [p] = trained.state.parameters
    error = X @ np.asarray(p["kernel"]) + np.asarray(p["bias"]) - E
    row = trained.epoch(1, lambda step: None)
    assert row["rmse"] == pytest.approx(np.average(error[:, 0] ** 2, weights=WEIGHTS) ** 0.5, rel=1e-6)
    assert row["mae"] == pytest.approx(np.average(abs(error[:, 0]), weights=WEIGHTS), rel=1e-6)


@pytest.mark.parametrize("seconds", [0.0, 1e9])
def test_it_tells_how_many_steps_are_done(monkeypatch, seconds):
    monkeypatch.setattr(loop, "CHUNK", seconds)
    told = []
    linear(1).epoch(1, told.append)
    assert told == sorted(set(told))
    assert told[-1] == ROWS
    assert (len(told) == ROWS) == (seconds == 0.0)


@pytest.mark.parametrize("batch_size", [1, 7, "all"])
def test_the_cuts_never_change_a_bit(monkeypatch, batch_size):
    def trained(seconds):
        monkeypatch.setattr(loop, "CHUNK", seconds)
        it = linear(batch_size)
        rows = [it.epoch(epoch, lambda step: None) for epoch in (1, 2, 3)]
        return rows, it.state._replace(key=None)

    for one, other in zip(jax.tree.leaves(trained(0.0)), jax.tree.leaves(trained(1e9)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_loop_counts_its_steps():
    trained = linear(7)
    assert trained.feed.steps == 5
    for epoch in (1, 2):
        trained.epoch(epoch, lambda step: None)
        assert trained.state.step == 5 * epoch


def test_what_changes_only_in_number_compiles_nothing_again(caplog):
    x = np.random.default_rng(0).normal(size=(101, 2))
    y = (x[:, 0] > 0).astype(int)

    def train(rows=100, rate=0.1, slope=0.01, strength=0.1, epochs=2, seed=0, **options):
        fit(
            f"Dense(4) >> LeakyReLU({slope}) >> Dense(2) >> Softmax()",
            x[:rows],
            y[:rows],
            optimizer=f"Momentum(CosineDecay({rate}))",
            regularizer=f"L1({strength}) + L2({strength})",
            epochs=epochs,
            batch_size=8,
            seed=seed,
            progress=False,
            validation=0.25,
            **options,
        )

    assert compilations(caplog, train)
    train(rows=101)  # the validation part has another size
    changes = [{"rate": 0.2}, {"slope": 0.3}, {"strength": 0.01}, {"epochs": 3}, {"rows": 101}, {"seed": 1}]
    changes += [{"early_stopping": 1}, {"callbacks": [lambda end: end.model()]}]
    for change in changes:
        assert compilations(caplog, lambda change=change: train(**change)) == [], change
