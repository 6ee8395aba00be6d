"""Formulas side by side in one figure: activations and their derivatives, or schedules."""

from collections.abc import Sequence

from chainrule.formula.base import Formula
from chainrule.optimizers.schedules import Schedule
from chainrule.pictures.style import DASHES, INK, PALETTE, canvas, legend, saved, width_of
from chainrule.textbook.curves import curves, steps_of


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


def label(formula: Formula) -> str:
    """The name of a formula with its defaults; else its notation."""
    name = type(formula).__name__
    try:
        return name if formula == type(formula)() else repr(formula)
    except TypeError:  # a field without a default
        return repr(formula)
