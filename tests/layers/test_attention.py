"""Attention and positions: what sees what, by properties, and the published formulas."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.errors import ChainruleError
from chainrule.formula.layer import Context
from chainrule.formula.network import initialize
from chainrule.layers import LearnedPositions, SelfAttention, SinusoidalPositions
from chainrule.layers.attention import turned
from chainrule.notation import parse

KEY = jax.random.key(0)
TIME, FEATURES = 6, 8
LAYERS = [
    SelfAttention(2),
    SelfAttention(4, causal=True),
    SelfAttention(2, rotary=True, bias=False),
    SelfAttention(3, causal=True, rotary=True, key_size=4, value_size=5),
]
each_layer = pytest.mark.parametrize("layer", LAYERS, ids=repr)


@pytest.fixture(scope="module")
def drawn():
    """Parameters of a layer for series of TIME steps, none of them 0."""
    shape = (TIME, FEATURES)
    found = [jax.tree.map(lambda w: w + 0.1, initialize(layer, shape, KEY)) for layer in LAYERS]
    return dict(zip(LAYERS, found, strict=True))


@jax.jit
def attended(layer, p, x, mask):
    return layer.apply(p, {}, x, Context(mask=mask))[0]


@jax.jit
def alone_of(layer, p, x):
    return layer.forward(p, x)


@jax.jit
def slopes(layer, p, x, mask, g):
    return jax.grad(lambda p, x: jnp.vdot(layer.apply(p, {}, x, Context(mask=mask))[0], g), (0, 1))(p, x)


def series(seed, batch=3):
    return np.random.default_rng(seed).normal(size=(batch, TIME, FEATURES)).astype(np.float32)


@pytest.mark.by_turns(2)
@each_layer
@settings(deadline=None, max_examples=20)
@given(lengths=st.tuples(*[st.integers(0, TIME)] * 3), seed=st.integers(0, 99))
def test_padding_never_changes_a_step_and_becomes_0(drawn, layer, lengths, seed):
    x, mask = series(seed), np.arange(TIME) < np.array(lengths)[:, None]
    garbage = np.where(mask[..., None], x, np.resize([np.nan, np.inf, 1e30], (3, TIME, FEATURES))).astype(np.float32)
    y = attended(layer, drawn[layer], garbage, mask)
    assert not np.any(np.asarray(y)[~mask] != 0)
    for row, length in enumerate(lengths):
        if length:
            alone = alone_of(layer, drawn[layer], x[row : row + 1, :length])[0]
            np.testing.assert_allclose(y[row, :length], alone, rtol=2e-5, atol=2e-6)


@pytest.mark.by_turns(2)
@each_layer
def test_padding_has_no_gradient_and_no_step_at_all_is_finite(drawn, layer):
    x, mask = series(0), np.arange(TIME) < np.array([6, 2, 0])[:, None]
    x[~mask] = np.nan
    of_p, of_x = slopes(layer, drawn[layer], x, mask, np.ones_like(x))
    assert not np.any(np.asarray(of_x)[~mask] != 0)
    assert all(np.isfinite(slope).all() for slope in jax.tree.leaves((of_p, of_x)))
    of_p, of_x = slopes(layer, drawn[layer], x[2:], mask[2:], np.ones_like(x[2:]))
    assert not any(np.any(np.asarray(slope) != 0) for slope in jax.tree.leaves((of_p, of_x)))


@each_layer
@settings(deadline=None, max_examples=20)
@given(step=st.integers(0, TIME - 2), seed=st.integers(0, 99))
def test_later_steps_change_earlier_outputs_where_it_is_not_causal(drawn, layer, step, seed):
    x, mask = series(seed), np.ones((3, TIME), bool)
    later = np.where(np.arange(TIME)[:, None] > step, series(seed + 100), x)
    before, after = (attended(layer, drawn[layer], each, mask)[:, : step + 1] for each in (x, later))
    assert np.array_equal(before, after) == layer.causal


@settings(deadline=None, max_examples=20)
@given(order=st.permutations(range(TIME)), seed=st.integers(0, 99))
def test_without_positions_it_is_equivariant(drawn, order, seed):
    layer, x, mask = LAYERS[0], series(seed), np.ones((3, TIME), bool)
    y, moved = attended(layer, drawn[layer], x, mask), attended(layer, drawn[layer], x[:, order], mask)
    np.testing.assert_allclose(moved, np.asarray(y)[:, order], rtol=1e-5, atol=1e-6)


@settings(deadline=None, max_examples=20)
@given(apart=st.integers(0, 30), size=st.sampled_from([2, 4, 6, 16]), seed=st.integers(0, 99))
def test_products_of_turned_vectors_depend_on_how_far_apart_they_are(apart, size, seed):
    q, k = np.random.default_rng(seed).normal(size=(2, size)).astype(np.float32)
    everywhere = lambda u: np.asarray(turned(jnp.broadcast_to(u, (1, 40, 1, size))))[0, :, 0]  # noqa: E731
    products = np.sum(everywhere(q)[: 40 - apart] * everywhere(k)[apart:], axis=-1)
    np.testing.assert_allclose(products, products[0], rtol=1e-4, atol=1e-4)
    published = np.exp(
        -1j * apart / 10000 ** (np.arange(size // 2) * 2 / size)
    )  # ⟨q, k eⁱᶿ⟩ of pairs as complex numbers
    pairs = (q[::2] + 1j * q[1::2]) * np.conj(k[::2] + 1j * k[1::2])
    np.testing.assert_allclose(products[0], np.sum(pairs * published).real, rtol=1e-4, atol=1e-4)


def test_rotary_positions_tell_orders_apart(drawn):
    layer, x = LAYERS[2], series(0)
    y, moved = layer.forward(drawn[layer], x), layer.forward(drawn[layer], x[:, ::-1])
    assert float(jnp.abs(moved - y[:, ::-1]).max()) > 1e-2


@pytest.mark.parametrize("features", [1, 4, 7])
def test_sinusoidal_positions_are_the_published_ones(features):
    y = SinusoidalPositions().forward({}, jnp.ones((2, 5000, features)))
    for t in (0, 1, 57, 4999):
        for j in range(features):
            wave = math.cos if j % 2 else math.sin
            assert float(y[1, t, j]) == pytest.approx(1 + wave(t / 10000 ** (2 * (j // 2) / features)), rel=1e-6)


def test_learned_positions_are_the_first_rows_of_the_table():
    layer = LearnedPositions(7)
    p = initialize(layer, (5, 3), KEY)
    assert p["table"].shape == (7, 3)
    np.testing.assert_array_equal(layer.forward(p, jnp.zeros((2, 4, 3)))[1], p["table"][:4])
    assert float(initialize(LearnedPositions(1000), (5, 30), KEY)["table"].std()) == pytest.approx(0.1, rel=0.05)


@pytest.mark.by_turns(2)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_summed_in_single(dtype):
    """4,096 equal steps: the sum of their exponentials is beyond what float16 counts and bfloat16 resolves."""
    layer = SelfAttention(1, bias=False)
    x = jnp.full((1, 4096, 1), 2, dtype)
    p = {f"kernel_{name}": jnp.ones((1, 1), dtype) for name in "qkvo"}
    assert layer.forward(p, x).dtype == dtype
    np.testing.assert_array_equal(jax.jit(layer.forward)(p, x), x)


@pytest.mark.parametrize("size", [1e4, -1e4])
def test_logits_of_thousands_are_sure_and_have_finite_slopes(size):
    """Step 0 fits the second key by 10⁴ better than the first: its value alone is taken."""
    layer = SelfAttention(1, bias=False)
    p = {f"kernel_{name}": jnp.eye(2) for name in "qkvo"} | {"kernel_q": size * 2**0.5 * jnp.eye(2)}
    x = jnp.array([[[1.0, 0.0], [0.0, 1.0]]])
    y, pull = jax.vjp(layer.forward, p, x)
    np.testing.assert_array_equal(y, x if size > 0 else x[:, ::-1])
    assert all(jnp.isfinite(slope).all() for slope in jax.tree.leaves(pull(jnp.ones_like(y))))


def test_dropout_leaves_out_weights_and_keeps_the_mean():
    layer = SelfAttention(2, dropout=0.25, bias=False)
    x = jnp.ones((1, 40, 2))
    p = {f"kernel_{name}": jnp.eye(2) for name in "qkvo"}
    ys = jax.vmap(lambda key: layer.apply(p, {}, x, Context(key))[0])(jax.random.split(KEY, 200))
    kept = ys * 40 * 0.75  # each output is the part of 40 weights that stayed, scaled up
    np.testing.assert_allclose(kept, jnp.round(kept), atol=1e-3)
    assert float(ys.mean()) == pytest.approx(1, abs=0.01)
    assert float(kept.std()) == pytest.approx((40 * 0.25 * 0.75) ** 0.5, rel=0.1)
    np.testing.assert_allclose(layer.forward(p, x), x, rtol=1e-6)


def test_one_step_is_its_own_value(drawn):
    layer = SelfAttention(1)
    p = initialize(layer, (1, 3), KEY)
    x = series(0)[:, :1, :3]
    np.testing.assert_allclose(layer.forward(p, x), x @ p["kernel_v"] @ p["kernel_o"], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_a_block_parses_and_is_told_which_steps_are_padding():
    text = "Embedding(9, 8, padding_id=0) >> SinusoidalPositions() >> SelfAttention(2) >> GlobalAveragePool1D()"
    network = parse(text)
    assert repr(network) == text
    p = initialize(network, (5,), KEY)
    tokens = np.array([[3, 1, 4, 0, 0], [5, 2, 0, 0, 0]])
    together = network.forward(p, tokens)
    for row, length in enumerate((3, 2)):
        np.testing.assert_allclose(together[row], network.forward(p, tokens[row : row + 1, :length])[0], rtol=1e-5)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (SelfAttention(3), (10, 64),
         "SelfAttention(3): expected features that 3 heads divide, got shape (10, 64). "
         "Choose heads that do, or the length of their keys: SelfAttention(3, key_size=16)."),
        (SelfAttention(2, rotary=True), (10, 6),
         "SelfAttention(2, rotary=True): expected pairs of features to be turned in each of 2 heads, not 3, "
         "got shape (10, 6). Choose an even key_size."),
        (SelfAttention(2), (6,),
         "SelfAttention(2): expected series (time, features), got shape (6,). "
         "Put an Embedding, a Reshape or return_sequences=True before it."),
        (SinusoidalPositions(), (4, 4, 1),
         "SinusoidalPositions(): expected series (time, features), got shape (4, 4, 1). "
         "Put an Embedding, a Reshape or return_sequences=True before it."),
        (LearnedPositions(10), (11, 4),
         "LearnedPositions(10): expected at most 10 steps, got shape (11, 4). "
         "Give it the length of the longest sequence."),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(layer, shape, message):
    with pytest.raises(ChainruleError) as caught:
        layer.output_shape(shape)
    assert str(caught.value) == message
