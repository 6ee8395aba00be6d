"""What holds for every formula's textbook form: it can be shown, in every way in which formulas are shown."""

import xml.etree.ElementTree as ElementTree

import pytest
import sympy as sp

from chainrule.textbook.equations import aligned, derivatives, equations
from chainrule.textbook.expression import expression, lines, textbook_of
from chainrule.textbook.page import page


@pytest.fixture(params=["letters", "numbers"])
def shown(request, formula, made):
    """The class, whose fields are letters, and an example of it, whose fields are numbers."""
    return formula if request.param == "letters" else made


def test_it_becomes_an_expression(shown):
    assert isinstance(expression(shown, values=True), sp.Basic)
    assert len(lines(shown)) == len([line for line in textbook_of(shown).splitlines() if line.strip()])


@pytest.mark.by_turns(3)
def test_it_is_shown_as_text_latex_and_mathml(shown):
    for equation in [*equations(shown, values=True), *derivatives(shown, values=True)]:
        text = equation.text()
        assert text.strip()
        assert not any(ugly in text for ugly in ("**", "Sum(", "Apply", "Piecewise", "Indexed", "_initializer", "⋅"))
        latex = equation.latex()
        assert latex.count("{") == latex.count("}")
        assert latex.count(r"\left") == latex.count(r"\right") + latex.count(r"\leftarrow")
        assert not any(ugly in latex for ugly in ("**", "Sum", "Apply", "mathtt"))
        root = ElementTree.fromstring(equation.mathml())
        assert root.tag == "{http://www.w3.org/1998/Math/MathML}math"
        assert "".join(root.itertext()).strip()
    assert aligned(equations(shown)).startswith((r"\begin{aligned}", equations(shown)[0].latex()[:5]))


@pytest.mark.by_turns(3)
def test_it_has_a_page(shown, formula):
    shown = page(shown)
    assert shown.name == formula.__name__
    assert shown.title == formula.title()
    assert all(row.allowed and (row.default or row.value) for row in shown.fields)
    assert shown.notation.startswith(formula.__name__) or any(sign in shown.notation for sign in (">>", "+", "*", "|"))


def test_a_notebook_shows_it(made):
    assert (made._repr_latex_() or "").startswith(r"$\displaystyle ")
