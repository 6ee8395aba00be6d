"""Many formulas on a sheet: each activation, or schedule, in a small panel of its own, all on the same axes."""

import math
from collections.abc import Sequence

from chainrule.formula.base import Formula
from chainrule.notation.families import members
from chainrule.pictures.comparison import label
from chainrule.pictures.style import INK, PALETTE, dress, saved
from chainrule.textbook.curves import curves
from chainrule.textbook.page import with_defaults

COLUMNS, PANEL = 6, (2.1, 1.9)
"""Panels in a row, and the size of one in inches."""

HEIGHTS = (-2.0, 4.0)
"""Of activations: what all of them reach between −4 and 4, and no steep one hides the others."""


def activations() -> tuple[list[Formula], list[str]]:
    """Every activation of one number, with its defaults; and the names of the others, which have no curve."""
    formulas = {kind.__name__: with_defaults(kind) for kind in members("activations")}
    drawn = {name: formula for name, formula in formulas.items() if formula and curves(formula, points=3)}
    return [*drawn.values()], sorted(formulas.keys() - drawn.keys())


def sheet(formulas: Sequence[Formula], *, derivative: bool, low: float, high: float, kind: str) -> bytes:
    """The bytes of a figure with a panel for each formula; arguments are those of `comparison`."""
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(formulas))
    rows = math.ceil(len(formulas) / columns)
    figure = Figure(figsize=(PANEL[0] * columns, PANEL[1] * rows), dpi=150, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, formula in zip(panels, formulas, strict=False):
        dress(axis)
        drawn = curves(formula, low, high)
        named = [name for name in drawn if derivative or name != "f′(x)"]
        for name, colour, width in zip(named, PALETTE, (1.8, 1.2), strict=False):
            axis.plot(*drawn[name], color=colour, linewidth=width, linestyle="--" if name == "f′(x)" else "-")
        if "f(x)" in drawn:
            axis.set_ylim(HEIGHTS)
            for line in (axis.axhline, axis.axvline):
                line(0, color=INK, linewidth=0.6, zorder=1)
        axis.margins(x=0)
        axis.tick_params(labelsize=6)
        axis.set_title(label(formula), fontsize=8, color=INK)
    for axis in panels[len(formulas) :]:
        axis.remove()
    return saved(figure, kind)
