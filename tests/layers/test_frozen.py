"""What is frozen: no gradient, optimizer, regulariser, noise or statistic reaches it, on any way through training."""

import pickle
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from chainrule.activations import Sigmoid, Softmax, Tanh
from chainrule.costs import Quadratic
from chainrule.errors import ChainruleError
from chainrule.estimators import NetworkClassifier
from chainrule.formula.layer import Context
from chainrule.formula.network import count, initialize, numbers, parted, trainable, united
from chainrule.layers import Chain, Dense, Embedding, Frozen, Repeat
from chainrule.model import load
from chainrule.notation import parse
from chainrule.optimizers import Adam
from chainrule.training import fit
from chainrule.training.step import Problem, first, step

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 4)).astype(np.float32)
Y = (X @ rng.normal(size=(4, 3))).argmax(axis=1)
NETWORK = Frozen(Dense(7) >> Tanh()) >> Dense(5) >> Tanh() >> Frozen(Dense(6)) >> Dense(3) >> Softmax()
FROZEN = (0, 3)


def train(network=NETWORK, x=X, y=Y, epochs=2, **options):
    return fit(network, x, y, epochs=epochs, batch_size=8, progress=False, **options)


def drawn(network=NETWORK, shape=(4,), seed=0):
    """The parameters that a training with this seed begins with."""
    ends = []
    train(network, X, Y, 1, optimizer="GradientDescent(1e-30)", seed=seed, callbacks=[ends.append])
    return ends[0].model().parameters


@pytest.fixture(scope="module")
def before():
    return drawn()


def same(one, other):
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return [np.array_equal(a, b) for a, b in pairs]


def check(before, after):
    for place in range(len(NETWORK.layers)):
        alike = same(before[place], after[place])
        assert all(alike) if place in FROZEN else not any(alike)


@pytest.mark.by_turns(3)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"optimizer": "ClipNorm(0.1) >> AdamW(weight_decay=0.5)"},
        {"optimizer": "Lion(0.01, weight_decay=0.5)"},
        {"optimizer": optax.adamw(0.01)},
        {"optimizer": "GradientDescent(0.1)", "regularizer": "L1(0.001) + L2(0.1)"},
        {"batch_size": "all"},
    ],
    ids=["adam", "clipped", "lion", "optax", "regularised", "all"],
)
def test_training_changes_everything_else(before, options):
    after = fit(NETWORK, X, Y, epochs=2, progress=False, **{"batch_size": 8} | options).parameters
    check(before, after)


@pytest.mark.slow
def test_what_is_trained_is_trained_as_if_it_were_not_there():
    """A network behind fixed features, and the same one on the features themselves."""
    whole = train(Frozen(Dense(7) >> Tanh()) >> Dense(3) >> Softmax(), regularizer="L1(0.01)", epochs=3)
    features = np.asarray((Dense(7) >> Tanh()).forward(whole.parameters[0], jnp.asarray(X)))
    problem = Problem(Dense(3) >> Softmax(), whole.cost, Adam(), whole.regularizer, ())
    own = first(problem, jax.random.key(0), (7,))
    begin = drawn(whole.network)[1:]
    assert same(begin, whole.parameters[1:]) == [False, False]
    one = jax.jit(lambda state: step(problem, state, features, Y, jnp.ones(40))[0])(own._replace(parameters=begin))
    other = fit(whole.network, X, Y, epochs=1, batch_size="all", regularizer="L1(0.01)", progress=False)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), one.parameters, other.parameters[1:])


def test_the_regulariser_does_not_count_it():
    model = train(regularizer="L2(1.0)")
    expected = sum(float(jnp.sum(model.parameters[place]["kernel"] ** 2)) for place in (1, 4))
    assert model.penalty() == pytest.approx(expected, rel=1e-5)


def test_optimizers_keep_no_slots_for_it():
    ends = []
    train(callbacks=[ends.append])
    slots = ends[-1].checkpoint().state.slots
    for name in ("m", "v"):
        assert [len(jax.tree.leaves(slots[name][place])) for place in range(len(NETWORK.layers))] == [0, 2, 0, 0, 2, 0]


def test_gradients_are_not_even_computed_for_it():
    """No operation of a step makes an array of a frozen kernel's shape, before all other layers or between them."""

    def made(network):
        problem = Problem(network, Quadratic(), Adam(), None, ())
        state = first(problem, jax.random.key(0), (4,))
        text = jax.jit(step).lower(problem, state, X, jnp.eye(3)[Y], jnp.ones(40)).as_text()
        return re.findall(r" = stablehlo.*\btensor<(4x7|5x6)xf32>$", text, re.MULTILINE)

    thawed = [layer.layer if isinstance(layer, Frozen) else layer for layer in NETWORK.layers]
    assert set(made(Chain(tuple(thawed)))) == {"4x7", "5x6"}
    assert made(NETWORK) == []


