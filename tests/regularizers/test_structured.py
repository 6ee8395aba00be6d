"""Penalties of a kernel's structure: values and gradients in double precision, and the proximal step of whole units."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.formula.layer import Chain
from chainrule.formula.network import initialize
from chainrule.layers import Dense, LocallyConnected1D
from chainrule.optimizers import Adam
from chainrule.regularizers import L1, L2, GroupLasso, MaxNorm, Orthogonality, TotalVariation, penalty
from chainrule.training import fit

RNG = np.random.default_rng(0)
SHAPES = [(4, 3), (3, 4), (3, 2, 5), (2, 3, 2, 4), (1, 6), (6, 1), (1, 1)]


def of_units(w):
    """All weights into a unit as a column."""
    return w.reshape(-1, w.shape[-1])


def group_lasso(w):
    units = of_units(w)
    lengths = np.sqrt((units**2).sum(axis=0))
    weight = 0.3 * len(units) ** 0.5
    return weight * lengths.sum(), weight * w / lengths


def orthogonality(w):
    units = of_units(w)
    tall = units if len(units) >= units.shape[1] else units.T
    apart = tall.T @ tall - np.eye(tall.shape[1])
    slope = 4 * 0.3 * tall @ apart
    return 0.3 * (apart**2).sum(), (slope if tall is units else slope.T).reshape(w.shape)


def total_variation(w):
    total, slope = 0.0, np.zeros_like(w)
    for axis in range(max(w.ndim - 2, 1)):
        step = np.diff(w, axis=axis)
        total += 0.3 * np.abs(step).sum()
        none = np.zeros_like(np.take(w, [0], axis=axis))
        slope -= 0.3 * np.diff(np.concatenate([none, np.sign(step), none], axis=axis), axis=axis)
    return total, slope


TRUTHS = {GroupLasso(0.3): group_lasso, Orthogonality(0.3): orthogonality, TotalVariation(0.3): total_variation}


@pytest.mark.parametrize("term", TRUTHS, ids=repr)
def test_values_and_gradients(term):
    kernels = [RNG.normal(size=shape).astype(np.float32) for shape in SHAPES]
    found = jax.jit(lambda kernels: [jax.value_and_grad(term)(w) for w in kernels])(kernels)
    for w, (value, slope) in zip(kernels, found, strict=True):
        true_value, true_slope = TRUTHS[term](w.astype(float))
        np.testing.assert_allclose(value, true_value, rtol=3e-6, atol=1e-7)
        np.testing.assert_allclose(slope, true_slope, rtol=1e-5, atol=1e-5)
    assert not term.has_kink or not jax.grad(term.smooth)(jnp.asarray(kernels[0])).any()


def test_orthogonal_kernels_and_flat_ones_cost_nothing():
    q = np.linalg.qr(RNG.normal(size=(6, 4)))[0].astype(np.float32)
    assert Orthogonality(1.0)(q) < 1e-12
    assert Orthogonality(1.0)(q.T) < 1e-12
    assert TotalVariation(1.0)(jnp.ones((3, 3, 2, 4))) == 0


# The proximal step of GroupLasso


def check_minimum(w, rate, u, weight):
    """The conditions for u to be the minimum of weight Σⱼ ‖uⱼ‖ + Σᵢⱼ (uᵢⱼ − wᵢⱼ)² / (2 rateᵢⱼ)."""
    w, rate, u = (of_units(np.broadcast_to(np.asarray(each, float), w.shape)) for each in (w, rate, u))
    lengths = np.sqrt((u**2).sum(axis=0))
    pull = w / (weight * rate)
    for j in range(w.shape[1]):
        if lengths[j] == 0:
            assert (pull[:, j] ** 2).sum() <= 1 + 1e-5
        else:
            np.testing.assert_allclose(u[:, j] * (1 + weight * rate[:, j] / lengths[j]), w[:, j], rtol=2e-5)


@pytest.mark.parametrize("spread", [0, 1, 5])
def test_the_step_is_a_minimum_whatever_the_rates(spread):
    step = jax.jit(GroupLasso(0.5).proximal)
    w = RNG.normal(size=(2, 3, 200)).astype(np.float32) * 10.0 ** RNG.uniform(-2, 1, 200).astype(np.float32)
    rate = (10.0 ** RNG.uniform(-spread, spread, w.shape)).astype(np.float32) if spread else np.float32(0.7)
    u = step(w, rate)
    check_minimum(w, rate, u, 0.5 * 6**0.5)
    zeros = ~np.asarray(u).any(axis=(0, 1))
    assert 5 < zeros.sum() < 195
    if not spread:
        np.testing.assert_allclose(step(w, np.full_like(w, rate)), u, rtol=1e-5)


def test_extremes_of_the_step():
    w = np.array([[0.0, 1.0, 1e30, 1e-30, 3.0], [0.0, 0.0, 1e30, 1e-30, 4.0]], np.float32)
    for rate in (np.float32(0), np.zeros_like(w)):
        np.testing.assert_array_equal(GroupLasso(1.0).proximal(w, rate), w)
    np.testing.assert_array_equal(GroupLasso(0.0).proximal(w, np.ones_like(w)), w)
    u = np.asarray(GroupLasso(1.0).proximal(w, np.array([[1e5, 1e-20, 0, 1e-9, 1], [1e5] * 4 + [1]], np.float32)))
    np.testing.assert_allclose(u[:, [0, 1, 2]], [[0, 1, 1e30], [0, 0, 1e30]], rtol=1e-6)
    assert not u[:, 3].any()  # the whole unit, though one of its rates is small
    np.testing.assert_allclose(u[:, 4], np.array([3, 4]) * (1 - 2**0.5 / 5), rtol=1e-6)


def test_the_step_of_a_sum_does_not_depend_on_its_order():
    w = RNG.normal(size=(3, 50)).astype(np.float32)
    rate = RNG.uniform(0.1, 2, w.shape).astype(np.float32)
    one, other = L1(0.3) + GroupLasso(0.4), GroupLasso(0.4) + L2(0.1) + L1(0.3)
    u = np.asarray(one.proximal(w, rate))
    np.testing.assert_array_equal(u, other.proximal(w, rate))
    alive = u.any(axis=0)
    left, size = np.where(u != 0, w - np.sign(u) * 0.3 * rate, 0)[:, alive], 0.4 * 3**0.5
    lengths = np.linalg.norm(u[:, alive], axis=0)
    np.testing.assert_allclose(u[:, alive] * (1 + size * rate[:, alive] / lengths), left, rtol=1e-4, atol=1e-6)
    assert (np.abs(w) <= 0.3 * rate + 1e-6)[:, alive][u[:, alive] == 0].all()
    assert 0 < alive.sum() < 50
    both = (MaxNorm(0.5) + GroupLasso(0.4)).proximal(w, rate)
    np.testing.assert_array_equal(both, MaxNorm(0.5).project(GroupLasso(0.4).proximal(w, rate)))


def test_a_training_ends_at_the_minimum_and_whole_units_are_zero():
    x = RNG.normal(size=(60, 6))
    y = np.stack([x[:, 0] - 2 * x[:, 1], 0.1 * x[:, 2], x[:, 3]], axis=1) + 0.1 * RNG.normal(size=(60, 3))
    w = np.zeros((6, 3))
    for _ in range(3000):  # plain proximal descent in double precision
        w = w - 0.1 * x.T @ (x @ w - y) / 60
        lengths = np.linalg.norm(w, axis=0)
        w = w * np.maximum(1 - 0.1 * 0.1 * 6**0.5 / np.maximum(lengths, 1e-12), 0)
    model = fit(
        "Dense(3, bias=False)", x, y, optimizer=Adam(0.005), regularizer="GroupLasso(0.1)", epochs=2000,
        batch_size="all", metrics=(), progress=False,
    )  # fmt: skip
    kernel = np.asarray(model.parameters[0]["kernel"])
    assert (kernel.any(axis=0) == [True, False, True]).all()
    np.testing.assert_array_equal(kernel.any(axis=0), w.any(axis=0))
    np.testing.assert_allclose(kernel, w, atol=3e-3)


def test_each_place_of_a_local_layer_has_units_of_its_own():
    layer = LocallyConnected1D(3, 2)
    p = initialize(layer, (5, 2), jax.random.key(0))
    each = sum(GroupLasso(0.1)(kernel) for kernel in p["kernel"])
    np.testing.assert_allclose(penalty(GroupLasso(0.1), Chain((layer,)), (5, 2), (p,)), each, rtol=1e-6)
    assert penalty(GroupLasso(0.1), Chain((Dense(2),)), (3,), initialize(Chain((Dense(2),)), (3,), jax.random.key(0)))
