"""Costs for each step of padded sequences, beside PyTorch's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.activations import Softmax
from chainrule.arrays.masked import Masked
from chainrule.costs import CategoricalCrossEntropy, CrossEntropy, Quadratic
from chainrule.formula.layer import Chain, outputs_of
from chainrule.formula.network import initialize
from chainrule.layers import GRU, Bidirectional, Dense

torch = pytest.importorskip("torch")
F = torch.nn.functional

rng = np.random.default_rng(0)
LENGTHS = np.array([7, 3, 1, 5])
MASK = np.arange(7) < LENGTHS[:, None]
X = (rng.normal(size=(4, 7, 3)) * MASK[..., None]).astype(np.float32)
CLASSES = np.where(MASK, rng.integers(0, 5, (4, 7)), -100)
P = rng.random((4, 7, 5)).astype(np.float32)


@pytest.mark.parametrize("scale", [1, 30, 3000])
def test_cross_entropy_over_live_steps(scale):
    z = (scale * rng.normal(size=(4, 7, 5))).astype(np.float32)
    theirs = torch.tensor(z, requires_grad=True)
    truth = F.cross_entropy(theirs.reshape(-1, 5), torch.tensor(CLASSES.ravel()), ignore_index=-100)
    truth.backward()

    def ours(z):
        a, each, _ = CategoricalCrossEntropy().through(
            Chain((Softmax(),)), ({},), ({},), Masked(z, jnp.asarray(MASK)), jnp.asarray(CLASSES)
        )
        assert a.values.shape == z.shape
        return jnp.where(MASK, each, 0).sum() / MASK.sum()

    value, gradient = jax.jit(jax.value_and_grad(ours))(jnp.asarray(z))
    assert float(value) == pytest.approx(truth.item(), rel=1e-6)
    np.testing.assert_allclose(gradient, theirs.grad, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(
    ("cost", "theirs"),
    [
        (CrossEntropy(), lambda a, E: F.binary_cross_entropy(a, E, reduction="none").sum(-1)),
        (Quadratic(), lambda a, E: F.mse_loss(a, E, reduction="none").sum(-1) / 2),
        (CategoricalCrossEntropy(), lambda a, E: -(E * torch.log(a)).sum(-1)),
    ],
    ids=lambda each: type(each).__name__,
)
def test_costs_of_values_over_live_steps(cost, theirs):
    E, weights = rng.random((4, 7, 5)).astype(np.float32), rng.random((4, 7)).astype(np.float32)
    a = torch.tensor(P, requires_grad=True)
    counts = torch.tensor(weights * MASK)
    truth = (theirs(a, torch.tensor(E)) * counts).sum() / counts.sum()
    truth.backward()
    value, gradient = jax.value_and_grad(lambda a: cost(Masked(a, MASK), E, weights))(jnp.asarray(P))
    assert float(value) == pytest.approx(truth.item(), rel=1e-6)
    np.testing.assert_allclose(gradient, a.grad, rtol=1e-5, atol=1e-8)


def test_a_tagger_of_packed_sequences():
    network = Bidirectional(GRU(4, return_sequences=True, reset_after=True)) >> Dense(5) >> Softmax()
    p = initialize(network, (7, 3), jax.random.key(0))
    gru, dense = torch.nn.GRU(3, 4, bidirectional=True, batch_first=True), torch.nn.Linear(8, 5)
    with torch.no_grad():
        for way, suffix in (("forward", ""), ("backward", "_reverse")):
            own = jax.tree.map(np.array, p[0][way])
            getattr(gru, f"weight_ih_l0{suffix}").copy_(torch.tensor(own["kernel"].T))
            getattr(gru, f"weight_hh_l0{suffix}").copy_(torch.tensor(own["recurrent_kernel"].T))
            getattr(gru, f"bias_ih_l0{suffix}").zero_()
            getattr(gru, f"bias_hh_l0{suffix}").zero_()
        dense.weight.copy_(torch.tensor(np.array(p[1]["kernel"]).T))
        dense.bias.zero_()
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        torch.tensor(X), torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False
    )
    z = dense(torch.nn.utils.rnn.pad_packed_sequence(gru(packed)[0], batch_first=True)[0])
    truth = F.cross_entropy(z.reshape(-1, 5), torch.tensor(CLASSES.ravel()), ignore_index=-100)
    truth.backward()

    def ours(p):
        a, _ = outputs_of(network, p, network.state((7, 3)), Masked(X, MASK))
        return CategoricalCrossEntropy()(a, jnp.asarray(CLASSES))

    value, gradient = jax.jit(jax.value_and_grad(ours))(p)
    assert float(value) == pytest.approx(truth.item(), rel=1e-5)
    np.testing.assert_allclose(gradient[1]["kernel"], dense.weight.grad.T, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(gradient[0]["forward"]["kernel"], gru.weight_ih_l0.grad.T, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        gradient[0]["backward"]["recurrent_kernel"], gru.weight_hh_l0_reverse.grad.T, rtol=1e-4, atol=1e-6
    )
