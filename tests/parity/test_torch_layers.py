"""PyTorch's layers: values, and gradients of the input and of every parameter."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.formula.layer import Context
from chainrule.layers import (
    GRU,
    LSTM,
    RNN,
    AveragePool1D,
    AveragePool2D,
    Bidirectional,
    Conv1D,
    Conv2D,
    Embedding,
    GlobalAveragePool2D,
    GlobalMaxPool2D,
    MaxPool1D,
    MaxPool2D,
)

torch = pytest.importorskip("torch")
F = torch.nn.functional

rng = np.random.default_rng(0)


def array(*shape):
    return rng.normal(size=shape).astype(np.float32)


def ours(layer, p, x, g):
    """The layer's value, and the gradients of its parameters and its input, compiled as one."""

    @jax.jit
    def run(p, x, g):
        y, pull = jax.vjp(layer.forward, p, x)
        return y, *pull(g)

    y, of_p, of_x = run(p, x, g)
    return {"value": y, "input": of_x} | of_p


def close(mine, theirs, rtol=1e-4, atol=1e-5):
    assert mine.keys() == theirs.keys()
    for name in theirs:
        np.testing.assert_allclose(mine[name], theirs[name], rtol=rtol, atol=atol, err_msg=name)


def last(x):
    """PyTorch's channels, which come first, at the end."""
    return np.moveaxis(x.detach().numpy(), 1, -1)


def first(x):
    return torch.tensor(np.moveaxis(x, -1, 1), requires_grad=True)


CONVOLUTIONS = [
    ((1, 1), Conv1D(8, 1)),
    ((5, 3), Conv1D(8, 3)),
    ((6, 3), Conv1D(8, 3, stride=2)),
    ((7, 1), Conv1D(8, 2, stride=3)),
    ((5, 2), Conv1D(8, 5)),
    ((4, 3), Conv1D(8, 4, padding=2)),
    ((9, 4), Conv1D(8, 3, dilation=2, groups=2)),
    ((8, 4), Conv1D(8, 3, stride=2, dilation=3, padding=(1, 2), groups=4)),
    ((6, 2), Conv1D(8, 2, padding="same")),
    ((6, 2), Conv1D(8, 3, padding="causal", dilation=2)),
    ((1, 1, 1), Conv2D(8, 1)),
    ((5, 6, 3), Conv2D(8, 3)),
    ((6, 5, 3), Conv2D(8, (3, 2), stride=2)),
    ((7, 6, 1), Conv2D(8, 2, stride=(3, 1), padding=1)),
    ((4, 5, 2), Conv2D(8, (4, 5))),
    ((4, 4, 2), Conv2D(8, 4, padding=(2, 1))),
    ((9, 8, 4), Conv2D(8, 3, dilation=(2, 1), groups=2)),
    ((8, 9, 4), Conv2D(8, (3, 2), stride=2, dilation=3, padding=((1, 2), (0, 1)), groups=4)),
    ((5, 6, 2), Conv2D(8, 3, padding="same")),
    ((5, 6, 2), Conv2D(8, (2, 4), padding="same", bias=False)),
]


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize(("shape", "layer"), CONVOLUTIONS, ids=map(str, CONVOLUTIONS))
def test_convolution(shape, layer):
    convolve = (F.conv1d, F.conv2d)[layer.rank - 1]
    p = {name: array(*declared.shape) for name, declared in layer.parameters(shape).items()}
    x, g = array(2, *shape), array(2, *layer.output_shape(shape))
    weight = torch.tensor(np.moveaxis(p["kernel"], (-1, -2), (0, 1)), requires_grad=True)
    bias = torch.tensor(p["bias"], requires_grad=True) if "bias" in p else None
    inputs = first(x)
    pads = layer.window(shape).pads  # as the layer says; F.pad has the last axis first
    padded = F.pad(inputs, [amount for pair in reversed(pads) for amount in pair])
    y = convolve(padded, weight, bias, layer.stride, 0, layer.dilation, layer.groups)
    y.backward(torch.tensor(np.moveaxis(g, -1, 1)))
    kernel = np.moveaxis(weight.grad.numpy(), (0, 1), (-1, -2))
    theirs = {"value": last(y), "input": last(inputs.grad), "kernel": kernel}
    close(ours(layer, p, x, g), theirs | ({} if bias is None else {"bias": bias.grad.numpy()}))
    if layer.padding == "same":
        with_theirs = convolve(inputs, weight, bias, padding="same", dilation=layer.dilation)
        np.testing.assert_allclose(last(with_theirs), last(y), rtol=1e-5, atol=1e-5)


def test_the_weight_is_permuted_as_the_docstring_says():
    theirs = torch.nn.Conv2d(4, 6, (3, 2), groups=2)
    p = {"kernel": theirs.weight.permute(2, 3, 1, 0).detach().numpy(), "bias": theirs.bias.detach().numpy()}
    x = array(2, 5, 6, 4)
    np.testing.assert_allclose(Conv2D(6, (3, 2), groups=2).forward(p, x), last(theirs(first(x))), rtol=1e-4, atol=1e-5)


