"""A formula as LaTeX, for papers and notebooks."""

# pyright: reportIncompatibleMethodOverride=false
# ruff: noqa: N802

from typing import Any

import sympy as sp
from sympy.printing.latex import LatexPrinter
from sympy.printing.precedence import PRECEDENCE

from chainrule.textbook.expression import Line
from chainrule.textbook.letters import parts
from chainrule.textbook.mathematics import Math, apart, digits

DISTRIBUTIONS = {"N": r"\mathcal{N}", "U": r"\mathcal{U}"}


def latex(mathematics: Math | Line, sign: str = "=") -> str:
    r"""An expression, or a line with the sign after its target, as LaTeX without dollars.

    >>> from chainrule.activations import Sigmoid
    >>> from chainrule.textbook.expression import expression
    >>> print(latex(expression(Sigmoid)))
    \frac{1}{1 + e^{- x}}
    """
    printer = _Latex({"order": "none", "ln_notation": True, "full_prec": False, "mul_symbol": r" \, "})
    if not isinstance(mathematics, Line):
        return printer.doprint(mathematics)
    sign = sign.replace("←", r"\leftarrow").replace("~", r"\sim")
    target = "" if mathematics.target is None else f"{printer.doprint(mathematics.target)} {sign} "
    return target + r", \quad ".join(map(printer.doprint, (mathematics.value, *mathematics.where)))


class _Latex(LatexPrinter):
    _print: Any  # which SymPy does not type well

    def inside(self, expression: Any, level: str) -> str:
        return self.parenthesize(expression, PRECEDENCE[level], strict=True)

    def _print_Float(self, expr):
        shown, power = digits(expr)
        return r" \cdot ".join([shown] * bool(shown) + [f"10^{{{power}}}"] * bool(power))

    def _print_Mul(self, expr):
        front, sums = apart(expr)
        return super()._print_Mul(expr) if sums == 1 else f"{self._print(front)} {self._print(sums)}"

    def _print_Symbol(self, expr, style="plain"):
        letter, index = parts(expr)
        if letter.endswith("′"):
            shown = letter.replace("′", "'")
        elif letter.startswith("∇"):
            shown = rf"\nabla {letter[1:]}"
        elif (len(letter) > 1 and super()._print_Symbol(sp.Symbol(letter)) == letter) or "_" in letter:
            shown = rf"\mathrm{{{letter}}}".replace("_", r"\_")  # a word, neither Greek nor with a hat
        else:
            shown = super()._print_Symbol(sp.Symbol(letter)).replace(r"\epsilon", r"\varepsilon")
        return f"{shown}_{{{index}}}" if index else shown

    def _print_Apply(self, expr, exp=None):
        function, *args = expr.args
        name = DISTRIBUTIONS.get(str(function), self._print(function))
        power = f"^{{{exp}}}" if exp is not None else ""
        return rf"{name}{power}\left({', '.join(map(self._print, args))}\right)"

    def _print_Indexed(self, expr):
        return f"{self._print(expr.base.label)}_{{{', '.join(map(self._print, expr.indices))}}}"

    def _print_Product(self, expr, exp=None):
        return r" \, ".join(self.inside(part, "Mul") for part in expr.args)

    def _print_Entrywise(self, expr, exp=None):
        return r" \odot ".join(self.inside(part, "Mul") for part in expr.args)

    def _print_Transposed(self, expr, exp=None):
        return rf"{self.inside(expr.args[0], 'Atom')}^{{\top}}"

    def _print_Indicator(self, expr, exp=None):
        return rf"\left[{self._print(expr.args[0])}\right]"

    def _print_Drawn(self, expr, exp=None):
        return r" \sim ".join(map(self._print, expr.args))

    def _print_Within(self, expr, exp=None):
        return r" \in ".join(map(self._print, expr.args))

    def _print_Partial(self, expr, exp=None):
        return rf"\frac{{\partial {self._print(expr.args[0])}}}{{\partial {self._print(expr.args[1])}}}"

    def _print_Sum(self, expr):
        return self.big("sum", [limit[0] for limit in expr.limits], expr.function)

    def _print_Over(self, expr, exp=None):
        name, body, *indices = expr.args
        return self.big(str(name), indices, body)

    def big(self, name: str, indices: list, body: Any) -> str:
        return rf"\{name}_{{{', '.join(map(self._print, indices))}}} {self.inside(body, 'Mul')}"
