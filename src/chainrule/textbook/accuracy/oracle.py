"""The truth about a scalar formula: its `textbook`, and SymPy's derivative of that, for any number of float32 values.

Each half of the line has three parts. Near 0 the truth is Taylor's series; far out it is the line that the formula
approaches; between, the formula is computed in float64 as it is written, with a bound of the error beside each result.
Where that bound leaves a doubt, the formula is computed again in as many digits as it takes.
"""

from collections.abc import Callable
from functools import cache, reduce
from threading import Lock
from typing import Any, NamedTuple

import mpmath
import numpy as np
import sympy as sp

from chainrule.activations import Activation
from chainrule.costs import Cost
from chainrule.errors import ChainruleError
from chainrule.textbook.expression import expression

NEAR, FAR = 2.0**-8, 2.0**7
"""Where series end and where straight lines begin."""

TERMS = 9  # of a series: the next is 2⁻⁷² of the first

SMALLEST = 2.0**-149  # of all float32 numbers

DOUBT = 2.0**-7
"""The largest error, in units in the last place of a float32, of a truth that is not computed again."""

PRECISION = Lock()  # mpmath has one precision for all threads

UNIT = 2.0**-53  # the largest relative error of a rounding in float64

X = sp.Symbol("x", real=True)

Values = Any  # np.ndarray of float64


class Oracle:
    """The truth about a function of x that SymPy can write.

    >>> import sympy as sp
    >>> Oracle(sp.exp(X) - 1)(np.float32([1e-30, -200.0])).tolist()
    [1.0000000031710769e-30, -1.0]
    """

    def __init__(self, function: sp.Expr):
        self.written = _to_the_left(function.rewrite(sp.Piecewise))
        self.factored = sp.factor(self.written)
        self.exact = sp.lambdify(X, self.written, "mpmath")
        self.digits = cache(self._digits)
        parts = [part(self.written, sign) for part in (_near, _far) for sign in (1, -1)]
        self.parts = [part for part in parts if part and part.agrees(self.digits)]

    def __call__(self, x: np.ndarray) -> Values:
        """The truth in float64, for float32 values; NaN for NaN."""
        with np.errstate(invalid="ignore"):
            x = x.astype(np.float64)
        truth, known = np.full_like(x, np.nan), np.isnan(x)
        for part in self.parts:
            inside = (part.least <= x) & (x <= part.most)
            if inside.all():
                return part(x)
            truth[inside] = part(x[inside])
            known |= inside
        between = ~known & np.isfinite(x) & (x != 0)
        truth[between], known[between] = self._computed(x[between])
        for place in np.flatnonzero(~known):
            truth[place] = self.digits(x[place])
        return truth

    def _computed(self, x: Values) -> tuple[Values, Values]:
        """The formula in float64, the surer of two ways of writing it, and whether that is sure enough."""
        with np.errstate(all="ignore"):
            result = evaluate(self.written, x)
            if not result.sure.all():
                other = evaluate(self.factored, x)
                result = Bounded(*np.where(result.error <= other.error, result, other))
        return result.value, result.sure

    def _digits(self, x: float) -> float:
        """The formula in so many digits that twice as many change nothing; at infinity, its limit."""
        if np.isinf(x):
            return float(sp.limit(_branch(self.written, x), X, sp.oo if x > 0 else -sp.oo))
        last = mpmath.nan
        for digits in (50 * 2**n for n in range(10)):
            with PRECISION, mpmath.workdps(digits):
                value = mpmath.mpf(self.exact(mpmath.mpf(x)))
                if abs(value - last) <= abs(value) * 2.0**-60:
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
    return {"value": Oracle(value), "derivative": Oracle(sp.diff(value.rewrite(sp.Piecewise), X))}


