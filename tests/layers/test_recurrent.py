"""Recurrent layers equal their textbook loops; direction, stacking, start and dropout."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.activations import LeakyReLU, NoisyReLU, PReLU, ReLU
from chainrule.errors import ChainruleError
from chainrule.formula.layer import Chain, Context, Parameter
from chainrule.formula.network import count, initialize, regularized
from chainrule.layers import GRU, LSTM, RNN, Bidirectional, Dense
from chainrule.notation import parse

KEY = jax.random.key(0)
KINDS = [
    RNN(3),
    RNN(3, activation=LeakyReLU(0.2)),
    RNN(3, activation=PReLU()),
    LSTM(3),
    GRU(3),
    GRU(3, reset_after=True),
]
each_kind = pytest.mark.parametrize("layer", KINDS, ids=repr)


def changed(layer, **fields):
    return type(layer)(**{**vars(layer), **fields})


def drawn(layer, shape=(5, 2)):
    """Parameters, none of them zero."""
    rng = np.random.default_rng(0)
    return jax.tree.map(
        lambda parameter: (0.5 * rng.normal(size=parameter.shape)).astype(np.float32),
        layer.parameters(shape),
        is_leaf=lambda node: isinstance(node, Parameter),
    )


X = np.random.default_rng(1).normal(size=(4, 5, 2)).astype(np.float32)


@jax.jit
def forward(layer, p, x):
    return layer.forward(p, x)


@jax.jit
def noisy(layer, p, x, key):
    return layer.noisy(p, x, key)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def textbook(layer, p, x, seen=1.0):
    """All outputs, by the lines of the textbook in float64; `seen` is what recurrent dropout leaves of h."""
    p = jax.tree.map(lambda w: np.asarray(w, np.float64), p)
    batch, units = len(x), layer.units
    start = p.get("start", np.zeros((layer.states, units)))
    h, c = np.tile(start[0], (batch, 1)), np.tile(start[-1], (batch, 1))
    w, u, b = (np.split(p[name], layer.gates, axis=-1) for name in ("kernel", "recurrent_kernel", "bias"))
    outputs = []
    for t in range(x.shape[1]):
        gate = lambda k, h: x[:, t] @ w[k] + (h * seen) @ u[k] + b[k]  # noqa: B023, E731
        if isinstance(layer, RNN):
            h = np.asarray(layer.activation.forward(p.get("activation"), jnp.asarray(gate(0, h))))
        elif isinstance(layer, LSTM):
            i, f, g, o = sigmoid(gate(0, h)), sigmoid(gate(1, h)), np.tanh(gate(2, h)), sigmoid(gate(3, h))
            c = f * c + i * g
            h = o * np.tanh(c)
        else:
            r, z = sigmoid(gate(0, h)), sigmoid(gate(1, h))
            inner = r * ((h * seen) @ u[2] + p["recurrent_bias"]) if layer.reset_after else (r * h * seen) @ u[2]
            h = (1 - z) * np.tanh(x[:, t] @ w[2] + b[2] + inner) + z * h
        outputs.append(h)
    return np.stack(outputs, axis=1)


@pytest.mark.by_turns(2)
@each_kind
def test_it_is_the_loop_that_the_textbook_writes(layer):
    layer = changed(layer, learn_start=True)
    p = drawn(layer)
    truth = textbook(layer, p, np.asarray(X))
    np.testing.assert_allclose(forward(layer, p, X), truth[:, -1], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(forward(changed(layer, return_sequences=True), p, X), truth, rtol=1e-5, atol=1e-6)


@pytest.mark.by_turns(2)
@each_kind
def test_reverse_goes_through_time_backwards_and_keeps_each_output_at_its_step(layer):
    p = drawn(layer)
    back = changed(layer, reverse=True)
    np.testing.assert_allclose(forward(back, p, X), forward(layer, p, X[:, ::-1]), rtol=1e-5)
    sequences = changed(layer, return_sequences=True)
    outputs = np.asarray(forward(changed(back, return_sequences=True), p, X))
    np.testing.assert_allclose(outputs, np.asarray(forward(sequences, p, X[:, ::-1]))[:, ::-1], rtol=1e-5)
    np.testing.assert_allclose(outputs[:, 0], forward(back, p, X), rtol=1e-5)


@pytest.mark.parametrize("sequences", [False, True], ids=["last", "sequences"])
@pytest.mark.parametrize("merge", ["concat", "sum", "mean"])
def test_bidirectional(merge, sequences):
    one = GRU(3, return_sequences=sequences)
    both = Bidirectional(one, merge=merge)
    p = drawn(both)
    a, b = forward(one, p["forward"], X), forward(changed(one, reverse=True), p["backward"], X)
    a, b = np.asarray(a), np.asarray(b)
    truth = {"concat": np.concatenate([a, b], -1), "sum": a + b, "mean": (a + b) / 2}[merge]
    np.testing.assert_allclose(forward(both, p, X), truth, rtol=1e-6)
    assert both.output_shape((5, 2)) == truth.shape[1:]
    assert count(both, (5, 2)) == 2 * count(one, (5, 2))


def test_bidirectional_of_a_reversed_layer_mirrors_it():
    one, other = Bidirectional(RNN(3)), Bidirectional(RNN(3, reverse=True))
    p = drawn(one)
    mine = forward(other, {"forward": p["backward"], "backward": p["forward"]}, X)
    np.testing.assert_allclose(mine, np.roll(forward(one, p, X), 3, axis=-1), rtol=1e-6)


def test_stacking():
    stack = LSTM(3, return_sequences=True) >> GRU(4, return_sequences=True) >> RNN(2)
    p = drawn(stack)
    x = np.asarray(X)
    for layer, own in zip(stack.layers, p, strict=True):
        x = textbook(layer, own, x)
    np.testing.assert_allclose(forward(stack, p, X), x[:, -1], rtol=1e-5, atol=1e-6)


@pytest.mark.by_turns(2)
@each_kind
def test_the_start_is_zero_or_learned(layer):
    learned = changed(layer, learn_start=True)
    p = initialize(learned, (5, 2), KEY)
    assert p["start"].tolist() == [[0] * 3] * layer.states
    np.testing.assert_allclose(forward(learned, p, X), forward(layer, p, X))
    slopes = jax.jit(jax.grad(lambda p: jnp.sum(learned.forward(p, X) ** 2)))(drawn(learned))
    assert np.asarray(slopes["start"]).all()


@pytest.mark.by_turns(2)
@each_kind
def test_recurrent_dropout_hides_the_same_outputs_at_each_step_and_scales_the_others(layer):
    layer = changed(layer, recurrent_dropout=0.25, return_sequences=True)
    p = drawn(layer)
    kept = np.asarray(jax.random.bernoulli(KEY, 0.75, (4, 3)))
    assert 0 < kept.sum() < kept.size
    y = noisy(layer, p, X, KEY)
    np.testing.assert_allclose(y, textbook(layer, p, np.asarray(X), kept / 0.75), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(
        jax.jit(layer.apply)(p, {}, X)[0], forward(changed(layer, recurrent_dropout=None), p, X)
    )


def test_recurrent_dropout_hides_its_rate():
    layer = RNN(200, recurrent_dropout=0.3, return_sequences=True, activation=ReLU())
    p = {"kernel": np.zeros((1, 200)), "recurrent_kernel": np.eye(200), "bias": np.ones(200)}
    p = {name: w.astype(np.float32) for name, w in p.items()}
    y = np.asarray(noisy(layer, p, np.zeros((100, 2, 1), np.float32), KEY))[:, 1]  # 1 + kept / 0.7
    np.testing.assert_allclose(np.unique(y), [1, 1 + 1 / 0.7], rtol=1e-6)
    assert float((y == 1).mean()) == pytest.approx(0.3, abs=0.01)


def test_the_two_ways_have_dropout_of_their_own():
    both = Bidirectional(RNN(200, recurrent_dropout=0.5))
    p = drawn(both, (2, 2))
    p["backward"] = p["forward"]
    x = np.tile(X[:1, :1], (1, 2, 1))  # the same forwards and backwards
    ahead, back = np.split(noisy(both, p, x, KEY), 2, axis=-1)
    np.testing.assert_allclose(*np.split(forward(both, p, x), 2, axis=-1), rtol=1e-6)
    assert (ahead != back).any()


def test_the_forget_gate_starts_with_its_bias():
    assert initialize(LSTM(2), (5, 3), KEY)["bias"].tolist() == [0] * 8
    assert initialize(LSTM(2, forget_bias=1), (5, 3), KEY)["bias"].tolist() == [0, 0, 1, 1, 0, 0, 0, 0]


def test_parameters():
    p = initialize(GRU(4, reset_after=True, learn_start=True), (5, 3), KEY)
    shapes = {"kernel": (3, 12), "recurrent_kernel": (4, 12), "bias": (12,), "recurrent_bias": (4,), "start": (1, 4)}
    assert jax.tree.map(jnp.shape, p) == shapes
    kernel = p["recurrent_kernel"]
    np.testing.assert_allclose(kernel @ kernel.T, np.eye(4), atol=1e-5)
    assert count(LSTM(128), (100, 64)) == 4 * 128 * (64 + 128 + 1)


def test_an_activation_s_number_is_differentiated_through_time():
    p = drawn(RNN(3))

    @jax.jit
    def cost(alpha):
        return jnp.sum(RNN(3, activation=LeakyReLU(alpha)).forward(p, X))

    slope = jax.grad(cost)(jnp.float32(0.2))
    assert float(slope) == pytest.approx((float(cost(0.21)) - float(cost(0.19))) / 0.02, rel=0.02)


@pytest.mark.by_turns(2)
@pytest.mark.parametrize("shared", [False, True])
def test_what_an_activation_learns_is_a_parameter_with_its_gradient_through_time(shared):
    layer = RNN(3, activation=PReLU(0.1, shared=shared), return_sequences=True)
    p = drawn(layer)
    assert p["activation"]["slope"].shape == (() if shared else (3,))
    assert regularized(layer, (5, 2))["activation"] == {"slope": False}

    def scanned(p, x):
        def step(h, x):
            z = x @ p["kernel"] + h @ p["recurrent_kernel"] + p["bias"]
            h = jnp.where(z > 0, z, p["activation"]["slope"] * z)
            return h, h

        return jnp.swapaxes(jax.lax.scan(step, jnp.zeros((len(x), 3)), jnp.swapaxes(x, 0, 1))[1], 0, 1)

    slopes = jax.jit(lambda p, x: [jax.grad(lambda p, x, f=f: jnp.sum(jnp.sin(f(p, x))), (0, 1))(p, x)
                                   for f in (layer.forward, scanned)])  # fmt: skip
    ours, truth = slopes(p, X)
    assert np.all(np.asarray(truth[0]["activation"]["slope"]) != 0)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), ours, truth)


def test_noise_of_an_activation_is_drawn_at_each_step():
    layer = RNN(500, activation=NoisyReLU(), return_sequences=True)
    p = {"kernel": np.zeros((2, 500)), "recurrent_kernel": np.zeros((500, 500)), "bias": np.full(500, 5.0)}
    p = {name: w.astype(np.float32) for name, w in p.items()}
    y = np.asarray(noisy(layer, p, X, KEY))
    deviation = (1 / (1 + np.exp(-5))) ** 0.5
    assert y.std(axis=-1) == pytest.approx(deviation, rel=0.15)
    each = (y - 5).reshape(-1, 500)
    assert np.abs(np.corrcoef(each) - np.eye(len(each))).max() < 0.25  # of other steps and sequences, another
    np.testing.assert_array_equal(forward(layer, p, X), np.full_like(y, 5))


def test_noise_has_the_gradient_of_the_steps_that_were_drawn():
    layer = RNN(3, activation=NoisyReLU())
    p, direction = drawn(layer), np.random.default_rng(0).normal(size=(3, 3)).astype(np.float32)
    cost = jax.jit(lambda u: jnp.sum(noisy(layer, p | {"recurrent_kernel": u}, X, KEY) ** 2))
    u = jnp.asarray(p["recurrent_kernel"])
    difference = (cost(u + 1e-3 * direction) - cost(u - 1e-3 * direction)) / 2e-3
    assert float(jnp.vdot(jax.grad(cost)(u), direction)) == pytest.approx(float(difference), rel=2e-2)


@each_kind
def test_one_step_of_one_feature_and_one_unit(layer):
    layer = changed(layer, units=1)
    p = drawn(layer, (1, 1))
    x = X[:, :1, :1]
    np.testing.assert_allclose(forward(layer, p, x), textbook(layer, p, np.asarray(x))[:, -1], rtol=1e-5, atol=1e-6)


@pytest.mark.by_turns(2)
@pytest.mark.parametrize("layer", [*KINDS, Bidirectional(LSTM(3))], ids=repr)
def test_prelu_and_noisy_relu_behind_it_are_per_unit(layer):
    network = layer >> PReLU() >> NoisyReLU()
    p, [units] = drawn(network), layer.output_shape((5, 2))
    assert p[1]["slope"].shape == (units,)
    y, _ = jax.jit(network.apply)(p, network.state((5, 2)), X, Context(KEY))
    assert (np.asarray(y) != forward(network, p, X)).any()


def test_a_subclass_has_its_own_formula_in_a_chain():
    class Doubled(LSTM):
        def forward(self, p, x):
            return 2 * super().forward(p, x)

    layer = Doubled(3)
    p = drawn(layer)
    for context in (Context(), Context(KEY)):
        y, _ = Chain((layer,)).apply((p,), ({},), X, context)
        np.testing.assert_allclose(y, 2 * forward(LSTM(3), p, X), rtol=1e-6)


@pytest.mark.parametrize("layer", [LSTM(3), GRU(3), GRU(3, reset_after=True)], ids=repr)
def test_a_long_sequence_of_large_values_stays_finite(layer):
    p = drawn(layer, (1000, 2))
    value_and_slopes = jax.jit(jax.value_and_grad(lambda p, x: jnp.sum(forward(layer, p, x)), (0, 1)))
    assert all(
        np.isfinite(leaf).all() for leaf in jax.tree.leaves(value_and_slopes(p, np.full((1, 1000, 2), 100, np.float32)))
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GRU(16).output_shape((6,)),
         "GRU(16): expected series (time, features), got shape (6,). "
         "Put a Reshape before it, or return_sequences=True into the layer before."),
        (lambda: (LSTM(4) >> LSTM(3)).output_shape((5, 2)),
         "LSTM(3): expected series (time, features), got shape (4,). "
         "Put a Reshape before it, or return_sequences=True into the layer before."),
        (lambda: Bidirectional(RNN(3)).parameters((8, 8, 1)),
         "RNN(3): expected series (time, features), got shape (8, 8, 1). "
         "Put a Reshape before it, or return_sequences=True into the layer before."),
        (lambda: RNN(0), "RNN: units must be a whole number >= 1, got 0."),
        (lambda: LSTM(3, recurrent_dropout=1.0),
         "LSTM: recurrent_dropout must be a number >= 0 and < 1, or None, got 1.0. The default is None."),
        (lambda: Bidirectional(Dense(3)),
         "Bidirectional: layer must be a formula of the family Recurrent, got Dense(3)."),
        (lambda: Bidirectional(RNN(3), merge="max"),
         "Bidirectional: merge must be one of 'concat', 'sum', 'mean', got 'max'. The default is 'concat'."),
    ],
    ids=range(7),
)  # fmt: skip
def test_error_texts(make, message):
    with pytest.raises(ChainruleError) as caught:
        make()
    assert str(caught.value) == message


def test_notation_of_a_whole_network():
    text = "Bidirectional(LSTM(8, return_sequences=True, recurrent_dropout=0.1, forget_bias=1.0)) >> GRU(4)"
    assert repr(parse(text)) == text
