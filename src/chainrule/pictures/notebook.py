"""What notebooks show: a formula as mathematics, a network as a table, a model with its curves."""

import base64
from html import escape
from itertools import zip_longest

from chainrule.formula.base import Formula
from chainrule.formula.layer import Branches, Chain
from chainrule.formula.repeat import Repeat
from chainrule.layers import Frozen
from chainrule.model import Model
from chainrule.model.summary import Summary, outline
from chainrule.textbook.equations import Equation, aligned, derivatives, equations
from chainrule.textbook.page import parts_of

ROW = "display: flex; align-items: center; gap: 2em; width: max-content; padding: 0.35em 0"
"""Of an equation: on the left, apart from the next."""


def mathematics(formula: Formula) -> str:
    r"""A formula with its numbers, in LaTeX between dollars.

    >>> from chainrule.activations import LeakyReLU
    >>> print(mathematics(LeakyReLU(0.2)))
    $\displaystyle f\left(x\right) = \begin{cases} x & \text{for}\: x > 0 \\0.2 \, x & \text{otherwise} \end{cases}$
    """
    return rf"$\displaystyle {aligned(equations(formula, values=True))}$"


def formula(shown: Formula) -> str:
    """A formula with its numbers and its derivative, as MathML, and those that it is made of below it."""
    return f"<div>{_rows(equations(shown, values=True))}{_rows(derivatives(shown, values=True))}{_parts(shown)}</div>"


def network(chain: Chain) -> str:
    """A table with a row for each layer: its notation and its mathematics."""
    return _table(("layer", "formula"), [(_code(repr(layer)), _equations(layer)) for layer in chain.layers])


def model(trained: Model) -> str:
    """A table of the layers with shapes and numbers of parameters, and the learning curves."""
    layers = [layer for _, layer in outline(trained.network, trained.input_shape)]
    whole = (Branches, Repeat, Frozen)  # whose parts have rows of their own
    shown = ["formula", *(_own(layer) if isinstance(layer, whole) else _equations(layer) for layer in layers)]
    cells = zip_longest(_cells(trained.summary()), shown, fillvalue="")
    head, *cells = [(name, equation, *rest) for (name, *rest), equation in cells]
    terms = (("cost", trained.cost), ("regularizer", trained.regularizer))
    said = ", ".join(f"{name} <code>{escape(str(term))}</code>" for name, term in terms if term is not None)
    return _table(head, cells) + f"<p>{said}</p>" + _curves(trained)


def summary(rows: Summary) -> str:
    """A table of the layers with shapes and numbers of parameters."""
    head, *cells = _cells(rows)
    return _table(head, cells)


def _cells(rows: Summary) -> list[tuple[str, ...]]:
    """A summary as HTML: names of columns, a row for each layer, and the sums."""
    cells = [(_code(row.layer), " × ".join(map(str, row.output_shape)), f"{row.parameters:,}") for row in rows]
    return [("layer", "output", "parameters"), *cells, *(("", label, f"{number:,}") for label, number in rows.totals)]


def _curves(trained: Model) -> str:
    if not len(trained.history):
        return ""
    from chainrule.pictures.results import curves

    picture = base64.b64encode(curves(trained.history)).decode()
    return f'<img alt="learning curves" style="max-width: 100%; height: 21em" src="data:image/png;base64,{picture}">'


def _code(notation: str) -> str:
    return f'<code style="white-space: pre">{escape(notation)}</code>'


def _equations(formula: Formula) -> str:
    return _own(formula) + _parts(formula)


def _own(formula: Formula) -> str:
    return _rows(equations(formula, values=True))


def _parts(formula: Formula) -> str:
    """The formulas that one is made of: below their notation their equations."""
    return "".join(f"<div>{_code(name)}</div>{_equations(part)}" for name, part in parts_of(formula).items())


def _rows(shown: list[Equation]) -> str:
    """Equations one below the other, with their remarks."""
    remarks = [f"<span>{escape(each.remark)}</span>" * bool(each.remark) for each in shown]
    rows = [f'<div style="{ROW}">{each.mathml()}{remark}</div>' for each, remark in zip(shown, remarks, strict=True)]
    return "".join(rows)


def _table(names: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table of cells that are HTML already."""
    head = "".join(f'<th style="text-align: left">{name}</th>' for name in names)
    body = "".join(
        "<tr>" + "".join(f'<td style="text-align: left">{cell}</td>' for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
