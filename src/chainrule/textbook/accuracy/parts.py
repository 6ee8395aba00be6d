"""What is known about half of the line of numbers, where sign x = distance > 0: series near 0, straight lines far out.

And the cases of a formula, which make one function of it there.
"""

from collections.abc import Callable, Iterator
from threading import Lock
from typing import Any, NamedTuple

import mpmath
import numpy as np
import sympy as sp

from chainrule.textbook.accuracy.bounded import UNIT, Values, X

NEAR = 2.0**-8
"""Where series end."""

FAR = [2.0**power for power in range(1, 12)]
"""Where straight lines may begin."""

ENDLESS = 2.0**13
"""So far out, what approaches a straight line faster than any power of x is on it, to all digits."""

TERMS = 9  # of a series: the next is 2⁻⁷² of the first

SMALLEST, LARGEST = 2.0**-149, 2.0**128 - 2.0**103
"""Float32 has no number between 0 and the one, and rounds to infinity from the other on."""

PRECISION = Lock()  # mpmath has one precision for all threads


class Part(NamedTuple):
    """Where the truth is a polynomial, and that, its highest power first; of an infinite one, or none, that alone."""

    least: float
    most: float
    coefficients: list[float]

    def __call__(self, x: Any) -> Any:
        return polynomial(self.coefficients, x)

    def holds(self, x: Values) -> bool:
        """Whether all of x is here."""
        return bool(self.least <= x.min() and x.max() <= self.most)

    def agrees(self, exact: Callable[[float], float]) -> bool:
        """Whether it is the truth at the ends and between, or as near as makes no difference there."""
        first, last = np.clip([self.least, self.most], -ENDLESS, ENDLESS)
        x = first * (last / first) ** np.array([0, 0.001, *np.linspace(0.05, 0.95, 19), 0.999, 1])
        truth = held(np.array([exact(each) for each in x.tolist()]))
        return np.allclose(held(self(x)), truth, rtol=8 * UNIT, atol=2.0**-160, equal_nan=True)


def polynomial(coefficients: Any, x: Any, numpy: Any = np) -> Any:
    """Its value at each x, which NumPy computes, or what has the same functions."""
    first, *others = coefficients
    total = numpy.full_like(x, first)
    for each in others:
        total = total * x + each
    return total


def near(function: sp.Expr, sign: int) -> Iterator[Part]:
    """Taylor's series, if there is one: by Cauchy's integrals around 0, where cancelling terms lose no digits."""
    exact = sp.lambdify(X, branch(function, sign * NEAR), "mpmath")
    count, radius = 32, 2 * NEAR
    powers = range(TERMS - 1, -1, -1)
    with PRECISION, mpmath.workdps(80):
        circle = [mpmath.expjpi(mpmath.mpf(2 * j) / count) for j in range(count)]
        try:
            values = [mpmath.mpc(exact(radius * z)) for z in circle]
        except (ArithmeticError, TypeError, ValueError):
            return
        sums = [mpmath.fsum(value * circle[-j * k % count] for j, value in enumerate(values)) for k in powers]
        series = [_clean(each.real / count / mpmath.mpf(radius) ** k) for k, each in zip(powers, sums, strict=True)]
    least, most = sorted((sign * SMALLEST, sign * NEAR))
    yield Part(least, most, series)


def far(function: sp.Expr, sign: int) -> Iterator[Part]:
    """The straight line on which the function may be, from each distance on; infinity or NaN, where that is its end."""
    exact = sp.lambdify(X, branch(function, sign * ENDLESS), "mpmath")
    with PRECISION, mpmath.workdps(80):
        first, second = (real(exact(sign * n * mpmath.mpf(ENDLESS))) for n in (1, 2))
        slope = (second - first) / (sign * ENDLESS)
        line = [_clean(slope), _clean(first - slope * sign * ENDLESS)]
        end = held(np.array(float(first)))
    line = line[line[0] == 0 :] if np.isfinite(end) else [float(end)]
    for distance in FAR:
        least, most = sorted((sign * distance, sign * np.inf))
        yield Part(least, most, line)


def _clean(coefficient: Any) -> float:
    """A coefficient, without the dust of digits that cancel."""
    return float(coefficient) if not abs(coefficient) < 1e-40 else 0.0


def held(truth: Values) -> Values:
    """The truth as float32 holds it: infinite where that has no number so large."""
    return np.where(np.abs(truth) >= LARGEST, np.copysign(np.inf, truth), truth)


def real(value: Any) -> Any:
    """A real number of mpmath; NaN for a complex one."""
    return mpmath.nan if isinstance(value, mpmath.mpc) else mpmath.mpf(value)


def in_cases(function: sp.Expr) -> Any:
    """With maxima, minima and magnitudes told apart by cases."""
    return sp.piecewise_fold(function.rewrite(sp.Piecewise))


def branch(function: sp.Expr, at: float) -> Any:
    """The function without its cases, as it is at x."""
    return function.replace(
        lambda node: isinstance(node, sp.Piecewise),
        lambda node: next(value for value, condition in node.args if condition.subs(X, at) == True),  # noqa: E712
    )


def to_the_left(function: sp.Expr) -> Any:
    """The same cases, each border belonging to the case on its left; those of a single point stay."""

    def swap(condition: Any) -> Any:
        if condition.atoms(sp.Eq, sp.Ne) or not condition.free_symbols:
            return condition
        found = condition.as_set()
        pieces = found.args if isinstance(found, sp.Union) else [found]
        return sp.Or(
            *(
                sp.Interval.Lopen(piece.start, piece.end).as_relational(X)
                for piece in pieces
                if isinstance(piece, sp.Interval)
            )
        )

    return function.replace(
        lambda node: isinstance(node, sp.Piecewise),
        lambda node: sp.Piecewise(*((value, swap(condition)) for value, condition in node.args)),
    )
