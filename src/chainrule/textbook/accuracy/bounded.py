"""Formulas in float64, operation by operation, with a bound of the error beside each result."""

from collections.abc import Callable
from functools import cache, reduce
from typing import Any, NamedTuple

import numpy as np
import scipy.special
import sympy as sp

X = sp.Symbol("x", real=True)

DOUBT = 2.0**-7
"""The largest error, in units in the last place of a float32, of a truth that is not computed again."""

UNIT = 2.0**-53  # the largest relative error of a rounding in float64

Values = Any  # np.ndarray of float64


def ulp(truth: Values) -> Values:
    """The unit in the last place of a float32 near each truth, and not less than that of the smallest normal number.

    >>> ulp(np.array([1.0, 0.75, 0.0])).tolist() == [2**-23, 2**-24, 2**-149]
    True
    """
    power = (abs(truth).view(np.int64) & np.int64(0x7FF << 52)).view(np.float64)  # the exponent alone
    return power.clip(2.0**-126, 2.0**127) * 2.0**-23


class Bounded(NamedTuple):
    """Values, and how far from the truth each may be."""

    value: Values
    error: Values

    @classmethod
    def rounded(cls, value: Values, error: Values, units: float = 1) -> "Bounded":
        """A result whose last operation added a rounding of so many units."""
        return cls(value, error + units * UNIT * np.abs(value) + 2.0**-1060)

    @property
    def sure(self) -> Values:
        """Where the error is too small to matter for a float32, which holds nothing from 2¹²⁸ on."""
        return (self.error <= DOUBT * ulp(self.value)) | (np.abs(self.value) - self.error >= 2.0**128)

    def __add__(self, other: "Bounded") -> "Bounded":  # type: ignore[override]
        return self.rounded(self.value + other.value, self.error + other.error)

    def __mul__(self, other: "Bounded") -> "Bounded":  # type: ignore[override]
        a, b = np.abs(self.value), np.abs(other.value)
        return self.rounded(self.value * other.value, a * other.error + b * self.error + self.error * other.error)

    def __pow__(self, power: sp.Rational) -> "Bounded":
        """This to a power of whole numbers, or of halves."""
        factor = self if power.q == 1 else self.root()
        product = reduce(Bounded.__mul__, [factor] * abs(int(power.p)))
        return product if power > 0 else product.inverse()

    def inverse(self) -> "Bounded":
        """1 / this."""
        size = np.abs(self.value)
        rest = np.maximum(size - self.error, 0)
        return self.rounded(1 / self.value, self.error / (size * rest))

    def root(self) -> "Bounded":
        value = np.sqrt(self.value)
        return self.rounded(value, self.error / (value + np.sqrt(np.maximum(self.value - self.error, 0))))

    def flat(self, function: Callable[[Values], Values]) -> "Bounded":
        """A function whose slope is nowhere steeper than 1."""
        return self.rounded(function(self.value), self.error, 4)

    def exp(self) -> "Bounded":
        value = np.exp(self.value)
        return self.rounded(value, value * np.expm1(self.error), 4)

    def log1p(self) -> "Bounded":
        """ln(1 + this)."""
        least = np.maximum(1 + self.value - self.error, 0)
        return self.rounded(np.log1p(self.value), self.error / least, 4)

    def erf(self) -> "Bounded":
        return self.rounded(scipy.special.erf(self.value), self.error * 2 / np.sqrt(np.pi), 4)

    def above_erf(self) -> "Bounded":
        """1 + erf(this), without loss far below 0."""
        nearest = np.maximum(np.maximum(-self.value, 0) - self.error, 0)
        slope = 2 / np.sqrt(np.pi) * np.exp(-(nearest**2))
        return self.rounded(scipy.special.erfc(-self.value), self.error * slope, 8 + 2 * nearest**2)


class AboveErf(sp.Function):
    """1 + erf(x), which SymPy would take apart."""


FUNCTIONS: dict[type, Callable[[Bounded], Bounded]] = {
    sp.exp: Bounded.exp,
    sp.sin: lambda u: u.flat(np.sin),
    sp.cos: lambda u: u.flat(np.cos),
    sp.atan: lambda u: u.flat(np.arctan),
    sp.tanh: lambda u: u.flat(np.tanh),
    sp.erf: Bounded.erf,
    AboveErf: Bounded.above_erf,
}
"""What float64 knows, beside the logarithm; tests measure the roundings against more digits."""


def _by_tails(function: Any) -> Any:
    """With 1 + erf(u) and 1 + tanh(u) by what is left of them far below 0."""
    with_erf = function.replace(sp.erf, lambda u: AboveErf(u) + sp.S.NegativeOne)
    return with_erf.replace(sp.tanh, lambda u: 2 / (1 + sp.exp(-2 * u)) - 1)


FORMS: tuple[Callable[[Any], Any], ...] = (
    lambda function: function,
    sp.expand_log,
    _by_tails,
    lambda function: sp.factor(function, deep=True),
)
"""Ways of writing a function, each of which keeps digits where others lose them; the slowest comes last."""


def evaluate(function: sp.Basic, x: Values) -> Bounded:
    """A function at exact values of x, operation by operation."""
    known: dict[sp.Basic, Bounded] = {X: Bounded(x, np.zeros_like(x))}

    def of(node: Any) -> Bounded:
        if node not in known:
            known[node] = compute(node)
        return known[node]

    def compute(node: Any) -> Bounded:
        match node:
            case sp.Number() | sp.NumberSymbol():
                value = np.full_like(x, float(node))
                return Bounded(value, np.zeros_like(x) if sp.Float(float(node)) == node else UNIT * np.abs(value))
            case sp.Add():
                return reduce(Bounded.__add__, map(of, node.args))
            case sp.Mul():
                return reduce(Bounded.__mul__, map(of, node.args))
            case sp.Pow(exp=sp.Rational(q=1 | 2) as power):
                return of(node.base) ** power
            case sp.log():
                return of(node.args[0] - 1).log1p()
            case sp.Function() if type(node) in FUNCTIONS:
                return FUNCTIONS[type(node)](of(node.args[0]))
            case sp.Piecewise():
                branches, conditions = zip(*node.args, strict=True)
                holds = [np.broadcast_to(_condition(each)(x), x.shape) for each in conditions]
                return Bounded(*(np.select(holds, parts) for parts in zip(*map(of, branches), strict=True)))
        return Bounded(x, np.full_like(x, np.inf))  # unknown in float64

    return of(function)


@cache
def _condition(relation: sp.Basic) -> Callable[[Values], Any]:
    return sp.lambdify(X, relation, "numpy")
