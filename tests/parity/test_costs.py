"""Costs: PyTorch's, Keras' and scikit-learn's, value and gradient, at kinks, extremes and for a single output."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import metrics

from chainrule.costs import (
    AbsoluteError,
    CategoricalCrossEntropy,
    CategoricalFocal,
    CategoricalHinge,
    CosineDistance,
    CrossEntropy,
    Dice,
    Focal,
    Gamma,
    GaussianNLL,
    GeneralizedKL,
    Hinge,
    Huber,
    ItakuraSaito,
    KullbackLeibler,
    LogCosh,
    Poisson,
    Quantile,
    SquaredHinge,
    SquaredLog,
    Tweedie,
)

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")
F = torch.nn.functional

rng = np.random.default_rng(0)
A, E = rng.normal(size=(2, 6, 4)).astype(np.float32) * 3
A[0, 0], A[1, 1], A[2, 2], A[3, 3] = E[0, 0], E[1, 1] + 1, E[2, 2] - 1, 1e4  # at the kinks of AbsoluteError and Huber
P, Q = (rng.dirichlet(np.ones(4), 6).astype(np.float32) for _ in range(2))
Q[0] = [1, 0, 0, 0]
BITS = rng.integers(0, 2, (6, 4)).astype(np.float32)
COUNTS = rng.poisson(2, (6, 4)).astype(np.float32)
POSITIVE = np.exp(A.clip(-3, 3))
SIGNS = 2 * BITS - 1
CLASSES = rng.integers(0, 4, 6)
T = torch.tensor

IN_TORCH = [  # ours of (a, E), and what it is there, of a
    (AbsoluteError(), A, E, lambda a: F.l1_loss(a, T(E), reduction="sum")),
    (Huber(), A, E, lambda a: F.huber_loss(a, T(E), reduction="sum")),
    (Huber(0.3), A[:1, :1], E[:1, :1], lambda a: F.huber_loss(a, T(E[:1, :1]), reduction="sum", delta=0.3)),
    (Huber(0.3), A, E, lambda a: 0.3 * F.smooth_l1_loss(a, T(E), reduction="sum", beta=0.3)),
    (KullbackLeibler(), P, Q, lambda a: F.kl_div(a.log(), T(Q), reduction="sum")),
    (Poisson(), POSITIVE, COUNTS, lambda a: F.poisson_nll_loss(a, T(COUNTS), log_input=False, eps=0, reduction="sum")),
    (
        GaussianNLL(),
        A.clip(-9, 9),
        E[:, :2],
        lambda a: F.gaussian_nll_loss(a[:, :2], T(E[:, :2]), a[:, 2:].exp(), eps=0, reduction="sum"),
    ),
    (CosineDistance(), A, E, lambda a: F.cosine_embedding_loss(a, T(E), torch.ones(6), reduction="sum")),
    (CosineDistance(), A[:1], E[:1], lambda a: 1 - F.cosine_similarity(a, T(E[:1])).sum()),
    (
        CrossEntropy(0.2),
        P,
        BITS,
        lambda a: F.binary_cross_entropy(a, T(0.8 * BITS + 0.1), reduction="sum"),
    ),
]
BEHIND_IN_TORCH = [
    (Poisson(), COUNTS, lambda z: F.poisson_nll_loss(z, T(COUNTS), log_input=True, reduction="sum")),
    (KullbackLeibler(), Q, lambda z: F.kl_div(F.log_softmax(z, -1), T(Q), reduction="sum")),
    (
        CategoricalCrossEntropy(0.1),
        np.eye(4, dtype=np.float32)[CLASSES],
        lambda z: F.cross_entropy(z, T(CLASSES), label_smoothing=0.1, reduction="sum"),
    ),
]


def in_torch(function, x):
    x = torch.tensor(np.asarray(x), requires_grad=True)
    y = function(x)
    y.backward()
    return y.item(), x.grad.numpy()


def alike(ours, theirs, rtol=2e-6):
    (value, slope), (other, gradient) = ours, theirs
    assert float(value) == pytest.approx(float(other), rel=rtol, abs=1e-6)
    np.testing.assert_allclose(slope, gradient, rtol=10 * rtol, atol=1e-5 * np.abs(gradient).max())


@pytest.mark.parametrize(("cost", "a", "expected", "theirs"), IN_TORCH, ids=[repr(cost) for cost, *_ in IN_TORCH])
def test_in_torch(cost, a, expected, theirs):
    alike(jax.jit(jax.value_and_grad(lambda a: cost.each(a, expected).sum()))(a), in_torch(theirs, a))


@pytest.mark.parametrize(("cost", "expected", "theirs"), BEHIND_IN_TORCH, ids=[repr(of[0]) for of in BEHIND_IN_TORCH])
def test_behind_their_activations_in_torch(cost, expected, theirs):
    z = A.clip(-9, 9)
    alike(jax.jit(jax.value_and_grad(lambda z: cost.behind(z, expected).sum()))(z), in_torch(theirs, z))


K = keras.losses
IN_KERAS = [
    (AbsoluteError(), P, E, lambda a: 4 * K.mean_absolute_error(E, a)),  # at the kink Keras' derivative is −1
    (Huber(0.5), A, E, lambda a: 4 * K.huber(E, a, 0.5)),
    (LogCosh(), A, E, lambda a: 4 * K.log_cosh(E, a)),
    (SquaredLog(), POSITIVE, COUNTS, lambda a: 2 * K.mean_squared_logarithmic_error(COUNTS, a)),
    (KullbackLeibler(), P[1:], Q[1:], lambda a: K.kl_divergence(Q[1:], a)),
    (Poisson(), POSITIVE, COUNTS, lambda a: 4 * K.poisson(COUNTS, a)),
    (Hinge(), A, SIGNS, lambda a: 4 * K.hinge(SIGNS, a)),
    (SquaredHinge(), A, SIGNS, lambda a: 4 * K.squared_hinge(SIGNS, a)),
    (CosineDistance(), A, E, lambda a: 1 + K.cosine_similarity(E, a)),
    (Focal(), P, BITS, lambda a: 4 * K.binary_focal_crossentropy(BITS, a)),
    (CrossEntropy(0.2), P, BITS, lambda a: 4 * K.binary_crossentropy(BITS, a, label_smoothing=0.2)),
]


@pytest.mark.parametrize(("cost", "a", "expected", "theirs"), IN_KERAS, ids=[repr(cost) for cost, *_ in IN_KERAS])
def test_in_keras(cost, a, expected, theirs):
    both = [lambda a: cost.each(a, expected).sum(), lambda a: theirs(a).sum()]
    alike(*(jax.jit(jax.value_and_grad(f))(jnp.asarray(a)) for f in both), rtol=5e-6)


def test_in_keras_by_value():
    one_hot = np.eye(4, dtype=np.float32)[CLASSES]
    theirs = K.categorical_focal_crossentropy(one_hot, P, alpha=1.0)
    np.testing.assert_allclose(CategoricalFocal().each(P, one_hot), theirs, rtol=1e-4)  # it divides P by its sum
    np.testing.assert_allclose(Dice().each(P, BITS)[1], K.dice(BITS[1:2], P[1:2]), rtol=1e-5)
    scores = np.abs(A)  # above 0, where Keras' 0 is not the largest of the others
    np.testing.assert_allclose(
        CategoricalHinge().each(scores, one_hot), K.categorical_hinge(one_hot, scores), rtol=1e-5
    )


def test_categorical_hinge_knows_scores_below_0_where_keras_counts_a_0():
    a, first = np.float32([[-1, -5]]), np.float32([[1, 0]])
    assert CategoricalHinge().each(a, first).tolist() == [0]
    assert np.asarray(K.categorical_hinge(first, a)).tolist() == [2]


def test_deviances_of_scikit_learn():
    a, counts, positive = (np.float64(each).ravel() for each in (POSITIVE, COUNTS, POSITIVE[::-1]))
    columns = [each.astype(np.float32)[:, None] for each in (a, counts, positive)]

    def mean(cost, expected=columns[1]):
        return float(cost(columns[0], expected))

    def rest(deviance, cost, expected):
        """What a deviance has beyond twice the cost: nothing that depends on a."""
        ones = np.ones_like(columns[0])
        return deviance(np.float64(expected[:, 0]), ones[:, 0]) - 2 * float(cost(ones, expected))

    tweedie = lambda y, a: metrics.mean_tweedie_deviance(y, a, power=1.3)  # noqa: E731
    for deviance, cost, expected in (
        (metrics.mean_poisson_deviance, Poisson(), columns[1]),
        (metrics.mean_gamma_deviance, Gamma(), columns[2]),
        (tweedie, Tweedie(1.3), columns[1]),
    ):
        theirs = deviance(np.float64(expected[:, 0]), a) - rest(deviance, cost, expected)
        assert 2 * mean(cost, expected) == pytest.approx(theirs, rel=1e-5)
    assert 2 * mean(GeneralizedKL()) == pytest.approx(metrics.mean_poisson_deviance(counts, a), rel=1e-5)
    assert 2 * mean(ItakuraSaito(), columns[2]) == pytest.approx(metrics.mean_gamma_deviance(positive, a), rel=1e-5)
    assert 2 * mean(SquaredLog()) == pytest.approx(metrics.mean_squared_log_error(counts, a), rel=1e-5)


@pytest.mark.parametrize("tau", [0.1, 0.5, 0.9])
def test_pinball_and_hinge_of_scikit_learn(tau):
    a, y = A[:, :1], E[:, :1]
    assert float(Quantile(tau)(a, y)) == pytest.approx(metrics.mean_pinball_loss(y, a, alpha=tau), rel=1e-5)
    assert float(Hinge()(a, SIGNS[:, :1])) == pytest.approx(metrics.hinge_loss(SIGNS[:, 0], a[:, 0]), rel=1e-5)
    several = metrics.hinge_loss(CLASSES, A, labels=range(4))
    assert float(CategoricalHinge()(A, CLASSES)) == pytest.approx(several, rel=1e-5)
