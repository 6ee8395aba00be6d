"""What neighbours in a chain compute together: the same as in turn, and only for exactly these types."""

from functools import partial
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.activations import NoisyReLU, ReLU, Tanh
from chainrule.arrays.masked import Masked
from chainrule.formula.fusion import fused
from chainrule.formula.layer import Context, outputs_of
from chainrule.formula.network import initialize
from chainrule.layers import Conv1D, Conv2D, Embedding, MaxPool1D, MaxPool2D, fusion
from chainrule.notation import parse

KEY = jax.random.key(0)


def outputs(layer, p, x):
    return outputs_of(layer, p, ({},) * len(p), x)[0]


def one_by_one(chain, p, x):
    for layer, own in zip(chain.layers, p, strict=True):
        x = layer.forward(own, x)
    return x


@pytest.mark.by_turns(2)
@pytest.mark.parametrize(
    ("text", "shape", "together"),
    [
        ('Conv2D(5, 3, padding="same") >> ReLU() >> MaxPool2D(2)', (7, 8, 3), True),
        ("Conv2D(5, 3, bias=False) >> MaxPool2D((1, 2)) >> ReLU()", (7, 8, 3), True),
        ("Conv1D(5, 3) >> MaxPool1D(2) >> Conv1D(4, 2) >> ReLU() >> Conv1D(3, 1)", (17, 3), True),
        ("Conv1D(5, 3) >> ReLU() >> ReLU() >> MaxPool1D(2) >> MaxPool1D(2)", (17, 3), True),
        ("Conv2D(6, 3, groups=3) >> ReLU() >> MaxPool2D(2)", (7, 8, 3), False),
        ('Conv2D(5, 3) >> ReLU() >> MaxPool2D(3, stride=2, padding="same")', (7, 8, 3), False),
    ],
)
def test_pooling_and_relu_behind_it_are_computed_with_it(text, shape, together):
    chain = parse(text)
    p, x = initialize(chain, shape, KEY), jax.random.normal(KEY, (4, *shape))

    @jax.jit
    def both(p, x):
        forms = chain.forward, partial(one_by_one, chain)
        return [(f(p, x), jax.grad(lambda p, x: jnp.sum(f(p, x) ** 3), (0, 1))(p, x)) for f in forms]  # noqa: B023

    ours, truth = both(p, x)
    np.testing.assert_array_equal(ours[0], truth[0])
    for mine, true in zip(jax.tree.leaves(ours[1]), jax.tree.leaves(truth[1]), strict=True):
        np.testing.assert_allclose(mine, true, rtol=1e-4, atol=1e-4 * float(jnp.abs(true).max()))
    assert is_pooled(chain, p, x) is together


def is_pooled(chain, p, x):
    with mock.patch.object(fusion, "pooled_convolution", wraps=fusion.pooled_convolution) as spy:
        jax.make_jaxpr(lambda p, x: chain.forward(p, x))(p, x)
    return spy.called


def test_pooling_over_more_places_than_a_byte_tells_apart_is_computed_in_its_turn():
    for size, together in ((255, True), (256, False)):
        chain = Conv1D(1, 1) >> MaxPool1D(size)
        x = jnp.ones((1, 256, 1))
        assert is_pooled(chain, initialize(chain, (256, 1), KEY), x) is together


def test_masks_and_formulas_of_ones_own_are_kept():
    class Doubled(Conv1D):
        def forward(self, p, x):
            return 2 * super().forward(p, x)

    conv, x = Conv1D(4, 3, padding="same"), jax.random.normal(KEY, (3, 8, 2))
    (p, *_) = parameters = initialize(conv >> ReLU() >> MaxPool1D(2), (8, 2), KEY)
    pooled = lambda y: MaxPool1D(2).forward({}, jnp.maximum(y, 0))  # noqa: E731
    doubled = (Doubled(4, 3, padding="same") >> ReLU() >> MaxPool1D(2)).forward(parameters, x)
    np.testing.assert_allclose(doubled, pooled(2 * conv.forward(p, x)), rtol=1e-6)
    sequences = Masked(x, jnp.arange(8) < jnp.array([[8], [5], [2]]))
    y = outputs(conv >> ReLU() >> MaxPool1D(2), parameters, sequences)
    convolved = outputs(conv, p, sequences)
    in_turn = outputs(MaxPool1D(2), {}, Masked(jnp.maximum(convolved.values, 0), convolved.mask))
    jax.tree.map(np.testing.assert_array_equal, y, in_turn)


