"""The truth about a scalar formula: its `textbook`, and SymPy's derivative of that, for any number of float32 values.

Each half of the line has three parts. Near 0 the truth is Taylor's series; far out it is the line that the formula
approaches, if there is one; between, the formula is computed in float64 as it is written, with a bound of the error
beside each result. Where that bound leaves a doubt, the formula is computed again in as many digits as it takes.
"""

import dataclasses
import math
from functools import cache
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from chainrule.activations import Activation
from chainrule.costs import Cost
from chainrule.errors import ChainruleError
from chainrule.formula.base import fields
from chainrule.initializers import Constant
from chainrule.textbook.accuracy.bounded import FORMS, Bounded, Values, X, evaluate
from chainrule.textbook.accuracy.parts import PRECISION, Part, branch, far, held, in_cases, near, real, to_the_left
from chainrule.textbook.expression import expression, lines
from chainrule.textbook.letters import symbol
from chainrule.textbook.mathematics import Drawn, number

FEW = 2**13  # numbers at a time, whose many bounds stay in the processor's nearest cache


class Oracle:
    """The truth about a function of x that SymPy can write.

    >>> import sympy as sp
    >>> Oracle(sp.exp(X) - 1)(np.float32([1e-30, -200.0])).tolist()
    [1.0000000031710769e-30, -1.0]
    """

    def __init__(self, function: sp.Expr):
        self.written = in_cases(function)
        self.form = cache(lambda place: FORMS[place](self.written))
        self.exact = sp.lambdify(X, self.written, "mpmath")
        self.digits = cache(self._digits)
        sides = (parts(self.written, sign) for parts in (near, far) for sign in (1, -1))
        agreeing = (next((part for part in side if part.agrees(self.digits)), None) for side in sides)
        self.parts = [part for part in agreeing if part]

    def __call__(self, x: np.ndarray) -> Values:
        """The truth in float64, for float32 values; NaN for NaN, and infinite where float32 holds it no more."""
        with np.errstate(invalid="ignore"):
            x = x.astype(np.float64)
        truth, known = np.full_like(x, np.nan), np.isnan(x)
        for part in self.parts:
            inside = (part.least <= x) & (x <= part.most)
            if inside.all():
                return held(part(x))
            truth[inside] = part(x[inside])
            known |= inside
        between = np.flatnonzero(~known & np.isfinite(x) & (x != 0))
        for places in np.split(between, range(FEW, len(between), FEW)):
            truth[places], known[places] = self._computed(x[places])
        for place in np.flatnonzero(~known):
            truth[place] = self.digits(x[place])
        return held(truth)

    def part(self, x: np.ndarray) -> Part | None:
        """That which all of x is on."""
        return next((part for part in self.parts if len(x) and part.holds(x)), None)

    def _computed(self, x: Values) -> tuple[Values, Values]:
        """The formula in float64, the surest of the ways of writing it, and whether that is sure enough."""
        with np.errstate(all="ignore"):
            result = evaluate(self.form(0), x)
            for place in range(1, len(FORMS)):
                if result.sure.all():
                    break
                other = evaluate(self.form(place), x)
                surer = (other.error < result.error) | np.isnan(result.error)
                result = Bounded(*np.where(surer, other, result))
        return result.value, result.sure

    def _digits(self, x: float) -> float:
        """The formula in so many digits that twice as many change nothing; at infinity, its limit; NaN if none."""
        if np.isinf(x):
            return _limit(branch(self.written, x), sp.oo if x > 0 else -sp.oo)
        last = mpmath.nan
        for digits in (50 * 2**n for n in range(10)):
            with PRECISION, mpmath.workdps(digits):
                value = real(self.exact(mpmath.mpf(x)))
                if mpmath.isnan(value) or abs(value - last) <= abs(value) * 2.0**-60:
                    return float(value)
            last = value
        return float("nan")  # which no result is right about


def oracles(formula: Activation) -> dict[str, Oracle]:
    """The truth about a scalar formula's value and about its derivative.

    Raises:
        ChainruleError: where the formula is not one of a single number.

    >>> from chainrule.activations import ReLU
    >>> oracles(ReLU())["derivative"](np.float32([-1.0, 0.0, 2.0])).tolist()
    [0.0, 0.0, 1.0]
    """
    value = scalar(formula)
    return {"value": Oracle(value), "derivative": Oracle(left_derivative(value))}


def left_derivative(function: sp.Expr) -> sp.Expr:
    """The derivative, at a kink or a jump that of the left side.

    >>> left_derivative(sp.Abs(X)).subs(X, 0)
    -1
    """
    return to_the_left(sp.diff(in_cases(function), X))


