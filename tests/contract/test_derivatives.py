"""What holds for every layer: forward and reverse mode agree, with each other and with differences, and second
derivatives are those of the plain forms.
"""

import contextlib
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.activations import Tanh
from chainrule.errors import ChainruleError
from chainrule.formula.layer import Chain, Context
from chainrule.formula.network import initialize
from chainrule.kernels import native
from chainrule.layers import RNN, Bidirectional, Conv1D, Dense
from chainrule.layers.recurrent import Recurrent
from chainrule.notation import parse
from chainrule.notation.families import family
from chainrule.optimizers import Rule

SHAPES = [(6,), (3, 6), (4, 3, 6), (8, 8, 2), (4, 3, 4, 2)]
OTHERS = [  # what the examples of each class leave out: other cells, kernels for many rows, layers computed together
    *(("LSTM(3, return_sequences=True, learn_start=True)", (4, 2)), ("GRU(3, reset_after=True)", (4, 2))),
    *(
        ("RNN(3, activation=ELU(0.5))", (4, 2)),
        ("RNN(3, activation=PReLU())", (4, 2)),
        ("GRU(3) >> Dense(2) >> Softmax()", (3, 2)),
    ),
    *(('Conv2D(3, 3, padding="same") >> ReLU() >> MaxPool2D(2)', (6, 6, 2)), ("Conv1D(4, 3, groups=2)", (7, 4))),
    *(("Conv2D(3, 2, stride=2) >> MaxPool2D((1, 3))", (7, 9, 2)), ("Conv1D(3, 3, stride=2, dilation=2)", (9, 2))),
    *(("Dense(40) >> Tanh() >> Dense(7)", (30,)), ('MaxPool2D(3, stride=2, padding="same")', (5, 6, 2))),
    *(
        ("Repeat(Identity() + Dense(8) * (Dense(8) >> Tanh()), 2)", (8,)),
        ("Repeat(Conv1D(3, 3, padding='same'), 2)", (5, 3)),
    ),
    *(("AveragePool2D(3, stride=1)", (5, 6, 2)), ("MaxPool1D(40, stride=3)", (50, 2)), ("Embedding(9, 300)", (6,))),
    *(("SelfAttention(2, causal=True, rotary=True)", (4, 4)), ("SelfAttention(3, key_size=5, value_size=2)", (3, 2))),
]


def pytest_generate_tests(metafunc):
    if "network" in metafunc.fixturenames:
        metafunc.parametrize("network", OTHERS, ids=lambda network: network[0], indirect=True)


@pytest.fixture
def network(request):
    text, shape = request.param
    return parse(text), shape


def problem(layer, shape):
    """A smooth number of what the layer learns and sees, these, and a direction."""
    rng = np.random.default_rng(0)
    p = jax.tree.map(lambda w: np.asarray(w) + np.float32(0.1), initialize(layer, shape, jax.random.key(0)))
    x = rng.normal(size=(12, *shape)).astype(np.float32)
    tokens = rng.integers(0, layer.tokens, (12, *shape)) if layer.tokens else None

    def cost(arguments):
        p, x = arguments
        y = layer.apply(p, layer.state(shape), x if tokens is None else tokens, Context(training=True))[0].ravel()
        return jnp.sum(jnp.sin(y) * jnp.cos(jnp.arange(y.size)))

    arguments = jax.tree.map(jnp.asarray, (p, x))
    direction = jax.tree.map(lambda of: jnp.asarray(rng.normal(size=of.shape), jnp.float32), arguments)
    return cost, arguments, direction


def inner(a, b):
    return sum(jax.tree.leaves(jax.tree.map(jnp.vdot, a, b)))


def both_modes_and_differences(cost, at, along):
    ahead = lambda step: cost(jax.tree.map(lambda of, d: of + step * d, at, along))  # noqa: E731
    return jax.jvp(cost, (at,), (along,))[1], inner(jax.grad(cost)(at), along), (ahead(1e-3) - ahead(-1e-3)) / 2e-3


CURVATURES = {  # the Hessian times a direction
    "forwards over backwards": lambda cost, at, along: jax.jvp(jax.grad(cost), (at,), (along,))[1],
    "backwards over forwards": lambda cost, at, along: jax.grad(lambda at: jax.jvp(cost, (at,), (along,))[1])(at),
    "backwards over backwards": lambda cost, at, along: jax.grad(lambda at: inner(jax.grad(cost)(at), along))(at),
}


def check_first(layer, shape):
    cost, at, along = problem(layer, shape)
    forwards, backwards, difference = map(float, jax.jit(partial(both_modes_and_differences, cost))(at, along))
    size = float(jnp.sqrt(inner(along, along)))
    assert forwards == pytest.approx(backwards, rel=1e-4, abs=1e-4 * size)
    assert forwards == pytest.approx(difference, rel=2e-2, abs=2e-2 * size)


