"""Images mirrored and moved in training: which images come out, and how often each."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.errors import ChainruleError
from chainrule.layers import Flip, Shift

KEY = jax.random.key(0)
IMAGE = np.arange(1, 13, dtype=np.float32).reshape(3, 2, 2)
IMAGES = np.broadcast_to(IMAGE, (1000, 3, 2, 2))


def test_an_image_is_mirrored_as_a_whole_or_not():
    y = np.asarray(Flip(0.25).noisy({}, jnp.asarray(IMAGES), KEY))
    mirrored = (y == IMAGE[:, ::-1]).all(axis=(1, 2, 3))
    assert (mirrored | (y == IMAGE).all(axis=(1, 2, 3))).all()
    assert mirrored.mean() == pytest.approx(0.25, abs=0.05)


def test_an_image_is_moved_by_each_distance_as_often():
    """Its textbook, y[i, j, c] = x[i + u, j + v, c], with zeros beyond the edges, for all 25 pairs of u and v."""
    y = np.asarray(Shift().noisy({}, jnp.asarray(IMAGES), KEY))
    padded = np.pad(IMAGE, ((2, 2), (2, 2), (0, 0)))
    moved = [padded[2 + u : 5 + u, 2 + v : 4 + v] for u in range(-2, 3) for v in range(-2, 3)]
    found, times = np.unique(y.reshape(1000, -1), axis=0, return_counts=True)
    expected, ways = np.unique(np.reshape(moved, (25, -1)), axis=0, return_counts=True)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(times / 1000, ways / 25, atol=0.04)


@pytest.mark.parametrize("layer", [Flip(), Shift()], ids=repr)
def test_only_images_are_moved(layer):
    assert layer.noisy({}, jnp.ones((2, 3, 2, 1), jnp.bfloat16), KEY).dtype == jnp.bfloat16
    with pytest.raises(ChainruleError, match=r"expected images \(height, width, channels\), got shape \(6,\)\. Put it"):
        layer.output_shape((6,))
