"""PyTorch, Keras and JAX: rectifiers, self-gated activations and those of several values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.activations import (
    CELU,
    GELU,
    SELU,
    HardSwish,
    LogSoftmax,
    Maxout,
    Mish,
    ReLU6,
    RReLU,
    SiLU,
    Softmin,
    SquaredReLU,
)

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")
F = torch.nn.functional

X = np.concatenate([np.linspace(-9, 9, 180), [0.0, -0.0, 1e-8, -1e-8, 80, -80]]).astype(np.float32)
"""Even in number, with no kink but 0 among them."""

ACTIVATIONS = {
    GELU(): (F.gelu, lambda x: jax.nn.gelu(x, approximate=False), lambda x: keras.activations.gelu(x, False)),
    GELU(approximate=True): (
        lambda x: F.gelu(x, approximate="tanh"),
        jax.nn.gelu,
        lambda x: keras.activations.gelu(x, True),
    ),
    SiLU(): (F.silu, jax.nn.silu, keras.activations.silu),
    Mish(): (F.mish, jax.nn.mish, keras.activations.mish),
    HardSwish(): (F.hardswish, jax.nn.hard_swish, keras.activations.hard_swish),
    ReLU6(): (F.relu6, jax.nn.relu6, keras.activations.relu6),
    SquaredReLU(): (lambda x: F.relu(x) ** 2, lambda x: jax.nn.relu(x) ** 2, None),
    SELU(): (F.selu, jax.nn.selu, keras.activations.selu),
    CELU(): (F.celu, jax.nn.celu, keras.activations.celu),
    CELU(2.0): (lambda x: F.celu(x, 2.0), lambda x: jax.nn.celu(x, 2.0), lambda x: keras.activations.celu(x, 2.0)),
    RReLU(): (F.rrelu, None, None),
    LogSoftmax(): (
        lambda x: F.log_softmax(x, -1),
        jax.nn.log_softmax,
        lambda x: keras.activations.log_softmax(x[None])[0],
    ),
    Softmin(): (lambda x: F.softmin(x, -1), lambda x: jax.nn.softmax(-x), None),
    Maxout(2): (lambda x: x.reshape(-1, 2).max(-1).values, None, None),
}


def in_torch(function, x):
    x = torch.tensor(x, requires_grad=True)
    y = function(x)
    (y * torch.linspace(-1, 1, len(y))).sum().backward()
    return y.detach().numpy(), x.grad.numpy()


def in_jax(*functions):
    """Values and gradients of several functions, compiled as one."""

    def both(f):
        weighed = lambda x: jnp.vdot(f(x), jnp.linspace(-1, 1, f(x).size))  # noqa: E731
        return lambda x: (f(x), jax.grad(weighed)(x))

    return jax.jit(lambda x: [both(f)(x) for f in functions])


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_values_and_gradients(activation):
    theirs, *others = ACTIVATIONS[activation]
    (value, slope), *peers = in_jax(activation, *filter(None, others))(X)
    for their_value, their_slope in (in_torch(theirs, X), *peers):
        np.testing.assert_allclose(value, their_value, rtol=1e-5, atol=2e-6)
        np.testing.assert_allclose(slope, their_slope, rtol=2e-5, atol=2e-6)


def test_far_away_gelu_by_tanh_has_the_derivative_that_torch_has_not():
    far = np.float32([-1e30, 1e30])
    assert np.isnan(in_torch(lambda x: F.gelu(x, approximate="tanh"), far)[1]).all()
    assert jax.jit(jax.vmap(jax.grad(GELU(approximate=True))))(far).tolist() == [0, 1]


def test_at_the_upper_kink_torch_takes_the_other_side():
    kinks = [(HardSwish(), F.hardswish, 3, 1.5, 1), (ReLU6(), F.relu6, 6, 1, 0)]
    for activation, function, at, left, right in kinks:
        x = torch.tensor(float(at), requires_grad=True)
        function(x).backward()
        assert (jax.grad(activation)(float(at)), x.grad) == (left, right)
