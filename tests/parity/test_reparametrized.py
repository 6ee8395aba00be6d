"""Weight and spectral normalisation in PyTorch and in Keras: values, gradients, and the vectors that are kept."""

import jax
import numpy as np
import pytest

from chainrule.formula.layer import Context
from chainrule.layers import LSTM, Conv2D, Dense, SpectralNorm, WeightNorm

rng = np.random.default_rng(0)
TRAINING = Context(training=True)


def array(*shape):
    return rng.normal(size=shape).astype(np.float32)


def run(layer, p, state, x, g):
    """Value, gradients by parameters and input, and the new state."""

    @jax.jit
    def run(p, x, g):
        y, pull, state_after = jax.vjp(lambda p, x: layer.apply(p, state, x, TRAINING), p, x, has_aux=True)
        return y, state_after, *pull(g)

    return run(p, x, g)


def close(mine, theirs):
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def modules():
    """PyTorch's layers with ours, and how its weights and inputs are carried over: a kernel, and the channels' axis."""
    torch = pytest.importorskip("torch")
    yield torch.nn.Linear(4, 3), Dense(3), (4,), lambda w: w.T
    yield torch.nn.Conv2d(2, 3, (3, 2)), Conv2D(3, (3, 2)), (5, 4, 2), lambda w: np.moveaxis(w, (0, 1), (-1, -2))


def stepped(theirs, x, g):
    """PyTorch's value and gradient by its input, channels at the end."""
    torch = pytest.importorskip("torch")
    inputs = torch.tensor(np.moveaxis(x, -1, 1).copy(), requires_grad=True)
    y = theirs(inputs)
    y.backward(torch.tensor(np.moveaxis(g, -1, 1).copy()))
    return [np.moveaxis(each.detach().numpy(), 1, -1) for each in (y, inputs.grad)]


@pytest.mark.parametrize("kind", [0, 1], ids=["dense", "convolution"])
def test_weight_norm_of_pytorch(kind):
    torch = pytest.importorskip("torch")
    theirs, inner, shape, carry = [*modules()][kind]
    theirs = torch.nn.utils.parametrizations.weight_norm(theirs)
    own = theirs.parametrizations.weight
    with torch.no_grad():
        own.original0.mul_(1.5)
    kernel, lengths = carry(own.original1.detach().numpy()), own.original0.detach().numpy().ravel()
    p = {"layer": {"kernel": kernel, "bias": theirs.bias.detach().numpy()}, "lengths": [lengths]}
    layer, x = WeightNorm(inner), array(2, *shape)
    g = array(2, *layer.output_shape(shape))
    y, _, of_p, of_x = run(layer, p, {}, x, g)
    value, of_input = stepped(theirs, x, g)
    close((y, of_x), (value, of_input))
    close((of_p["layer"]["kernel"], of_p["layer"]["bias"]), (carry(own.original1.grad.numpy()), theirs.bias.grad))
    close(of_p["lengths"], [own.original0.grad.numpy().ravel()])


def test_weight_norm_of_a_recurrent_layer_of_pytorch():
    torch = pytest.importorskip("torch")
    theirs = torch.nn.LSTM(3, 4, batch_first=True)
    kernels = {"kernel": theirs.weight_ih_l0, "recurrent_kernel": theirs.weight_hh_l0}
    p = {name: w.detach().numpy().T for name, w in kernels.items()}
    bias = (theirs.bias_ih_l0 + theirs.bias_hh_l0).detach().numpy()
    for name in ("weight_ih_l0", "weight_hh_l0"):
        torch.nn.utils.parametrizations.weight_norm(theirs, name)
        with torch.no_grad():
            theirs.parametrizations[name].original0.mul_(2)
    layer, x = WeightNorm(LSTM(4)), array(2, 5, 3)
    lengths = [2 * np.linalg.norm(p[name], axis=0) for name in ("kernel", "recurrent_kernel")]
    y = layer.forward({"layer": p | {"bias": bias}, "lengths": lengths}, x)
    np.testing.assert_allclose(y, theirs(torch.tensor(x))[0][:, -1].detach().numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.spectral_norm` is deprecated")
@pytest.mark.parametrize("kind", [0, 1], ids=["dense", "convolution"])
@pytest.mark.parametrize("iterations", [1, 3])
def test_spectral_norm_of_pytorch(kind, iterations):
    torch = pytest.importorskip("torch")
    theirs, inner, shape, carry = [*modules()][kind]
    theirs = torch.nn.utils.spectral_norm(theirs, n_power_iterations=iterations)
    p = {"kernel": carry(theirs.weight_orig.detach().numpy()), "bias": theirs.bias.detach().numpy()}
    layer, state = SpectralNorm(inner, iterations), {"layer": {}, "vectors": [theirs.weight_u.numpy().copy()]}
    for _ in range(2):
        x = array(2, *shape)
        g = array(2, *layer.output_shape(shape))
        theirs.zero_grad()
        y, state, of_p, of_x = run(layer, p, state, x, g)
        close((y, of_x), stepped(theirs, x, g))
        close((of_p["kernel"], of_p["bias"]), (carry(theirs.weight_orig.grad.numpy()), theirs.bias.grad))
        close(state["vectors"], [theirs.weight_u])


def test_spectral_norm_of_keras():
    """Keras divides the kernel itself, and so gives it another gradient: value and vector are the same."""
    k = pytest.importorskip("keras").layers
    theirs, layer, x = k.SpectralNormalization(k.Dense(3)), SpectralNorm(Dense(3)), array(2, 4)
    theirs.build(x.shape)
    kernel, bias, vector = theirs.layer.kernel, theirs.layer.bias, theirs.vector_u
    p, u = {"kernel": np.asarray(kernel), "bias": np.asarray(bias)}, np.asarray(vector).ravel()
    state = {"layer": {}, "vectors": [u / np.linalg.norm(u)]}
    y, state, *_ = run(layer, p, state, x, array(2, 3))
    np.testing.assert_allclose(y, theirs(x, training=True), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(state["vectors"][0], np.asarray(theirs.vector_u).ravel(), rtol=1e-4, atol=1e-5)