POOLS = [
    ((1, 1), MaxPool1D(1)),
    ((6, 3), MaxPool1D(2)),
    ((7, 3), MaxPool1D(2)),
    ((7, 3), MaxPool1D(3, stride=1)),
    ((8, 2), MaxPool1D(2, stride=3)),
    ((5, 2), MaxPool1D(5)),
    ((6, 2), MaxPool1D(3, stride=2, padding=1)),
    ((6, 5, 3), MaxPool2D(2)),
    ((7, 7, 2), MaxPool2D((3, 2), stride=(1, 2))),
    ((6, 7, 2), MaxPool2D(3, stride=2, padding=1)),
    ((4, 3, 1), MaxPool2D((4, 3))),
    ((6, 6, 2), MaxPool2D((2, 3))),
    ((9, 3), MaxPool1D(2, stride=1, dilation=3)),
    ((8, 9, 2), MaxPool2D((2, 3), stride=2, padding=1, dilation=(3, 2))),
]


POOLS += [
    (shape, {MaxPool1D: AveragePool1D, MaxPool2D: AveragePool2D}[type(layer)](layer.size, layer.stride, layer.padding))
    for shape, layer in POOLS
    if layer.dilation == 1  # PyTorch's means have none
]


@pytest.mark.parametrize(("shape", "layer"), POOLS, ids=map(str, POOLS))
def test_pooling_with_ties(shape, layer):
    x = np.round(array(2, *shape) * 2)  # few values, so that many are equal: the first has the gradient in both
    g = array(2, *layer.output_shape(shape))
    inputs = first(x)
    padding = 0 if layer.padding == "valid" else layer.padding
    if isinstance(layer, MaxPool1D | MaxPool2D):
        y = (F.max_pool1d, F.max_pool2d)[layer.rank - 1](inputs, layer.size, layer.stride, padding, layer.dilation)
    else:
        pool = (F.avg_pool1d, F.avg_pool2d)[layer.rank - 1]
        y = pool(inputs, layer.size, layer.stride, padding, count_include_pad=False)
    y.backward(torch.tensor(np.moveaxis(g, -1, 1)))
    close(ours(layer, {}, x, g), {"value": last(y), "input": last(inputs.grad)}, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("layer", "pool"), [(GlobalMaxPool2D(), F.adaptive_max_pool2d), (GlobalAveragePool2D(), F.adaptive_avg_pool2d)]
)
def test_global_pooling(layer, pool):
    x, g = array(2, 4, 5, 3), array(2, 3)
    inputs = first(x)
    y = pool(inputs, 1)[:, :, 0, 0]
    y.backward(torch.tensor(g))
    close(ours(layer, {}, x, g), {"value": y.detach().numpy(), "input": last(inputs.grad)}, rtol=1e-5)


@pytest.mark.parametrize("padding_id", [None, 0, 3])
def test_embedding(padding_id):
    theirs = torch.nn.Embedding(7, 4, padding_idx=padding_id)
    tokens, g = rng.integers(0, 7, (5, 6)), array(5, 6, 4)
    y = theirs(torch.tensor(tokens))
    y.backward(torch.tensor(g))
    layer, p = Embedding(7, 4, padding_id=padding_id), {"table": jnp.asarray(theirs.weight.detach().numpy())}
    result, pull = jax.vjp(lambda p: layer.forward(p, jnp.asarray(tokens)), p)
    [of_p] = pull(jnp.asarray(g))
    if padding_id is not None:
        np.testing.assert_array_equal(layer.output_mask(tokens, None), tokens != padding_id)
    np.testing.assert_array_equal(result, y.detach().numpy())
    np.testing.assert_allclose(of_p["table"], theirs.weight.grad.numpy(), rtol=1e-5, atol=1e-6)


NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
RECURRENT = {
    "RNN": (RNN, torch.nn.RNN),
    "LSTM": (LSTM, torch.nn.LSTM),
    "GRU": (lambda units, **fields: GRU(units, reset_after=True, **fields), torch.nn.GRU),
}
SIZES = [(1, 1, 1, 1), (3, 5, 2, 4), (2, 8, 3, 1)]


def carried(theirs, suffix="_l0"):
    """PyTorch's weights, carried over as the docstrings say."""
    w_ih, w_hh, b_ih, b_hh = (getattr(theirs, name + suffix).detach().numpy() for name in NAMES)
    return {"kernel": w_ih.T, "recurrent_kernel": w_hh.T} | _bias(theirs, b_ih, b_hh)


def _bias(theirs, b_ih, b_hh):
    if not isinstance(theirs, torch.nn.GRU):
        return {"bias": b_ih + b_hh}
    split = 2 * theirs.hidden_size
    return {"bias": np.concatenate([b_ih[:split] + b_hh[:split], b_ih[split:]]), "recurrent_bias": b_hh[split:]}


