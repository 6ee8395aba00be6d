"""The style that all pictures share, and their one way into a file."""

import io
import warnings
from typing import Any

INK, FAINT = "#22313f", "#d5dbe1"
COLOURS = ("#1f6fb4", "#d9662b")  # training, validation

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#22313f")
"""Colours that the colour-blind can tell apart (Okabe & Ito, 2008)."""

DASHES = ("-", "--", ":", "-.")


def canvas(panels: int, size: tuple[float, float] | None = None) -> tuple[Any, Any]:
    """An empty figure and its axes, in the style of all pictures."""
    from matplotlib.figure import Figure  # not pyplot: no window, no state between pictures

    figure = Figure(figsize=size or (4.8 * panels, 3.6), dpi=150, layout="constrained")
    axes = figure.subplots(1, panels, squeeze=False)[0]
    for axis in axes:
        dress(axis)
    return figure, axes


def dress(axis: Any) -> None:
    """Give axes the style of all pictures."""
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(color=FAINT, linewidth=0.6)
    axis.set_axisbelow(True)
    axis.tick_params(which="both", colors=INK)


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


def saved(figure: Any, kind: str = "png") -> bytes:
    """The bytes of a figure's file, the same for the same figure."""
    from matplotlib import rc_context

    file = io.BytesIO()
    stamps = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[kind]
    with warnings.catch_warnings(), rc_context({"svg.hashsalt": "chainrule"}):
        warnings.simplefilter("ignore")  # letters that the font lacks are drawn as boxes
        figure.savefig(file, format=kind, metadata=stamps)
    return file.getvalue()