class RowOracle:
    """The truth about Softmax, or about a cost behind its canonical activation, for rows of logits z and of targets E.

    >>> from chainrule.activations import Softmax
    >>> RowOracle(Softmax(), 2)(np.zeros((1, 2)), np.zeros((1, 2)))
    (array([[0.5, 0.5]]), array([[ 0.25, -0.25, -0.25,  0.25]]))
    """

    def __init__(self, formula: Any, columns: int):
        z, E = sp.symbols(f"z:{columns}", real=True), sp.symbols(f"E:{columns}", real=True)
        values = _entries(formula, z, E)
        derivatives = [sp.diff(value, each) for value in values for each in z]
        self.count = len(values)
        self.exact = sp.lambdify([*z, *E], [*values, *derivatives], "mpmath", cse=True)

    def __call__(self, z: Values, E: Values) -> tuple[Values, Values]:
        """The values of each row, and their derivatives by each logit."""
        rows = []
        for logits, targets in zip(z.tolist(), E.tolist(), strict=True):
            with PRECISION, mpmath.workdps(50 + int(max(map(abs, logits)))):  # 1 − a keeps digits even beside e⁻²ᶻ
                rows.append([float(each) for each in self.exact(*map(mpmath.mpf, [*logits, *targets]))])
        values, derivatives = np.split(np.array(rows), [self.count], axis=1)
        return values, derivatives


def _entries(formula: Any, z: Any, E: Any) -> list[Any]:
    """What a formula makes of a row of logits, entry by entry; of a cost behind its activation, that is one number."""
    columns = range(len(z))
    if isinstance(formula, Activation) and (written := expression(formula, values=True)).free_symbols <= {X}:
        return [written.xreplace({X: each}) for each in z]
    n, i = (sp.Symbol(name, integer=True) for name in "ni")
    written = expression(formula, values=True).subs(n, len(z)).doit()
    if isinstance(formula, Activation):
        x: Any = sp.IndexedBase(X)
        row = {x[j]: z[j] for j in columns}
        return [written.subs(i, j).xreplace(row) for j in columns]
    assert isinstance(formula, Cost)
    assert formula.canonical_activation is not None
    letters: dict[str, Any] = {name: sp.IndexedBase(sp.Symbol(name, real=True)) for name in "aE"}
    rows = {"a": _entries(formula.canonical_activation(), z, E), "E": E}
    return [written.xreplace({letters[name][j]: rows[name][j] for name in "aE" for j in columns})]


def scalar(formula: Any) -> sp.Expr:
    """The textbook of a formula of one number x, its noise 0 as in inference, its parameters as before training."""
    if isinstance(formula, Activation):
        known = {name: parameter.initializer.value for name, parameter in formula.parameters((1,)).items()} | {"Y": 0}
        letters = {sp.Symbol(name, real=True): sp.Float(value) for name, value in known.items()}
        written = expression(formula, values=True).xreplace(letters)
        if written.free_symbols <= {X}:
            return written
    raise ChainruleError(f"{formula!r}: expected a formula of one number, such as ELU() or Tanh().")


def is_scalar(formula: Any) -> bool:
    """Whether it is a formula of one number."""
    try:
        scalar(formula)
    except ChainruleError:
        return False
    return True


def ulp(truth: Values) -> Values:
    """The unit in the last place of a float32 near each truth, and not less than that of the smallest normal number.

    >>> ulp(np.array([1.0, 0.75, 0.0])).tolist() == [2**-23, 2**-24, 2**-149]
    True
    """
    power = (np.abs(truth).view(np.int64) & np.int64(0x7FF << 52)).view(np.float64)  # the exponent alone
    return np.clip(power, 2.0**-126, 2.0**127) * 2.0**-23


# Float64 with a bound of the error.


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
        """Where the error is too small to matter for a float32."""
        return self.error <= DOUBT * ulp(self.value)

    def __add__(self, other: "Bounded") -> "Bounded":  # type: ignore[override]
        return self.rounded(self.value + other.value, self.error + other.error)

    def __mul__(self, other: "Bounded") -> "Bounded":  # type: ignore[override]
        a, b = np.abs(self.value), np.abs(other.value)
        return self.rounded(self.value * other.value, a * other.error + b * self.error + self.error * other.error)

    def inverse(self) -> "Bounded":
        """1 / this."""
        size = np.abs(self.value)
        rest = np.maximum(size - self.error, 0)
        return self.rounded(1 / self.value, self.error / (size * rest))

    def exp(self) -> "Bounded":
        value = np.exp(self.value)
        return self.rounded(value, value * np.expm1(self.error), 4)

    def log1p(self) -> "Bounded":
        """ln(1 + this)."""
        least = np.maximum(1 + self.value - self.error, 0)
        return self.rounded(np.log1p(self.value), self.error / least, 4)


