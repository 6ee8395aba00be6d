"""A formula as a picture, for slides: its equations, and its curves if it has any."""

import functools
import re
from typing import Any

from chainrule.formula.base import Formula
from chainrule.pictures.style import COLOURS, INK, dress, saved
from chainrule.textbook.curves import curves
from chainrule.textbook.equations import Equation, derivatives, equations
from chainrule.textbook.page import with_defaults

SIZE = 18
"""Of the mathematics, in points."""

SMALL_BRACKETS = re.compile(r"\\left\(((?:(?!\\left|\\right|\\dfrac|\\sum).)*)\\right\)")
"""Brackets around a row of letters, which Matplotlib would make too small."""

MARGIN, GAP, PANEL = 0.3, 0.25, (5.4, 2.8)
"""Around everything, between equations, and of the curves: in inches."""


def picture(formula: type[Formula] | Formula) -> bytes:
    """The bytes of a PNG file with a formula's equations and derivatives, and below them its curves."""
    from matplotlib.figure import Figure

    values = not isinstance(formula, type)
    rows = [mathtext(each) for each in (*equations(formula, values), *derivatives(formula, values))]
    example = formula if isinstance(formula, Formula) else with_defaults(formula)
    drawn = curves(example) if example else {}
    sizes = [_size(row) for row in rows]
    wide = max([width for width, _ in sizes] + [PANEL[0]] * bool(drawn)) + 2 * MARGIN
    high = sum(height + GAP for _, height in sizes) - GAP + 2 * MARGIN + (PANEL[1] + GAP) * bool(drawn)
    figure = Figure(figsize=(wide, high), dpi=200)
    top = high - MARGIN
    for row, (_, height) in zip(rows, sizes, strict=True):
        middle = (top - height / 2) / high
        figure.text(MARGIN / wide, middle, row, size=SIZE, color=INK, va="center", math_fontfamily="cm")
        top -= height + GAP
    if drawn:
        axis = figure.add_axes((0.55 / wide, 0.5 / high, (wide - 0.75) / wide, (PANEL[1] - 0.45) / high))
        dress(axis)
        for (name, curve), colour in zip(drawn.items(), COLOURS, strict=False):
            axis.plot(*curve, color=colour, linewidth=2.2, label=f"${name}$".replace("′", "'").replace("η", r"\eta"))
        axis.set_xlabel("step t" if "η(t)" in drawn else "x", color=INK)
        axis.legend(frameon=False, fontsize=12)
    return saved(figure)


def mathtext(equation: Equation) -> str:
    """An equation for Matplotlib, whose mathematics is a part of LaTeX without cases."""
    text = equation.latex().replace(r"\top", "T").replace(r"\frac", r"\dfrac")
    text = re.sub(r"\^\{[^{}]*\\dfrac", lambda found: found[0].replace(r"\dfrac", r"\frac"), text)
    text = re.sub(r"\\begin\{cases\}(.*?)\\end\{cases\}", lambda found: _cases(found[1]), text)
    while text != (text := SMALL_BRACKETS.sub(r"(\1)", text)):
        pass
    remark = rf"\qquad \mathrm{{({equation.remark})}}".replace(" ", r"\ ") if equation.remark else ""
    return f"${text}{remark}$"


def _cases(body: str) -> str:
    """Cases as a fraction without its bar, behind a brace; spaces make its columns flush left."""
    body = body.replace(r"\text{for}\:", r"\mathrm{for}\ ").replace(r"\text{otherwise}", r"\mathrm{otherwise}")
    rows = [row.split("&") for row in re.split(r"\\\\", body)]
    padded = ["".join(cells) for cells in zip(*(_flush(column) for column in zip(*rows, strict=True)), strict=True)]
    stacked = padded.pop()
    while padded:
        stacked = rf"\genfrac{{}}{{}}{{0}}{{0}}{{{padded.pop()}}}{{{stacked}}}"
    return rf"\left\{{{stacked}\right."


def _flush(cells: tuple[str, ...]) -> list[str]:
    """Cells of the same width, with room behind them."""
    widths = [_size(f"${cell}$")[0] for cell in cells]
    return [
        rf"{cell}\hspace{{{1 + (max(widths) - width) / _em():.3f}}}" for cell, width in zip(cells, widths, strict=True)
    ]


@functools.cache
def _em() -> float:
    """The unit of Matplotlib's spaces, in inches."""
    return (_size(r"$x\hspace{10}x$")[0] - _size("$xx$")[0]) / 10


def _size(row: str) -> tuple[float, float]:
    """The width and height of mathematics, in inches."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.mathtext import MathTextParser

    parsed: Any = MathTextParser("path").parse(row, dpi=72, prop=FontProperties(size=SIZE, math_fontfamily="cm"))
    return parsed.width / 72, (parsed.height + parsed.depth) / 72
