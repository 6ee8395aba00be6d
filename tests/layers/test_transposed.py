"""Transposed convolution: it is the transpose, it looks where it should, and it says what does not fit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.errors import ChainruleError
from chainrule.formula.network import initialize
from chainrule.layers import AttentionPool, Conv2D, ConvTranspose1D, ConvTranspose2D, DepthwiseConv2D, LayerNormLSTM

KEY = jax.random.key(0)


def test_it_is_the_transpose_of_the_convolution():
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=shape).astype(np.float32) for shape in ((1, 7, 6, 4), (1, 4, 3, 6)))
    kernel = rng.normal(size=(3, 2, 2, 6)).astype(np.float32)
    back = kernel.reshape(3, 2, 2, 2, 3).swapaxes(2, 4).reshape(3, 2, 3, 4)  # of each of the two groups
    forth = Conv2D(6, (3, 2), 2, padding=((1, 1), (0, 0)), groups=2, bias=False).forward({"kernel": kernel}, x)
    layer = ConvTranspose2D(4, (3, 2), 2, padding=((1, 1), (0, 0)), groups=2, bias=False)
    assert float(jnp.vdot(forth, y)) == pytest.approx(float(jnp.vdot(x, layer.forward({"kernel": back}, y))), rel=1e-4)


@pytest.mark.slow
def test_causal_padding_shows_no_later_step():
    layer = ConvTranspose1D(3, 5, stride=2, padding="causal")
    p, x = initialize(layer, (4, 2), KEY), jax.random.normal(KEY, (1, 4, 2))
    changed = layer.forward(p, x.at[:, 2].add(1)) != layer.forward(p, x)
    assert changed[0].any(axis=1).tolist() == [False] * 4 + [True] * 4


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (ConvTranspose1D(4, 3, 2, 1, output_padding=2), (5, 4),
         "ConvTranspose1D(4, 3, stride=2, padding=1, output_padding=2): expected output_padding smaller than the "
         "stride, and padding by numbers, got 2. Put ZeroPad1D behind it for more places."),
        (ConvTranspose2D(4, 3, 2, "same", output_padding=1), (5, 4, 1),
         "ConvTranspose2D(4, 3, stride=2, padding='same', output_padding=1): expected output_padding smaller than the "
         "stride, and padding by numbers, got 1. Put ZeroPad2D behind it for more places."),
        (ConvTranspose1D(4, 1, padding=3), (5, 4),
         "ConvTranspose1D(4, 1, padding=3): expected more places than padding takes away, got shape (5, 4). "
         "Choose a smaller padding."),
        (ConvTranspose2D(4, 3, padding="causal"), (5, 4, 1),
         "ConvTranspose2D(4, 3, padding='causal'): padding=\"causal\" is for one axis of time. Choose \"same\"."),
        (ConvTranspose1D(4, 3, groups=3), (5, 4),
         "ConvTranspose1D(4, 3, groups=3): expected channels and filters that 3 groups divide, got 4 channels and "
         "4 filters. Choose groups that divide both."),
        (DepthwiseConv2D(3), (2, 5, 1),
         "DepthwiseConv2D(3): expected at least 3 × 3 values for its window, got shape (2, 5, 1). "
         'Make the window smaller, or pad: padding="same".'),
        (AttentionPool(3), (0, 4),
         "AttentionPool(3): expected at least one step, got shape (0, 4). Leave sequences without steps out."),
    ],
    ids=repr,
)  # fmt: skip
def test_error_texts(layer, shape, message):
    with pytest.raises(ChainruleError) as caught:
        layer.output_shape(shape)
    assert str(caught.value) == message


def test_one_unit_has_no_variance():
    with pytest.raises(ChainruleError, match=r"^LayerNormLSTM: units must be a whole number >= 2, got 1\.$"):
        LayerNormLSTM(1)