def test_an_embedding_hides_padding_from_what_is_computed_together():
    chain = Embedding(9, 4, padding_id=0) >> Conv1D(4, 3, padding="same") >> ReLU() >> MaxPool1D(2)
    tokens = jnp.array([[3, 5, 2, 0, 0, 0], [1, 2, 3, 4, 5, 6]])
    p = initialize(chain, (6,), KEY)
    y = outputs(chain, p, tokens)
    embedding, conv, *_ = chain.layers
    convolved = outputs(conv, p[1], outputs(embedding, p[0], tokens))
    in_turn = outputs(MaxPool1D(2), {}, Masked(jnp.maximum(convolved.values, 0), convolved.mask))
    jax.tree.map(np.testing.assert_array_equal, y, in_turn)
    assert y.mask.tolist() == [[True, False, False], [True, True, True]]


@pytest.mark.by_turns(2)
@pytest.mark.parametrize(
    "pool", [MaxPool2D(2), MaxPool2D(3, stride=2, padding="same"), MaxPool2D((1, 2), stride=1)], ids=repr
)
def test_a_rectifier_before_a_maximum_is_computed_behind_it_to_the_same_bits(pool):
    random = np.random.default_rng(0)
    values = np.array([-np.inf, -2, -1, -0.0, 0, 1, 2, np.inf, np.nan], np.float32)  # many equal, many windows below 0
    x = random.choice(values, (20, 6, 7, 3), p=[0.05, 0.2, 0.25, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05])
    dy = random.choice(np.array([-1, -0.0, 0.5, np.inf, np.nan], np.float32), (20, *pool.output_shape((6, 7, 3))))
    in_turn = lambda x: pool.forward({}, ReLU().forward({}, x))  # noqa: E731
    composed = lambda x: (ReLU() >> pool).forward(({}, {}), x)  # noqa: E731
    for f in (jax.jit, lambda f: f):
        (y, slope), (true_y, true_slope) = (
            (y, pull(dy)[0]) for y, pull in (jax.vjp(f(form), x) for form in (composed, in_turn))
        )
        np.testing.assert_array_equal(y, true_y)
        np.testing.assert_array_equal(slope, true_slope)
        assert not (np.signbit(y) != np.signbit(true_y)).any()


def test_layers_keep_their_states_keys_and_masks_whatever_the_order_of_computation():
    chain = ReLU() >> MaxPool1D(2) >> NoisyReLU() >> MaxPool1D(2)
    x, key = jnp.linspace(-1, 3, 24).reshape(2, 6, 2), jax.random.key(0)
    pooled = MaxPool1D(2).forward({}, ReLU()(x))
    noisy = NoisyReLU().noisy({}, pooled, jax.random.fold_in(key, 2))
    np.testing.assert_array_equal(
        chain.apply(({},) * 4, ({},) * 4, x, Context(key))[0], MaxPool1D(2).forward({}, noisy)
    )
    mask = jnp.arange(6) < jnp.array([[6], [3]])
    masked = outputs(ReLU() >> MaxPool1D(2), ({}, {}), Masked(x, mask))
    in_turn = outputs(MaxPool1D(2), {}, Masked(ReLU()(x), mask))
    np.testing.assert_array_equal(masked.values, in_turn.values)
    np.testing.assert_array_equal(masked.mask, in_turn.mask)


def test_a_subclass_with_a_formula_of_its_own_is_computed_in_its_turn():
    class Falling(ReLU):
        def forward(self, p, x):
            return -super().forward(p, x)

    class Smallest(MaxPool1D):
        def forward(self, p, x):
            return -super().forward(p, -x)

    x = jnp.array([[[1.0], [3.0], [-2.0], [-1.0]]])
    assert (Falling() >> MaxPool1D(2)).forward(({}, {}), x).ravel().tolist() == [-1, 0]
    assert (ReLU() >> Smallest(2)).forward(({}, {}), jnp.abs(x)).ravel().tolist() == [1, 1]
    assert (Falling() >> Smallest(2)).forward(({}, {}), x).ravel().tolist() == [-3, 0]


def test_a_subclass_is_computed_in_its_turn_with_the_same_values():
    class Named(Conv1D):
        rank = 1

    x = jax.random.normal(KEY, (3, 8, 2))
    chains = Conv1D(4, 3) >> ReLU() >> MaxPool1D(2), Named(4, 3) >> ReLU() >> MaxPool1D(2)
    p = initialize(chains[0], (8, 2), KEY)
    np.testing.assert_array_equal(*(chain.forward(p, x) for chain in chains))
    assert [is_pooled(chain, p, x) for chain in chains] == [True, False]


def test_the_longest_run_is_computed_together():
    conv, relu, pool = Conv2D(4, 3), ReLU(), MaxPool2D(2)
    runs = lambda *layers: [(first, end) for first, end, _ in fused(layers)]  # noqa: E731
    assert runs(conv, relu, pool, relu) == [(0, 3), (3, 4)]
    assert runs(conv, relu, relu, pool, pool) == [(0, 2), (2, 4), (4, 5)]
    assert runs(relu, conv, conv, pool) == [(0, 1), (1, 2), (2, 4)]
    assert runs(conv, MaxPool1D(2), Tanh(), pool) == [(0, 1), (1, 2), (2, 3), (3, 4)]
