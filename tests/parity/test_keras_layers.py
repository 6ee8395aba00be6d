"""Keras' layers, on JAX: values, and gradients of the input and of every parameter."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.formula.layer import Context
from chainrule.formula.network import initialize
from chainrule.layers import (
    GRU,
    LSTM,
    RNN,
    AveragePool1D,
    AveragePool2D,
    Bidirectional,
    Conv1D,
    Conv2D,
    Embedding,
    GlobalAveragePool1D,
    GlobalMaxPool1D,
    MaxPool1D,
    MaxPool2D,
)

keras = pytest.importorskip("keras")
k = keras.layers

rng = np.random.default_rng(0)


def array(*shape):
    return jnp.asarray(rng.normal(size=shape), jnp.float32)


def both(layer, carry, theirs, x, mask=None):
    """Ours and Keras' value, and gradients by Keras' weights and the input; `carry` makes our parameters of them."""
    if not theirs.built:
        theirs.build((None, *x.shape[1:]))
    weights = [array(*w.shape) for w in theirs.trainable_variables]
    options = {} if mask is None else {"mask": mask}
    g = array(len(x), *layer.output_shape(x.shape[1:]))
    if mask is not None and g.ndim == 3:
        g = jnp.where(mask[..., None], g, 0)

    def ours(weights, x):
        return layer.apply(carry(weights), {}, x, Context(mask=mask))[0]

    def peer(weights, x):
        return theirs.stateless_call(weights, theirs.non_trainable_variables, x, **options)[0]

    @jax.jit
    def run(weights, x, g):
        results = []
        for function in (ours, peer):
            y, pull = jax.vjp(function, weights, x)
            results.append((y, *pull(g)))
        return results

    return run(weights, x, g)


def same(pair, rtol=1e-4, atol=2e-5):
    mine, theirs = pair
    for a, b in zip(jax.tree.leaves(mine), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


CONVOLUTIONS = [
    ((8, 2), Conv1D(4, 3, stride=2, padding="same")),
    ((7, 2), Conv1D(4, 4, stride=3, padding="same")),
    ((7, 4), Conv1D(4, 3, dilation=2, groups=2, padding="causal")),
    ((8, 2), Conv1D(4, 2, stride=3, padding="causal")),
    ((6, 1), Conv1D(4, 4, dilation=2, padding="same")),
    ((7, 6, 3), Conv2D(4, (3, 2), stride=2, padding="same")),
    ((6, 9, 2), Conv2D(4, 4, stride=(3, 4), padding="same")),
    ((8, 8, 4), Conv2D(8, 3, dilation=(2, 1), groups=4)),
    ((4, 4, 1), Conv2D(4, 4, bias=False)),
]


@pytest.mark.parametrize(("shape", "layer"), CONVOLUTIONS, ids=map(str, CONVOLUTIONS))
def test_convolution(shape, layer):
    theirs = (k.Conv1D, k.Conv2D)[layer.rank - 1](
        layer.filters, layer.kernel_size, layer.stride, layer.padding,
        dilation_rate=layer.dilation, groups=layer.groups, use_bias=layer.bias,
    )  # fmt: skip
    same(both(layer, lambda w: dict(zip(("kernel", "bias"), w, strict=False)), theirs, array(2, *shape)))


PEERS = {
    MaxPool1D: k.MaxPooling1D,
    MaxPool2D: k.MaxPooling2D,
    AveragePool1D: k.AveragePooling1D,
    AveragePool2D: k.AveragePooling2D,
}
POOLS = [
    ((7, 2), (2,)),
    ((8, 2), (3, 2, "same")),
    ((6, 7, 2), (2,)),
    ((7, 6, 2), (3, 2, "same")),
    ((4, 5, 1), ((4, 5),)),
]


@pytest.mark.parametrize(("shape", "arguments"), POOLS, ids=map(str, POOLS))
@pytest.mark.parametrize("kind", ["Max", "Average"])
def test_pooling(shape, arguments, kind):
    layer = next(pool for pool in PEERS if pool.__name__ == f"{kind}Pool{len(shape) - 1}D")(*arguments)
    same(both(layer, lambda w: {}, PEERS[type(layer)](*arguments), array(2, *shape)))


RECURRENT = [
    (RNN, k.SimpleRNN, {}),
    (LSTM, k.LSTM, {}),
    (GRU, k.GRU, {"reset_after": False}),
    (GRU, k.GRU, {"reset_after": True}),
]
each_kind = pytest.mark.parametrize(("kind", "peer", "form"), RECURRENT, ids=["RNN", "LSTM", "GRU", "GRU reset after"])
MASK = jnp.arange(5) < jnp.array([5, 2, 1])[:, None]


def carried(layer, weights):
    """Keras' weights as ours: for GRU r before z, and with reset_after two biases, of which ours keeps n's apart."""
    kernel, recurrent_kernel, bias = weights
    if isinstance(layer, GRU):
        order = lambda w: jnp.concatenate([w[..., n : 2 * n], w[..., :n], w[..., 2 * n :]], axis=-1)  # noqa: E731
        n = layer.units
        kernel, recurrent_kernel, bias = map(order, (kernel, recurrent_kernel, bias))
        if layer.reset_after:
            bias, of_product = bias
            both = bias.at[: 2 * n].add(of_product[: 2 * n])
            return {"kernel": kernel, "recurrent_kernel": recurrent_kernel, "bias": both,
                    "recurrent_bias": of_product[2 * n :]}  # fmt: skip
    return {"kernel": kernel, "recurrent_kernel": recurrent_kernel, "bias": bias}


@each_kind
@pytest.mark.parametrize("sequences", [False, True], ids=["last", "sequences"])
@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
def test_recurrent(kind, peer, form, sequences, masked):
    layer = kind(4, return_sequences=sequences, **form)
    theirs = peer(4, return_sequences=sequences, **form)
    mine, truth = both(layer, lambda w: carried(layer, w), theirs, array(3, 5, 2), MASK if masked else None)
    if masked and sequences:  # what stands in padding is anybody's
        mine, truth = ((y[MASK], *slopes) for y, *slopes in (mine, truth))
    same((mine, truth))


@each_kind
def test_backwards(kind, peer, form):
    layer, theirs = kind(4, reverse=True, **form), peer(4, go_backwards=True, **form)
    same(both(layer, lambda w: carried(layer, w), theirs, array(3, 5, 2), MASK))


def test_outputs_of_a_reversed_layer_stand_at_their_steps_where_keras_leaves_them_backwards():
    layer, theirs = LSTM(4, reverse=True, return_sequences=True), k.LSTM(4, go_backwards=True, return_sequences=True)
    x = array(2, 5, 3)
    theirs.build(x.shape)
    p = carried(layer, [w.value for w in theirs.trainable_variables])
    np.testing.assert_allclose(layer.forward(p, x), theirs(x)[:, ::-1], rtol=1e-4, atol=1e-5)


def test_bidirectional_with_a_mask():
    layer, theirs = Bidirectional(LSTM(4)), k.Bidirectional(k.LSTM(4))
    carry = lambda w: {"forward": carried(layer.layer, w[:3]), "backward": carried(layer.layer, w[3:])}  # noqa: E731
    same(both(layer, carry, theirs, array(3, 5, 2), MASK))


def test_tokens_of_padding():
    tokens = jnp.array([[3, 1, 4, 0, 0], [2, 0, 0, 0, 0], [1, 2, 3, 4, 5]])
    theirs = keras.Sequential([k.Embedding(6, 3, mask_zero=True), k.LSTM(4)])
    theirs.build((None, 5))
    layer = Embedding(6, 3, padding_id=0) >> LSTM(4)
    table, *weights = [w.value for w in theirs.trainable_variables]
    p = ({"table": table}, carried(layer.layers[1], weights))
    np.testing.assert_allclose(layer.forward(p, tokens), theirs(tokens), rtol=1e-4, atol=1e-5)


def test_masking_and_global_average_pooling():
    x = jnp.where(MASK[..., None], array(3, 5, 2), 0)
    theirs = keras.Sequential([k.Masking(0.0), k.GlobalAveragePooling1D()])
    np.testing.assert_allclose(GlobalAveragePool1D().apply({}, {}, x, Context(mask=MASK))[0], theirs(x), rtol=1e-5)


def test_global_maximum():
    same(both(GlobalMaxPool1D(), lambda w: {}, k.GlobalMaxPooling1D(), array(2, 5, 3)))


def test_the_forget_gate_starts_at_1_in_keras_and_at_0_here_unless_asked_for():
    theirs = k.LSTM(3)
    theirs.build((None, 5, 2))
    ours = initialize(LSTM(3, forget_bias=1.0), (5, 2), jax.random.key(0))
    np.testing.assert_array_equal(ours["bias"], theirs.trainable_variables[2].value)