def evaluate(function: sp.Basic, x: Values) -> Bounded:
    """A function at exact values of x, operation by operation."""
    known: dict[sp.Basic, Bounded] = {X: Bounded(x, np.zeros_like(x))}

    def of(node: Any) -> Bounded:
        if node not in known:
            known[node] = compute(node)
        return known[node]

    def compute(node: Any) -> Bounded:
        match node:
            case sp.Number():
                value = np.full_like(x, float(node))
                return Bounded(value, np.zeros_like(x) if sp.Float(float(node)) == node else UNIT * np.abs(value))
            case sp.Add():
                return reduce(Bounded.__add__, map(of, node.args))
            case sp.Mul():
                return reduce(Bounded.__mul__, map(of, node.args))
            case sp.Pow(exp=sp.Integer() as power):
                product = reduce(Bounded.__mul__, [of(node.base)] * abs(int(power)))
                return product if power > 0 else product.inverse()
            case sp.exp():
                return of(node.args[0]).exp()
            case sp.log():
                return of(node.args[0] - 1).log1p()
            case sp.Piecewise():
                branches, conditions = zip(*node.args, strict=True)
                holds = [np.broadcast_to(_condition(each)(x), x.shape) for each in conditions]
                return Bounded(*(np.select(holds, parts) for parts in zip(*map(of, branches), strict=True)))
        return Bounded(x, np.full_like(x, np.inf))  # unknown in float64

    return of(function)


@cache
def _condition(relation: sp.Basic) -> Callable[[Values], Any]:
    return sp.lambdify(X, relation, "numpy")


# What SymPy knows about a half of the line, where sign x = distance > 0.


class Part(NamedTuple):
    """Where the truth is a polynomial, and that, its highest power first."""

    least: float
    most: float
    coefficients: list[float]

    def __call__(self, x: Any) -> Any:
        first, *others = self.coefficients
        total = np.full_like(x, first)
        for each in others:
            total *= x
            total += each
        return total

    def agrees(self, exact: Callable[[float], float]) -> bool:
        """Whether it is the truth at the ends, or as near as makes no difference there."""
        ends = (max(self.least, -(2.0**12)), min(self.most, 2.0**12))
        return all(abs(self(x) - exact(x)) <= max(8 * UNIT * abs(exact(x)), 2.0**-160) for x in ends)


def _near(function: sp.Expr, sign: int) -> Part | None:
    """Taylor's series, if there is one."""
    distance = sp.Symbol("d", positive=True)
    try:
        terms = sp.series(_branch(function, sign * NEAR).subs(X, sign * distance), distance, 0, TERMS).removeO()
        coefficients = sp.Poly(terms.subs(distance, sign * X), X).all_coeffs()
    except (sp.PolynomialError, NotImplementedError, ValueError, TypeError):
        return None
    least, most = sorted((sign * SMALLEST, sign * NEAR))
    return Part(least, most, [float(each) for each in coefficients])


def _far(function: sp.Expr, sign: int) -> Part | None:
    """The straight line that the function approaches, if there is one."""
    distance = sp.Symbol("d", positive=True)
    far = _branch(function, sign * FAR).subs(X, sign * distance)
    try:
        slope = sp.limit(far / distance, distance, sp.oo)
        height = sp.limit(far - slope * distance, distance, sp.oo)
        line = [float(sign * slope), float(height)] if slope else [float(height)]
    except (NotImplementedError, ValueError, TypeError):
        return None
    if not np.isfinite(line).all():
        return None
    least, most = sorted((sign * FAR, sign * np.inf))
    return Part(least, most, line)


def _branch(function: sp.Expr, at: float) -> Any:
    """The function without its cases, as it is at x."""
    return function.replace(
        lambda node: isinstance(node, sp.Piecewise),
        lambda node: next(value for value, condition in node.args if condition.subs(X, at) == True),  # noqa: E712
    )


def _to_the_left(function: sp.Expr) -> Any:
    """The same cases, each border belonging to the case on its left."""
    swaps = {sp.Ge: sp.Gt, sp.Lt: sp.Le}

    def swap(relation: Any) -> Any:
        canonical = relation if relation.lhs == X else relation.reversed
        return swaps.get(type(canonical), type(canonical))(*canonical.args)

    return function.replace(lambda node: isinstance(node, sp.core.relational.Relational), swap)
