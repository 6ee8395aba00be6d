"""A formula as text for a terminal: Unicode, raised and lowered where Unicode can, in several rows where it can't."""

# pyright: reportIncompatibleMethodOverride=false
# ruff: noqa: N802, N815

import re
from typing import Any

import sympy as sp
from sympy.printing.precedence import PRECEDENCE, precedence
from sympy.printing.pretty.pretty import PrettyPrinter
from sympy.printing.pretty.pretty_symbology import pretty_symbol
from sympy.printing.pretty.stringpict import prettyForm

from chainrule.textbook.expression import Line
from chainrule.textbook.letters import parts
from chainrule.textbook.mathematics import Math, apart, digits, split

RAISED = str.maketrans("0123456789+-=()abcdefghijklmnoprstuvwxyzT", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᵀ", "⋅")
LOWERED = str.maketrans("0123456789+-=()aehijklmnoprstuvxβγρφχ", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ")


def text(mathematics: Math | Line, sign: str = "=", one_row: bool = False) -> str:
    """An expression, or a line with the sign after its target, as Unicode text; if so wished, all on one row.

    >>> from chainrule.activations import ELU
    >>> from chainrule.textbook.expression import expression
    >>> print(text(expression(ELU)))
    ⎧x           for x > 0
    ⎨
    ⎩α (eˣ − 1)  otherwise
    >>> print(text(expression(ELU), one_row=True))
    x for x > 0, α (eˣ − 1) otherwise
    """
    printer = _Row if one_row else _Text
    form = printer.of(mathematics, sign) if isinstance(mathematics, Line) else printer.print(mathematics)
    shown = re.sub(r"(?<=\d)⋅(?=\d)", "·", str(form)).replace("⋅", " ").replace("-", "−")
    return "\n".join(row.rstrip() for row in shown.splitlines())


class _Text(PrettyPrinter):
    """SymPy's own printer, nearer to a book: eˣ and √(…) on one row, indices below, sums without a range."""

    _print: Any  # which SymPy does not type well

    depth = 0
    """How many brackets, roots and exponents are around: within them a fraction stays on its row."""

    @classmethod
    def print(cls, mathematics: Any) -> prettyForm:
        return cls({"order": "none", "use_unicode": True, "wrap_line": False, "full_prec": False})._print(mathematics)

    @classmethod
    def of(cls, line: Line, sign: str) -> prettyForm:
        forms = [] if line.target is None else [cls.print(line.target), f" {sign} "]
        forms.append(cls.print(line.value))
        for each in line.where:
            forms += [",   ", cls.print(each)]
        return _row(*forms)

    def inside(self, expression: Any, level: str) -> prettyForm:
        """A part of a larger one, in brackets if it binds less."""
        if precedence(expression) < PRECEDENCE[level]:
            return _brackets(self.deeper(expression))
        return self._print(expression)

    def deeper(self, *expressions: Any, between: str = ", ") -> prettyForm:
        """What stands in brackets or in an exponent."""
        self.depth += 1
        forms = [form for each in expressions for form in (between, self._print(each))]
        self.depth -= 1
        return _row(*forms[1:])

    def _print_Symbol(self, e, **options):
        letter, index = parts(e)
        shown = letter if "_" in letter else str(pretty_symbol(letter))
        return prettyForm(
            shown + (index.translate(LOWERED) if _all_in(LOWERED, index) else f"_{index}" if index else "")
        )

    def _print_Float(self, e):
        shown, power = digits(e)
        return prettyForm("⋅".join([shown] * bool(shown) + [f"10{power.translate(RAISED)}"] * bool(power)))

    def _print_Mul(self, e):
        front, sums = apart(e)
        if sums != 1:
            return _row(self._print(front), " ", self.inside(sums, "Mul"), binding=prettyForm.MUL)
        negative, above, below = split(e)
        form = self.quotient(above, below) if below else self.factors(above)
        return _row("-", form, binding=prettyForm.NEG) if negative else form

    def factors(self, parts: list) -> prettyForm:
        """A product; a single factor keeps its brackets off."""
        if len(parts) == 1:
            return self._print(parts[0])
        forms = [form for part in parts for form in ("⋅", self.inside(part, "Mul"))]
        return _row(*forms[1:], binding=prettyForm.MUL) if parts else prettyForm("1")

    def quotient(self, above: list, below: list) -> prettyForm:
        if above in ([], [1]) and below == [2]:
            return prettyForm("½")
        if self.depth:
            top, bottom = (
                sp.Mul(*side, evaluate=False) if len(side) > 1 else side[0] for side in (above or [sp.S.One], below)
            )
            flat = _row(self.inside(top, "Mul"), "/", self.inside(bottom, "Pow"), binding=prettyForm.MUL)
            if flat.height() == 1:
                return flat
        return self.factors(above) / self.factors(below)

    def _print_Rational(self, e):
        if e.q == 1:
            return super()._print_Atom(e)
        minus, above = e < 0, [sp.Integer(abs(e.p))]
        form = self.quotient(above, [sp.Integer(e.q)])
        return _row("-", form, binding=prettyForm.NEG) if minus else form

    _print_Half = _print_Rational

    def _print_Pow(self, e):
        if e.exp == -1:
            return self.quotient([], [e.base])
        if e.exp == sp.S.Half and (inner := self.deeper(e.base)).height() == 1:
            root = ["√", inner if e.base.is_Atom else _brackets(inner)]
            return _row(*root, binding=prettyForm.FUNC)
        if e.exp.is_Rational and e.exp < 0:
            return self.quotient([], [sp.Pow(e.base, -e.exp, evaluate=False)])
        if e.exp == sp.S.Half:
            return super()._print_Pow(e)
        return self.raised(self.inside(e.base, "Atom"), self.deeper(e.exp))

    def _print_ExpBase(self, e):
        exponent = self.deeper(e.args[0])
        fits = exponent.height() == 1 and _all_in(RAISED, exponent)
        return self.raised(prettyForm("e"), exponent) if fits else self._print_Function(e)

    def _print_Function(self, e, **options):
        name = {"log": "ln"}.get(e.func.__name__, e.func.__name__.lower())
        return self.applied(prettyForm(name), e.args)

    _print_Max = _print_Min = _print_log = _print_Function

    def _print_Apply(self, e):
        return self.applied(self._print(e.args[0]), e.args[1:])

    def applied(self, function: prettyForm, args: Any) -> prettyForm:
        return _row(function, _brackets(self.deeper(*args)), binding=prettyForm.FUNC)

    def _print_floor(self, e):
        inner = self.deeper(e.args[0])
        return _row("⌊", inner, "⌋") if inner.height() == 1 else super()._print_floor(e)

    def _print_Indexed(self, e):
        return self.lowered(self._print(e.base.label), self.deeper(*e.indices, between=","))

    def _print_Product(self, e):
        return _row(self.inside(e.args[0], "Mul"), " ", self.inside(e.args[1], "Mul"), binding=prettyForm.MUL)

    def _print_Entrywise(self, e):
        return _row(self.inside(e.args[0], "Mul"), " ⊙ ", self.inside(e.args[1], "Mul"), binding=prettyForm.MUL)

    def _print_Transposed(self, e):
        return self.raised(self.inside(e.args[0], "Atom"), prettyForm("T"))

    def _print_Indicator(self, e):
        return prettyForm(*self._print(e.args[0]).parens("[", "]"))

    def _print_Drawn(self, e):
        return _row(self._print(e.args[0]), " ~ ", self._print(e.args[1]))

    def _print_Within(self, e):
        return _row(self._print(e.args[0]), " ∈ ", self._print(e.args[1]))

    def _print_Partial(self, e):
        return _row("∂", self._print(e.args[0]), "/∂", self._print(e.args[1]))

    def _print_Sum(self, e):
        return self.big("Σ", [limit[0] for limit in e.limits], e.function)

    def _print_Over(self, e):
        name, body, *indices = e.args
        return self.big({"sum": "Σ"}.get(str(name), str(name)), indices, body)

    def big(self, sign: str, indices: list, body: Any) -> prettyForm:
        """An operator over indices, which stand beside it or below."""
        head = self.under(prettyForm(sign), self.deeper(*indices, between=","))
        return _row(head, " ", self.inside(body, "Mul"), binding=prettyForm.MUL)

    def _print_Piecewise(self, e):
        cases = [(self.deeper(value), self._condition(condition)) for value, condition in e.args]
        wide = max(value.width() for value, _ in cases)
        rows = [_row(value, " " * (wide - value.width() + 2), condition) for value, condition in cases]
        wide = max(row.width() for row in rows)
        column = []
        for row in rows:
            column += [" "] * (column != []) + [*str(_row(row, " " * (wide - row.width()))).splitlines()]
        form = prettyForm(*prettyForm("\n".join(f"{row:<{wide}}" for row in column)).parens("{", ""))
        form.baseline, form.binding = form.height() // 2, prettyForm.OPEN
        return form

    def _condition(self, condition: Any) -> prettyForm:
        return prettyForm("otherwise") if condition == True else _row("for ", self._print(condition))  # noqa: E712

    def raised(self, base: prettyForm, exponent: prettyForm) -> prettyForm:
        """A power: on one row if Unicode has the letters."""
        if base.height() == 1 and _all_in(RAISED, exponent):
            return _row(base, str(exponent).replace(" ", "").translate(RAISED), binding=prettyForm.POW)
        return base**exponent

    def lowered(self, base: prettyForm, index: prettyForm) -> prettyForm:
        """With an index: on the same row if Unicode has the letters, else on the next."""
        if _all_in(LOWERED, index):
            return _row(base, str(index).replace(" ", "").translate(LOWERED), binding=prettyForm.ATOM)
        rows = [" " * index.width()] * (base.height() - base.baseline) + str(index).splitlines()
        return _row(base, prettyForm("\n".join(rows)), binding=prettyForm.ATOM)

    def under(self, sign: prettyForm, indices: prettyForm) -> prettyForm:
        """A sign with its indices: beside it if Unicode has the letters, else below it."""
        if _all_in(LOWERED, indices):
            return self.lowered(sign, indices)
        head = prettyForm(*sign.below(indices))
        head.baseline = 0
        return head


class _Row(_Text):
    """The same on one row: fractions with a stroke, cases one after another, ^ and _ where Unicode has no letters."""

    depth = 1

    def raised(self, base, exponent):
        if _all_in(RAISED, exponent):
            return super().raised(base, exponent)
        return _row(base, "^", _whole(exponent), binding=prettyForm.POW)

    def lowered(self, base, index):
        if _all_in(LOWERED, index):
            return super().lowered(base, index)
        return _row(base, "_", _whole(index), binding=prettyForm.ATOM)

    def under(self, sign, indices):
        return self.lowered(sign, indices)

    def _print_Piecewise(self, e):
        cases = [_row(self.deeper(value), " ", self._condition(condition)) for value, condition in e.args]
        return _row(*[form for case in cases for form in (", ", case)][1:])


def _whole(form: prettyForm) -> prettyForm:
    """In brackets, if it is of several words."""
    return _brackets(form) if re.search("[ ⋅/]", str(form)) else form


def _row(*forms: Any, binding: int = prettyForm.OPEN) -> prettyForm:
    return prettyForm(*prettyForm.next(*forms), binding=binding)


def _brackets(form: prettyForm) -> prettyForm:
    return prettyForm(*form.parens())


def _all_in(letters: dict, form: Any) -> bool:
    return "\n" not in str(form) and all(ord(letter) in letters for letter in str(form).replace(" ", ""))
