"""A formula's equations as a book has them: its lines, its derivative, and what that becomes behind an activation."""

from typing import NamedTuple

import sympy as sp

from chainrule.activations import Activation
from chainrule.costs import Cost
from chainrule.formula.base import Formula
from chainrule.formula.layer import Layer
from chainrule.initializers import Initializer
from chainrule.optimizers import Clipping
from chainrule.optimizers.schedules import Schedule
from chainrule.regularizers import Regularizer
from chainrule.textbook.derivative import K, behind, derivative, gradient
from chainrule.textbook.expression import Line, free_indices, lines
from chainrule.textbook.latex import latex
from chainrule.textbook.letters import array, symbol
from chainrule.textbook.mathematics import Apply, Math, Partial
from chainrule.textbook.mathml import mathml
from chainrule.textbook.text import text

LEFT = {Activation: "f", Cost: "J", Regularizer: "R", Schedule: "eta", Initializer: "W", Clipping: "g", Layer: "y"}
"""The letter that stands for a formula of a family, where its textbook form names none."""

ARGUMENT = {Activation: "x", Schedule: "t"}
"""What it is a function of, where that is one number."""


class Equation(NamedTuple):
    """A line with the sign after its left side, and a remark before it."""

    line: Line
    sign: str = "="
    remark: str = ""

    def text(self) -> str:
        """For a terminal."""
        return text(self.line, self.sign)

    def row(self) -> str:
        """For a list: on one row."""
        return text(self.line, self.sign, one_row=True)

    def latex(self) -> str:
        """For papers."""
        return latex(self.line, self.sign)

    def mathml(self) -> str:
        """For web pages."""
        return mathml(self.line, self.sign)


def equations(formula: type[Formula] | Formula, values: bool = False) -> list[Equation]:
    """The lines of the textbook, each with a left side.

    >>> from chainrule.optimizers import Momentum
    >>> for equation in equations(Momentum):
    ...     print(equation.text())
    v ← γ v + η g
    θ ← θ − v
    """
    written = lines(formula, values)
    steps = any(line.target in line.value.free_symbols for line in written)
    return [_equation(formula, line, "←" if steps else "=") for line in written]


def derivatives(formula: type[Formula] | Formula, values: bool = False) -> list[Equation]:
    """The derivatives that a book gives beside the formula.

    >>> from chainrule.costs import CrossEntropy
    >>> print(*(f"{each.remark} {each.text()}" for each in derivatives(CrossEntropy)[1:]))
    behind Sigmoid ∂J/∂zₖ = aₖ − Eₖ
    """
    kind = formula if isinstance(formula, type) else type(formula)
    if issubclass(kind, Cost):
        entries = {entry.base for line in lines(kind) for entry in line.value.atoms(sp.Indexed)}
        outputs = sorted({str(base) for base in entries} - {"E"}) if array("z") not in entries else []
        found = [_partial("J", name, gradient(formula, name, values)) for name in outputs]
        found += [_partial("J", "z", behind(kind, end), f"behind {end.__name__}") for end in kind.canonical_activations]
        return [each for each in found if each.line.value is not None]
    if issubclass(kind, Regularizer) and _is_of_entries(kind):
        return [_partial("R", "w", gradient(formula, "w", values))]
    slope = derivative(formula, values) if issubclass(kind, Activation) else None
    return [] if slope is None else [Equation(Line(slope, Apply(sp.Symbol("f′"), symbol("x"))))]


def _is_of_entries(kind: type[Formula]) -> bool:
    """Whether it is a sum over entries with one index, of which the derivative by one is what a book gives."""
    [*before, last] = lines(kind)
    entries = last.value.atoms(sp.Indexed)
    return not before and last.target is None and {len(entry.indices) for entry in entries} == {1}


def _partial(letter: str, by: str, value: Math, remark: str = "") -> Equation:
    return Equation(Line(value, Partial(symbol(letter), array(by)[K])), "=", remark)


def _equation(formula: type[Formula] | Formula, line: Line, sign: str) -> Equation:
    kind = formula if isinstance(formula, type) else type(formula)
    family = next((family for family in LEFT if issubclass(kind, family)), None)
    if line.target is not None or family is None:
        return Equation(line, sign)
    letter: Math = symbol(LEFT[family])
    free = free_indices(line.value)
    if family is Activation and len(free) == 1:  # an entry of the output, as Softmax has it
        letter = array(LEFT[family])[free.pop()]
    if family in ARGUMENT:
        letter = Apply(letter, symbol(ARGUMENT[family]))
    drawn = family is Initializer and isinstance(line.value, Apply) and len(line.value.args) == 3
    return Equation(line._replace(target=letter), "~" if drawn else "←" if family is Clipping else "=")


def aligned(shown: list[Equation]) -> str:
    r"""Equations as one block of LaTeX, aligned at their signs if there are several.

    >>> from chainrule.optimizers import GradientDescent
    >>> print(aligned(equations(GradientDescent)))
    \theta \leftarrow \theta - \eta \, g
    """
    if len(shown) == 1:
        return shown[0].latex()
    rows = [latex(each.line, f"&{each.sign}" if each.line.target is not None else each.sign) for each in shown]
    remarks = [rf" && \text{{{each.remark}}}" if each.remark else "" for each in shown]
    body = " \\\\\n".join(f"    {row}{remark}" for row, remark in zip(rows, remarks, strict=True))
    return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"
