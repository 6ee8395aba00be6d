"""Mathematics in the order of its author, and what SymPy has no word for.

SymPy's own operators sort and gather; these keep terms and factors where they stand, and let go what is trivial.
"""

from decimal import Decimal
from typing import Any

import sympy as sp
from sympy.printing.precedence import PRECEDENCE

Math = Any  # a SymPy expression, whose own types say too little


class Node(sp.Function):
    """Mathematics that SymPy has no word for; it is only carried along."""

    @classmethod
    def eval(cls, *args: Any) -> None:
        return None


class Apply(Node):
    """A function that is known by its name only: `Apply(f, x)` is f(x)."""


class Product(Node):
    """A product of matrices."""

    precedence = PRECEDENCE["Mul"]


class Entrywise(Node):
    """A product of arrays entry by entry: ⊙."""

    precedence = PRECEDENCE["Mul"] - 1  # in brackets within a product of matrices


class Transposed(Node):
    """The transpose of a matrix."""


class Over(Node):
    """The largest, or whatever the name says, over some indices: `Over(max, body, k, l)`."""

    precedence = PRECEDENCE["Mul"]


class Indicator(Node):
    """1 where a condition holds, 0 elsewhere: Iverson's brackets. Its derivative is 0."""

    def fdiff(self, argindex: int = 1) -> Math:
        return sp.S.Zero


class Drawn(Node):
    """A random quantity and its distribution: Y ~ N(0, 1)."""


class Partial(Node):
    """The name of a derivative: ∂J/∂a."""


class Within(Node):
    """An index and what it runs through: term ∈ terms."""


def total(*terms: Math) -> Math:
    """A sum in this order, without zeros."""
    flat = [part for term in terms for part in (term.args if term.is_Add else (term,)) if part != 0]
    if len(flat) > 1 and all(part.is_Number for part in flat):
        return number(float(sum(Decimal(repr(float(part))) for part in flat)))  # 1 − 0.9 is 0.1
    return sp.Add(*flat, evaluate=False) if len(flat) > 1 else flat[0] if flat else sp.S.Zero


def times(*factors: Math) -> Math:
    """A product in this order, without ones."""
    flat = [part for factor in factors for part in _factors(factor) if part != 1]
    if any(part == 0 for part in flat):
        return sp.S.Zero
    return sp.Mul(*flat, evaluate=False) if len(flat) > 1 else flat[0] if flat else sp.S.One


def minus(value: Math) -> Math:
    """The negative."""
    return -value if value.is_Number else times(sp.S.NegativeOne, value)


def over(above: Math, below: Math) -> Math:
    """A fraction."""
    if above.is_Integer and below.is_Integer:
        return sp.Rational(above, below)
    return times(above, sp.Pow(below, -1, evaluate=False)) if below != 1 else above


def _factors(factor: Math) -> tuple:
    """The factors of a product that may stand in a longer one; a fraction stays one, but for its sign."""
    if not factor.is_Mul:
        return (factor,)
    if not any(part.is_Pow and part.exp == -1 for part in factor.args):
        return factor.args
    sign, *rest = factor.args
    return (sign, sp.Mul(*rest, evaluate=False)) if sign == -1 else (factor,)


def apart(product: Math) -> tuple[Math, Math]:
    """A product with a sum behind a fraction as the two of them, as books set 1/n Σ …; else as (product, 1)."""
    sums = [part for part in product.args if isinstance(part, sp.Sum)]
    rest = [part for part in product.args if part not in sums]
    below = [part for part in rest if (part.is_Pow and part.exp == -1) or (part.is_Rational and part.q != 1)]
    if not sums or not below or any(part.has(sp.Sum) for part in below):
        return product, sp.S.One
    return times(*rest), times(*sums)


def split(product: Math) -> tuple[bool, list, list]:
    """A product as its sign, what is above the fraction bar and what is below, in its own order."""
    factors = [part for part in product.args if part != -1]
    negative = (len(product.args) - len(factors)) % 2 == 1
    if factors and factors[0].is_Number and factors[0] < 0:
        negative, factors[0] = not negative, -factors[0]
    above, below = [], []
    for part in factors:
        if part.is_Pow and part.exp.is_Rational and part.exp < 0:
            below.append(sp.Pow(part.base, -part.exp, evaluate=False) if part.exp != -1 else part.base)
        elif part.is_Rational:
            above += [sp.Integer(part.p)] * (part.p != 1)
            below += [sp.Integer(part.q)] * (part.q != 1)
        else:
            above.append(part)
    return negative, above, below


def digits(value: sp.Float) -> tuple[str, str]:
    """A number's digits and its power of ten, each empty where it is 1: ("", "-8") is 10⁻⁸."""
    shown, _, power = f"{float(value):.6g}".partition("e")
    return ("" if power and shown == "1" else shown), str(int(power)) if power else ""


def number(value: float) -> Math:
    """A number as it is printed: whole ones without a point."""
    return sp.Integer(int(value)) if value == int(value) else sp.Float(value)