def check_second(monkeypatch, layer, shape, orders=tuple(CURVATURES)):
    cost, at, along = problem(layer, shape)
    ours = [jax.jit(partial(CURVATURES[order], cost))(at, along) for order in orders]
    monkeypatch.setattr(native, "processor", lambda: None)
    truth = jax.jit(partial(CURVATURES["forwards over backwards"], cost))(at, along)
    for found in ours:
        equal(found, truth)


def equal(ours, truth):
    for mine, true in zip(jax.tree.leaves(ours), jax.tree.leaves(truth), strict=True):
        np.testing.assert_allclose(mine, true, rtol=1e-3, atol=1e-3 * (1e-2 + float(jnp.abs(true).max(initial=0))))


def first_fitting(layer):
    def fits(shape):
        with contextlib.suppress(ChainruleError):
            return layer.output_shape(shape)

    return next(filter(fits, SHAPES))


@pytest.mark.by_turns(6)
def test_the_first_of_each_layer(layer):
    check_first(layer, first_fitting(layer))


@pytest.mark.slow
def test_the_first_of_other_networks(network):
    check_first(*network)


@pytest.mark.slow
def test_the_second_of_each_layer(monkeypatch, layer):
    if isinstance(layer, (Recurrent, Bidirectional)):
        pytest.skip("takes long: the slow tests try its kernels")
    check_second(monkeypatch, layer, first_fitting(layer), ["forwards over backwards"])


@pytest.mark.slow
@pytest.mark.parametrize("text", ["LSTM(2, learn_start=True)", "GRU(2)", "GRU(2, reset_after=True)", "RNN(2)"])
def test_the_second_of_recurrences(monkeypatch, text):
    check_second(monkeypatch, parse(text), (3, 2), ["forwards over backwards"])


@pytest.mark.slow
def test_the_second_of_other_networks_in_every_order(monkeypatch, network):
    if any(isinstance(layer, Recurrent) for layer in Chain((network[0],)).layers):
        pytest.skip("takes long")
    check_second(monkeypatch, *network)


@pytest.mark.by_turns(2)
@pytest.mark.parametrize(
    "block", [Tanh(), Dense(3), Conv1D(3, 3, padding="same"), RNN(3, return_sequences=True)], ids=repr
)
def test_where_a_loop_is_taken_apart(monkeypatch, block):
    _, (p, x), along = problem(block, (4, 3))

    def looped(arguments):
        p, x = arguments
        return jnp.sum(jax.lax.scan(lambda x, _: (block.forward(p, jnp.sin(x)), None), x, length=3)[0])

    product = lambda at, along: jax.jvp(jax.grad(looped), (at,), (along,))[1]  # noqa: E731
    ours = jax.jit(lambda *of: product(*of))((p, x), along)
    monkeypatch.setattr(native, "processor", lambda: None)
    equal(ours, jax.jit(lambda *of: product(*of))((p, x), along))


RULES = [rule.__name__ for rule in family(Rule) if rule.__module__.startswith("chainrule.")]


@pytest.mark.slow
@pytest.mark.parametrize("text", [*map("{}()".format, RULES), "ClipNorm(1.0) >> Adam()", "ClipValue(1.0) >> Adam()"])
def test_a_step_where_gradients_are_zero(text):
    optimizer, params = parse(text), jnp.ones(3)
    state = optimizer.init(params)
    step = lambda g: optimizer.update(g, state, params)[0]  # noqa: E731
    for g in (jnp.zeros(3), jnp.array([0.0, 0.5, 0.0])):
        for slopes in (jax.jacfwd(step)(g), jax.jacrev(step)(g)):
            assert jnp.isfinite(slopes).all()
        if text != "Adafactor()":  # whose ε is 10⁻³⁰, and 1/√ε to the third is more than float32 holds
            assert jnp.isfinite(jax.jacfwd(jax.jacrev(step))(g)).all()
    assert jax.jacrev(step)(jnp.zeros(3))[0, 0] < 0 or not optimizer.has_rates


def test_steps_and_clips_at_zero_have_their_limits():
    adam = parse("Adam(0.5, epsilon=0.1)")
    slope = jax.grad(lambda g: adam.update(g, adam.init(g), g)[0])(jnp.array(0.0))
    assert float(slope) == pytest.approx(-0.5 / 0.1, rel=1e-4)
    np.testing.assert_array_equal(jax.jacrev(parse("ClipNorm(1.0)"))(jnp.zeros(2)), jnp.eye(2))


@pytest.mark.parametrize("text", ["L1(0.1)", "L2(0.1)", "GroupLasso(0.1)", "Orthogonality(0.1)", "TotalVariation(0.1)"])
def test_regularizers_at_zero(text):
    assert jnp.isfinite(jax.grad(parse(text))(jnp.zeros(2))).all()
