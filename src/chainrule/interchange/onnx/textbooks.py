"""Activations without an operator of their own, translated from their textbook form: SymPy's expression, node by node.

All is computed in float32, so that quotients of exponentials, and their logarithms, are divided by the largest first.
Of the cases of a formula all are computed, and Where takes one for each value; what the others overflow to is lost.
"""

from collections.abc import Callable
from functools import partial, reduce
from typing import Any

import sympy as sp

from chainrule.activations import Activation
from chainrule.errors import ChainruleError
from chainrule.interchange.onnx.forms import form
from chainrule.interchange.onnx.graph import Graph
from chainrule.interchange.onnx.values import FLOAT, Own, Value, of_channels, real
from chainrule.textbook.expression import expression
from chainrule.textbook.letters import symbol
from chainrule.textbook.mathematics import Indicator, Math, minus, split, times, total

FUNCTIONS: dict[Any, str] = {
    sp.exp: "Exp",
    sp.sin: "Sin",
    sp.cos: "Cos",
    sp.tan: "Tan",
    sp.sinh: "Sinh",
    sp.cosh: "Cosh",
    sp.tanh: "Tanh",
    sp.asin: "Asin",
    sp.acos: "Acos",
    sp.atan: "Atan",
    sp.asinh: "Asinh",
    sp.acosh: "Acosh",
    sp.atanh: "Atanh",
    sp.erf: "Erf",
    sp.sign: "Sign",
    sp.Abs: "Abs",
    sp.floor: "Floor",
    sp.ceiling: "Ceil",
}
"""Functions that are operators."""

FOLDED: dict[Any, str] = {sp.Max: "Max", sp.Min: "Min", sp.And: "And", sp.Or: "Or"}
"""Functions of several values, two of which an operator takes at a time."""

RELATIONS: dict[Any, str] = {
    sp.StrictLessThan: "Less",
    sp.LessThan: "LessOrEqual",
    sp.StrictGreaterThan: "Greater",
    sp.GreaterThan: "GreaterOrEqual",
    sp.Eq: "Equal",
}


@form(Activation)
def of_textbook(graph: Graph, layer: Activation, own: Own, x: Value) -> Value:
    """The textbook form, in which what the layer has learned stands by its name."""
    numbers = {symbol(name): of_channels(graph, array, x) for name, array in own.p.items()}
    known = {sp.Symbol("x", real=True): x.name} | numbers
    value = expression(layer, values=True)
    if value.free_symbols - {*known} or value.has(sp.Indexed):
        raise ChainruleError(
            f"{layer!r}: its textbook form is no function of one value, so that it needs an ONNX form of its own. "
            f"Give it one: chainrule.interchange.onnx.forms.form."
        )
    return x.became(_Translation(graph, known, layer).of(value))


