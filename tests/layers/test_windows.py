"""Fields for windows and padding: what they take, how they print, and which places are a sequence's own."""

import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.arrays.masked import filled
from chainrule.errors import ChainruleError
from chainrule.layers import Conv1D, Conv2D, MaxPool2D
from chainrule.layers.windows import live_places
from chainrule.notation import parse

PADDINGS = ["valid", "same", "causal", 0, 2, (1,), (1, 2), ((1, 2),), ((1, 2), 0), ((1, 2), (0, 3))]


@pytest.mark.parametrize("padding", PADDINGS, ids=repr)
def test_padding_is_taken_and_read_back(padding):
    layer = Conv2D(8, 3, padding=padding)
    assert parse(repr(layer)) == layer
    assert layer.padding == padding


@pytest.mark.parametrize(
    "padding",
    ["full", "", -1, 1.0, 1.5, True, None, (), (1, -1), ((1,), (2,)), ((1, 2, 3),), ((-1, 0),), ("same",), ((1, 1.5),)],
    ids=repr,
)
def test_padding_that_is_refused(padding):
    with pytest.raises(ChainruleError, match=r'^Conv1D: padding must be "valid", "same", "causal"'):
        Conv1D(8, 3, padding=padding)


@pytest.mark.parametrize("size", [0, -1, 1.5, True, None, "3", (), (3, 0), (2.0,)], ids=repr)
def test_sizes_that_are_refused(size):
    with pytest.raises(ChainruleError, match=r"^Conv2D: kernel_size must be a whole number >= 1, or one for each axis"):
        Conv2D(8, size)


@pytest.mark.parametrize(
    ("given", "plain"), [([3, 2], (3, 2)), (np.int64(3), 3), (np.array([3, 2]).tolist(), (3, 2))], ids=repr
)
def test_lists_and_numpy_s_numbers_become_plain_ones(given, plain):
    assert repr(MaxPool2D(given)) == f"MaxPool2D(size={plain})"
    assert MaxPool2D(given) == MaxPool2D(plain)


@pytest.mark.parametrize(
    ("padding", "pads"),
    [
        ("valid", ((0, 0), (0, 0))),
        ("same", ((0, 1), (1, 1))),
        (1, ((1, 1), (1, 1))),
        ((1, 2), ((1, 1), (2, 2))),
        (((1, 2), 0), ((1, 2), (0, 0))),
        (((1, 2), (0, 3)), ((1, 2), (0, 3))),
    ],
    ids=repr,
)
def test_pads_of_each_axis(padding, pads):
    assert Conv2D(8, (2, 3), padding=padding).window((6, 6, 1)).pads == pads


@pytest.mark.parametrize(
    ("layer", "places"),
    [
        (Conv1D(1, 3), [4, 1, 0, 0]),
        (Conv1D(1, 3, padding="same"), [6, 3, 1, 0]),
        (Conv1D(1, 3, padding="causal", stride=2), [3, 2, 1, 0]),
        (Conv1D(1, 2, stride=2), [3, 1, 0, 0]),
        (Conv1D(1, 2, padding=(2, 2)), [9, 6, 4, 0]),
        (Conv1D(1, 2, dilation=3), [3, 0, 0, 0]),
    ],
    ids=repr,
)
def test_the_places_of_each_sequence_are_those_that_it_would_have_alone(layer, places):
    lengths = jnp.array([6, 3, 1, 0])
    mask = jnp.arange(6) < lengths[:, None]
    live = live_places(layer, mask, layer.window((6, 1)), layer.padding)
    assert live.sum(axis=1).tolist() == places
    np.testing.assert_array_equal(live, jnp.arange(live.shape[1]) < jnp.array(places)[:, None])
    for length, own in zip((6, 3), places, strict=False):
        if own:
            assert layer.output_shape((length, 1))[0] == own


def test_filling():
    assert filled(jnp.array([[[1.0], [jnp.nan]]]), jnp.array([[True, False]]), -1).tolist() == [[[1], [-1]]]
