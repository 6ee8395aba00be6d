"""What notebooks show: a formula as mathematics, a network as a table, a model with its curves."""

import base64
from html import escape

from chainrule.formula import Formula
from chainrule.layer import Chain
from chainrule.model import Model
from chainrule.textbook.equations import aligned, equations


def mathematics(formula: Formula) -> str:
    r"""A formula with its numbers, in LaTeX between dollars.

    >>> from chainrule.activations import LeakyReLU
    >>> print(mathematics(LeakyReLU(0.2)))
    $\displaystyle f\left(x\right) = \begin{cases} x & \text{for}\: x > 0 \\0.2 \, x & \text{otherwise} \end{cases}$
    """
    return rf"$\displaystyle {aligned(equations(formula, values=True))}$"


def network(chain: Chain) -> str:
    """A table with a row for each layer: its notation and its mathematics."""
    return _table(("layer", "formula"), [(_code(layer), _equations(layer)) for layer in chain.layers])


def model(trained: Model) -> str:
    """A table of the layers with shapes and numbers of parameters, and the learning curves."""
    rows = trained.summary()
    cells = [
        (_code(layer), _equations(layer), " × ".join(map(str, row.output_shape)), f"{row.parameters:,}")
        for layer, row in zip(trained.network.layers, rows, strict=True)
    ]
    cells.append(("", "", "", f"{sum(row.parameters for row in rows):,}"))
    terms = (("cost", trained.cost), ("regularizer", trained.regularizer))
    said = ", ".join(f"{name} <code>{escape(str(term))}</code>" for name, term in terms if term is not None)
    return _table(("layer", "formula", "output", "parameters"), cells) + f"<p>{said}</p>" + _curves(trained)


def _curves(trained: Model) -> str:
    if not len(trained.history):
        return ""
    from chainrule.pictures import curves

    picture = base64.b64encode(curves(trained.history)).decode()
    return f'<img alt="learning curves" style="max-width: 100%; height: 21em" src="data:image/png;base64,{picture}">'


def _code(formula: Formula) -> str:
    return f"<code>{escape(repr(formula))}</code>"


def _equations(formula: Formula) -> str:
    return "".join(equation.mathml() for equation in equations(formula, values=True))


def _table(names: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table of cells that are HTML already."""
    head = "".join(f'<th style="text-align: left">{name}</th>' for name in names)
    body = "".join(
        "<tr>" + "".join(f'<td style="text-align: left">{cell}</td>' for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
