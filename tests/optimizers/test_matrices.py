"""Muon: orthogonal steps of matrices, against NumPy's iteration and its singular values, and AdamW for the rest."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.optimizers import AdamW, Muon
from chainrule.optimizers.matrices import orthogonal
from chainrule.optimizers.repeated import told_of
from chainrule.optimizers.schedules import StepDecay
from chainrule.training import fit

SHAPES = {"wide": (3, 5), "tall": (5, 3), "kernel": (2, 2, 3, 4), "bias": (4,), "number": (), "none": (0, 2)}


def iterated(matrix):
    """Newton's and Schulz's iteration in float64."""
    x = matrix / (np.linalg.norm(matrix) + 1e-7)
    for _ in range(5):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x


def test_50_steps_are_those_of_float64_and_of_adamw():
    rng = np.random.default_rng(0)
    muon = Muon(StepDecay(0.05, every=20, factor=0.5), momentum=0.9, weight_decay=0.1, rest=AdamW(0.02))
    start = {name: rng.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}
    aims = {name: rng.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}

    @jax.jit
    def walk(optimizer, w):
        def step(carry, _):
            w, state = carry
            updates, state = optimizer.update(jax.tree.map(jnp.subtract, w, aims), state, w)
            w = jax.tree.map(jnp.add, w, updates)
            return (w, state), w

        return jax.lax.scan(step, (w, optimizer.init(w)), length=50)[1]

    ours, rest = walk(muon, start), walk(AdamW(0.02), start)
    for name in ("bias", "number"):
        np.testing.assert_allclose(ours[name], rest[name], rtol=1e-6)
    for name in ("wide", "tall", "kernel"):
        w, aim = (tree[name].astype(np.float64).reshape(-1, SHAPES[name][-1]) for tree in (start, aims))
        m, (rows, columns) = 0, w.shape
        for t in range(50):
            g = w - aim
            m = 0.9 * m + g
            eta = 0.05 * 0.5 ** (t // 20)
            w = w - eta * (max(1, columns / rows) ** 0.5 * iterated(g + 0.9 * m) + 0.1 * w)
            if t < 10:  # afterwards small singular values are those of rounding
                np.testing.assert_allclose(ours[name][t].reshape(w.shape), w, rtol=2e-4, atol=2e-4)
        assert np.abs(ours[name][-1].reshape(w.shape) - w).max() < 0.05


@pytest.mark.parametrize("shape", [(4, 9), (9, 4)])
def test_singular_values_are_near_1_whatever_they_were(shape):
    rng = np.random.default_rng(0)
    u, _, v = np.linalg.svd(rng.normal(size=shape), full_matrices=False)
    for scale in (1e-25, 1.0, 1e25):
        matrix = ((u * [3, 1, 0.3, 0.1]) @ v * scale).astype(np.float32)
        found = jax.jit(orthogonal)(matrix)
        values = np.linalg.svd(found, compute_uv=False)
        assert ((values > 0.65) & (values < 1.25)).all()
        np.testing.assert_allclose(np.abs(u.T @ found @ v.T), np.diag(np.diag(u.T @ found @ v.T)), atol=1e-4)
    assert not jax.jit(orthogonal)(np.zeros(shape, np.float32)).any()


def test_it_trains_a_convolution():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(48, 6, 6, 1))
    y = (x[:, :3].sum((1, 2, 3)) > x[:, 3:].sum((1, 2, 3))).astype(int)
    network = "Conv2D(4, 3) >> ReLU() >> Flatten() >> Dense(2) >> Softmax()"
    model = fit(network, x, y, optimizer="Muon(0.05)", epochs=20, batch_size=16, progress=False)
    assert model.history["cost"][-1] < 0.2 * model.history["cost"][0]


def test_repetitions_are_matrices_of_their_own():
    rng = np.random.default_rng(0)
    stacked = {"w": rng.normal(size=(3, 4, 5)).astype(np.float32), "b": np.ones((3, 5), np.float32)}
    steps = jax.jit(lambda optimizer, w: optimizer.update(w, optimizer.init(w), w)[0])
    together = steps(told_of((1, 1), Muon(0.1)), stacked)
    for place in range(3):
        alone = steps(Muon(0.1), jax.tree.map(lambda array, place=place: array[place], stacked))
        for name in stacked:
            np.testing.assert_allclose(together[name][place], alone[name], rtol=1e-4, atol=1e-5)