class RowOracle:
    """The truth about Softmax and its kin, or about a cost behind its activation, for rows of logits z and targets E.

    >>> from chainrule.activations import Softmax
    >>> RowOracle(Softmax(), 2)(np.zeros((1, 2)), np.zeros((1, 2)))
    (array([[0.5, 0.5]]), array([[ 0.25, -0.25, -0.25,  0.25]]))
    """

    def __init__(self, formula: Any, columns: int, end: type[Activation] | None = None):
        """Of a cost behind that activation, or behind the first of its canonical ones."""
        z, E = sp.symbols(f"z:{columns}", real=True), sp.symbols(f"E:{columns}", real=True)
        if isinstance(formula, Cost):
            end = end or formula.canonical_activations[0]
        values = _entries(formula, z, E, end)
        self.count = len(values)
        slopes = [[sp.diff(value, each) for each in z] for value in values]
        self.next, fixed = None, _fixed(end() if end else formula, z)
        if fixed:  # a letter that follows from the others, whose slopes are those of the implicit function
            letter, condition = fixed
            rise = sp.diff(condition, letter)
            self.next = _in_digits([*z, letter], letter - condition / rise)
            for value, row in zip(values, slopes, strict=True):
                through = sp.diff(value, letter) / rise
                row[:] = [slope - through * sp.diff(condition, each) for slope, each in zip(row, z, strict=True)]
            E = (*E, letter)
        self.exact = _in_digits([*z, *E], [*values, *(slope for row in slopes for slope in row)])

    def __call__(self, z: Values, E: Values) -> tuple[Values, Values]:
        """The values of each row, and their derivatives by each logit."""
        rows = []
        for logits, targets in zip(z.tolist(), E.tolist(), strict=True):
            digits = 50 + int(2 * max(map(abs, logits)) / math.log(10))  # 1 − a keeps 50 even beside e⁻²ᶻ
            with PRECISION, mpmath.workdps(digits):
                known = [*map(mpmath.mpf, [*logits, *targets])]
                rows.append([float(each) for each in self.exact(*known, *self._letter(known[: len(logits)]))])
        values, derivatives = np.split(np.array(rows), [self.count], axis=1)
        return values, derivatives

    def _letter(self, z: list[Any]) -> list[Any]:
        """What the condition fixes: Newton's steps from below end, as it is convex and made of straight pieces."""
        if self.next is None:
            return []
        letter = min(z) - 1
        for _ in range(len(z) + 1):
            letter = self.next(*z, letter)
        return [letter]


def _in_digits(letters: Any, written: Any) -> Any:
    """A function of mpmath's numbers; 0 ln 0 is 0."""
    known = [{"log": lambda x: mpmath.log(x) if x else mpmath.mpf(0)}, "mpmath"]
    return sp.lambdify(letters, written, known, cse=True)


def _fixed(activation: Any, z: Any) -> tuple[Any, Any] | None:
    """The letter of a textbook that a condition fixes, and what is 0 then."""
    found: list[Any] = [each for each in lines(activation, values=True)[-1].where if isinstance(each, sp.Eq)]
    if not found:
        return None
    condition = _of_row(found[0].lhs - found[0].rhs, z)
    [letter] = condition.free_symbols - {*z}
    return letter, condition


def _of_row(written: Any, z: Any) -> Any:
    """An expression of entries of x, those of a row."""
    x: Any = sp.IndexedBase(X)
    row = {x[j]: each for j, each in enumerate(z)}
    return written.subs(sp.Symbol("n", integer=True), len(z)).doit().xreplace(row).rewrite(sp.Piecewise)


def _entries(formula: Any, z: Any, E: Any, end: type[Activation] | None = None) -> list[Any]:
    """What a formula makes of a row of logits, entry by entry; of a cost behind its activation, that is one number."""
    columns, written = range(len(z)), expression(formula, values=True)
    if isinstance(formula, Activation) and written.free_symbols <= {X}:
        return [written.xreplace({X: each}) for each in z]
    if isinstance(formula, Activation):
        return [_of_row(written.subs(sp.Symbol("i", integer=True), j), z) for j in columns]
    assert isinstance(formula, Cost)
    end = end or formula.canonical_activations[0]
    rows = {"a": _entries(end(), z, E), "E": E, "z": z}
    written = written.subs(sp.Symbol("n", integer=True), len(z)).doit()
    letters: dict[str, Any] = {name: sp.IndexedBase(sp.Symbol(name, real=True)) for name in rows}
    return [written.xreplace({letters[name][j]: rows[name][j] for name in rows for j in columns})]


def scalar(formula: Any) -> sp.Expr:
    """The textbook of a formula of one number x, its noise at its mean as in inference, its parameters untrained.

    Its fields and parameters are float32 numbers, as they are where it is computed, which changes their last digits.
    """
    if isinstance(formula, Activation):
        formula = _in_float32(formula)
        declared = {name: each.initializer for name, each in formula.parameters((1,)).items()}
        first = {symbol(name): number(each.value) for name, each in declared.items() if isinstance(each, Constant)}
        drawn = [each.args for each in lines(formula, values=True)[-1].where if isinstance(each, Drawn)]
        means = {letter: _mean(*distribution.args) for letter, distribution in drawn}
        written = expression(formula, values=True).xreplace(first | means)
        if written.free_symbols <= {X}:
            return written
    raise ChainruleError(f"{formula!r}: expected a formula of one number, such as ELU() or Tanh().")


def _in_float32(formula: Activation) -> Activation:
    """A formula whose numbers are those that float32 holds."""
    numbers = {field.name: getattr(formula, field.name) for field in fields(formula)}
    rounded = {name: float(np.float32(each)) for name, each in numbers.items() if isinstance(each, float)}
    return dataclasses.replace(formula, **rounded)


def _mean(name: Any, *numbers: Any) -> Any:
    """The mean of a distribution: N(mean, variance) or U(low, high)."""
    return numbers[0] if name.name == "N" else sum(numbers) / 2


def is_scalar(formula: Any) -> bool:
    """Whether it is a formula of one number."""
    try:
        scalar(formula)
    except ChainruleError:
        return False
    return True


def _limit(function: sp.Expr, to: Any) -> float:
    """A limit; NaN where there is none."""
    try:
        return float(sp.limit(function, X, to))
    except (NotImplementedError, ValueError, TypeError):
        return float("nan")