class _Translation:
    """From mathematics to nodes of a graph.

    Attributes:
        graph: to which they are added.
        known: the values of letters.
        layer: whose mathematics it is.
    """

    def __init__(self, graph: Graph, known: dict[Math, str], layer: Activation) -> None:
        self.graph, self.known, self.layer = graph, known, layer

    def of(self, value: Math) -> str:
        """The value of an expression."""
        if value in self.known:
            return self.known[value]
        if value.is_number:
            return real(self.graph, float(value))
        kind = value.func
        if kind in RULES:
            return RULES[kind](self, value)
        if kind in FUNCTIONS:
            return self.graph.add(FUNCTIONS[kind], self.of(value.args[0]))
        if kind in FOLDED:
            return reduce(partial(self.graph.add, FOLDED[kind]), map(self.of, value.args))
        if kind in RELATIONS:
            return self.graph.add(RELATIONS[kind], *map(self.of, value.args))
        raise ChainruleError(
            f"{self.layer!r}: ONNX has no operator for {kind.__name__} in its textbook form, so that it needs an ONNX "
            f"form of its own. Give it one: chainrule.interchange.onnx.forms.form."
        )

    def sum(self, value: Math) -> str:
        """A sum; eᵘ − 1 is tanh(u / 2) · (eᵘ + 1), which is exact near 0, too."""
        if u := _of_exponential(value, sp.S.NegativeOne):
            half = self.graph.add("Mul", self.of(u), real(self.graph, 0.5))
            return self.graph.add("Mul", self.graph.add("Tanh", half), self.of(total(sp.exp(u), sp.S.One)))
        return reduce(partial(self.graph.add, "Add"), map(self.of, value.args))

    def product(self, value: Math) -> str:
        """A product, what is below the bar dividing what is above.

        Sums of exponentials on both sides are divided by the largest below first. 1 / (1 + e⁻ᵘ) stays what it is, since
        ONNX Runtime's Sigmoid loses its digits far below 0.
        """
        negative, above, below = split(value)
        over, under = sp.Mul(*above), sp.Mul(*below)
        if _exponents(over) and _exponents(under):
            shift = _largest(under)
            above, below = [_shifted(over, shift)], [_shifted(under, shift)]
        result = self.all_of(above)
        if below:
            result = self.graph.add("Div", result, self.all_of(below))
        return self.graph.add("Neg", result) if negative else result

    def all_of(self, factors: list) -> str:
        """The product of factors."""
        return reduce(partial(self.graph.add, "Mul"), map(self.of, factors or [sp.S.One]))

    def power(self, value: Math) -> str:
        """A power; squares, roots and quotients by operators that are exact."""
        base, exponent = value.args
        if exponent == 2:
            return self.graph.add("Mul", self.of(base), self.of(base))
        if exponent == sp.S.Half:
            return self.graph.add("Sqrt", self.of(base))
        if exponent.is_negative:
            return self.graph.add("Reciprocal", self.of(sp.Pow(base, -exponent, evaluate=False)))
        return self.graph.add("Pow", self.of(base), self.of(exponent)) if exponent != 1 else self.of(base)

    def logarithm(self, value: Math) -> str:
        """A logarithm; ln(1 + eᵘ) is Softplus, and ln(1 + v) exact near 0, too."""
        [seen] = value.args
        if u := _of_exponential(seen, sp.S.One):
            return self.graph.add("Softplus", self.of(u))
        _, above, below = split(seen)
        sides = sp.Mul(*above), sp.Mul(*below)
        if all(map(_exponents, sides)):
            shifts = [_largest(side) for side in sides]
            logs = [sp.log(_shifted(side, shift)) for side, shift in zip(sides, shifts, strict=True)]
            return self.graph.add("Add", *(self.of(total(one, minus(other))) for one, other in (shifts, logs)))
        if seen.is_Add and sp.S.One in seen.args:
            v = self.of(total(*(term for term in seen.args if term != 1)))
            near = self.graph.add("Atanh", self.graph.add("Div", v, self.graph.add("Add", v, real(self.graph, 2))))
            near = self.graph.add("Mul", near, real(self.graph, 2))
            small = self.graph.add("Less", self.graph.add("Abs", v), real(self.graph, 0.5))
            return self.graph.add("Where", small, near, self.graph.add("Log", self.of(seen)))
        return self.graph.add("Log", self.of(seen))

    def cases(self, value: Math) -> str:
        """Where, for one case after another."""
        *cases, (result, _) = value.args
        chosen = self.of(result)
        for result, condition in reversed(cases):
            chosen = self.graph.add("Where", self.of(condition), self.of(result), chosen)
        return chosen

    def differs(self, value: Math) -> str:
        """Not equal."""
        return self.graph.add("Not", self.of(sp.Eq(*value.args, evaluate=False)))

    def indicated(self, value: Math) -> str:
        """1 where a condition holds, 0 elsewhere."""
        return self.graph.add("Cast", self.of(value.args[0]), to=FLOAT)


RULES: dict[Any, Callable[[_Translation, Math], str]] = {
    sp.Add: _Translation.sum,
    sp.Mul: _Translation.product,
    sp.Pow: _Translation.power,
    sp.log: _Translation.logarithm,
    sp.Piecewise: _Translation.cases,
    sp.Ne: _Translation.differs,
    Indicator: _Translation.indicated,
}
"""Mathematics that is more than one operator."""


def _of_exponential(value: Math, number: Math) -> Math:
    """u, where a value is eᵘ and a number; None elsewhere."""
    if not (value.is_Add and len(value.args) == 2 and number in value.args):
        return None
    [other] = [term for term in value.args if term != number]
    return other.args[0] if isinstance(other, sp.exp) else None


def _exponents(value: Math) -> list[Math]:
    """What the exponentials are of that a value is the sum of, 0 for a number; none, where it is something else."""
    found = []
    for term in sp.Add.make_args(value):
        powers: Any = [factor for factor in sp.Mul.make_args(term) if not factor.is_number]
        if not all(isinstance(power, sp.exp) for power in powers):
            return []
        found.append(sp.Add(*(power.args[0] for power in powers)))
    return found if any(exponent != 0 for exponent in found) else []


def _largest(value: Math) -> Math:
    """The largest exponent of a sum of exponentials."""
    exponents = _exponents(value)
    return sp.Max(*exponents, evaluate=False) if len(exponents) > 1 else exponents[0]


def _shifted(value: Math, shift: Math) -> Math:
    """A sum of exponentials, divided by that of the shift."""
    parts: list[Math] = []
    for term, exponent in zip(sp.Add.make_args(value), _exponents(value), strict=True):
        numbers: Any = [factor for factor in sp.Mul.make_args(term) if factor.is_number]
        parts.append(times(*numbers, sp.exp(total(exponent, minus(shift)), evaluate=False)))
    return total(*parts)
