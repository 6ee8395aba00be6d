"""Formulas side by side in one figure: activations and their derivatives, or schedules."""

from collections.abc import Sequence
from typing import Any

from chainrule.formula.base import Formula
from chainrule.optimizers.schedules import Schedule
from chainrule.pictures.style import INK, canvas, saved
from chainrule.textbook.curves import curves, steps_of

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#22313f")
"""Colours that the colour-blind can tell apart (Okabe & Ito, 2008)."""

DASHES = ("-", "--", ":", "-.")


def comparison(formulas: Sequence[Formula], *, derivative: bool, low: float, high: float, kind: str) -> bytes:
    """The bytes of a figure of scalar activations from low to high, or of schedules over their steps.

    Args:
        formulas: of one family.
        derivative: whether a second panel shows the derivatives.
        kind: the file's format: png, svg or pdf.
    """
    if isinstance(formulas[0], Schedule):
        longest = max(steps_of(each) for each in formulas if isinstance(each, Schedule))
        drawn = [curves(each, steps=longest) for each in formulas]
        panels = {"η(t)": "step t"}
    else:
        drawn = [curves(each, low, high) for each in formulas]
        panels = {"f(x)": "x"} | ({"f′(x)": "x"} if derivative else {})
    figure, axes = canvas(len(panels), (5.2 * len(panels), 4.2))
    for axis, (name, across) in zip(axes, panels.items(), strict=True):
        for number, (formula, shown) in enumerate(zip(formulas, drawn, strict=True)):
            colour, dashes = PALETTE[number % len(PALETTE)], DASHES[number // len(PALETTE) % len(DASHES)]
            width = width_of(number, len(formulas))
            axis.plot(*shown[name], color=colour, linestyle=dashes, linewidth=width, label=label(formula))
        for line in (axis.axhline, axis.axvline) if across == "x" else ():
            line(0, color=INK, linewidth=0.8, zorder=1)
        axis.set_xlabel(across)
        axis.set_title(f"${name}$".replace("′", "'").replace("η", r"\eta"), math_fontfamily="cm", fontsize=15)
        axis.margins(x=0)
    legend(figure, axes[0])
    return saved(figure, kind)


def width_of(number: int, of: int) -> float:
    """The width of a line: each a little thinner than those below it, so that these still show."""
    return 3.6 - 2 * number / max(of - 1, 1)


def legend(figure: Any, axis: Any, title: str | None = None) -> None:
    """The names of an axis's lines below the figure, in as many columns as fit."""
    handles, labels = axis.get_legend_handles_labels()
    room = figure.get_figwidth() / (0.6 + 0.085 * max(map(len, labels)))
    columns = min(len(labels), max(int(room), 1))
    columns = -(-len(labels) // -(-len(labels) // columns))  # rows of nearly the same length
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False, title=title)


def label(formula: Formula) -> str:
    """The name of a formula with its defaults; else its notation."""
    name = type(formula).__name__
    try:
        return name if formula == type(formula)() else repr(formula)
    except TypeError:  # a field without a default
        return repr(formula)
