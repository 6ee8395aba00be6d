"""Derivatives against central differences, and what costs become behind their canonical activations."""

import numpy as np
import pytest
import sympy as sp

from chainrule.activations import Activation, Exp, Sigmoid, Softmax, Softplus, Sparsemax
from chainrule.costs import (
    CategoricalCrossEntropy,
    CategoricalHinge,
    Cost,
    CrossEntropy,
    Dice,
    Gamma,
    GaussianNLL,
    GeneralizedKL,
    Hellinger,
    KullbackLeibler,
    Poisson,
    SparsemaxCost,
)
from chainrule.notation.families import family
from chainrule.regularizers import L1, L2
from chainrule.textbook.derivative import behind, derivative, gradient, shortest
from chainrule.textbook.expression import expression
from chainrule.textbook.letters import array, index, symbol

x = symbol("x")
SCALARS = [each for each in family(Activation) if each.__module__.startswith("chainrule.")]


@pytest.mark.parametrize("activation", SCALARS, ids=lambda each: each.__name__)
def test_a_derivative_is_the_slope_of_its_formula(activation):
    slope = derivative(activation)
    if slope is None:
        pytest.skip("not of one number")
    both = [each.subs(sp.Symbol("n", integer=True), 2).doit() for each in (expression(activation), slope)]
    rest = {letter: sp.Float(0.3) for each in both for letter in each.free_symbols if letter != x}
    value, slope = (sp.lambdify(x, each.xreplace(rest), ["scipy", "numpy"]) for each in both)
    for at in (-2.3, -0.4, 0.2, 1.7):
        assert float(slope(at)) == pytest.approx((value(at + 1e-6) - value(at - 1e-6)) / 2e-6, rel=1e-6, abs=1e-8)


def numbers(value, entries):
    """With n = 3 and the entries of arrays given; k is 1."""
    value = value.subs({sp.Symbol("n", integer=True): 3, index("k"): 1}).doit()
    given = {array(name)[j]: sp.Float(each) for name, row in entries.items() for j, each in enumerate(row)}
    return float(value.xreplace(given))


COSTS = [each for each in family(Cost) if each.__module__.startswith("chainrule.")]


BY_A = [each for each in COSTS if each not in (CategoricalHinge, GaussianNLL, SparsemaxCost)]


def test_costs_by_other_letters_have_theirs():
    mu, s, E, k = array("mu"), array("s"), array("E"), index("k")
    assert gradient(GaussianNLL, "mu").equals((mu[k] - E[k]) * sp.exp(-s[k]))
    assert gradient(CategoricalHinge, "a") is None  # a maximum's is not told by a formula


@pytest.mark.parametrize("cost", BY_A, ids=lambda each: each.__name__)
def test_a_cost_s_gradient_is_its_slope(cost):
    E, a = [0.1, 0.2, 0.7], np.array([0.2, 0.5, 0.3])
    step = np.array([0, 1e-6, 0])
    up, down = (numbers(expression(cost(), values=True), {"a": each, "E": E}) for each in (a + step, a - step))
    assert numbers(gradient(cost(), "a", values=True), {"a": a, "E": E}) == pytest.approx((up - down) / 2e-6, rel=1e-6)


ERRORS = {
    CrossEntropy: Sigmoid, CategoricalCrossEntropy: Softmax, KullbackLeibler: Softmax, GeneralizedKL: Exp, Poisson: Exp,
    SparsemaxCost: Sparsemax,
}  # fmt: skip


@pytest.mark.parametrize("cost", ERRORS, ids=lambda each: each.__name__)
def test_behind_its_canonical_activation_it_is_the_error(cost):
    a, E, k = array("a"), array("E"), index("k")
    assert behind(cost, ERRORS[cost]).doit() == a[k] - E[k]


def test_behind_others_it_is_the_chain_rule():
    a, E = np.array([0.2, 0.5, 0.3]), np.array([0.1, 0.2, 0.7])
    slopes = {
        (Hellinger, Sigmoid): (1 - np.sqrt(E / a)) / np.sqrt(2) * a * (1 - a),
        (Dice, Sigmoid): 2 * (np.sum(a * E) - E * np.sum(a + E)) / np.sum(a + E) ** 2 * a * (1 - a),
        (Gamma, Softplus): (a - E) / a**2 * (1 - np.exp(-a)),
    }
    for (cost, end), truth in slopes.items():
        assert numbers(behind(cost, end), {"a": a, "E": E}) == pytest.approx(truth[1])


def test_through_sums_of_sums():
    """∂/∂x[1] of Softmax's output i = 1, whose denominator is a sum."""
    from chainrule.textbook.derivative import _partial

    z = np.array([0.3, -1.0, 0.5])
    slope = _partial(expression(Softmax), array("x")).subs(index("i"), 1)
    a = np.exp(z) / np.exp(z).sum()
    assert numbers(slope, {"x": z}) == pytest.approx(a[1] * (1 - a[1]))


def test_a_product_of_sums():
    from chainrule.textbook.derivative import _partial

    w, j, n = array("w"), index("j"), sp.Symbol("n", integer=True)
    squares = sp.Sum(w[j] ** 2, (j, 0, n - 1))
    slope = _partial(sp.sqrt(squares) * sp.Sum(w[j], (j, 0, n - 1)), w)
    row = np.array([1.0, 2.0, 4.0])
    truth = row[1] / np.sqrt(21) * 7 + np.sqrt(21)
    assert numbers(slope, {"w": row}) == pytest.approx(truth)


def test_regularizers():
    w, k, strength = array("w"), index("k"), symbol("lamda")
    assert gradient(L1, "w").doit() == strength * sp.sign(w[k])
    assert gradient(L2, "w").doit() == 2 * strength * w[k]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("max(0, x)", "Piecewise((1, x > 0), (0, True))"),
        ("min(x, 1)", "Piecewise((1, x < 1), (0, True))"),
        ("max(0, min(1, x / 6))", "Piecewise((0, (x >= 6) | (x <= 0)), (1/6, True))"),
        ("sign(x)", "0"),
        ("abs(x)", "sign(x)"),
    ],
)
def test_kinks_and_jumps(line, expected):
    class Written:
        textbook = line
        __dataclass_fields__ = {}  # noqa: RUF012

    assert str(derivative(Written)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((sp.exp(x) + sp.exp(-x)) ** 2 / 4 - (sp.exp(x) - sp.exp(-x)) ** 2 / 4, "1"),
        ((x**2 - 1) / (x - 1), "x + 1"),
        (x * symbol("a") + x * symbol("b"), "x*(a + b)"),
    ],
)
def test_the_shortest_form(value, expected):
    assert str(shortest(value)) == expected
