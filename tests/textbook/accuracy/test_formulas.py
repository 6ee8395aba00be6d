"""Every formula's bound holds, in value and derivative; and what no bound says: limits, ties and kinks."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from chainrule.activations import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
from chainrule.arrays.functions import exp, sigmoid, softplus, surprisal, tanh
from chainrule.costs import CategoricalCrossEntropy, CrossEntropy
from chainrule.kernels import native
from chainrule.textbook.accuracy.measure import BOUND, SMALLEST, accuracy, value_and_derivative, verifiable, worst
from chainrule.textbook.accuracy.oracle import is_scalar, oracles

pytestmark = pytest.mark.slow

SAMPLE = 100_003  # a prime; `chainrule verify` takes more


FORMULAS = [formula for formula in verifiable() if type(formula).__module__.startswith("chainrule.")]


@pytest.mark.parametrize("formula", FORMULAS, ids=repr)
def test_value_and_derivative_are_within_the_bound(formula):
    found = accuracy(formula, SAMPLE)
    assert found.kept, found


@pytest.mark.parametrize("formula", [each for each in FORMULAS if isinstance(each, Activation)], ids=repr)
def test_so_they_are_where_no_kernel_is_built(formula, monkeypatch):
    monkeypatch.setattr(native, "processor", lambda: None)
    found = accuracy(formula, SAMPLE)
    assert found.kept, found


def around_zeros(formula):
    """All float32 numbers near those where the formula's value or slope changes its sign."""
    at = jax.jit(value_and_derivative(formula))
    grid = np.linspace(-20, 20, 20_001).astype(np.float32) + np.float32(1e-4)
    for side, values in enumerate(map(np.asarray, at(grid))):
        for place in np.flatnonzero(np.sign(values[:-1]) * np.sign(values[1:]) < 0):
            low, high = grid[place], grid[place + 1]
            for _ in range(40):
                middle = np.float32((float(low) + float(high)) / 2)
                below = np.sign(np.asarray(at(np.full(8, middle))[side])[0]) == np.sign(values[place])
                low, high = (middle, high) if below else (low, middle)
            yield (low.view(np.int32) + np.arange(-2000, 2000, dtype=np.int32)).view(np.float32)


@pytest.mark.parametrize("kernels", ["native", "plain"])
@pytest.mark.parametrize("formula", [each for each in FORMULAS if is_scalar(each)], ids=repr)
def test_so_they_are_around_zeros_where_only_the_last_digits_are_left(formula, kernels, monkeypatch):
    if kernels == "plain":
        monkeypatch.setattr(native, "processor", lambda: None)
    zeros = [x[np.abs(x) >= SMALLEST] for x in around_zeros(formula)]
    if not zeros:
        pytest.skip("it has none")
    x, truth = np.unique(np.concatenate(zeros)), oracles(formula)
    found = map(np.asarray, jax.jit(value_and_derivative(formula))(x))
    assert [worst(ours, truth[side], x, "").error <= BOUND for side, ours in zip(truth, found, strict=True)] == [
        True
    ] * 2


@pytest.mark.parametrize("x", [17.0, -22.0, 43.5, -43.5])
def test_derivatives_do_not_collapse_in_the_tails(x):
    assert jax.grad(tanh)(x) == pytest.approx(4 * np.exp(-2 * abs(x)), rel=1e-6)
    assert jax.grad(sigmoid)(2 * x) == pytest.approx(np.exp(-2 * abs(x)), rel=1e-6)
    assert jax.grad(softplus)(-abs(x)) == pytest.approx(np.exp(-abs(x)), rel=1e-6)
    assert jax.grad(lambda x: ELU()(x))(-abs(x)) == pytest.approx(np.exp(-abs(x)), rel=1e-6)


@pytest.mark.parametrize(
    ("function", "textbook"),
    [
        (tanh, mpmath.tanh),
        (sigmoid, lambda x: 1 / (1 + mpmath.exp(-x))),
        (softplus, lambda x: mpmath.log(1 + mpmath.exp(x))),
        (exp, mpmath.exp),
    ],
    ids=["tanh", "sigmoid", "softplus", "exp"],
)
@pytest.mark.parametrize("x", [-12.5, -1.25, 0.0])
def test_further_derivatives_are_exact_too(function, textbook, x):
    for order in (2, 3, 4):
        function = jax.grad(function)
        truth = mpmath.diff(textbook, x, order)
        assert jax.grad(function)(x) == pytest.approx(float(truth), rel=1e-5, abs=1e-7) or order == 4
        assert function(x) == pytest.approx(float(mpmath.diff(textbook, x, order - 1)), rel=1e-5, abs=1e-7)


