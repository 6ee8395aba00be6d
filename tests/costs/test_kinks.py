"""What is particular of each cost: at kinks, at 0, far out, and near where it is 0."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from chainrule.activations import Sparsemax
from chainrule.costs import (
    AbsoluteError,
    CategoricalHinge,
    CosineDistance,
    Dice,
    Exponential,
    Focal,
    Gamma,
    GaussianNLL,
    GeneralizedKL,
    Hellinger,
    Hinge,
    Huber,
    ItakuraSaito,
    KullbackLeibler,
    LogCosh,
    Poisson,
    Quadratic,
    Quantile,
    SparsemaxCost,
    SquaredHinge,
    SquaredLog,
    Tweedie,
)
from chainrule.errors import ChainruleError

inf = np.inf


def value_and_slope(cost, a, E):
    a, E = jnp.array(a, jnp.float32), jnp.array(E, jnp.float32)
    return jax.jit(lambda a: (cost.each(a, E), jax.grad(lambda a: cost.each(a, E).sum())(a)))(a)


PLACES = [  # of one output each: the cost, a, E, what it costs, and the slope
    (AbsoluteError(), 2, 2, 0, 0),
    (AbsoluteError(), inf, 2, inf, 1),
    (Huber(2.0), 5, 3, 2, 2),  # where the line begins
    (Huber(2.0), inf, 3, inf, 2),
    (Huber(2.0), -1e30, 0, 2e30, -2),
    (LogCosh(), 1e30, 0, 1e30, 1),
    (LogCosh(), -1e-20, 0, 5e-41, -1e-20),
    (Quantile(0.75), 3, 3, 0, 0),
    (Quantile(0.75), 1, 3, 1.5, -0.75),
    (Quantile(0.75), 5, 3, 0.5, 0.25),
    (SquaredLog(), -1, 0, inf, -inf),
    (Exponential(), 1e3, 0, inf, inf),
    (Exponential(), 2, 2, 1, 0),
    (Hinge(), 1, 1, 0, 0),  # at the margin
    (Hinge(), -3, 1, 4, -1),
    (Hinge(), -inf, 1, inf, -1),
    (SquaredHinge(), 1, 1, 0, 0),
    (SquaredHinge(), -3, 1, 16, -8),
    (Hellinger(), 0, 0, 0, 0.5**0.5),
    (Hellinger(), 0, 1, 0.5**0.5, -inf),
    (KullbackLeibler(), 0, 0, 0, 0),
    (KullbackLeibler(), 0, 1, inf, -inf),
    (GeneralizedKL(), 0, 0, 0, 1),
    (GeneralizedKL(), 3, 3, 0, 0),
    (GeneralizedKL(), 0, 2, inf, -inf),
    (ItakuraSaito(), 3, 3, 0, 0),
    (Poisson(), 0, 0, 0, 1),
    (Poisson(), 0, 2, inf, -inf),
    (Gamma(), 2, 2, 1 + np.log(2), 0),
    (Tweedie(), 0, 0, 0, 0),
    (Tweedie(), 4, 0, 4, 0.5),
    (Focal(0.5), 1, 1, 0, 0),
    (Focal(0.5), 0, 1, inf, -inf),
    (CosineDistance(), 0, 1, 1, 0),
    (CosineDistance(), 1e30, 1e-30, 0, 0),
    (Dice(), 0, 0, 0, 0),
    (Dice(), 1, 1, 0, -0.5),
]


@pytest.mark.by_turns(3)
@pytest.mark.parametrize(("cost", "a", "E", "value", "slope"), PLACES, ids=lambda of: repr(of))
def test_at_kinks_at_0_and_far_out(cost, a, E, value, slope):
    found = value_and_slope(cost, [[a]], [[E]])
    np.testing.assert_allclose([each.item() for each in found], [value, slope], rtol=1e-6, atol=1e-38)


def test_scores_that_are_equally_far_ahead_share_the_derivative():
    a, E = [[1.0, 1.0, 0.0]], [[0.0, 0.0, 1.0]]
    value, slope = value_and_slope(CategoricalHinge(), a, E)
    assert (value.tolist(), slope.tolist()) == ([2], [[0.5, 0.5, -1]])


NEAR = {  # for numbers above 0 that are nearly E
    GeneralizedKL(): lambda a, E: E * mpmath.log(E / a) - E + a,
    ItakuraSaito(): lambda a, E: E / a - mpmath.log(E / a) - 1,
    Hellinger(): lambda a, E: (mpmath.sqrt(a) - mpmath.sqrt(E)) ** 2 / mpmath.sqrt(2),
    LogCosh(): lambda a, E: mpmath.log(mpmath.cosh(a - E)),
    SquaredLog(): lambda a, E: (mpmath.log(1 + a) - mpmath.log(1 + E)) ** 2 / 2,
}


@pytest.mark.parametrize("cost", NEAR, ids=repr)
def test_near_0_no_digit_is_lost(cost):
    E = np.float32([1e-3, 0.3, 0.7, 1, 0.9])
    a = E * np.float32([1 + 2**-23, 1 - 2**-20, 1 + 1e-4, 1 - 2**-24, 1.01])
    value, slope = value_and_slope(cost, a[:, None], E[:, None])
    with mpmath.workdps(60):
        pairs = [(mpmath.mpf(float(x)), mpmath.mpf(float(y))) for x, y in zip(a, E, strict=True)]
        truth = [float(NEAR[cost](*pair)) for pair in pairs]
        slopes = [float(mpmath.diff(lambda x, y=y: NEAR[cost](x, y), x)) for x, y in pairs]
    np.testing.assert_allclose(value, truth, rtol=2e-7)
    np.testing.assert_allclose(slope[:, 0], slopes, rtol=2e-7)


def test_directions_that_are_nearly_one_keep_their_digits():
    a, E = np.float32([[1, 1e-4, 0], [1e30, 0, 1e26]]), np.float32([[1, 0, 0], [1, 0, 0]])
    value, _ = value_and_slope(CosineDistance(), a, E)
    np.testing.assert_allclose(value, 1 - 1 / np.sqrt(1 + np.float64(np.float32(1e-4)) ** 2), rtol=1e-6)


def test_a_mean_and_its_variance():
    a, E = jnp.array([[1.0, -1.0, 0.0, 2.0]]), jnp.array([[3.0, -1.0]])
    value, slope = value_and_slope(GaussianNLL(), a, E)
    assert value.tolist() == [pytest.approx((0 + 4 + 2 + 0) / 2)]
    np.testing.assert_allclose(slope, [[-2, 0, (1 - 4) / 2, 0.5]])
    assert GaussianNLL().estimate(a).tolist() == [[1, -1]]
    assert GaussianNLL().target_shape((4,)) == (2,)


def test_several_quantiles_of_several_values():
    cost, E = Quantile((0.1, 0.5, 0.9)), jnp.array([[1.0, 2.0]])
    a = jnp.array([[0.0, 1.0, 1.0, 2.0, 3.0, 2.5]])  # of both values those of 0.1, then of 0.5, then of 0.9
    each = sum(Quantile(tau).each(a[:, 2 * n : 2 * n + 2], E) for n, tau in enumerate((0.1, 0.5, 0.9)))
    np.testing.assert_allclose(cost.each(a, E), each, rtol=1e-6)
    for of in (a, np.asarray(a)):
        assert cost.estimate(of).tolist() == [[1, 2]]
    assert jax.jit(lambda cost, a: cost.estimate(a))(Quantile((0.9, 0.6)), a[:, :2]).tolist() == [[1]]
    assert repr(cost) == "Quantile(tau=(0.1, 0.5, 0.9))"
    assert Quantile([0.1, 0.9]).outputs_per_target == 1  # a population, as lists are everywhere
    with pytest.raises(ChainruleError) as caught:
        Quantile((0.1, 1.0))
    assert str(caught.value) == (
        "Quantile: tau must be a number > 0 and < 1, or a tuple of them, got (0.1, 1.0). The default is 0.5."
    )


@pytest.mark.parametrize("cost", [Quadratic(), Quantile((0.1, 0.5, 0.9)), GaussianNLL()], ids=repr)
def test_outputs_for_targets_in_other_units(cost):
    g, scale, shift = np.random.default_rng(0), np.array([4.0, 0.5]), np.array([-1.0, 3.0])
    a, E = g.normal(size=(5, 2 * cost.outputs_per_target)), g.normal(size=(5, 2))
    rescaled, raw = cost.rescaled(a, scale, shift), scale * E + shift
    np.testing.assert_allclose(cost.estimate(rescaled), scale * cost.estimate(a) + shift)
    for word, each in cost.details(a).items():
        np.testing.assert_allclose(cost.details(rescaled)[word], scale * each + (0 if word == "std" else shift))
    one = [np.float32(each[:, ::2]) for each in (a, E, rescaled, raw)]  # of the first target alone
    before, after = cost.each(*map(jnp.asarray, one[:2])), cost.each(*map(jnp.asarray, one[2:]))
    expected = {Quadratic: 16 * before, Quantile: 4 * before, GaussianNLL: before + np.log(4)}[type(cost)]
    np.testing.assert_allclose(after, expected, rtol=1e-5, atol=1e-6)


def test_outputs_that_are_no_multiple_of_what_a_target_takes():
    with pytest.raises(ChainruleError) as caught:
        GaussianNLL()(jnp.zeros((2, 3)), jnp.zeros((2, 1)))
    assert str(caught.value) == (
        "GaussianNLL(): expected 2 outputs for each target, got 3 in all. End the network with Dense(2)."
    )


def exact_sparsemax(z):
    """By the sorted entries in float64, as published."""
    falling = -np.sort(-z.astype(np.float64), axis=-1)
    sums, counts = falling.cumsum(axis=-1), 1 + np.arange(z.shape[-1])
    size = (1 + counts * falling > sums).sum(axis=-1, keepdims=True)
    tau = (np.take_along_axis(sums, size - 1, axis=-1) - 1) / size
    return np.maximum(0, z - tau), tau


LOGITS = (
    np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32) * np.logspace(-3, 4, 60, dtype=np.float32)[:, None]
)
CHOSEN = np.eye(5, dtype=np.float32)[np.random.default_rng(1).integers(5, size=60)]


def test_sparsemax_is_the_nearest_distribution_with_exact_zeros():
    a = np.asarray(jax.jit(Sparsemax())(LOGITS))
    truth, _ = exact_sparsemax(LOGITS)
    np.testing.assert_array_max_ulp(a, truth.astype(np.float32), maxulp=1)
    assert ((a == 0) == (truth == 0)).all()
    assert 0.3 < (a == 0).mean() < 0.9
    jacobian = jax.jit(jax.vmap(jax.jacrev(Sparsemax())))(LOGITS)
    inside = (truth > 0).astype(float)
    each = inside[:, :, None] * np.eye(5) - inside[:, :, None] * inside[:, None] / inside.sum(1)[:, None, None]
    np.testing.assert_allclose(jacobian, each, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize(
    ("logits", "shares"),
    [
        ([0, -inf, 0], [0.5, 0, 0.5]),
        ([inf, 3, -inf], [1, 0, 0]),
        ([inf, inf, 3], [0.5, 0.5, 0]),
        ([-inf, -inf], [0.5, 0.5]),
        ([1e30, -1e30], [1, 0]),
        ([7.0], [1]),
    ],
)
def test_sparsemax_of_infinite_and_single_logits(logits, shares):
    assert Sparsemax()(jnp.array(logits, jnp.float32)).tolist() == shares


def test_its_cost_is_convex_and_has_the_derivative_a_minus_e():
    value, slope = jax.jit(jax.value_and_grad(lambda z: SparsemaxCost().behind(z, CHOSEN).sum()))(LOGITS)
    each = jax.jit(SparsemaxCost().behind)(LOGITS, CHOSEN)
    (a, tau), z = exact_sparsemax(LOGITS), LOGITS.astype(np.float64)
    inside = a > 0
    truth = 0.5 * (inside * (z**2 - tau**2)).sum(1) + 0.5 - (z * CHOSEN).sum(1)  # as published
    np.testing.assert_allclose(each, truth, rtol=2e-6, atol=1e-6)
    np.testing.assert_allclose(slope, a - CHOSEN, rtol=3e-7, atol=1e-9)
    assert float(value) == pytest.approx(float(each.sum()), rel=1e-6)
    assert (each >= 0).all()
    sure = jnp.array([[3.0, 1.0, 1.5]])
    assert SparsemaxCost().behind(sure, jnp.array([[1.0, 0, 0]])).tolist() == [0]
