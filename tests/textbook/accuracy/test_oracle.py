import mpmath
import numpy as np
import pytest
import sympy as sp

from chainrule.activations import ELU, Activation, Identity, LeakyReLU, NoisyReLU, PReLU, ReLU, Sigmoid, Softmax, Tanh
from chainrule.costs import CategoricalCrossEntropy, CrossEntropy, Quadratic
from chainrule.errors import ChainruleError
from chainrule.layers import Dense
from chainrule.notation.families import family
from chainrule.textbook.accuracy.bounded import FORMS, Bounded, evaluate, ulp
from chainrule.textbook.accuracy.oracle import Oracle, RowOracle, X, left_derivative, oracles, scalar
from chainrule.textbook.accuracy.parts import NEAR

MAGNITUDES = [1e-45, 1e-38, 1e-20, 1e-5, NEAR * 0.999, NEAR, 0.3, 1, 7, 17.5, 60, 103.9, 128, 500, 1e4, 3e38]
POINTS = np.array([0, *MAGNITUDES, *np.negative(MAGNITUDES)], np.float32)
SMOOTH = {
    "Tanh": (mpmath.tanh, lambda x: mpmath.sech(x) ** 2),
    "Sigmoid": (lambda x: 1 / (1 + mpmath.exp(-x)), lambda x: 1 / (2 + mpmath.exp(x) + mpmath.exp(-x))),
    "Softplus": (lambda x: mpmath.log1p(mpmath.exp(x)), lambda x: 1 / (1 + mpmath.exp(-x))),
    "ELU": (lambda x: x if x > 0 else mpmath.expm1(x), lambda x: 1 if x > 0 else mpmath.exp(x)),
}


@pytest.fixture(scope="module", params=SMOOTH)
def pair(request):
    """A formula's oracles, and the same functions as mpmath knows them."""
    formula = next(each for each in family(Activation) if each.__name__ == request.param)
    return oracles(formula()), SMOOTH[request.param]


@pytest.mark.by_turns(2)
def test_it_knows_the_truth_everywhere(pair):
    for oracle, exact in zip(pair[0].values(), pair[1], strict=True):
        found = oracle(POINTS)
        with mpmath.workdps(400):
            truth = [float(exact(mpmath.mpf(float(x)))) for x in POINTS]
        assert np.max(np.abs(found - truth) / ulp(np.array(truth))) < 0.01


def test_infinities_are_limits_and_nan_stays_nan(pair):
    for oracle, exact in zip(pair[0].values(), pair[1], strict=True):
        found = oracle(np.float32([np.inf, -np.inf, np.nan]))
        for limit, far in zip(found[:2], (3e38, -3e38), strict=True):
            truth = float(exact(mpmath.mpf(far)))
            assert limit == (truth if abs(truth) < 2 else np.sign(far) * np.inf)
        assert np.isnan(found[2])


def test_where_float64_is_in_doubt_digits_decide():
    cancelling = Oracle((sp.exp(X) - 1 - X) / (X + 10) + sp.sin(X))  # without a line far out
    x = np.float32([1e-7, 3.0, -200.0, 12345.0])
    with mpmath.workdps(6000):
        exact = [mpmath.mpf(float(v)) for v in x[:3]]
        truth = [float((mpmath.expm1(v) - v) / (v + 10) + mpmath.sin(v)) for v in exact]
    np.testing.assert_allclose(cancelling(x)[:3], truth, rtol=1e-12)


