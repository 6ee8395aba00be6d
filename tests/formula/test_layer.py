"""How layers compose, carry state and draw noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.activations import NoisyReLU, PReLU, ReLU, Softmax
from chainrule.errors import ChainruleError
from chainrule.formula.layer import INFERENCE, Chain, Context, Layer, NoisyLayer
from chainrule.formula.network import count, initialize, regularized
from chainrule.initializers import Constant, Zeros
from chainrule.layers import Dense, Dropout, Flatten, Reshape

KEY = jax.random.key(0)


class RunningAverage(Layer):
    """Adds up what passes in training, and gives it at inference: the smallest layer with a state."""

    def state(self, shape):
        return {"seen": jnp.zeros(())}

    def forward(self, p, x):
        return x

    def apply(self, p, state, x, context=INFERENCE):
        return x, {"seen": state["seen"] + x.sum()} if context.training else state


def test_chains_are_flat_however_they_are_composed():
    a, b, c = Dense(3), ReLU(), Dense(2)
    assert (a >> b) >> c == a >> (b >> c) == Chain((a, b, c)) == Chain((a, Chain((b, c)))) == Chain([a, b, c])
    assert (a >> b >> c).layers == (a, b, c)
    assert hash((a >> b) >> c) == hash(a >> (b >> c))


def test_a_chain_prints_as_it_is_written():
    assert repr(Dense(3) >> ReLU() >> Softmax()) == "Dense(3) >> ReLU() >> Softmax()"
    assert repr(Chain((ReLU(),))) == "Chain((ReLU(),))"


def test_a_chain_computes_its_layers_one_after_another():
    chain = Dense(3) >> ReLU() >> Dense(2)
    x = jax.random.normal(KEY, (5, 4))
    (first, none, last) = p = initialize(chain, (4,), KEY)
    by_hand = jnp.maximum(x @ first["kernel"] + first["bias"], 0) @ last["kernel"] + last["bias"]
    np.testing.assert_allclose(chain.forward(p, x), by_hand, rtol=1e-6)
    assert none == {}


def test_counting_and_regularising_follow_the_declaration():
    chain = Flatten() >> Dense(3) >> PReLU() >> Dense(2, bias=False)
    assert count(chain, (2, 2)) == (4 * 3 + 3) + 3 + 3 * 2
    assert regularized(chain, (2, 2)) == ({}, {"kernel": True, "bias": False}, {"slope": False}, {"kernel": True})


def test_walking_tells_the_shape_that_reaches_each_layer():
    chain = Reshape((8, 8, 1)) >> Flatten() >> Dense(10)
    assert [shape for _, shape in chain.walk((64,))] == [(64,), (8, 8, 1), (64,)]
    assert chain.output_shape((64,)) == (10,)


def test_equal_layers_draw_different_parameters_and_equal_keys_equal_ones():
    chain = Dense(4, bias=False) >> Dense(4, bias=False)
    first, second = initialize(chain, (4,), KEY)
    assert not np.allclose(first["kernel"], second["kernel"])
    np.testing.assert_array_equal(initialize(chain, (4,), KEY)[0]["kernel"], first["kernel"])


def test_initializers_of_a_layer_are_used():
    p = initialize(Dense(2, kernel_initializer=Constant(0.5), bias_initializer=Constant(3.0)), (3,), KEY)
    assert p["kernel"].tolist() == [[0.5, 0.5]] * 3
    assert p["bias"].tolist() == [3, 3]


def test_state_flows_through_a_chain():
    chain = ReLU() >> RunningAverage() >> Dense(1, kernel_initializer=Zeros()) >> RunningAverage()
    p, state = initialize(chain, (2,), KEY), chain.state((2,))
    assert jax.tree.leaves(state) == [0, 0]
    x = jnp.array([[1.0, -1.0], [2.0, 3.0]])
    _, kept = chain.apply(p, state, x, Context(KEY, training=True))
    _, kept = chain.apply(p, kept, x, Context(KEY, training=True))
    assert kept == ({}, {"seen": 12.0}, {}, {"seen": 0.0})
    assert chain.apply(p, kept, x)[1] == kept


def test_forward_of_a_chain_with_statistics_is_refused():
    chain = RunningAverage() >> ReLU()
    with pytest.raises(ChainruleError) as caught:
        chain.forward(({}, {}), jnp.ones((1, 2)))
    assert str(caught.value) == (
        "RunningAverage() >> ReLU(): forward knows no statistics. Call apply(p, state, x), with the model's state."
    )


def test_each_layer_of_a_chain_has_noise_of_its_own():
    x = jnp.ones((1, 1000))
    one, _ = Dropout(0.5).apply({}, {}, x, Context(KEY))
    two, _ = (Dropout(0.5) >> Dropout(0.5)).apply(({}, {}), ({}, {}), x, Context(KEY))
    assert 0.35 < float((one > 0).mean()) < 0.65
    assert 0.18 < float((two > 0).mean()) < 0.32  # with the same noise twice it would be a half


def test_a_chain_makes_keys_for_none_but_layers_that_listen():
    network, x = Dense(3) >> ReLU() >> Dropout(0.5) >> Dense(2), jnp.ones((4, 3))
    p = initialize(network, (3,), jax.random.key(0))
    program = jax.make_jaxpr(lambda key: network.apply(p, network.state((3,)), x, Context(key))[0])(jax.random.key(1))
    assert [layer.listens for layer in network.layers] == [False, False, True, False]
    assert str(program).count("random_fold_in") == 1


def test_dropout_keeps_the_mean_and_drops_the_rate():
    y = Dropout(0.2).noisy({}, jnp.full(100_000, 3.0), KEY)
    assert float((y == 0).mean()) == pytest.approx(0.2, abs=0.01)
    assert float(y.mean()) == pytest.approx(3.0, rel=0.01)
    np.testing.assert_allclose(jnp.unique(y), [0.0, 3.75], rtol=1e-6)


def test_dropout_of_nothing_changes_nothing():
    x = jax.random.normal(KEY, (10, 10))
    np.testing.assert_array_equal(Dropout(0).noisy({}, x, KEY), x)


@pytest.mark.parametrize("x", [12.0, 8.0])
def test_noisy_relu_draws_a_variance_of_sigmoid(x):
    y = NoisyReLU().noisy({}, jnp.full(200_000, x), KEY)
    assert float(y.mean()) == pytest.approx(x, abs=0.02)
    assert float(y.var()) == pytest.approx(1 / (1 + np.exp(-x)), rel=0.02)


def test_noisy_relu_rectifies_after_its_noise():
    y = NoisyReLU().noisy({}, jnp.zeros(200_000), KEY)  # N(0, 1/2), rectified
    assert float(y.min()) == 0
    assert float((y == 0).mean()) == pytest.approx(0.5, abs=0.01)
    assert float(y.mean()) == pytest.approx(np.sqrt(0.5 / (2 * np.pi)), rel=0.02)


def test_noisy_relu_differentiates_through_its_noise():
    y, slope = jax.jvp(lambda x: NoisyReLU().noisy({}, x, KEY), (jnp.linspace(-30, 30, 101),), (jnp.ones(101),))
    assert jnp.isfinite(slope).all()
    assert not slope[y == 0].any()
    step = 1e-3
    ahead, behind = (NoisyReLU().noisy({}, jnp.linspace(-30, 30, 101) + d, KEY) for d in (step, -step))
    np.testing.assert_allclose(slope, (ahead - behind) / (2 * step), atol=0.02)


def test_a_noisy_layer_without_a_key_is_what_it_is_afterwards():
    assert issubclass(NoisyReLU, NoisyLayer)
    x = jnp.array([-1.0, 2.0])
    assert NoisyReLU().apply({}, {}, x)[0].tolist() == [0, 2]
    assert Dropout(0.9).apply({}, {}, x)[0].tolist() == [-1, 2]


def test_dense_acts_on_the_last_axis():
    layer = Dense(2)
    p = initialize(layer, (5, 3), KEY)
    x = jax.random.normal(KEY, (4, 5, 3))
    assert layer.output_shape((5, 3)) == (5, 2)
    np.testing.assert_allclose(layer.forward(p, x)[:, 2], layer.forward(p, x[:, 2]), rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Dense(3).output_shape(()),
         "Dense(3): expected examples of at least one axis, got shape (). Put Reshape((1,)) before it."),
        (lambda: Reshape((8, 8)).output_shape((63,)),
         "Reshape((8, 8)): expected examples of 64 values, got shape (63,). "
         "They have 63 values: choose axes whose product is that."),
        (lambda: Chain(()),
         "Chain: expected at least one layer, got none. For example: Tanh() >> Sigmoid()."),
        (lambda: Chain(3), "Chain: layers must be a tuple of formulas of the family Layer, got 3."),
        (lambda: Chain((ReLU(), 3)),
         "Chain: layers must be a tuple of formulas of the family Layer, got (ReLU(), 3)."),
        (lambda: Dense(0), "Dense: units must be a whole number >= 1, got 0."),
        (lambda: Dense(2, kernel_initializer=ReLU()),
         "Dense: kernel_initializer must be a formula of the family Initializer, got ReLU(). "
         "The default is GlorotUniform()."),
        (lambda: Dropout(1.0), "Dropout: rate must be a number >= 0 and < 1, got 1.0. The default is 0.5."),
    ],
    ids=range(8),
)  # fmt: skip
def test_error_texts(make, message):
    with pytest.raises(ChainruleError) as caught:
        make()
    assert str(caught.value) == message


def test_a_layer_composes_with_layers_only():
    with pytest.raises(TypeError):
        Dense(3) >> 4
    with pytest.raises(TypeError):
        Dense(3) >> Zeros()
