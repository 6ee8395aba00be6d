"""A formula as MathML, for web pages: a whole `<math>` element."""

# pyright: reportIncompatibleMethodOverride=false
# ruff: noqa: N802, N815

from html import escape, unescape
from itertools import pairwise
from typing import Any
from xml.dom.minidom import Element

import sympy as sp
from sympy.printing.mathml import MathMLPresentationPrinter
from sympy.printing.precedence import PRECEDENCE, precedence
from sympy.printing.pretty.pretty_symbology import pretty_symbol

from chainrule.textbook.expression import Line
from chainrule.textbook.letters import parts
from chainrule.textbook.mathematics import Math, apart, digits, split


def mathml(mathematics: Math | Line, sign: str = "=") -> str:
    """An expression, or a line with the sign after its target, as MathML.

    >>> from chainrule.textbook.letters import symbol
    >>> mathml(symbol("x"))
    '<math xmlns="http://www.w3.org/1998/Math/MathML" display="block"><mi>x</mi></math>'
    """
    printer = _MathML({"order": "none"})
    body = printer.of(mathematics, sign) if isinstance(mathematics, Line) else [printer._print(mathematics)]
    inner = "".join(map(_xml, body))
    return f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">{inner}</math>'


HAT = "\u0302"
"""What SymPy puts behind a letter with a hat."""

THIN, WIDE = 0.17, 0.33
"""Of a space between factors, in the width of an M; the wide one is beside words."""


class _MathML(MathMLPresentationPrinter):
    _print: Any  # which SymPy does not type well
    flat = False  # within indices and powers, where fractions are on one line

    def of(self, line: Line, sign: str) -> list[Element]:
        target = [] if line.target is None else [self._print(line.target), self.leaf("mo", sign)]
        rest = [part for each in line.where for part in (self.leaf("mo", ","), self.space(1), self._print(each))]
        return [*target, self._print(line.value), *rest]

    def leaf(self, tag: str, text: str) -> Element:
        element = self.dom.createElement(tag)
        element.appendChild(self.dom.createTextNode(text))
        return element

    def space(self, width: float) -> Element:
        element = self.dom.createElement("mspace")
        element.setAttribute("width", f"{width}em")
        return element

    def row(self, *parts: Element | str, tag: str = "mrow") -> Element:
        element = self.dom.createElement(tag)
        for part in parts:
            element.appendChild(self.leaf("mo", part) if isinstance(part, str) else part)
        return element

    def listed(self, parts: Any) -> Element:
        elements = [element for part in parts for element in (",", self._print(part))]
        return self.row(*elements[1:])

    def small(self, parts: Any) -> Element:
        """An index or a power."""
        before, self.flat = self.flat, True
        listed = self.listed(parts)
        self.flat = before
        return listed

    def bracketed(self, parts: Any) -> Element:
        return self.row("(", self.listed(parts), ")")  # a row of its own, or browsers take brackets for operators

    def inside(self, expression: Any, level: str) -> Element:
        printed = self._print(expression)
        return self.row("(", printed, ")") if precedence(expression) < PRECEDENCE[level] else printed

    def _print_Float(self, expr):
        shown, power = digits(expr)
        raised = self.row(self.leaf("mn", "10"), self.leaf("mn", power), tag="msup")
        return (
            self.row(self.leaf("mn", shown), "·", raised)
            if shown and power
            else raised
            if power
            else self.leaf("mn", shown)
        )

    def _print_Mul(self, expr):
        front, sums = apart(expr)
        if sums != 1:
            before = self.row("(", self._print(front), ")") if self.flat else self._print(front)
            return self.row(before, self._print(sums))
        negative, above, below = split(expr)
        shown = self.fraction(above, below) if below else self.factors(above)
        return self.row("−", shown) if negative else shown

    def fraction(self, above: list, below: list) -> Element:
        if not self.flat:
            return self.row(self.factors(above), self.factors(below), tag="mfrac")
        divisor = self.row("(", self.spaced(below), ")") if len(below) > 1 else self.inside(below[0], "Pow")
        return self.row(self.spaced(above) if above else self.leaf("mn", "1"), self.slash(), divisor)

    def slash(self) -> Element:
        element = self.leaf("mo", "/")
        for side in ("lspace", "rspace"):
            element.setAttribute(side, "0")
        return element

    def factors(self, parts: list) -> Element:
        if len(parts) == 1:
            return self._print(parts[0])
        return self.spaced(parts) if parts else self.leaf("mn", "1")

    def spaced(self, parts: Any) -> Element:
        """Factors with a little room between them, and with more where one is a word."""
        elements = [self.inside(parts[0], "Mul")]
        for before, part in pairwise(parts):
            elements += [self.space(WIDE if is_word(before) or is_word(part) else THIN), self.inside(part, "Mul")]
        return self.row(*elements)

    def _get_printed_Rational(self, e, folded=None):
        if not self.flat:
            return super()._get_printed_Rational(e, folded)
        shown = self.row(self.leaf("mn", str(abs(e.p))), self.slash(), self.leaf("mn", str(e.q)))
        return self.row("−", shown) if e.p < 0 else shown

    def _print_Symbol(self, sym, style="plain"):
        letter, index = parts(sym)
        if letter.endswith("′"):
            return self.row(self.leaf("mi", letter[:-1]), "′")
        if letter.startswith("∇"):
            return self.row("∇", self.leaf("mi", letter[1:]))
        text = sign(letter)
        shown = self.leaf("mi", text.removesuffix(HAT))
        if "Α" <= text <= "Ω":
            shown.setAttribute("mathvariant", "normal")  # or browsers take another font's
        if text.endswith(HAT):
            shown = self.row(shown, "^", tag="mover")
        return self.row(shown, self.leaf("mi", index), tag="msub") if index else shown

    def _print_Apply(self, e):
        function, *args = e.args
        return self.row(self._print(function), self.bracketed(args))

    def _print_Function(self, e):
        name = str(e.func.__name__).lower().replace("log", "ln")
        return self.row(self.leaf("mi", name), self.bracketed(e.args))

    _print_Max = _print_Min = _print_log = _print_Function

    def _print_Pow(self, expr):
        if expr.exp.is_Rational and expr.exp < 0:
            return self.fraction([], [sp.Pow(expr.base, -expr.exp, evaluate=False) if expr.exp != -1 else expr.base])
        printed: Any = super()._print_Pow(expr)
        base = printed.firstChild
        if printed.tagName != "msup":
            return printed
        if base.tagName != "msub":
            return self.row(base, self.small([expr.exp]), tag="msup")
        return self.row(*base.childNodes, self.small([expr.exp]), tag="msubsup")  # the power above the index

    def _print_exp(self, expr):
        return self.row(self.leaf("mi", "e"), self.small(expr.args), tag="msup")

    def _print_Indexed(self, e):
        return self.row(self._print(e.base.label), self.small(e.indices), tag="msub")

    def _print_Product(self, e):
        return self.spaced(e.args)

    def _print_Entrywise(self, e):
        return self.row(self.inside(e.args[0], "Mul"), "⊙", self.inside(e.args[1], "Mul"))

    def _print_Transposed(self, e):
        return self.row(self.inside(e.args[0], "Atom"), self.leaf("mi", "⊤"), tag="msup")

    def _print_Indicator(self, e):
        return self.row("[", self._print(e.args[0]), "]")

    def _print_Drawn(self, e):
        return self.row(self._print(e.args[0]), "~", self._print(e.args[1]))

    def _print_Within(self, e):
        return self.row(self._print(e.args[0]), "∈", self._print(e.args[1]))

    def _print_Partial(self, e):
        return self.row(*(self.row("∂", self._print(part)) for part in e.args), tag="mfrac")

    def _print_Sum(self, e):
        return self.big("∑", [limit[0] for limit in e.limits], e.function)

    def _print_Over(self, e):
        name, body, *indices = e.args
        return self.big({"sum": "∑"}.get(str(name), str(name)), indices, body)

    def big(self, sign: str, indices: list, body: Any) -> Element:
        below = self.row(self.leaf("mo", sign), self.listed(indices), tag="munder")
        return self.row(below, self.inside(body, "Mul"))

    def _print_Piecewise(self, e):
        rows = []
        for value, condition in e.args:
            known = condition == True  # noqa: E712
            said = [self.leaf("mtext", "otherwise")] if known else [self.leaf("mtext", FOR), self._print(condition)]
            cells = [self.row(self._print(value), tag="mtd"), self.row(*said, tag="mtd")]
            rows.append(self.row(*cells, tag="mtr"))
        return self.row("{", self.row(*rows, tag="mtable"))

    def _print_And(self, expr):
        return self.joined("and", expr)

    def _print_Or(self, expr):
        return self.joined("or", expr)

    def joined(self, word: str, conditions: Any) -> Element:
        """Conditions with a word between them."""
        first, *rest = [self._print(each) for each in sorted(conditions.args, key=sp.default_sort_key)]
        said = f"\u00a0{word}\u00a0"
        return self.row(first, *(part for each in rest for part in (self.leaf("mtext", said), each)))


