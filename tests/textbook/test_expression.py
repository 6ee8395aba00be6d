"""From textbook lines to SymPy: what each liberty of books means, and that the mathematics stays the author's."""

import math
import re

import numpy as np
import pytest
import sympy as sp

from chainrule.activations import ELU, Activation, LeakyReLU, Sigmoid, Tanh
from chainrule.costs import Cost
from chainrule.errors import ChainruleError
from chainrule.formula.layer import Layer
from chainrule.notation.families import family
from chainrule.optimizers import Adam, Momentum
from chainrule.optimizers.schedules import CosineDecay, ExponentialDecay, OneCycle, Schedule, StepDecay, Warmup
from chainrule.regularizers import L1
from chainrule.textbook.expression import Line, expression, lines
from chainrule.textbook.letters import symbol, symbols_of
from chainrule.textbook.mathematics import Apply, Drawn, Entrywise, Indicator, Over, Product, Within

x, t = symbol("x"), symbol("t")


def read(line: str, **members) -> tuple[Line, ...]:
    """The lines of a formula that nobody registers: no subclass of a family."""

    class Written:
        textbook = line

    Written.__dataclass_fields__ = {}
    for name, value in members.items():
        setattr(Written, name, value)
    return lines(Written)


def value_of(line: str):
    [only] = read(line)
    return only.value


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("x @ kernel", Product),
        ("Q.T @ Q * x", Entrywise),
        ("max(x[j] for j)", Over),
        ("max(x[:, c])", Over),
        ("sum(x)", sp.Sum),
        ("sum(x[k, l] for k, l)", sp.Sum),
        ("sum(term(w) for term in terms)", Over),
        ("unknown(x)", Apply),
        ("x if x > 0 else 0", sp.Piecewise),
        ("x > 0 and x < 1", sp.And),
        ("x != 0", sp.Ne),
        ("erf(x)", sp.erf),
        ("-2", sp.Integer),
        ("0.5", sp.Float),
        ("pi", type(sp.pi)),
    ],
)
def test_what_books_write(line, kind):
    assert isinstance(value_of(line), kind)


def test_what_is_said_of_a_letter_stands_behind_a_comma():
    [line] = read("x + Y, Y ~ N(0, 1)")
    assert line.where == (Drawn(symbol("Y"), Apply(symbol("N"), sp.Integer(0), sp.Integer(1))),)


def test_a_bare_sum_runs_through_the_entries_of_the_arrays_in_it_but_not_through_fields():
    [line] = lines(L1)
    j = sp.Symbol("j", integer=True)
    entry = sp.IndexedBase(symbol("w"))[j]
    n = sp.Symbol("n", integer=True)
    assert line.value.args == (symbol("lamda"), sp.Sum(sp.Abs(entry), (j, 0, n - 1)))


def test_a_sum_within_a_sum_has_an_index_of_its_own():
    outer = value_of("sum((E - mean(E))**2)")
    [(j, *_)] = outer.limits
    [inner] = outer.function.atoms(sp.Sum)
    assert inner.limits[0][0] != j


def test_an_index_is_none_that_the_line_uses():
    [line] = read("C[i, j] = sum(E)")
    assert line.value.limits[0][0].name == "k"


def test_a_condition_in_arithmetic_is_1_or_0():
    assert isinstance(value_of("mean(a == E)").atoms(Indicator).pop(), Indicator)


def test_an_index_may_run_through_a_set():
    assert value_of("sum(f(w) for f in terms)").args[2] == Within(symbol("f"), symbol("terms"))


@pytest.mark.parametrize(
    "line",
    [
        *(
            "import os",
            "lambda x: x",
            "x.y",
            "'text'",
            "f(x=1)",
            "x < y < z",
            "[x]",
            "{x}",
            "x := 1",
            "x % 2",
            "x // 2",
        ),
        *("x // 2", "not x", "a.T.b", "True", "f(*x)", "x is y", "del x", "for x in y: z"),
    ],
)
def test_nothing_else_is_read(line):
    with pytest.raises(ChainruleError, match="textbook form"):
        read(line)


def test_the_order_is_the_author_s():
    value = expression(Tanh)
    assert [str(term) for term in sp.fraction(value)[0].args] == ["exp(x)", "-exp(-x)"]
    assert str(lines(Adam)[-1].value.args[0]) == "theta"