def test_a_network_that_is_frozen_as_a_whole_is_refused():
    with pytest.raises(ChainruleError) as caught:
        train("Frozen(Dense(3)) >> Softmax()")
    assert str(caught.value) == (
        "fit: Frozen(Dense(3)) >> Softmax() has nothing to train, since all its parameters are frozen. "
        "Leave a layer outside Frozen."
    )


def test_its_statistics_stay_and_it_draws_no_noise():
    network = parse("Dense(4) >> BatchNorm() >> Frozen(BatchNorm() >> Dropout(0.9)) >> Dense(3)")
    p, state = initialize(network, (4,), jax.random.key(0)), network.state((4,))
    y, after = network.apply(p, state, X, Context(jax.random.key(1), training=True))
    assert not any(same(state[1], after[1]))
    assert all(same(state[2], after[2]))
    h = network.layers[1].apply(p[1], state[1], network.layers[0].forward(p[0], X), Context(training=True))[0]
    np.testing.assert_array_equal(y, (network.layers[2] >> network.layers[3]).apply(p[2:], state[2:], h)[0])


def test_gradients_go_through_it():
    network = Dense(3) >> Frozen(Dense(2) >> Tanh())
    p = initialize(network, (4,), jax.random.key(0))
    slope = jax.grad(lambda p: network.forward(p, X).sum())(p)[0]
    truth = jax.grad(lambda p: parse("Dense(3) >> Dense(2) >> Tanh()").forward((p[0], *p[1]), X).sum())(p)[0]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), slope, truth)


def test_its_numbers_are_told_from_those_that_training_changes():
    assert (count(NETWORK, (4,)), numbers(NETWORK, (4,))) == (40 + 21, 35 + 40 + 36 + 21)
    assert count(Repeat(Frozen(Dense(4)), 3), (4,)) == 0
    assert numbers(Repeat(Frozen(Dense(4)), 3), (4,)) == 60


def test_trees_are_parted_and_united():
    p = initialize(NETWORK, (4,), jax.random.key(0))
    trained, frozen = parted(p, trainable(NETWORK, (4,)))
    assert len(jax.tree.leaves(trained)) == len(jax.tree.leaves(frozen)) == 4
    assert all(same(united(trained, frozen), p))


def test_it_goes_on_after_a_checkpoint_to_the_same_bits(before):
    ends = []
    options = {"optimizer": "AdamW(0.01)", "callbacks": [ends.append]}
    whole = train(epochs=4, **options)
    train(epochs=2, **options)
    halves = train(epochs=2, after=pickle.loads(pickle.dumps(ends[-1].checkpoint())), **options)
    assert all(same(whole.parameters, halves.parameters))
    check(before, halves.parameters)


def test_it_is_saved_with_its_parameters(tmp_path, before):
    model = train()
    model.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert again.network == NETWORK == parse(repr(NETWORK))
    np.testing.assert_array_equal(again(X), model(X))
    check(before, again.parameters)


def test_estimators_keep_it_too():
    network = Frozen(Dense(7) >> Sigmoid())
    model = NetworkClassifier(network, epochs=2, warm_start=True, random_state=0).fit(X, Y)
    kept = model.model_.parameters
    model.fit(X, Y)
    alike = same(kept, model.model_.parameters)
    assert alike == [True, True, False, False]
    model.set_params(network__layer__layers__0__units=6, warm_start=False).fit(X, Y)
    assert model.model_.parameters[0][0]["kernel"].shape == (4, 6)


def test_known_word_vectors_stay(tmp_path):
    vectors = rng.normal(size=(9, 2)).astype(np.float32)
    np.save(tmp_path / "vectors.npy", vectors)
    table = f"Embedding(9, 2, padding_id=0, initializer=Pretrained({str(tmp_path / 'vectors.npy')!r}))"
    tokens = rng.integers(1, 9, (40, 5))
    tokens[:, 3:] = 0
    model = train(f"Frozen({table}) >> GRU(3) >> Dense(3) >> Softmax()", tokens)
    assert isinstance(model.network.layers[0].layer, Embedding)
    np.testing.assert_array_equal(model.parameters[0]["table"][1:], vectors[1:])
    shorter = np.delete(tokens, np.s_[3:], axis=1)
    again = model.network.apply(model.parameters, model.state, shorter)[0]
    np.testing.assert_allclose(again, model(tokens), rtol=1e-5)  # so its mask goes on behind it
