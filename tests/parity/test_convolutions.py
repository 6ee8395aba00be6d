"""Transposed, depthwise and three-dimensional convolution and pooling in PyTorch and in Keras: values and gradients."""

import jax
import numpy as np
import pytest

from chainrule.layers import (
    AveragePool3D,
    Conv2D,
    Conv3D,
    ConvTranspose1D,
    ConvTranspose2D,
    DepthwiseConv2D,
    MaxPool3D,
)

rng = np.random.default_rng(0)

TRANSPOSED = [
    ((1, 1), ConvTranspose1D(3, 1)),
    ((5, 2), ConvTranspose1D(3, 3)),
    ((4, 2), ConvTranspose1D(3, 3, stride=2, padding=1, output_padding=1)),
    ((1, 2), ConvTranspose1D(3, 4, stride=3, padding=(2, 0))),
    ((4, 2), ConvTranspose1D(3, 1, stride=3)),
    ((5, 4), ConvTranspose1D(6, 2, stride=2, dilation=3, groups=2, bias=False)),
    ((5, 4), ConvTranspose1D(4, 3, groups=4, padding=2)),
    ((4, 3, 2), ConvTranspose2D(3, 3)),
    ((1, 1, 1), ConvTranspose2D(2, 2, stride=2)),
    ((4, 3, 2), ConvTranspose2D(3, (3, 2), stride=(2, 1), padding=(1, 0), output_padding=(1, 0))),
    ((3, 4, 4), ConvTranspose2D(6, 3, stride=2, padding=((1, 0), (2, 1)), groups=2, output_padding=1)),
    ((3, 4, 2), ConvTranspose2D(3, 2, stride=2, dilation=2, padding=1)),
]
WHOLE = [
    ((3, 4, 5, 2), Conv3D(3, 2)),
    ((1, 1, 1, 1), Conv3D(2, 1, bias=False)),
    ((4, 5, 3, 2), Conv3D(3, (3, 2, 1), stride=(2, 1, 2), padding=1)),
    ((5, 4, 5, 4), Conv3D(4, 2, dilation=(2, 1, 3), groups=2, padding=((1, 0), (0, 2), 1))),
    ((4, 4, 4, 3), Conv3D(3, 3, stride=3, padding="same", groups=3)),
]
POOLS = [
    ((4, 5, 6, 2), (2,)),
    ((1, 1, 1, 1), (1,)),
    ((5, 4, 4, 2), (3, 2, 1)),
    ((4, 4, 5, 2), ((1, 2, 3), (2, 1, 1))),
]


def array(*shape):
    return rng.normal(size=shape).astype(np.float32)


def drawn(layer, shape):
    return {name: array(*declared.shape) for name, declared in layer.parameters(shape).items()}


def ours(layer, p, x, g):
    @jax.jit
    def run(p, x, g):
        y, pull = jax.vjp(layer.forward, p, x)
        return y, *pull(g)

    y, of_p, of_x = run(p, x, g)
    return {"value": y, "input": of_x} | of_p


def close(mine, theirs):
    assert mine.keys() == theirs.keys()
    for name in theirs:
        np.testing.assert_allclose(mine[name], theirs[name], rtol=1e-4, atol=2e-5, err_msg=name)


# PyTorch, whose channels are the second axis.


