"""Noise in training: what it does to values, to whole channels, and to means and variances."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.errors import ChainruleError
from chainrule.layers import AlphaDropout, Dropout, GaussianDropout, GaussianNoise, SpatialDropout, StochasticDepth

KEY = jax.random.key(0)
ROWS = 200_000


@pytest.mark.parametrize(
    ("layer", "mean", "variance"),
    [
        (GaussianNoise(0.5), 3, 1.25),
        (GaussianNoise(0.0), 3, 1),
        (Dropout(0.2), 3, 1 / 0.8 + 9 * 0.25),  # of E[x²] = 10, what is left of its variance and of its mean
        (GaussianDropout(0.2), 3, 1 / 0.8 + 9 * 0.25),
        (GaussianDropout(0.0), 3, 1),
        (AlphaDropout(0.3), None, None),
    ],
    ids=repr,
)
def test_means_and_variances(layer, mean, variance):
    """AlphaDropout keeps a mean of 0 and a variance of 1; the others add to them what their equations say."""
    x = np.random.default_rng(0).normal(size=(ROWS, 1)).astype(np.float32) + (mean or 0)
    y = layer.noisy({}, jnp.asarray(x), KEY)
    assert float(y.mean()) == pytest.approx(mean or 0, abs=0.02)
    assert float(y.var()) == pytest.approx(variance or 1, rel=0.02)


def test_a_channel_is_dropped_in_all_places_of_an_example_or_in_none():
    x = jnp.ones((50, 3, 4, 6))
    y = np.asarray(SpatialDropout(0.25).noisy({}, x, KEY))
    assert np.isin(y, [0, np.float32(1 / 0.75)]).all()
    assert (y == y[:, :1, :1]).all()
    dropped = y[:, 0, 0] == 0
    assert 0.15 < dropped.mean() < 0.35
    assert (dropped[0] != dropped[1:]).any()  # each example has channels of its own


@pytest.mark.parametrize("shape", [(2000,), (2000, 3, 2)], ids=str)
def test_an_example_is_dropped_as_a_whole_or_not_at_all(shape):
    y = np.asarray(StochasticDepth(0.25).noisy({}, jnp.ones(shape), KEY)).reshape(shape[0], -1)
    assert np.isin(y, [0, np.float32(1 / 0.75)]).all()
    assert (y == y[:, :1]).all()
    assert 0.22 < (y[:, 0] == 0).mean() < 0.28


def test_spatial_dropout_wants_places():
    with pytest.raises(ChainruleError) as caught:
        SpatialDropout().output_shape((6,))
    assert str(caught.value) == (
        "SpatialDropout(rate=0.5): expected places of channels, at least 2 axes, got shape (6,). Choose Dropout."
    )


@pytest.mark.parametrize("layer", [GaussianNoise(0.1), GaussianDropout(), AlphaDropout(), SpatialDropout()], ids=repr)
def test_noise_of_half_precision_is_rounded_once(layer):
    x = jnp.full((4, 50, 2), 0.1, jnp.bfloat16)
    y = layer.noisy({}, x, KEY)
    assert y.dtype == jnp.bfloat16
    truth = layer.noisy({}, x.astype(jnp.float32), KEY)
    np.testing.assert_allclose(y.astype(jnp.float32), truth, rtol=2**-8)
