"""What happens inside a network against the same in NumPy, and in numbers for its layers."""

import numpy as np

from chainrule.arrays.random import seeded
from chainrule.costs import CategoricalCrossEntropy, Quadratic
from chainrule.formula.network import initialize
from chainrule.model.inside import BINS, figures, forwards, inside
from chainrule.notation import as_chain

X = np.random.default_rng(0).normal(size=(7, 2)).astype(np.float32)
CLASSES = np.arange(7) % 3


def parts(notation):
    network = as_chain(notation)
    return network, initialize(network, (2,), seeded(0)), network.state((2,))


def test_a_batch_forwards_and_backwards():
    network, p, state = parts("Dense(4) >> Tanh() >> Dense(3) >> Softmax()")
    found = inside(network, CategoricalCrossEntropy(), p, state, X, CLASSES)
    h = np.tanh(X @ p[0]["kernel"] + p[0]["bias"])
    z = h @ p[2]["kernel"] + p[2]["bias"]
    a = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    E = np.eye(3)[CLASSES]
    of_z = (a - E) / len(X)
    of_h = of_z @ np.asarray(p[2]["kernel"]).T
    for mine, its in zip(found.outputs[1:], (h, z, a), strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-5, atol=1e-6)
    for mine, its in zip(found.deltas[:3], (of_h * (1 - h**2), of_h, of_z), strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-4, atol=1e-6)
    assert found.deltas[3] is None  # its cost is computed from its inputs
    np.testing.assert_allclose(found.each, -np.log(a[np.arange(7), CLASSES]), rtol=1e-5)
    np.testing.assert_allclose(found.gradients[0]["kernel"], X.T @ (of_h * (1 - h**2)), rtol=1e-4, atol=1e-6)
    for mine, its in zip(forwards(network, p, state, X), found.outputs, strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-6)


def test_layers_in_numbers():
    network, (first, *rest), state = parts("Dense(4) >> ReLU() >> Dense(1)")
    kernel = np.array(first["kernel"])
    kernel[:, 0], kernel[0, 1] = 0, 0
    p = ({"kernel": kernel, "bias": np.array([-1, 0, 0, 0], np.float32)}, *rest)
    found = inside(network, Quadratic(), p, state, X, np.zeros((7, 1), np.float32))
    dense, relu, last = figures(network, found, p)
    assert (dense.zeros, dense.weights, dense.dead) == (3, 8, 0)
    assert (relu.zeros, relu.weights, relu.dead, relu.pull) == (0, 0, 1, None)
    assert relu.distribution.sum() == 28
    assert len(relu.distribution) == BINS
    assert (relu.low, relu.high) == (0.0, float(np.max(found.outputs[1])))
    np.testing.assert_allclose(last.size, np.sqrt(np.mean(np.square(found.outputs[2]))), rtol=1e-6)
    np.testing.assert_allclose(last.gradient, last.size, rtol=1e-5)  # of (a − 0)² / 2 the derivative is a