FOR = "for\u00a0"
"""With a space that browsers keep."""

SIGNS = {"-": "−", "~": "∼"}
"""What browsers show better."""


def sign(letter: str) -> str:
    """What is printed for the name of a letter; a word is itself."""
    return letter if "_" in letter else str(pretty_symbol(letter))


def is_word(part: Any) -> bool:
    """Whether it is a word, beside which a space is seen as that between words."""
    return part.is_Symbol and len(sign(parts(part)[0]).removesuffix(HAT)) > 1


def _xml(node: Any) -> str:
    """An element as text, with every letter as itself: SymPy's own writing leaves `<` bare and names entities."""
    if node.nodeType == node.TEXT_NODE:
        text = unescape(node.data)
        shown = text.replace("-", "−") if node.parentNode.tagName == "mn" else SIGNS.get(text, text)
        return escape(shown, quote=False)
    attributes = "".join(f' {name}="{escape(value)}"' for name, value in node.attributes.items())
    attributes += ' stretchy="false"' * _is_small(node)
    return f"<{node.tagName}{attributes}>{''.join(map(_xml, node.childNodes))}</{node.tagName}>"


TALL = ("mfrac", "mtable", "munder", "msqrt")


def _is_small(node: Any) -> bool:
    """Whether it is a bracket around a row of letters, or a hat, to which browsers would give too much room."""
    if node.tagName != "mo" or node.firstChild.data not in "()[]|^":
        return False
    return not any(node.parentNode.getElementsByTagName(tag) for tag in TALL)
