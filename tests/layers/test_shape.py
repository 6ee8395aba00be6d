"""Layers that change places only: shapes, and what they say of those that do not fit."""

import jax.numpy as jnp
import pytest

from chainrule.errors import ChainruleError
from chainrule.layers import Crop1D, Crop2D, Permute, Upsample1D, Upsample2D, ZeroPad1D, ZeroPad2D
from chainrule.notation import parse


@pytest.mark.parametrize(
    ("layer", "shape", "output"),
    [
        (ZeroPad1D(), (5, 2), (7, 2)),
        (ZeroPad1D((0, 3)), (5, 2), (8, 2)),
        (ZeroPad1D(((2, 0),)), (1, 2), (3, 2)),
        (ZeroPad2D((1, 0)), (5, 4, 2), (7, 4, 2)),
        (ZeroPad2D(((1, 0), (2, 3))), (5, 4, 2), (6, 9, 2)),
        (Crop1D(0), (1, 2), (1, 2)),
        (Crop1D((3, 1)), (5, 2), (1, 2)),
        (Crop2D((1, 0)), (5, 4, 2), (3, 4, 2)),
        (Upsample1D(1), (5, 2), (5, 2)),
        (Upsample1D(100, "linear"), (1, 2), (100, 2)),
        (Upsample2D((1, 3)), (5, 4, 2), (5, 12, 2)),
        (Permute((1,)), (5,), (5,)),
        (Permute((3, 1, 2)), (5, 4, 2), (2, 5, 4)),
    ],
    ids=repr,
)
def test_output_shape(layer, shape, output):
    assert layer.output_shape(shape) == output
    assert layer.forward({}, jnp.zeros((2, *shape))).shape == (2, *output)
    assert parse(repr(layer)) == layer


def test_a_crop_undoes_padding():
    x = jnp.arange(24.0).reshape(2, 3, 2, 2)
    ends = ((1, 2), (0, 3))
    assert (ZeroPad2D(ends) >> Crop2D(ends)).forward(((), ()), x).tolist() == x.tolist()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Crop1D((2, 3)).output_shape((5, 2)),
         "Crop1D(cropping=(2, 3)): expected more than 5 places, which it takes away, got shape (5, 2). Take fewer."),
        (lambda: Crop2D().output_shape((5, 2, 3)),
         "Crop2D(cropping=1): expected more than 2 × 2 places, which it takes away, got shape (5, 2, 3). Take fewer."),
        (lambda: ZeroPad1D("same"),
         "ZeroPad1D: padding must be whole numbers >= 0: one, one for each axis, or (before, after), got 'same'. "
         "The default is 1."),
        (lambda: ZeroPad2D().output_shape((5, 2)),
         "ZeroPad2D(padding=1): expected images (height, width, channels), got shape (5, 2). "
         "Put Reshape((5, 2, 1)) before it."),
        (lambda: ZeroPad2D((1, 2, 3)).output_shape((5, 2, 1)),
         "ZeroPad2D(padding=(1, 2, 3)): expected padding for 2 axes, got (1, 2, 3). For example: ((1, 1), (1, 1))."),
        (lambda: Upsample1D(2, "bilinear"),
         "Upsample1D: interpolation must be one of 'nearest', 'linear', got 'bilinear'. The default is 'nearest'."),
        (lambda: Upsample2D((2, 2, 2)).output_shape((5, 2, 1)),
         "Upsample2D(size=(2, 2, 2)): expected one number, or 2, one for each axis, got (2, 2, 2). "
         "For example: (2, 2)."),
        (lambda: Permute((0, 1)),
         "Permute: axes must be a tuple of all axes of an example, counted from 1: (2, 1), for example, got (0, 1)."),
        (lambda: Permute((2, 1)).output_shape((5,)),
         "Permute((2, 1)): expected examples of 2 axes, got shape (5,). Name all of their axes, and no other."),
    ],
    ids=range(9),
)  # fmt: skip
def test_error_texts(make, message):
    with pytest.raises(ChainruleError) as caught:
        make()
    assert str(caught.value) == message