FUNCTIONS = [
    *(sp.exp(X) - 1, 1 / (1 + sp.exp(-X)), sp.log(1 + sp.exp(X)), (X - 3) ** -2 * X / 7, sp.sin(X), sp.cos(X) * X),
    *(
        sp.atan(X),
        sp.tanh(X / 3),
        sp.erf(X) - 1,
        X * (1 + sp.erf(X / sp.sqrt(2))),
        (1 + X**2 / 3) ** sp.Rational(-3, 2),
    ),
    *(1 + sp.tanh(X), sp.log((1 + sp.exp(X)) / (1 + sp.exp(X - 1))), sp.sqrt(sp.pi + X**2) - X),
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_bound_of_an_error_is_one_however_a_function_is_written(function):
    random = np.random.default_rng(0)
    x = np.concatenate([random.uniform(-30, 30, 200), random.choice([-1, 1], 50) * 10 ** random.uniform(-9, 2.4, 50)])
    exact = sp.lambdify(X, function, "mpmath")
    with mpmath.workdps(300), np.errstate(all="ignore"):
        truth = [exact(mpmath.mpf(each)) for each in x]
        for form in FORMS:
            value, error = evaluate(form(function), x)
            distance = [abs(true - mpmath.mpf(found)) for true, found in zip(truth, value, strict=True)]
            assert np.all(np.array(distance, float) <= error)
        assert np.nanmedian(evaluate(function, x).error / np.abs(value)) < 1e-13


@pytest.mark.parametrize("function", [sp.sin(X), sp.cos(X)])
def test_waves_are_known_however_far_out(function):
    x = 10 ** np.random.default_rng(0).uniform(2, 38, 300)
    value, error = evaluate(function, x)
    with mpmath.workdps(80):
        truth = [sp.lambdify(X, function, "mpmath")(mpmath.mpf(each)) for each in x]
        distance = [abs(true - mpmath.mpf(found)) for true, found in zip(truth, value, strict=True)]
    assert np.all(np.array(distance, float) <= error)
    assert evaluate(function, x).sure.all()


def test_what_float64_does_not_know_is_endlessly_uncertain():
    assert not evaluate(sp.gamma(X), np.array([0.5])).sure.any()
    assert Bounded(np.array([1.0, 1.0]), np.array([1e-12, 1e-8])).sure.tolist() == [True, False]


@pytest.mark.parametrize(
    ("function", "truth"),
    [
        (sp.sin(X), [np.nan, np.nan, np.sin(2.0**60), np.sin(-1e4)]),
        (sp.atan(X), [np.pi / 2, -np.pi / 2, np.pi / 2, np.arctan(-1e4)]),
        (sp.exp(X) - 1, [np.inf, -1, np.inf, -1]),
        (sp.log(1 + X), [np.inf, np.nan, 60 * np.log(2), np.nan]),
        (sp.sin(X) / X, [0, 0, np.sin(2.0**60) / 2.0**60, np.sin(-1e4) / -1e4]),
    ],
)
def test_far_out_it_is_a_line_or_not(function, truth):
    found = Oracle(function)(np.float32([np.inf, -np.inf, 2.0**60, -1e4]))
    np.testing.assert_allclose(found, truth, rtol=1e-15)


def test_a_line_is_not_seen_where_it_is_only_crossed():
    step = sp.Piecewise((X, X > 3), (2, True))
    assert Oracle(step)(np.float32([1, 2, 2.5, 3, 3.5, 4])).tolist() == [2, 2, 2, 2, 3.5, 4]


@pytest.mark.parametrize(
    ("formula", "left", "right"),
    [
        (ReLU(), 0, 1),
        (NoisyReLU(), 0, 1),
        (LeakyReLU(0.2), float(np.float32(0.2)), 1),
        (PReLU(0.5), 0.5, 1),
        (ELU(2), 2, 1),
        (Identity(), 1, 1),
    ],
    ids=repr,
)
def test_at_a_kink_the_derivative_is_the_one_of_the_left(formula, left, right):
    assert oracles(formula)["derivative"](np.float32([0, -0.0, 1e-45])).tolist() == [left, left, right]


@pytest.mark.parametrize(
    "kinked", [sp.Abs(X - 1), sp.Max(1, X) - sp.Min(1, X), sp.Piecewise((X, X >= 1), (2 - X, True))]
)
def test_however_a_kink_is_written(kinked):
    derivative = Oracle(left_derivative(kinked))
    assert derivative(np.float32([0.5, 1.0, 1.5])).tolist() == [-1, -1, 1]


def test_at_a_jump_the_value_is_the_written_one_and_the_derivative_that_of_the_left():
    jump = sp.Piecewise((X, sp.Abs(X) > sp.Rational(1, 2)), (0, True))
    x = np.float32([-1, -0.5, 0, 0.5, 1])
    assert Oracle(jump)(x).tolist() == [-1, 0, 0, 0, 1]
    assert Oracle(left_derivative(jump))(x).tolist() == [1, 1, 0, 0, 1]
    clipped = sp.Min(1, sp.Max(0, (X + 3) / 6))
    assert Oracle(left_derivative(clipped))(np.float32([-3, 3])).tolist() == [0, pytest.approx(1 / 6)]


def test_a_unit_in_the_last_place():
    assert ulp(np.array([1, 1.99, 2, -2, 0, 1e-45, 1e300])).tolist() == [
        *(2.0**-23, 2.0**-23, 2.0**-22, 2.0**-22),
        *(2.0**-149, 2.0**-149, 2.0**104),
    ]


@pytest.mark.parametrize("other", [Softmax(), Dense(3), Quadratic()], ids=repr)
def test_it_refuses_what_is_not_a_formula_of_one_number(other):
    with pytest.raises(ChainruleError) as caught:
        scalar(other)
    assert str(caught.value) == f"{other!r}: expected a formula of one number, such as ELU() or Tanh()."


def test_values_of_fields_count():
    assert float(scalar(LeakyReLU(0.5)).subs(X, -2)) == -1
    assert float(scalar(LeakyReLU(0.1)).subs(X, -2)) == -2 * float(np.float32(0.1))
    assert float(scalar(PReLU(0.5)).subs(X, -2)) == -1
    assert {scalar(Tanh()), scalar(Sigmoid())}.isdisjoint({scalar(ELU())})


@pytest.mark.parametrize("cost", [CrossEntropy(), CategoricalCrossEntropy()], ids=repr)
def test_behind_its_canonical_activation_a_cost_has_the_derivative_a_minus_e(cost):
    z, E = np.array([[0.5, -1.0, 300.0], [9000.0, -2.0, 1.0]]), np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    values, derivatives = RowOracle(cost, 3)(z, E)
    a = 1 / (1 + np.exp(-z)) if isinstance(cost, CrossEntropy) else np.exp(z - z.max(1, keepdims=True))
    a = a if isinstance(cost, CrossEntropy) else a / a.sum(1, keepdims=True)
    np.testing.assert_allclose(derivatives, a - E, atol=1e-12)
    assert values.shape == (2, 1)
    assert values[0, 0] == pytest.approx(
        301 if not isinstance(cost, CrossEntropy) else 300 + 0.9740769842 + 1.3132616875
    )