def gradients(theirs, suffix="_l0"):
    """The two biases of PyTorch add up to one, whose gradient is that of each."""
    w_ih, w_hh, b_ih, b_hh = (getattr(theirs, name + suffix).grad.numpy() for name in NAMES)
    found = {"kernel": w_ih.T, "recurrent_kernel": w_hh.T, "bias": b_ih}
    return found | ({"recurrent_bias": b_hh[2 * theirs.hidden_size :]} if isinstance(theirs, torch.nn.GRU) else {})


@pytest.mark.parametrize("kind", RECURRENT)
@pytest.mark.parametrize(("batch", "time", "features", "units"), SIZES)
@pytest.mark.parametrize("sequences", [False, True], ids=["last", "sequences"])
def test_recurrent(kind, batch, time, features, units, sequences):
    make, peer = RECURRENT[kind]
    torch.manual_seed(0)
    theirs, layer = peer(features, units, batch_first=True), make(units, return_sequences=sequences)
    x, g = array(batch, time, features), array(batch, *layer.output_shape((time, features)))
    inputs = torch.tensor(x, requires_grad=True)
    y = theirs(inputs)[0] if sequences else theirs(inputs)[0][:, -1]
    y.backward(torch.tensor(g))
    expected = {"value": y.detach().numpy(), "input": inputs.grad.numpy()} | gradients(theirs)
    close(ours(layer, carried(theirs), x, g), expected)


@pytest.mark.parametrize("kind", RECURRENT)
def test_bidirectional(kind):
    make, peer = RECURRENT[kind]
    torch.manual_seed(0)
    theirs, layer = peer(3, 4, batch_first=True, bidirectional=True), Bidirectional(make(4, return_sequences=True))
    x, g = array(2, 5, 3), array(2, 5, 8)
    inputs = torch.tensor(x, requires_grad=True)
    y = theirs(inputs)[0]
    y.backward(torch.tensor(g))
    ways = {"forward": "_l0", "backward": "_l0_reverse"}
    p = {way: carried(theirs, suffix) for way, suffix in ways.items()}
    mine = ours(layer, p, x, g)
    np.testing.assert_allclose(mine["value"], y.detach().numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(mine["input"], inputs.grad.numpy(), rtol=1e-4, atol=1e-5)
    for way, suffix in ways.items():
        close(mine[way], gradients(theirs, suffix))


@pytest.mark.parametrize("kind", RECURRENT)
def test_padding_is_torch_s_packed_sequence(kind):
    make, peer = RECURRENT[kind]
    torch.manual_seed(0)
    theirs, lengths = peer(3, 4, batch_first=True, bidirectional=True), [5, 2, 1]
    layer = Bidirectional(make(4))
    x, g = array(3, 5, 3), array(3, 8)
    inputs = torch.tensor(x, requires_grad=True)
    packed = torch.nn.utils.rnn.pack_padded_sequence(inputs, lengths, batch_first=True)
    h = theirs(packed)[1]
    h = h[0] if kind == "LSTM" else h
    y = torch.cat([h[0], h[1]], dim=-1)
    y.backward(torch.tensor(g))
    ways = {"forward": "_l0", "backward": "_l0_reverse"}
    p = {way: carried(theirs, suffix) for way, suffix in ways.items()}
    mask = np.arange(5) < np.array(lengths)[:, None]

    @jax.jit
    def run(p, x, g):
        y, pull = jax.vjp(lambda p, x: layer.apply(p, {}, x, Context(mask=jnp.asarray(mask)))[0], p, x)
        return y, *pull(g)

    value, of_p, of_x = run(p, x, g)
    np.testing.assert_allclose(value, y.detach().numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(of_x, inputs.grad.numpy(), rtol=1e-4, atol=1e-5)
    for way, suffix in ways.items():
        close(of_p[way], gradients(theirs, suffix))


def test_an_initial_state_is_torch_s():
    torch.manual_seed(0)
    theirs, layer = torch.nn.LSTM(3, 4, batch_first=True), LSTM(4, learn_start=True)
    x, g, start = array(2, 5, 3), array(2, 4), array(2, 4)
    states = torch.tensor(start, requires_grad=True)
    h, c = (state.expand(1, 2, 4) for state in states[:, None, None])
    y = theirs(torch.tensor(x), (h, c))[0][:, -1]
    y.backward(torch.tensor(g))
    mine = ours(layer, carried(theirs) | {"start": start}, x, g)
    np.testing.assert_allclose(mine["value"], y.detach().numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(mine["start"], states.grad.numpy(), rtol=1e-4, atol=1e-5)


def test_stacking_is_torch_s_number_of_layers():
    torch.manual_seed(0)
    theirs = torch.nn.GRU(3, 4, num_layers=2, batch_first=True)
    stack = GRU(4, reset_after=True, return_sequences=True) >> GRU(4, reset_after=True)
    p = tuple(carried(theirs, suffix) for suffix in ("_l0", "_l1"))
    x = array(2, 6, 3)
    np.testing.assert_allclose(
        stack.forward(p, x), theirs(torch.tensor(x))[0][:, -1].detach().numpy(), rtol=1e-4, atol=1e-5
    )
