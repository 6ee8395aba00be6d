"""Locally connected layers equal a plain loop in NumPy, and draw each place's weights as those of a layer alone."""

import itertools

import jax
import numpy as np
import pytest

from chainrule.errors import ChainruleError
from chainrule.formula.network import count, initialize, regularized
from chainrule.initializers import GlorotUniform
from chainrule.layers import Conv2D, LocallyConnected1D, LocallyConnected2D

KEY = jax.random.key(0)
CASES = [
    (LocallyConnected1D(2, 1), (1, 1)),
    (LocallyConnected1D(2, 3), (6, 3)),
    (LocallyConnected1D(3, 2, stride=3), (7, 1)),
    (LocallyConnected1D(2, 5), (5, 2)),
    (LocallyConnected1D(2, 3, padding="causal", bias=False), (4, 2)),
    (LocallyConnected1D(2, 4, stride=2, padding=(0, 3)), (5, 2)),
    (LocallyConnected2D(2, 1), (1, 1, 1)),
    (LocallyConnected2D(3, 3), (4, 5, 2)),
    (LocallyConnected2D(2, (1, 2), stride=(2, 1), padding="same"), (5, 4, 1)),
    (LocallyConnected2D(2, 3, stride=2, padding=((1, 0), (0, 2))), (4, 5, 3)),
]


def loop(layer, p, x, g):
    """The value, and the gradients of kernel, bias and input, from place to place in float64."""
    window = layer.window(x.shape[1:])
    padded = np.pad(x.astype(np.float64), [(0, 0), *window.pads, (0, 0)])
    y, of_kernel, of_padded = np.zeros(g.shape), np.zeros(p["kernel"].shape), np.zeros(padded.shape)
    for place in itertools.product(*map(range, g.shape[1:-1])):
        seen = tuple(slice(at * s, at * s + n) for at, s, n in zip(place, window.stride, window.size, strict=True))
        for n, f in itertools.product(range(len(x)), range(layer.filters)):
            weights = p["kernel"][(*place, ..., f)]
            y[(n, *place, f)] = (padded[(n, *seen)] * weights).sum() + (p["bias"][(*place, f)] if "bias" in p else 0)
            of_kernel[(*place, ..., f)] += padded[(n, *seen)] * g[(n, *place, f)]
            of_padded[(n, *seen)] += weights * g[(n, *place, f)]
    inside = tuple(slice(low, low + n) for (low, _), n in zip(window.pads, x.shape[1:-1], strict=True))
    return (
        y,
        {"kernel": of_kernel} | ({"bias": g.sum(axis=0)} if "bias" in p else {}),
        of_padded[(slice(None), *inside)],
    )


@pytest.mark.by_turns(2)
@pytest.mark.parametrize(("layer", "shape"), CASES, ids=map(str, CASES))
def test_value_and_gradients_are_a_loop_s(layer, shape):
    rng = np.random.default_rng(0)
    array = lambda *shape: rng.normal(size=shape).astype(np.float32)  # noqa: E731
    p = {name: array(*declared.shape) for name, declared in layer.parameters(shape).items()}
    x, g = array(2, *shape), array(2, *layer.output_shape(shape))

    @jax.jit
    def run(p, x, g):
        y, pull = jax.vjp(layer.forward, p, x)
        return y, *pull(g)

    mine, truth = run(p, x, g), loop(layer, p, x, g)
    for ours, theirs in zip(jax.tree.leaves(mine), jax.tree.leaves(truth), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_with_the_same_weights_at_each_place_it_is_a_convolution():
    shape, conv, local = (6, 5, 2), Conv2D(3, (3, 2), stride=2), LocallyConnected2D(3, (3, 2), stride=2)
    p = jax.jit(lambda: initialize(conv, shape, KEY))()
    shared = {name: np.broadcast_to(p[name], own.shape) for name, own in local.parameters(shape).items()}
    x = jax.random.normal(KEY, (2, *shape))
    np.testing.assert_allclose(jax.jit(local.forward)(shared, x), jax.jit(conv.forward)(p, x), rtol=1e-5, atol=1e-6)


def test_each_place_draws_weights_of_its_own_as_a_layer_for_its_window_alone():
    shape, layer = (9, 9, 3), LocallyConnected2D(8, 3)
    kernel = np.asarray(jax.jit(lambda: initialize(layer, shape, KEY))()["kernel"]).reshape(49, 3, 3, 3, 8)
    assert len(np.unique(kernel[:, 0, 0, 0, 0])) == 49
    alone = np.asarray(GlorotUniform()(KEY, (3, 3, 3, 8)))
    assert float(np.abs(kernel).max()) == pytest.approx(float(np.abs(alone).max()), rel=0.02)
    assert float(kernel.std()) == pytest.approx(float(alone.std()), rel=0.05)


def test_counting_and_regularising():
    layer = LocallyConnected2D(8, 3)
    assert count(layer, (8, 8, 1)) == 6 * 6 * (3 * 3 * 8 + 8)
    assert regularized(layer, (8, 8, 1)) == {"kernel": True, "bias": False}
    assert count(LocallyConnected1D(2, 3, bias=False), (5, 4)) == 3 * 3 * 4 * 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LocallyConnected2D(8, 3).output_shape((64,)),
         "LocallyConnected2D(8, 3): expected images (height, width, channels), got shape (64,). "
         "Put Reshape((8, 8, 1)) before it."),
        (lambda: LocallyConnected1D(8, 4).output_shape((3, 2)),
         "LocallyConnected1D(8, 4): expected at least 4 values for its window, got shape (3, 2). "
         'Make the window smaller, or pad: padding="same".'),
        (lambda: LocallyConnected2D(8, 3, stride=0),
         "LocallyConnected2D: stride must be a whole number >= 1, or one for each axis, got 0. The default is 1."),
        (lambda: LocallyConnected2D(8, 3, padding="causal").output_shape((8, 8, 1)),
         "LocallyConnected2D(8, 3, padding='causal'): padding=\"causal\" is for one axis of time. Choose \"same\"."),
    ],
    ids=range(4),
)  # fmt: skip
def test_error_texts(make, message):
    with pytest.raises(ChainruleError) as caught:
        make()
    assert str(caught.value) == message
