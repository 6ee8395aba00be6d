"""PyTorch."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from chainrule.activations import ELU, Identity, LeakyReLU, PReLU, ReLU, Sigmoid, Softmax, Softplus, Tanh
from chainrule.costs import CategoricalCrossEntropy, CrossEntropy, Quadratic
from chainrule.initializers import Dirac, GlorotNormal, GlorotUniform, HeNormal, HeUniform, Orthogonal, each_group
from chainrule.layers import Dense
from chainrule.optimizers import Adadelta, Adagrad, Adam, AdamW, ClipNorm, GradientDescent, Momentum, Nesterov, RMSprop
from chainrule.regularizers import L2, MaxNorm, UnitNorm

torch = pytest.importorskip("torch")
F = torch.nn.functional

X = np.concatenate([np.linspace(-9, 9, 181), [0.0, -0.0, 1e-8, -1e-8]]).astype(np.float32)
rng = np.random.default_rng(0)


def value_and_gradient(function, x):
    x = torch.tensor(np.asarray(x), requires_grad=True)
    y = function(x)
    (y if y.ndim == 0 else y.sum()).backward()
    return y.detach().numpy(), x.grad.numpy()


ACTIVATIONS = {
    Identity(): lambda x: x * 1,
    Tanh(): torch.tanh,
    Sigmoid(): torch.sigmoid,
    ReLU(): torch.relu,
    LeakyReLU(): F.leaky_relu,
    LeakyReLU(0.2): lambda x: F.leaky_relu(x, 0.2),
    PReLU(0.3): lambda x: F.prelu(x, torch.tensor([0.3])),
    ELU(): F.elu,
    ELU(1.7): lambda x: F.elu(x, 1.7),
    Softplus(): F.softplus,
    Softmax(): lambda x: F.softmax(x, dim=-1),
}


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_activations_with_their_kinks(activation):
    value, gradient = value_and_gradient(ACTIVATIONS[activation], X)
    ours, slope = jax.jit(lambda x: (activation(x), jax.grad(lambda x: activation(x).sum())(x)))(X)
    np.testing.assert_allclose(ours, value, rtol=2e-6, atol=1e-7)
    np.testing.assert_allclose(slope, gradient, rtol=2e-5, atol=2e-7)


def test_the_derivative_of_sigmoid_differs_where_torch_loses_it():
    far = np.float32([20.0, 40.0])
    _, gradient = value_and_gradient(torch.sigmoid, far)
    assert gradient[1] == 0
    np.testing.assert_allclose(jax.vmap(jax.grad(Sigmoid()))(jnp.asarray(far)), np.exp(-far), rtol=1e-5)


A = rng.dirichlet(np.ones(4), 6).astype(np.float32)
P = rng.uniform(0.05, 0.95, (6, 4)).astype(np.float32)
E = rng.integers(0, 2, (6, 4)).astype(np.float32)
CLASSES = rng.integers(0, 4, 6)
COSTS = [
    (Quadratic(), P, E, lambda a: F.mse_loss(a, torch.tensor(E), reduction="sum") / 2 / 6),
    (CrossEntropy(), P, E, lambda a: F.binary_cross_entropy(a, torch.tensor(E), reduction="sum") / 6),
    (CategoricalCrossEntropy(), A, CLASSES, lambda a: F.nll_loss(torch.log(a), torch.tensor(CLASSES))),
]


@pytest.mark.parametrize(("cost", "a", "expected", "theirs"), COSTS, ids=[repr(cost) for cost, *_ in COSTS])
def test_costs(cost, a, expected, theirs):
    value, gradient = value_and_gradient(theirs, a)
    assert float(cost(a, expected)) == pytest.approx(float(value), rel=1e-6)
    np.testing.assert_allclose(jax.grad(lambda a: cost(a, expected))(jnp.asarray(a)), gradient, rtol=1e-5, atol=1e-7)


def test_costs_behind_their_canonical_activations():
    z = rng.normal(size=(6, 4)).astype(np.float32) * 20
    for cost, expected, theirs in [
        (CrossEntropy(), E, lambda z: F.binary_cross_entropy_with_logits(z, torch.tensor(E), reduction="sum")),
        (CategoricalCrossEntropy(), np.eye(4)[CLASSES],
         lambda z: F.cross_entropy(z, torch.tensor(CLASSES), reduction="sum")),
    ]:  # fmt: skip
        value, gradient = value_and_gradient(theirs, z)
        ours, slope = jax.value_and_grad(lambda z: cost.behind(z, jnp.asarray(expected)).sum())(jnp.asarray(z))  # noqa: B023
        assert float(ours) == pytest.approx(float(value), rel=1e-6)
        np.testing.assert_allclose(slope, gradient, rtol=1e-5, atol=2e-7)


def test_a_sigmoid_sure_and_wrong_keeps_the_gradient_that_torch_loses():
    _, lost = value_and_gradient(lambda z: F.binary_cross_entropy(torch.sigmoid(z), torch.ones(1)), np.float32([-50]))
    assert abs(float(lost[0])) < 1e-6
    assert jax.grad(lambda z: CrossEntropy().behind(z, jnp.ones((1, 1))).sum())(jnp.array([[-50.0]])) == -1


START = rng.normal(size=(3, 2)).astype(np.float32)
M = rng.normal(size=(4, 3)).astype(np.float32)
OPTIMIZERS = {
    GradientDescent(0.05): lambda p: torch.optim.SGD(p, 0.05),
    Momentum(0.05): lambda p: torch.optim.SGD(p, 0.05, momentum=0.9),
    Nesterov(0.05): lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, nesterov=True),
    Adagrad(0.1, epsilon=1e-16): lambda p: torch.optim.Adagrad(p, 0.1, eps=1e-8),
    Adadelta(): lambda p: torch.optim.Adadelta(p, 1.0, rho=0.95, eps=1e-6),
    RMSprop(0.01, epsilon=1e-16): lambda p: torch.optim.RMSprop(p, 0.01, alpha=0.9, eps=1e-8),
    Adam(0.05): lambda p: torch.optim.Adam(p, 0.05),
    Adam(0.05, beta1=0.5, beta2=0.8, epsilon=0.1): lambda p: torch.optim.Adam(p, 0.05, betas=(0.5, 0.8), eps=0.1),
    AdamW(0.05): lambda p: torch.optim.AdamW(p, 0.05),
    AdamW(0.05, beta1=0.5, weight_decay=0.3): lambda p: torch.optim.AdamW(p, 0.05, (0.5, 0.999), weight_decay=0.3),
}


def descend(optimizer, steps=20):
    def step(carry, _):
        w, state = carry
        updates, state = optimizer.update(jax.grad(lambda w: jnp.sum(jnp.tanh(M @ w - 1) ** 2))(w), state, w)
        return (w + updates, state), w + updates

    w = jnp.asarray(START)
    return jax.lax.scan(step, (w, optimizer.init(w)), length=steps)[1]


def descend_in_torch(make, steps=20, clip=None):
    w = torch.nn.Parameter(torch.tensor(START))
    optimizer, path = make([w]), []
    for _ in range(steps):
        optimizer.zero_grad()
        ((torch.tensor(M) @ w - 1).tanh() ** 2).sum().backward()
        if clip is not None:
            torch.nn.utils.clip_grad_norm_([w], clip)
        optimizer.step()
        path.append(w.detach().numpy().copy())
    return np.array(path)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_optimizers_for_20_steps(optimizer):
    np.testing.assert_allclose(descend(optimizer), descend_in_torch(OPTIMIZERS[optimizer]), rtol=2e-4, atol=2e-5)


def test_clipping():
    theirs = descend_in_torch(lambda p: torch.optim.SGD(p, 0.1), clip=0.5)
    np.testing.assert_allclose(descend(ClipNorm(0.5) >> GradientDescent(0.1)), theirs, rtol=1e-4, atol=1e-5)


def test_l2_is_torch_s_weight_decay_of_twice_the_strength():
    w = jnp.asarray(START)
    theirs = descend_in_torch(lambda p: torch.optim.SGD(p, 0.1, weight_decay=0.2), steps=1)
    updates = optax.apply_updates(w, -0.1 * jax.grad(lambda w: jnp.sum(jnp.tanh(M @ w - 1) ** 2) + L2(0.1)(w))(w))
    np.testing.assert_allclose(updates, theirs[0], rtol=1e-5)


def test_dense():
    x, g = rng.normal(size=(5, 3)).astype(np.float32), rng.normal(size=(5, 4)).astype(np.float32)
    linear = torch.nn.Linear(3, 4)
    p = {"kernel": jnp.asarray(linear.weight.detach().numpy().T), "bias": jnp.asarray(linear.bias.detach().numpy())}
    inputs = torch.tensor(x, requires_grad=True)
    y = linear(inputs)
    y.backward(torch.tensor(g))
    ours, back = jax.vjp(Dense(4).forward, p, jnp.asarray(x))
    of_p, of_x = back(jnp.asarray(g))
    np.testing.assert_allclose(ours, y.detach().numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(of_x, inputs.grad.numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(of_p["kernel"], linear.weight.grad.numpy().T, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(of_p["bias"], linear.bias.grad.numpy(), rtol=1e-5, atol=1e-6)


def test_a_bound_on_units():
    w = rng.normal(size=(3, 4, 6)).astype(np.float32)
    theirs = torch.renorm(torch.tensor(w), p=2, dim=2, maxnorm=3.4).numpy()
    assert (theirs != w).any(axis=(0, 1)).sum() in range(1, 6)
    np.testing.assert_allclose(MaxNorm(3.4).project(jnp.asarray(w)), theirs, rtol=1e-5)
    units = torch.nn.functional.normalize(torch.tensor(w), dim=(0, 1)).numpy()
    np.testing.assert_allclose(UnitNorm().project(jnp.asarray(w)), units, rtol=1e-5)


@pytest.mark.parametrize("groups", [1, 2])
def test_the_identity_as_a_convolution(groups):
    theirs = torch.nn.init.dirac_(torch.empty(4, 4 // groups, 3, 5), groups).numpy().transpose(2, 3, 1, 0)
    ours = each_group(Dirac(), groups)(jax.random.key(0), (3, 5, 4 // groups, 4))
    np.testing.assert_array_equal(ours, theirs)


INITIALIZERS = {
    GlorotUniform(): torch.nn.init.xavier_uniform_,
    GlorotNormal(): torch.nn.init.xavier_normal_,
    HeUniform(): lambda w: torch.nn.init.kaiming_uniform_(w, nonlinearity="relu"),
    HeNormal(): lambda w: torch.nn.init.kaiming_normal_(w, nonlinearity="relu"),
    Orthogonal(): torch.nn.init.orthogonal_,
}


@pytest.mark.parametrize("initializer", INITIALIZERS, ids=repr)
def test_initializers_have_the_same_spread(initializer):
    theirs = INITIALIZERS[initializer](torch.empty(200, 300)).numpy()  # torch's weight is (outputs, inputs)
    ours = np.asarray(initializer(jax.random.key(0), (300, 200)))
    assert ours.std() == pytest.approx(theirs.std(), rel=0.02)
    assert np.quantile(ours, 0.9) == pytest.approx(np.quantile(theirs, 0.9), rel=0.03)