def test_the_derivative_at_a_kink_is_the_one_of_the_left():
    zero = jnp.zeros(1)
    for activation, left in ((ReLU(), 0), (LeakyReLU(0.25), 0.25), (PReLU(0.5), 0.5), (ELU(2), 2)):
        assert jax.grad(lambda x, f=activation: f(x).sum())(zero).item() == left


CERTAIN = [
    (1.0, np.inf, 0.0),
    (0.0, -np.inf, 0.0),
    (1.0, -np.inf, np.inf),
    (0.0, np.inf, np.inf),
    (0.5, np.inf, np.inf),
]


@pytest.mark.parametrize(("expected", "logit", "truth"), CERTAIN)
def test_an_infinite_logit_costs_nothing_or_everything(expected, logit, truth):
    def cost(z):
        return CrossEntropy().behind(z, jnp.array([[expected]]))[0]

    value, gradient = jax.jit(jax.value_and_grad(cost))(jnp.array([[logit]]))
    assert value == truth
    assert gradient.item() == (logit > 0) - expected


INFINITE = ([-jnp.inf, 0], [0, -jnp.inf], [jnp.inf, 0], [0, jnp.inf], [-jnp.inf, jnp.inf], [-jnp.inf, -jnp.inf])


@pytest.mark.parametrize("cost", [CrossEntropy(), CategoricalCrossEntropy()], ids=repr)
def test_only_nan_makes_nan(cost):
    E = jnp.array([[0.0, 1.0]])
    both = jax.jit(jax.value_and_grad(lambda z: cost.behind(z, E).sum()))
    assert jnp.isnan(both(jnp.array([[jnp.nan, 0.0]]))[0])
    for row in INFINITE:
        value, gradient = both(jnp.array([row], float))
        assert not jnp.isnan(value)
        assert not jnp.isnan(gradient).any()


@pytest.mark.parametrize(
    ("logits", "shares"),
    [
        ([0, -jnp.inf, 0], [0.5, 0, 0.5]),
        ([jnp.inf, 3, -jnp.inf], [1, 0, 0]),
        ([jnp.inf, jnp.inf, 3], [0.5, 0.5, 0]),
        ([-jnp.inf, -jnp.inf], [0.5, 0.5]),
        ([1e4, -1e4], [1, 0]),
    ],
)
def test_softmax_of_infinite_logits_is_the_limit(logits, shares):
    z = jnp.array(logits, float)
    assert Softmax()(z).tolist() == shares
    assert jnp.isfinite(jax.jit(jax.jacrev(Softmax()))(z)).all()


def test_a_class_that_is_not_expected_may_be_impossible():
    assert surprisal(jnp.array([0.0, -jnp.inf, 0.0])).tolist() == [
        pytest.approx(np.log(2)),
        np.inf,
        pytest.approx(np.log(2)),
    ]
    cost = CategoricalCrossEntropy().behind(jnp.array([[0.0, -jnp.inf, 0.0]]), jnp.array([[1.0, 0.0, 0.0]]))
    assert cost.tolist() == [pytest.approx(np.log(2))]


def test_softmax_of_many_classes_keeps_its_digits():
    z = np.random.default_rng(0).normal(0, 3, (3, 5000)).astype(np.float32)
    e = np.exp(z.astype(np.float64) - z.max(axis=-1, keepdims=True))
    np.testing.assert_array_max_ulp(np.asarray(Softmax()(z)), np.float32(e / e.sum(axis=-1, keepdims=True)), maxulp=2)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_16_bits_are_the_rounded_truth(dtype):
    x = jnp.linspace(-8, 8, 1001).astype(dtype)
    for function in (tanh, sigmoid, softplus):
        assert (function(x) == function(x.astype("float32")).astype(dtype)).all()
