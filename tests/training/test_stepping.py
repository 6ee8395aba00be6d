"""A training that is led step by step ends in the bits of `fit`, and goes on with other numbers without compiling."""

import logging

import jax
import numpy as np
import pytest

from chainrule.errors import ChainruleError, DivergedError
from chainrule.training import fit
from chainrule.training.stepping import Training

random = np.random.default_rng(0)
X = random.normal(size=(40, 2)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(int)
CHOICES = {"optimizer": "Adam(CosineDecay(0.05))", "regularizer": "L1(0.001)", "batch_size": 9, "validation": 0.25}
NETWORK = "Dense(4) >> Tanh() >> Dropout(0.1) >> Dense(2) >> Softmax()"


def test_it_ends_in_the_bits_of_fit():
    model = fit(NETWORK, X, Y, epochs=3, progress=False, **CHOICES)
    training = Training(NETWORK, X, Y, epochs=3, **CHOICES)
    training.warm_up()
    assert training.steps == 0
    done = [training.advance(most) for most in (1, 2, 100, 3, 1, 5)]
    assert done == [1, 2, 1, 3, 1, 4]  # an epoch has 4 steps, and none is done behind its end
    assert (training.steps, training.epoch, training.under_way) == (12, 3, {})
    assert training.history.rows == model.history.rows
    for mine, its in zip(*(jax.tree.leaves(each.parameters) for each in (training.model(), model)), strict=True):
        np.testing.assert_array_equal(mine, its)
    assert training.advance(1) == 1  # behind the last epoch it goes on
    assert training.under_way["cost"] > 0


def test_other_numbers_compile_nothing_and_hold_from_the_next_step(caplog):
    training = Training(NETWORK, X, Y, **CHOICES | {"optimizer": "GradientDescent(0.1)"})
    training.advance(10)
    other = NETWORK.replace("0.1", "0.3")
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        assert training.changed(network=other, optimizer="GradientDescent(1e-9)", regularizer="L1(0.5)") is training
        before = training.state.parameters[0]["bias"]
        training.advance(10)
        assert not [record for record in caplog.records if record.message.startswith("Compiling")]
        training.changed(optimizer="Momentum(0.1)").advance(1)
        assert [record for record in caplog.records if record.message.startswith("Compiling")]
    assert training.plan.network == training.model().network
    np.testing.assert_allclose(training.state.parameters[0]["bias"], before, rtol=1e-6)
    for choices in ({"optimizer": "Adam(0.1)"}, {"batch_size": 8}, {"seed": 1}, {"network": "Dense(2) >> Softmax()"}):
        assert training.changed(**choices).steps == 0
    steps = training.steps
    with pytest.raises(ChainruleError, match="Unknown formula 'Adm'"):
        training.changed(optimizer="Adm(0.1)")
    assert training.steps == steps


def test_one_that_diverges_says_so():
    training = Training("Dense(1)", X, X[:, 0], optimizer="Momentum(1e30)", batch_size=9)
    with pytest.raises(DivergedError, match=r"^The cost became"):
        training.advance(100)
