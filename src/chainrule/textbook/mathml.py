"""A formula as MathML, for web pages: a whole `<math>` element."""

# pyright: reportIncompatibleMethodOverride=false
# ruff: noqa: N802, N815

from html import escape, unescape
from typing import Any
from xml.dom.minidom import Element

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

THIN = 0.17
"""Of a space between factors, in the width of an M."""


class _MathML(MathMLPresentationPrinter):
    _print: Any  # which SymPy does not type well

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

    def bracketed(self, parts: Any) -> Element:
        return self.row("(", self.listed(parts), ")")  # a row of its own, or browsers take brackets for operators

    def inside(self, expression: Any, level: str) -> Element:
        printed = self._print(expression)
        return self.row("(", printed, ")") if precedence(expression) < PRECEDENCE[level] else printed

    def _print_Float(self, expr):
        shown, power = digits(expr)
        raised = self.row(self.leaf("mn", "10"), self.leaf("mn", power.replace("-", "−")), tag="msup")
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
            return self.row(self._print(front), self._print(sums))
        negative, above, below = split(expr)
        shown = self.factors(above)
        if below:
            shown = self.row(shown, self.factors(below), tag="mfrac")
        return self.row("−", shown) if negative else shown

    def factors(self, parts: list) -> Element:
        if len(parts) == 1:
            return self._print(parts[0])
        return self.spaced(parts) if parts else self.leaf("mn", "1")

    def spaced(self, parts: Any) -> Element:
        """Factors with a little room between them, so that words stay apart."""
        elements = [element for part in parts for element in (self.space(THIN), self.inside(part, "Mul"))]
        return self.row(*elements[1:])

    def _print_Symbol(self, sym, style="plain"):
        letter, index = parts(sym)
        if letter.endswith("′"):
            return self.row(self.leaf("mi", letter[:-1]), "′")
        if letter.startswith("∇"):
            return self.row(self.leaf("mi", "∇"), self.leaf("mi", letter[1:]))
        text = letter if "_" in letter else str(pretty_symbol(letter))
        shown = self.leaf("mi", text.removesuffix(HAT))
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
        printed: Any = super()._print_Pow(expr)
        base = printed.firstChild
        if printed.tagName != "msup" or base.tagName != "msub":
            return printed
        return self.row(*base.childNodes, printed.lastChild, tag="msubsup")  # the power above the index, not behind it

    def _print_Indexed(self, e):
        return self.row(self._print(e.base.label), self.listed(e.indices), tag="msub")

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


FOR = "for\u00a0"
"""With a space that browsers keep."""

SIGNS = {"ⅇ": "e", "-": "−", "~": "∼"}
"""What browsers show better."""


def _xml(node: Any) -> str:
    """An element as text, with every letter as itself: SymPy's own writing leaves `<` bare and names entities."""
    if node.nodeType == node.TEXT_NODE:
        text = unescape(node.data)
        return escape(SIGNS.get(text, text), quote=False)
    attributes = "".join(f' {name}="{escape(value)}"' for name, value in node.attributes.items())
    attributes += ' stretchy="false"' * _is_small(node)
    return f"<{node.tagName}{attributes}>{''.join(map(_xml, node.childNodes))}</{node.tagName}>"


TALL = ("mfrac", "mtable", "munder", "msqrt")


def _is_small(node: Any) -> bool:
    """Whether it is a bracket around a row of letters, or a hat, to which browsers would give too much room."""
    if node.tagName != "mo" or node.firstChild.data not in "()[]|^":
        return False
    return not any(node.parentNode.getElementsByTagName(tag) for tag in TALL)
