"""Sequences of unequal length: a padded batch gives the values and the gradients of each sequence alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.activations import ELU, Identity, PReLU, Tanh
from chainrule.activations.base import OfSeveral
from chainrule.arrays.masked import Masked, shape_of
from chainrule.errors import ChainruleError
from chainrule.formula.layer import Layer, outputs_of
from chainrule.formula.network import initialize
from chainrule.initializers import Normal
from chainrule.layers import (
    GRU,
    LSTM,
    RNN,
    AttentionPool,
    AveragePool1D,
    BatchNorm,
    Bidirectional,
    Conv1D,
    ConvTranspose1D,
    Crop1D,
    Dense,
    Embedding,
    Flatten,
    GlobalAveragePool1D,
    GlobalMaxPool1D,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LayerNormLSTM,
    LocallyConnected1D,
    MaxPool1D,
    PeepholeLSTM,
    Permute,
    Repeat,
    RMSNorm,
    Stride1D,
    TfIdf,
    Upsample1D,
    ZeroPad1D,
)
from chainrule.notation.families import family

KEY = jax.random.key(0)
LENGTHS, TIME = (7, 3, 0), 7
GARBAGE = np.resize(np.array([np.nan, 1e30], np.float32), (TIME, 1))
MASK = np.arange(TIME) < np.array(LENGTHS)[:, None]

LAYERS = [
    Conv1D(3, 3),
    Conv1D(3, 2, stride=2),
    Conv1D(3, 3, padding="same"),
    Conv1D(4, 2, padding="causal", dilation=2, stride=2, groups=2),
    MaxPool1D(2),
    MaxPool1D(3, stride=1, padding="same"),
    AveragePool1D(2),
    AveragePool1D(3, stride=1, padding=(1, 2)),
    GlobalMaxPool1D(),
    GlobalAveragePool1D(),
    Stride1D(2),
    Upsample1D(2),
    Upsample1D(3, "linear"),
    ZeroPad1D((2, 1)),
    Crop1D((1, 1)),
    Permute((1, 2)),
    ConvTranspose1D(3, 3, stride=2, padding="same"),
    ConvTranspose1D(4, 2, stride=3, padding=1, groups=2, output_padding=2),
    AttentionPool(3),
    PeepholeLSTM(3, reverse=True),
    LayerNormLSTM(3, return_sequences=True),
    RNN(3, activation=ELU(1.5)),
    LSTM(3, reverse=True, return_sequences=True, learn_start=True),
    GRU(3),
    GRU(3, reset_after=True, return_sequences=True),
    Bidirectional(GRU(2, return_sequences=True, reset_after=True), merge="mean"),
    *(LayerNorm(), RMSNorm(), GroupNorm(1), InstanceNorm(scale=True, offset=True), BatchNorm()),
    Conv1D(4, 2, padding="causal") >> PReLU() >> MaxPool1D(2) >> Bidirectional(RNN(2)),
    GRU(3, return_sequences=True) >> Dense(4) >> Tanh() >> LSTM(2, return_sequences=True) >> GlobalMaxPool1D(),
    Identity() + Conv1D(2, 3, padding="same") * (GlobalAveragePool1D() >> Dense(2) >> Tanh()),
    Repeat(Identity() + (GRU(2, return_sequences=True) >> Tanh()), 2) >> (MaxPool1D(2) | AveragePool1D(2)),
]


def outputs(layer, p, x):
    return outputs_of(layer, p, layer.state(shape_of(x)), x)[0]


@jax.jit
def forward(layer, p, x):
    return outputs(layer, p, x)


def live(y):
    """What belongs to the sequences, padding made 0."""
    return jnp.where(y.mask[..., None], y.values, 0) if isinstance(y, Masked) else y


@pytest.mark.slow
@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_padding_never_shows_and_no_step_at_all_is_finite(layer: Layer):
    shape, rng = (TIME, 2), np.random.default_rng(0)
    p = jax.tree.map(lambda w: np.asarray(w) + np.float32(0.1), jax.jit(lambda: initialize(layer, shape, KEY))())
    x = rng.normal(size=(len(LENGTHS), *shape)).astype(np.float32)
    padded = np.where(MASK[..., None], x, GARBAGE)
    g = rng.normal(size=(len(LENGTHS), *layer.output_shape(shape))).astype(np.float32)
    g[np.equal(LENGTHS, 0)] = 0

    def together(p, padded):
        y = outputs(layer, p, Masked(padded, MASK))
        return jnp.sum(live(y) * g), (live(y), y.mask if isinstance(y, Masked) else None)

    def alone(p, x):
        ys = [outputs(layer, p, x[row : row + 1, :length])[0] for row, length in enumerate(LENGTHS) if length]
        return sum(jnp.sum(y * (g[row, : len(y)] if y.ndim == 2 else g[row])) for row, y in enumerate(ys)), ys

    @jax.jit
    def both(p, padded, x):
        return [jax.value_and_grad(way, (0, 1), has_aux=True)(p, x) for way, x in ((together, padded), (alone, x))]

    ((_, (y, mask)), (of_p, of_x)), ((_, ys), (of_p_alone, of_x_alone)) = jax.tree.map(np.asarray, both(p, padded, x))
    assert np.isfinite(y).all()
    for row, length in enumerate(LENGTHS):
        steps = len(ys[row]) if length else 0
        if mask is not None:
            assert mask[row].tolist() == [True] * steps + [False] * (mask.shape[1] - steps)
        if length:
            mine = y[row, :steps] if mask is not None else y[row]
            np.testing.assert_allclose(mine, ys[row], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(of_x, of_x_alone, rtol=1e-4, atol=1e-5)
    assert not of_x[~MASK].any()
    for mine, truth in zip(jax.tree.leaves(of_p), jax.tree.leaves(of_p_alone), strict=True):
        np.testing.assert_allclose(mine, truth, rtol=1e-4, atol=2e-5)


def test_every_layer_that_does_something_to_masks_is_tried():
    tried = {type(link) for layer in LAYERS for link in getattr(layer, "layers", [layer])}
    ours = {layer for layer in family(Layer) if layer.__module__.startswith("chainrule.")}  # not those of other tests
    only_refuse, of_tokens = {Embedding, *family(OfSeveral)}, {TfIdf}  # which has such a test of its own
    assert {layer for layer in ours if layer.output_mask is not Layer.output_mask} - only_refuse - of_tokens <= tried


@pytest.mark.parametrize("layer", [Conv1D(2, 3), MaxPool1D(3), AveragePool1D(3)], ids=repr)
def test_a_sequence_shorter_than_the_window_has_no_places(layer: Layer):
    p = jax.jit(lambda: initialize(layer, (4, 2), KEY))()
    y = forward(
        layer,
        p,
        Masked(np.ones((2, 4, 2), np.float32), np.array([[True, True, False, False], [True, True, True, False]])),
    )
    assert y.mask.any(axis=1).tolist() == [False, True]


def test_a_gap_in_the_mask_is_skipped_by_recurrent_layers_and_zero_for_windows():
    x = np.random.default_rng(0).normal(size=(1, 5, 2)).astype(np.float32)
    mask = np.array([[True, False, True, True, False]])
    hidden = x * (np.arange(5) != 1)[:, None].astype(np.float32)
    gru, conv = GRU(3), Conv1D(3, 2)
    p = jax.jit(lambda: initialize(gru, (5, 2), KEY))()
    without = x[:, [0, 2, 3]]
    np.testing.assert_allclose(forward(gru, p, Masked(x, mask)), forward(gru, p, without), rtol=1e-5)
    p = jax.jit(lambda: initialize(conv, (5, 2), KEY))()
    y = forward(conv, p, Masked(x, mask))
    assert y.mask.tolist() == [[True, True, True, False]]
    np.testing.assert_allclose(y.values[:, :3], forward(conv, p, hidden)[:, :3], rtol=1e-5, atol=1e-6)


def test_tokens_of_padding_are_hidden_from_all_layers_behind_the_embedding():
    network = Embedding(9, 4, padding_id=0, initializer=Normal(1.0)) >> Conv1D(4, 2, padding="causal") >> GRU(3)
    p = jax.jit(lambda: initialize(network, (6,), KEY))()
    tokens = np.array([[3, 1, 4, 0, 0, 0], [5, 2, 0, 0, 0, 0]])
    together = forward(network, p, tokens)
    for row, length in enumerate((3, 2)):
        np.testing.assert_allclose(together[row], forward(network, p, tokens[row : row + 1, :length])[0], rtol=1e-5)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            Conv1D(2, 3, stride=2, padding="same"),
            "Conv1D(2, 3, stride=2, padding='same'): padding=\"same\" with a stride begins elsewhere for each length, "
            'so sequences of unequal length can\'t share it. Choose "causal" or "valid".',
        ),
        (
            Flatten() >> Dense(2),
            "Flatten(): mixes the steps of sequences of unequal length, padding included. "
            "Put a recurrent layer or a global pooling before it.",
        ),
        (
            LocallyConnected1D(2, 3) >> Dense(2),
            "LocallyConnected1D(2, 3): mixes the steps of sequences of unequal length, padding included. "
            "Put a recurrent layer or a global pooling before it.",
        ),
    ],
    ids=repr,
)
def test_layers_that_would_let_padding_in_refuse_it(layer, message):
    p = initialize(layer, (TIME, 2), KEY)
    with pytest.raises(ChainruleError) as caught:
        outputs(layer, p, Masked(jnp.ones((3, TIME, 2)), MASK))
    assert str(caught.value) == message