def turned_weight(kernel, groups):
    """Our kernel, (*window, channels / groups, filters), as PyTorch's of (channels, filters / groups, *window)."""
    apart = kernel.reshape(*kernel.shape[:-1], groups, kernel.shape[-1] // groups)
    first = np.moveaxis(apart, (-2, -3, -1), (0, 1, 2))  # (groups, channels / groups, filters / groups, *window)
    return np.ascontiguousarray(first.reshape(-1, *first.shape[2:]))


def turned_back(weight, groups):
    apart = weight.reshape(groups, weight.shape[0] // groups, *weight.shape[1:])
    last = np.moveaxis(apart, (1, 0, 2), (-3, -2, -1))
    return last.reshape(*last.shape[:-2], -1)


def last(x):
    return np.moveaxis(x.detach().numpy(), 1, -1)


def torch_run(compute, x, weight, bias, g):
    """PyTorch's value and gradients, the weight's in its own order."""
    torch = pytest.importorskip("torch")
    inputs = torch.tensor(np.moveaxis(x, -1, 1).copy(), requires_grad=True)
    learned = [None if each is None else torch.tensor(each, requires_grad=True) for each in (weight, bias)]
    y = compute(inputs, *learned)
    y.backward(torch.tensor(np.moveaxis(g, -1, 1).copy()))
    return {"value": last(y), "input": last(inputs.grad)}, [None if each is None else each.grad for each in learned]


@pytest.mark.parametrize(("shape", "layer"), TRANSPOSED, ids=map(str, TRANSPOSED))
def test_transposed_convolution_of_pytorch(shape, layer):
    """Where padding is not the same at both ends, PyTorch's whole output is cut at them."""
    torch = pytest.importorskip("torch")
    p, x, g = drawn(layer, shape), array(2, *shape), array(2, *layer.output_shape(shape))
    convolve = (torch.nn.functional.conv_transpose1d, torch.nn.functional.conv_transpose2d)[layer.rank - 1]
    cuts = [(0, 0), (0, 0), *layer.over_outputs.pads]

    def compute(x, weight, bias):
        y = convolve(x, weight, bias, layer.stride, 0, layer.output_padding, layer.groups, layer.dilation)
        return y[tuple(slice(low, of - high) for (low, high), of in zip(cuts, y.shape, strict=True))]

    theirs, (of_weight, of_bias) = torch_run(compute, x, turned_weight(p["kernel"], layer.groups), p.get("bias"), g)
    theirs["kernel"] = turned_back(of_weight.numpy(), layer.groups)
    close(ours(layer, p, x, g), theirs | ({} if of_bias is None else {"bias": of_bias.numpy()}))
    if isinstance(layer.padding, int):
        inputs = torch.tensor(np.moveaxis(x, -1, 1).copy())
        weight = torch.tensor(turned_weight(p["kernel"], layer.groups))
        bias = None if of_bias is None else torch.tensor(p["bias"])
        own = (layer.stride, layer.padding, layer.output_padding, layer.groups, layer.dilation)
        np.testing.assert_allclose(last(convolve(inputs, weight, bias, *own)), theirs["value"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("shape", "layer"), WHOLE, ids=map(str, WHOLE))
def test_three_axes_of_pytorch(shape, layer):
    torch = pytest.importorskip("torch")
    p, x, g = drawn(layer, shape), array(2, *shape), array(2, *layer.output_shape(shape))
    pads = [amount for pair in reversed(layer.window(shape).pads) for amount in pair]

    def compute(x, weight, bias):
        padded = torch.nn.functional.pad(x, pads)
        return torch.nn.functional.conv3d(padded, weight, bias, layer.stride, 0, layer.dilation, layer.groups)

    weight = np.ascontiguousarray(np.moveaxis(p["kernel"], (-1, -2), (0, 1)))
    theirs, (of_weight, of_bias) = torch_run(compute, x, weight, p.get("bias"), g)
    theirs["kernel"] = np.moveaxis(of_weight.numpy(), (0, 1), (-1, -2))
    close(ours(layer, p, x, g), theirs | ({} if of_bias is None else {"bias": of_bias.numpy()}))


@pytest.mark.parametrize(("shape", "arguments"), POOLS, ids=map(str, POOLS))
@pytest.mark.parametrize("kind", [MaxPool3D, AveragePool3D])
def test_three_axes_of_pooling_of_pytorch(shape, arguments, kind):
    torch = pytest.importorskip("torch")
    layer, x = kind(*arguments), np.round(array(2, *shape) * 2)  # of equal values the first has the gradient in both
    g, padding = array(2, *layer.output_shape(shape)), 0 if layer.padding == "valid" else layer.padding

    def compute(x, *_):
        if kind is MaxPool3D:
            return torch.nn.functional.max_pool3d(x, layer.size, layer.stride, padding)
        return torch.nn.functional.avg_pool3d(x, layer.size, layer.stride, padding, count_include_pad=False)

    close(ours(layer, {}, x, g), torch_run(compute, x, None, None, g)[0])


# Keras.


def keras_run(theirs, weights, x, g):
    """Keras' value, and gradients of the input and of its weights."""
    theirs.build((None, *x.shape[1:]))

    @jax.jit
    def run(weights, x, g):
        y, pull = jax.vjp(lambda weights, x: theirs.stateless_call(weights, [], x)[0], weights, x)
        return y, *pull(g)

    y, of_weights, of_x = run(weights, x, g)
    return {"value": y, "input": of_x}, of_weights


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize(("padding", "dilation"), [("valid", 1), ("same", 1), ("same", 2)])
def test_transposed_convolution_of_keras(stride, size, padding, dilation):
    """Keras' kernel has filters before channels; behind the last window it has further places, where only bias is."""
    k = pytest.importorskip("keras").layers
    if stride > 1 and dilation > 1:
        pytest.skip("Keras has none")
    shape, layer = (4, 3, 2), ConvTranspose2D(3, (size, 3), stride, padding, dilation)
    p, x, g = drawn(layer, shape), array(2, *shape), array(2, *layer.output_shape(shape))
    if padding == "valid" and stride > size:
        pytest.skip("Keras has more places")
    theirs = k.Conv2DTranspose(3, (size, 3), stride, padding, dilation_rate=dilation)
    found, (of_kernel, of_bias) = keras_run(theirs, [np.swapaxes(p["kernel"], -1, -2), p["bias"]], x, g)
    close(ours(layer, p, x, g), found | {"kernel": np.swapaxes(of_kernel, -1, -2), "bias": of_bias})


def test_transposed_convolution_over_time_of_keras():
    k = pytest.importorskip("keras").layers
    layer = ConvTranspose1D(3, 4, 2, "same")
    p, x, g = drawn(layer, (5, 2)), array(2, 5, 2), array(2, 10, 3)
    theirs = k.Conv1DTranspose(3, 4, 2, "same")
    found, (of_kernel, of_bias) = keras_run(theirs, [np.swapaxes(p["kernel"], -1, -2), p["bias"]], x, g)
    close(ours(layer, p, x, g), found | {"kernel": np.swapaxes(of_kernel, -1, -2), "bias": of_bias})


def test_three_axes_of_keras():
    k = pytest.importorskip("keras").layers
    layer = Conv3D(4, (3, 2, 2), stride=2, padding="same", groups=2)
    p, x, g = drawn(layer, (4, 5, 3, 2)), array(2, 4, 5, 3, 2), array(2, 2, 3, 2, 4)
    theirs = k.Conv3D(4, (3, 2, 2), 2, "same", groups=2)
    found, (of_kernel, of_bias) = keras_run(theirs, [p["kernel"], p["bias"]], x, g)
    close(ours(layer, p, x, g), found | {"kernel": of_kernel, "bias": of_bias})
    for mine, peer in ((MaxPool3D, k.MaxPooling3D), (AveragePool3D, k.AveragePooling3D)):
        pool, g = mine(2, 1, "same"), array(2, 4, 5, 3, 2)
        close(ours(pool, {}, x, g), keras_run(peer(2, 1, "same"), [], x, g)[0])


@pytest.mark.parametrize(("stride", "padding", "multiplier"), [(1, "valid", 1), (2, "same", 2), (1, "same", 3)])
def test_depthwise_and_separable_convolution_of_keras(stride, padding, multiplier):
    k = pytest.importorskip("keras").layers
    shape = (5, 4, 3)
    layer = DepthwiseConv2D((3, 2), stride, padding, multiplier=multiplier)
    p, x, g = drawn(layer, shape), array(2, *shape), array(2, *layer.output_shape(shape))
    apart = (3, 2, 3, multiplier)
    theirs = k.DepthwiseConv2D((3, 2), stride, padding, depth_multiplier=multiplier)
    found, (of_kernel, of_bias) = keras_run(theirs, [p["kernel"].reshape(apart), p["bias"]], x, g)
    close(ours(layer, p, x, g), found | {"kernel": of_kernel.reshape(p["kernel"].shape), "bias": of_bias})
    chain = DepthwiseConv2D((3, 2), stride, padding, multiplier=multiplier, bias=False) >> Conv2D(4, 1)
    mixed = drawn(chain.layers[1], layer.output_shape(shape))
    theirs = k.SeparableConv2D(4, (3, 2), stride, padding, depth_multiplier=multiplier)
    weights = [p["kernel"].reshape(apart), mixed["kernel"], mixed["bias"]]
    found, _ = keras_run(theirs, weights, x, array(2, *chain.output_shape(shape)))
    y = jax.jit(chain.forward)(({"kernel": p["kernel"]}, mixed), x)
    np.testing.assert_allclose(y, found["value"], rtol=1e-4, atol=1e-5)
