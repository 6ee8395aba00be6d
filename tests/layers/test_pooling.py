"""Pooling, global pooling and Stride: shapes, values, and errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.errors import ChainruleError
from chainrule.layers import (
    AveragePool1D,
    AveragePool2D,
    GlobalAveragePool1D,
    GlobalAveragePool2D,
    GlobalMaxPool1D,
    GlobalMaxPool2D,
    MaxPool1D,
    MaxPool2D,
    Stride1D,
    Stride2D,
)

SERIES = jnp.array([3.0, 1.0, 4.0, 1.0, 5.0])[None, :, None]


@pytest.mark.parametrize(
    ("layer", "values"),
    [
        (MaxPool1D(2), [3, 4]),
        (MaxPool1D(2, padding="same"), [3, 4, 5]),
        (MaxPool1D(2, stride=1), [3, 4, 4, 5]),
        (MaxPool1D(3, stride=1, padding="causal"), [3, 3, 4, 4, 5]),
        (MaxPool1D(2, padding=(1, 0)), [3, 4, 5]),
        (MaxPool1D(5), [5]),
        (AveragePool1D(2), [2, 2.5]),
        (AveragePool1D(2, padding="same"), [2, 2.5, 5]),
        (AveragePool1D(2, padding=(1, 0)), [3, 2.5, 3]),
        (AveragePool1D(3, stride=2, padding=1), [2, 2, 3]),
        (Stride1D(2), [3, 4, 5]),
        (Stride1D(3), [3, 1]),
        (Stride1D(9), [3]),
    ],
    ids=repr,
)
def test_values(layer, values):
    y = layer.forward({}, SERIES)
    assert y[0, :, 0].tolist() == values
    assert layer.output_shape((5, 1)) == (len(values), 1)


@pytest.mark.parametrize(
    ("layer", "output"),
    [
        (MaxPool2D(2), (3, 2, 3)),
        (MaxPool2D((2, 1), stride=1), (5, 5, 3)),
        (AveragePool2D(3, stride=(1, 2), padding="same"), (6, 3, 3)),
        (Stride2D(2), (3, 3, 3)),
        (Stride2D((1, 4)), (6, 2, 3)),
        (GlobalMaxPool2D(), (3,)),
        (GlobalAveragePool2D(), (3,)),
    ],
    ids=repr,
)
def test_output_shape_over_images(layer, output):
    assert layer.output_shape((6, 5, 3)) == output
    assert layer.forward({}, jnp.zeros((2, 6, 5, 3))).shape == (2, *output)


def test_negative_values_are_not_beaten_by_padding():
    assert MaxPool1D(2, padding="same").forward({}, -SERIES)[0, :, 0].tolist() == [-1, -1, -5]


def test_stride_keeps_every_second_place_and_its_gradient():
    x = jnp.arange(30.0).reshape(1, 5, 6, 1)
    y, pull = jax.vjp(lambda x: Stride2D((2, 3)).forward({}, x), x)
    np.testing.assert_array_equal(y, x[:, ::2, ::3])
    [slope] = pull(y)
    assert float(slope.sum()) == float(y.sum())
    np.testing.assert_array_equal(slope[:, ::2, ::3], y)


@pytest.mark.by_turns(2)
@pytest.mark.parametrize("layer", [GlobalMaxPool1D(), GlobalMaxPool2D(), GlobalAveragePool1D(), GlobalAveragePool2D()])
def test_global_pooling(layer):
    x = jax.random.normal(jax.random.key(0), (2, *(4, 5)[: layer.rank], 3))
    reduce = np.max if isinstance(layer, GlobalMaxPool1D | GlobalMaxPool2D) else np.mean
    np.testing.assert_allclose(layer.forward({}, x), reduce(x, axis=tuple(range(1, layer.rank + 1))), rtol=1e-5)


def test_equal_values_share_the_gradient_of_a_global_maximum():
    slope = jax.grad(lambda x: GlobalMaxPool1D().forward({}, x).sum())(jnp.array([1.0, 2.0, 2.0])[None, :, None])
    assert slope[0, :, 0].tolist() == [0, 0.5, 0.5]


@pytest.mark.parametrize(
    "layer",
    [MaxPool1D(2), MaxPool1D(2, stride=1), AveragePool1D(2), GlobalMaxPool1D(), GlobalAveragePool1D()],
    ids=repr,
)
def test_nan_is_not_hidden(layer):
    assert jnp.isnan(layer.forward({}, SERIES.at[0, 1].set(jnp.nan))).any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MaxPool2D(2).output_shape((8, 8)),
         "MaxPool2D(size=2): expected images (height, width, channels), got shape (8, 8). "
         "Put Reshape((8, 8, 1)) before it."),
        (lambda: MaxPool1D(3).output_shape((2, 1)),
         "MaxPool1D(size=3): expected at least 3 values for its window, got shape (2, 1). "
         'Make the window smaller, or pad: padding="same".'),
        (lambda: AveragePool1D(2, padding=2).output_shape((4, 1)),
         "AveragePool1D(size=2, padding=2): expected padding smaller than the window, (2,), got 2: "
         'some windows would see nothing else. Choose "same".'),
        (lambda: MaxPool2D((3, 1), padding=1).output_shape((4, 4, 1)),
         "MaxPool2D(size=(3, 1), padding=1): expected padding smaller than the window, (3, 1), got 1: "
         'some windows would see nothing else. Choose "same".'),
        (lambda: MaxPool1D(2, stride=0),
         "MaxPool1D: stride must be a whole number >= 1, or one for each axis, or None, got 0. The default is None."),
        (lambda: AveragePool2D(2, padding="causal").output_shape((4, 4, 1)),
         "AveragePool2D(size=2, padding='causal'): padding=\"causal\" is for one axis of time. Choose \"same\"."),
        (lambda: MaxPool2D((2, 2, 2)).output_shape((4, 4, 1)),
         "MaxPool2D(size=(2, 2, 2)): expected one number, or 2, one for each axis, got (2, 2, 2). "
         "For example: (2, 2)."),
        (lambda: GlobalMaxPool2D().output_shape((4, 4)),
         "GlobalMaxPool2D(): expected images (height, width, channels), got shape (4, 4). "
         "Put it behind layers that keep these axes."),
        (lambda: Stride1D(0),
         "Stride1D: stride must be a whole number >= 1, or one for each axis, got 0. The default is 2."),
        (lambda: Stride2D(2).output_shape((4, 4)),
         "Stride2D(stride=2): expected images (height, width, channels), got shape (4, 4). "
         "Put Reshape((4, 4, 1)) before it."),
    ],
    ids=range(10),
)  # fmt: skip
def test_error_texts(make, message):
    with pytest.raises(ChainruleError) as caught:
        make()
    assert str(caught.value) == message