def test_fields_are_letters_or_numbers():
    alpha = symbol("alpha")
    assert expression(ELU).free_symbols == expression(ELU(2.0)).free_symbols == {x, alpha}
    assert expression(ELU(2.0), values=True).free_symbols == {x}
    assert expression(LeakyReLU(0.25), values=True).subs(x, -2) == -0.5
    assert expression(ELU, values=True) == expression(ELU)


def test_lines_before_the_last_stand_in_it():
    v, g, gamma, eta, theta = (symbol(name) for name in ("v", "g", "gamma", "eta", "theta"))
    assert sp.expand(expression(Momentum) - (theta - gamma * v - eta * g)) == 0


def test_the_numbers_of_sums_are_added_as_they_are_written():
    assert str(expression(Adam(0.5), values=True).atoms(sp.Float)).count("0.1") == 1


# The independent check: SymPy's value is that of Python, which runs the line itself.


def python(formula, names):
    fields = {name: getattr(formula, name) for name in symbols_of(formula)}
    known = {"exp": np.exp, "ln": np.log, "abs": np.abs, "sqrt": np.sqrt, "sum": np.sum, "mean": np.mean}
    known |= {name: getattr(math, name) for name in ("erf", "atan", "pi", "floor")}
    known |= {name: getattr(np, name) for name in ("sin", "cos", "tanh", "cosh")}
    known |= {"max": max, "min": min, "Y": 0.0, "slope": 0.25} | fields | names
    *first, last = formula.textbook.partition(", Y ~")[0].strip().splitlines()
    exec("\n".join(line.strip() for line in first), known)
    return eval(last.strip().rpartition("rate = ")[2], known)


def examples(base):
    return [each for each in family(base) if each.__module__.startswith("chainrule.")]


@pytest.mark.parametrize("activation", examples(Activation), ids=lambda each: each.__name__)
def test_activations_are_what_python_computes(activation):
    try:
        formula = activation()
    except TypeError:
        pytest.skip("it has no defaults")
    value = expression(formula, values=True)
    if value.atoms(sp.Indexed) or len(value.free_symbols - {x, symbol("Y"), symbol("slope")}):
        pytest.skip("not of one number")
    at = sp.lambdify((x, symbol("Y"), symbol("slope")), value, ["scipy", "numpy"])
    for point in (-3.0, -0.7, -0.1, 0.3, 1.0, 2.5):
        assert at(point, 0.0, 0.25) == pytest.approx(python(formula, {"x": point}), rel=1e-13)


@pytest.mark.parametrize("cost", examples(Cost), ids=lambda each: each.__name__)
def test_costs_are_what_python_computes(cost):
    a, E = np.array([0.2, 0.5, 0.3]), np.array([0.1, 0.2, 0.7])
    formula = cost()
    if formula.outputs_per_target > 1 or re.search(r" if |max\(|\[|\bz\b", formula.textbook):
        pytest.skip("no arithmetic of whole arrays: the contract evaluates it")
    names = [sp.IndexedBase(symbol(name)) for name in ("a", "E")]
    value = expression(formula, values=True).subs(sp.Symbol("n", integer=True), 3).doit()
    entries = {name[j]: sp.Float(given[j]) for name, given in zip(names, (a, E), strict=True) for j in range(3)}
    assert float(value.xreplace(entries)) == pytest.approx(python(formula, {"a": a, "E": E}), rel=1e-13)


SCHEDULES = [
    StepDecay(0.1, every=3.0, factor=0.5),
    ExponentialDecay(0.1, steps=10.0),
    CosineDecay(0.1, final=0.01, steps=10.0),
    OneCycle(0.1, steps=10.0),
]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_schedules_are_what_python_computes(schedule):
    value = expression(schedule, values=True)
    for step in (0, 1, 3, 7, 10, 15):
        assert float(value.subs(t, step)) == pytest.approx(python(schedule, {"t": step}), rel=1e-13)


def test_a_schedule_within_a_schedule_is_put_in():
    value = expression(Warmup(CosineDecay(0.1, steps=10.0), steps=5.0), values=True)
    for step in (0, 3, 5, 9, 15, 20):
        assert float(value.subs(t, step)) == pytest.approx(float(Warmup(CosineDecay(0.1, steps=10.0), 5.0)(step)), 1e-5)
    assert float(expression(Warmup(0.5, 10.0), values=True).subs(t, 99)) == 0.5


def test_the_families_are_covered():
    assert {type(each) for each in SCHEDULES} <= set(family(Schedule))
    assert Sigmoid in examples(Activation)
    assert examples(Layer)
