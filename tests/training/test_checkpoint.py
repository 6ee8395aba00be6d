"""Going on after a checkpoint, to the same bits as a training that never ended."""

import pickle

import jax
import numpy as np
import pytest

from chainrule.errors import ChainruleError
from chainrule.training import fit

random = np.random.default_rng(0)
X = random.normal(size=(40, 4)).astype(np.float32)
Y = (X @ random.normal(size=(4, 3))).argmax(axis=1)


def train(epochs, after=None, network="Dense(8) >> NoisyReLU() >> Dropout(0.2) >> Dense(3) >> Softmax()", **options):
    """The model after so many epochs, and the checkpoint of the last."""
    ends = []
    options = {"batch_size": 8, "optimizer": "Adam(0.01)", "progress": False, "callbacks": [ends.append]} | options
    return fit(network, X, Y, epochs=epochs, after=after, **options), ends[-1].checkpoint()


@pytest.mark.by_turns(3)
@pytest.mark.parametrize("options", [{}, {"validation": 0.25, "early_stopping": 100}, {"regularizer": "L1(0.01)"}])
def test_it_goes_on_to_the_same_bits(options):
    whole, _ = train(6, **options)
    _, checkpoint = train(4, **options)
    halves, last = train(2, pickle.loads(pickle.dumps(checkpoint)), **options)
    for one, other in zip(jax.tree.leaves(whole.parameters), jax.tree.leaves(halves.parameters), strict=True):
        np.testing.assert_array_equal(one, other)
    assert whole.history == halves.history == last.history
    assert len(checkpoint.history) == 4


def test_the_patience_goes_on_too():
    options = {"validation": (X[:10], (Y[:10] + 1) % 3), "early_stopping": 5}
    whole, _ = train(50, **options)
    _, checkpoint = train(3, **options)
    halves, _ = train(47, checkpoint, **options)
    assert whole.history.stopped == "early stopping"
    assert whole.history == halves.history


def test_a_checkpoint_of_something_else_is_refused():
    _, checkpoint = train(1)
    for other in ({"optimizer": "Momentum(0.1)"}, {"network": "Dense(4) >> ReLU() >> Dense(3) >> Softmax()"}):
        with pytest.raises(ChainruleError, match="fit: the checkpoint is of another network or optimizer"):
            train(1, checkpoint, **other)
