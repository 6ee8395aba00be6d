"""Layers that change places, and noise, in PyTorch and in Keras: values, and gradients of the input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.layers import AlphaDropout, Crop1D, Crop2D, Permute, Upsample1D, Upsample2D, ZeroPad1D, ZeroPad2D

rng = np.random.default_rng(0)

LAYERS = [
    *(
        (shape, Upsample1D(size, how))
        for shape in ((5, 2), (1, 3))
        for size in (1, 2, 3)
        for how in ("nearest", "linear")
    ),
    *(
        (shape, Upsample2D(size, how))
        for shape in ((4, 5, 2), (1, 1, 1), (1, 3, 2))
        for size in (2, (3, 1))
        for how in ("nearest", "bilinear")
    ),
    *((shape, ZeroPad1D(ends)) for shape in ((5, 2), (1, 1)) for ends in (0, 2, (1, 3))),
    *((shape, ZeroPad2D(ends)) for shape in ((4, 5, 2), (1, 1, 1)) for ends in (1, (2, 0), ((1, 0), (2, 3)))),
    *(((5, 2), Crop1D(ends)) for ends in (0, 2, (1, 3))),
    *(((4, 5, 2), Crop2D(ends)) for ends in (1, (0, 2), ((1, 0), (2, 1)))),
    *(((5, 2), Permute(axes)) for axes in ((1, 2), (2, 1))),
    *(((4, 5, 2), Permute(axes)) for axes in ((2, 3, 1), (3, 2, 1), (2, 1, 3))),
]


def array(*shape):
    return rng.normal(size=shape).astype(np.float32)


def ours(layer, x, g):
    y, pull = jax.vjp(jax.jit(lambda x: layer.forward({}, x)), x)
    return y, *pull(g)


def same(mine, theirs):
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)


def in_torch(layer, x):
    """What PyTorch makes of x, whose channels are the second axis there."""
    torch = pytest.importorskip("torch")
    if isinstance(layer, Permute):
        return x.permute(0, *layer.axes)
    x = x.movedim(-1, 1)
    if isinstance(layer, Upsample1D | Upsample2D):
        size = layer.size if isinstance(layer.size, tuple) else (layer.size,) * layer.rank
        y = torch.nn.functional.interpolate(x, scale_factor=size, mode=layer.interpolation)
    else:
        pads = layer.window((*x.shape[2:], x.shape[1])).pads  # F.pad has the last axis first, and crops below 0
        y = torch.nn.functional.pad(x, [amount for pair in reversed(pads) for amount in pair])
    return y.movedim(1, -1)


@pytest.mark.parametrize(("shape", "layer"), LAYERS, ids=map(str, LAYERS))
def test_in_pytorch(shape, layer):
    torch = pytest.importorskip("torch")
    x, g = array(2, *shape), array(2, *layer.output_shape(shape))
    inputs = torch.tensor(x, requires_grad=True)
    y = in_torch(layer, inputs)
    y.backward(torch.tensor(g))
    same(ours(layer, x, g), (y.detach().numpy(), inputs.grad.numpy()))


def in_keras(layer):
    k = pytest.importorskip("keras").layers
    match layer:
        case Permute():
            return k.Permute(layer.axes)
        case Upsample1D():
            return k.UpSampling1D(layer.size) if layer.interpolation == "nearest" else None
        case Upsample2D():
            return k.UpSampling2D(layer.size, interpolation=layer.interpolation)
        case ZeroPad1D():
            return k.ZeroPadding1D(layer.padding)
        case ZeroPad2D():
            return k.ZeroPadding2D(layer.window((9, 9, 1)).pads)
        case Crop1D():
            return k.Cropping1D(layer.cropping)
        case Crop2D():
            return k.Cropping2D(tuple((-low, -high) for low, high in layer.window((9, 9, 1)).pads))


@pytest.mark.parametrize(("shape", "layer"), LAYERS, ids=map(str, LAYERS))
def test_in_keras(shape, layer):
    theirs = in_keras(layer)
    if theirs is None:
        pytest.skip("Keras has none")
    x, g = array(2, *shape), array(2, *layer.output_shape(shape))
    y, pull = jax.vjp(jax.jit(theirs), x)
    same(ours(layer, x, g), (y, *pull(g)))


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_alpha_dropout_makes_the_two_values_that_pytorch_makes(rate):
    torch = pytest.importorskip("torch")
    x = np.full(1000, 0.75, np.float32)
    mine = np.unique(AlphaDropout(rate).noisy({}, jnp.asarray(x), jax.random.key(0)))
    theirs = torch.unique(torch.nn.functional.alpha_dropout(torch.tensor(x), rate, training=True)).numpy()
    assert len(mine) == 2
    np.testing.assert_allclose(mine, theirs, rtol=1e-6)
