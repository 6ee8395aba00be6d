"""Convolution: shapes, its textbook sums, and its errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.activations import NoisyReLU, PReLU
from chainrule.errors import ChainruleError
from chainrule.formula.layer import Context
from chainrule.formula.network import count, initialize
from chainrule.layers import Conv1D, Conv2D

KEY = jax.random.key(0)


@pytest.mark.parametrize(
    ("layer", "shape", "output"),
    [
        (Conv1D(4, 1), (1, 1), (1, 4)),
        (Conv1D(4, 5), (5, 2), (1, 4)),
        (Conv1D(4, 3, stride=2), (8, 2), (3, 4)),
        (Conv1D(4, 3, stride=2, padding="same"), (7, 2), (4, 4)),
        (Conv1D(4, 4, padding="same", dilation=3), (7, 2), (7, 4)),
        (Conv1D(4, 3, padding="causal", dilation=2), (7, 2), (7, 4)),
        (Conv1D(4, 3, padding="causal", stride=3), (7, 2), (3, 4)),
        (Conv1D(4, 3, padding=(0, 2)), (7, 2), (7, 4)),
        (Conv1D(4, 3, padding=((2, 0),)), (7, 2), (7, 4)),
        (Conv1D(4, 3, padding=1), (7, 2), (7, 4)),
        (Conv2D(4, 3), (8, 6, 2), (6, 4, 4)),
        (Conv2D(4, (3, 1), stride=(2, 1)), (8, 6, 2), (3, 6, 4)),
        (Conv2D(4, 3, padding="same", stride=3), (8, 6, 2), (3, 2, 4)),
        (Conv2D(4, 3, padding=(1, 0)), (8, 6, 2), (8, 4, 4)),
        (Conv2D(4, 3, padding=((1, 2), 0)), (8, 6, 2), (9, 4, 4)),
    ],
    ids=repr,
)
def test_output_shape(layer, shape, output):
    assert layer.output_shape(shape) == output
    x = jax.ShapeDtypeStruct((2, *shape), jnp.float32)
    assert jax.eval_shape(lambda x: layer.forward(initialize(layer, shape, KEY), x), x).shape == (2, *output)


def test_parameters():
    assert {name: p.shape for name, p in Conv2D(6, (3, 2), groups=2).parameters((8, 8, 4)).items()} == {
        "kernel": (3, 2, 2, 6),
        "bias": (6,),
    }
    assert count(Conv2D(32, 3), (28, 28, 1)) == 3 * 3 * 32 + 32
    assert count(Conv1D(32, 3, bias=False), (28, 4)) == 3 * 4 * 32
    assert count(Conv2D(4, 3, groups=4), (28, 28, 4)) == 3 * 3 * 4 + 4


def test_it_is_the_sum_that_the_textbook_writes():
    x, kernel, bias = np.arange(10.0).reshape(1, 5, 2), np.arange(12.0).reshape(3, 2, 2), np.array([0.5, -0.5])
    y = Conv1D(2, 3, stride=2, padding=(1, 1)).forward({"kernel": kernel, "bias": bias}, jnp.asarray(x))
    for t in range(3):
        for f in range(2):
            inside = [(k, 2 * t + k - 1) for k in range(3) if 0 <= 2 * t + k - 1 < 5]
            assert float(y[0, t, f]) == bias[f] + sum(
                kernel[k, c, f] * x[0, at, c] for k, at in inside for c in range(2)
            )


def test_a_kernel_is_not_mirrored():
    kernel = jnp.array([1.0, 10.0, 100.0])[:, None, None]
    y = Conv1D(1, 3, bias=False).forward({"kernel": kernel}, jnp.array([1.0, 2.0, 3.0])[None, :, None])
    assert y[0, :, 0].tolist() == [321]


def test_causal_padding_shows_no_later_step():
    layer = Conv1D(3, 3, padding="causal", dilation=2)
    p = initialize(layer, (8, 2), KEY)
    x = jax.random.normal(KEY, (1, 8, 2))
    changed = layer.forward(p, x.at[:, 5].add(1)) != layer.forward(p, x)
    assert changed[0].any(axis=1).tolist() == [False] * 5 + [True, False, True]


def test_same_padding_puts_the_odd_one_at_the_end():
    assert Conv1D(1, 4, padding="same").window((6, 1)).pads == ((1, 2),)
    assert Conv1D(1, 3, stride=2, padding="same").window((6, 1)).pads == ((0, 1),)
    assert Conv2D(1, (4, 1), padding="same").window((6, 6, 1)).pads == ((1, 2), (0, 0))


def test_depthwise_channels_do_not_see_each_other():
    layer = Conv2D(6, 3, groups=3)
    p = initialize(layer, (5, 5, 3), KEY)
    x = jax.random.normal(KEY, (1, 5, 5, 3))
    changed = layer.forward(p, x.at[..., 1].add(1)) != layer.forward(p, x)
    assert changed.any(axis=(0, 1, 2)).tolist() == [False, False, True, True, False, False]


@pytest.mark.by_turns(2)
@pytest.mark.parametrize("layer", [Conv1D(3, 2), Conv2D(3, 2)], ids=repr)
def test_prelu_and_noisy_relu_behind_it_are_per_channel(layer):
    network, shape = layer >> PReLU() >> NoisyReLU(), (4,) * layer.rank + (2,)
    p = jax.jit(lambda: initialize(network, shape, KEY))()
    assert p[1]["slope"].shape == (3,)
    x = jax.random.normal(KEY, (2, *shape))
    z = np.asarray(jax.jit(layer.forward)(p[0], x))
    slopes = np.array([0.0, 0.5, 1.0], np.float32)
    y = jax.jit((layer >> PReLU()).forward)((p[0], {"slope": slopes}), x)
    np.testing.assert_allclose(y, np.where(z > 0, z, slopes * z), rtol=1e-6)
    noisy, _ = jax.jit(network.apply)(p, network.state(shape), x, Context(KEY))
    assert (np.asarray(noisy) != jax.jit(network.forward)(p, x)).any(axis=tuple(range(layer.rank + 1))).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv2D(32, 3).output_shape((64,)),
         "Conv2D(32, 3): expected images (height, width, channels), got shape (64,). "
         "Put Reshape((8, 8, 1)) before it."),
        (lambda: Conv2D(32, 3).output_shape((65,)),
         "Conv2D(32, 3): expected images (height, width, channels), got shape (65,). "
         "Put a Reshape before it, or choose the layer for these axes."),
        (lambda: Conv2D(32, 3).output_shape((28, 28)),
         "Conv2D(32, 3): expected images (height, width, channels), got shape (28, 28). "
         "Put Reshape((28, 28, 1)) before it."),
        (lambda: Conv1D(32, 3).output_shape((100,)),
         "Conv1D(32, 3): expected series (time, features), got shape (100,). Put Reshape((100, 1)) before it."),
        (lambda: Conv1D(32, 3).output_shape((8, 8, 1)),
         "Conv1D(32, 3): expected series (time, features), got shape (8, 8, 1). "
         "Put a Reshape before it, or choose the layer for these axes."),
        (lambda: Conv2D(6, 3, groups=3).output_shape((8, 8, 4)),
         "Conv2D(6, 3, groups=3): expected channels and filters that 3 groups divide, got 4 channels and 6 filters. "
         "Choose groups that divide both."),
        (lambda: Conv1D(5, 3, groups=2).parameters((8, 4)),
         "Conv1D(5, 3, groups=2): expected channels and filters that 2 groups divide, got 4 channels and 5 filters. "
         "Choose groups that divide both."),
        (lambda: Conv2D(8, 5).output_shape((4, 6, 1)),
         "Conv2D(8, 5): expected at least 5 × 5 values for its window, got shape (4, 6, 1). "
         'Make the window smaller, or pad: padding="same".'),
        (lambda: Conv1D(8, 3, dilation=3).output_shape((6, 1)),
         "Conv1D(8, 3, dilation=3): expected at least 7 values for its window, got shape (6, 1). "
         'Make the window smaller, or pad: padding="same".'),
        (lambda: Conv2D(8, 3, stride=0),
         "Conv2D: stride must be a whole number >= 1, or one for each axis, got 0. The default is 1."),
        (lambda: Conv2D(8, (3, 0)),
         "Conv2D: kernel_size must be a whole number >= 1, or one for each axis, got (3, 0)."),
        (lambda: Conv1D(8, 3, padding="full"),
         'Conv1D: padding must be "valid", "same", "causal" (one axis), or whole numbers >= 0: one, one for each axis, '
         "or (before, after), got 'full'. The default is 'valid'."),
        (lambda: Conv2D(8, 3, padding="causal").output_shape((8, 8, 1)),
         "Conv2D(8, 3, padding='causal'): padding=\"causal\" is for one axis of time. Choose \"same\"."),
        (lambda: Conv2D(8, (3, 3, 3)).output_shape((8, 8, 1)),
         "Conv2D(8, (3, 3, 3)): expected one number, or 2, one for each axis, got (3, 3, 3). For example: (3, 3)."),
        (lambda: Conv1D(8, 3, stride=(2, 1)).output_shape((8, 1)),
         "Conv1D(8, 3, stride=(2, 1)): expected one number, or 1, one for each axis, got (2, 1). For example: 2."),
        (lambda: Conv2D(8, 3, padding=(1, 1, 1)).output_shape((8, 8, 1)),
         "Conv2D(8, 3, padding=(1, 1, 1)): expected padding for 2 axes, got (1, 1, 1). "
         "For example: ((1, 1), (1, 1))."),
        (lambda: Conv1D(8, 3, padding=(1, 1, 1)).output_shape((8, 1)),
         "Conv1D(8, 3, padding=(1, 1, 1)): expected padding for 1 axes, got (1, 1, 1). For example: (1, 1)."),
    ],
    ids=range(17),
)  # fmt: skip
def test_error_texts(make, message):
    with pytest.raises(ChainruleError) as caught:
        make()
    assert str(caught.value) == message
