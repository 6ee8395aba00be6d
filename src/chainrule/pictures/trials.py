"""Many trainings in one picture: how candidates learn, and what each of their seeds came to."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from chainrule.errors import counted, cut, printable
from chainrule.pictures.style import DASHES, FAINT, INK, PALETTE, canvas, legend, saved

Columns = Mapping[str, Sequence[float]]

SHOWN = 7  # candidates with a colour and a band; the others are faint
FAR = 3.0  # interquartile ranges beyond the quartiles, where a dot would squeeze all others
EARLY = 10  # one epoch in so many, before which curves may leave their panel
WRAP = 44  # letters of a name in a line
GREY = "#8792a0"


class Row(NamedTuple):
    """A candidate and what its seeds came to.

    Attributes:
        name: what tells it from the others.
        values: of each seed; NaN where it diverged.
        mean, error: of those that did not, and its standard error.
        worse: whether it is surely worse than the best.
    """

    name: str
    values: Sequence[float]
    mean: float
    error: float
    worse: bool


def learning(histories: Mapping[str, Sequence[Columns]], measure: str, kind: str = "png") -> bytes:
    """The mean of each candidate's curves over its seeds, and one standard deviation to both sides, epoch by epoch.

    Where seeds stop at different epochs, the mean is of those that go on, as long as half of them do.

    Args:
        histories: by candidate, the best first, the columns of each seed's history.
        measure: what decides, shown beside the cost.
        kind: the file's format: png, svg or pdf.
    """
    had = {name for seeds in histories.values() for columns in seeds for name in columns}
    names = [
        next((name for name in (f"validation_{each}", each) if name in had), None)
        for each in dict.fromkeys(["cost", measure])
    ]
    shown = [name for name in names if name] or ["cost"]
    figure, axes = canvas(len(shown), (5.2 * len(shown), 4.4))
    faint = 0.5 / (min(len(histories), SHOWN) + 1)  # bands that lie on each other stay transparent
    for axis, column in zip(axes, shown, strict=True):
        curves = [
            _over_seeds([columns[column] for columns in seeds if column in columns]) for seeds in histories.values()
        ]
        for number, (name, (mean, spread)) in enumerate(zip(histories, curves, strict=True)):
            epochs = np.arange(1, len(mean) + 1)
            if number >= SHOWN:
                label = counted(len(curves) - SHOWN, "other", "others") if number == SHOWN else None
                axis.plot(epochs, mean, color=FAINT, linewidth=1, label=label, zorder=1)
                continue
            axis.fill_between(epochs, mean - spread, mean + spread, color=PALETTE[number], alpha=faint, linewidth=0)
            look = {"color": PALETTE[number], "linestyle": DASHES[number % len(DASHES)], "linewidth": 1.8}
            axis.plot(epochs, mean, **look, label=_plain(cut(name)), zorder=3 + SHOWN - number)
        _fit(axis, curves[:SHOWN], column.endswith("cost"))
        axis.set(xlabel="epoch", title=column.replace("_", " "))
        axis.xaxis.get_major_locator().set_params(integer=True)
    legend(figure, axes[0])
    return saved(figure, kind)


def dots(rows: Sequence[Row], measure: str, kind: str = "png") -> bytes:
    """A row for each candidate: a dot for each seed, the mean, and its standard error to both sides.

    Grey is who is surely worse than the best, or diverged with a seed. What lies far beyond all others is an arrow at
    the edge, with their number.

    Args:
        rows: the best first.
        measure: what the values are.
        kind: the file's format: png, svg or pdf.
    """
    names = ["\n".join(textwrap.wrap(_plain(row.name), WRAP)) for row in rows]
    lines = sum(name.count("\n") + 1 for name in names)
    figure, (axis,) = canvas(1, (7.2, 1.1 + 0.14 * lines + 0.1 * len(rows)))
    low, high = limits(np.concatenate([row.values for row in rows]))
    heights = np.arange(len(rows))
    for height, row in zip(heights, rows, strict=True):
        values, diverged = np.asarray(row.values), int(np.isnan(row.values).sum())
        colour = GREY if row.worse or diverged else PALETTE[0]
        inside = (values >= low) & (values <= high)
        axis.scatter(values[inside], np.full(inside.sum(), height), s=22, color=colour, alpha=0.35, linewidths=0)
        for edge, beyond, marker in ((low, values < low, "<"), (high, values > high, ">")):
            if count := int(beyond.sum()):
                axis.scatter(edge, height, s=22, color=colour, marker=marker)
                place = {"xytext": (0, 5), "textcoords": "offset points", "ha": "center", "fontsize": 8}
                axis.annotate(count, (edge, height), color=colour, **place)
        if math.isfinite(row.error) and low <= row.mean <= high:
            ends = [row.mean - row.error, row.mean + row.error]
            axis.plot(ends, [height, height], color=INK, linewidth=1.6, solid_capstyle="butt")
        if low <= row.mean <= high:
            axis.plot(row.mean, height, marker="|", color=INK, markersize=11, markeredgewidth=2)
        if diverged:
            axis.annotate(
                f"{diverged} diverged",
                (1, height),
                xycoords=("axes fraction", "data"),
                ha="right",
                va="center",
                fontsize=8,
                color=PALETTE[1],
            )
    axis.set_yticks(heights, names, fontsize=8)
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.set_xlabel(f"{measure.replace('_', ' ')} of the test part")
    return saved(figure, kind)


def _fit(axis: Any, curves: Sequence[tuple[np.ndarray, np.ndarray]], is_cost: bool) -> None:
    """Let an axis show where curves come to, bands included; of their first steps only what is near that."""
    late = [(mean[len(mean) // EARLY :], spread[len(mean) // EARLY :]) for mean, spread in curves if len(mean)]
    if not late:
        return
    means = np.concatenate([mean for mean, _ in late])
    low, high = (np.concatenate([mean + sign * spread for mean, spread in late]) for sign in (-1, 1))
    if is_cost and means.min() > 0:
        axis.set_yscale("log")
        axis.set_ylim(max(low.min(), means.min() / 2) / 1.1, high.max() * 1.1)
    elif high.max() > low.min():
        margin = 0.05 * (high.max() - low.min())
        axis.set_ylim(low.min() - margin, high.max() + margin)


def _over_seeds(curves: Sequence[Sequence[float]]) -> tuple[np.ndarray, np.ndarray]:
    """The mean and the standard deviation of curves at each epoch that at least half of them have."""
    lengths = sorted(map(len, curves))
    longest = lengths[len(lengths) // 2] if lengths else 0
    values = np.full((len(curves), longest), np.nan)
    for row, curve in zip(values, curves, strict=True):
        row[: len(curve)] = curve[:longest]
    values[~np.isfinite(values)] = np.nan
    count = np.maximum(np.sum(~np.isnan(values), axis=0), 1)
    mean = np.nansum(values, axis=0) / count
    return mean, np.sqrt(np.nansum((values - mean) ** 2, axis=0) / np.maximum(count - 1, 1))


def limits(values: np.ndarray) -> tuple[float, float]:
    """Between which values are drawn where they are: all but those far beyond the others."""
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    first, third = np.quantile(values, [0.25, 0.75])
    far = FAR * (third - first)
    inside = values[(values >= first - far) & (values <= third + far)]
    return float(inside.min()), float(inside.max())


def _plain(name: str) -> str:
    """A name in which dollars are no mathematics."""
    return printable(name).replace("$", r"\$")
