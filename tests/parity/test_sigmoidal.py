"""Activations that saturate or shrink, in PyTorch, and in Keras on JAX, whose derivatives at kinks are others."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.activations import (
    HardShrink,
    HardSigmoid,
    HardTanh,
    LogSigmoid,
    SoftShrink,
    Softsign,
    TanhShrink,
    Threshold,
)

X = np.concatenate([np.linspace(-9, 9, 181), [0.0, -0.0, 1e-3, -1e-3, 50, -50]]).astype(np.float32)
KINKS = {HardSigmoid(): 3, HardTanh(): 1, HardTanh(-2, 3): 3, SoftShrink(): -0.5, SoftShrink(1.5): -1.5,
         HardShrink(): -0.5, HardShrink(1.5): -1.5}  # fmt: skip
"""Where a derivative is ours, that of the left side, and 0 in PyTorch."""


@pytest.fixture(scope="module")
def ours():
    activations = [Softsign(), LogSigmoid(), TanhShrink(), Threshold(), Threshold(-1, 20), *KINKS]

    @jax.jit
    def computed(x):
        return [jax.jvp(f, (x,), (jnp.ones_like(x),)) for f in activations]

    return dict(zip(activations, computed(X), strict=True))


def test_pytorch(ours):
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    theirs = {
        Softsign(): F.softsign,
        LogSigmoid(): F.logsigmoid,
        HardSigmoid(): F.hardsigmoid,
        HardTanh(): F.hardtanh,
        HardTanh(-2, 3): lambda x: F.hardtanh(x, -2, 3),
        TanhShrink(): F.tanhshrink,
        SoftShrink(): F.softshrink,
        SoftShrink(1.5): lambda x: F.softshrink(x, 1.5),
        HardShrink(): F.hardshrink,
        HardShrink(1.5): lambda x: F.hardshrink(x, 1.5),
        Threshold(): lambda x: F.threshold(x, 1, 0),
        Threshold(-1, 20): lambda x: F.threshold(x, -1, 20),
    }
    assert theirs.keys() == ours.keys()
    for activation, (value, slope) in ours.items():
        x = torch.tensor(X, requires_grad=True)
        y = theirs[activation](x)
        y.sum().backward()
        smooth = KINKS.get(activation) != X
        np.testing.assert_allclose(value, y.detach().numpy(), rtol=2e-6, atol=1e-6)  # x − tanh x cancels in theirs
        np.testing.assert_allclose(slope[smooth], x.grad.numpy()[smooth], rtol=2e-5, atol=2e-7)
        assert (slope[~smooth] > 0).all()
        assert (x.grad.numpy()[~smooth] == 0).all()


def test_keras(ours):
    keras = pytest.importorskip("keras")
    known = keras.activations
    theirs = {
        Softsign(): known.softsign,
        LogSigmoid(): known.log_sigmoid,
        TanhShrink(): known.tanh_shrink,
        HardSigmoid(): known.hard_sigmoid,
        HardTanh(): known.hard_tanh,
        SoftShrink(): known.soft_shrink,
        HardShrink(): known.hard_shrink,
        Threshold(): lambda x: known.threshold(x, 1, 0),
    }

    @jax.jit
    def computed(x):
        return [jax.jvp(f, (x,), (jnp.ones_like(x),)) for f in theirs.values()]

    for activation, (value, slope) in zip(theirs, computed(X), strict=True):
        smooth = abs(KINKS.get(activation, 99)) != np.abs(X)
        np.testing.assert_allclose(ours[activation][0], value, rtol=2e-6, atol=1e-6)
        np.testing.assert_allclose(ours[activation][1][smooth], slope[smooth], rtol=2e-5, atol=2e-6)
