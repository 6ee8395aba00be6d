"""Results as pictures, each returned as the bytes of a PNG file."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.errors import printable
from chainrule.model.history import History
from chainrule.pictures.style import COLOURS, INK, canvas, saved


def curves(history: History) -> bytes:
    """The cost and each metric over the epochs, in training and on the validation data."""
    names = [name for name in history.columns if name != "epoch"]
    panels = list(dict.fromkeys(name.removeprefix("validation_") for name in names))
    figure, axes = canvas(len(panels))
    for axis, panel in zip(axes, panels, strict=True):
        for name, label, colour in ((panel, "training", 0), (f"validation_{panel}", "validation", 1)):
            if name in names:
                axis.plot(history["epoch"], history[name], label=label, color=COLOURS[colour], linewidth=1.8)
        if history.best_epoch:
            axis.axvline(
                history.best_epoch, color=INK, linewidth=1, linestyle=":", label=f"epoch {history.best_epoch} kept"
            )
        if panel == "cost" and min(history["cost"]) > 0:
            axis.set_yscale("log")
        axis.set(xlabel="epoch", title=panel.replace("_", " "))
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.legend(frameon=False)
    return saved(figure)


def confusion(matrix: np.ndarray, classes: tuple[Any, ...]) -> bytes:
    """A confusion matrix: a row for each expected class, a column for each predicted one."""
    size = min(max(3.6, 0.55 * len(classes) + 1.8), 14)
    figure, (axis,) = canvas(1, (size, size))
    shade = shades(matrix)
    axis.imshow(shade, cmap="Blues", vmin=0, vmax=1)
    places, names = range(len(classes)), [_words(name) for name in classes]
    long = max(map(len, names)) > 3
    axis.set_xticks(places, names, rotation=45 if long else 0, ha="right" if long else "center")
    axis.set_yticks(places, names)
    if len(classes) <= 30:
        for row in places:
            for column in places:
                if matrix[row, column]:
                    colour = "white" if shade[row, column] > 0.6 else INK
                    axis.text(
                        column, row, f"{matrix[row, column]:g}", ha="center", va="center", color=colour, fontsize=9
                    )
    axis.set(xlabel="predicted", ylabel="expected", title=f"{np.trace(matrix):g} of {matrix.sum():g} right")
    axis.grid(False)
    return saved(figure)


def shades(matrix: np.ndarray) -> np.ndarray:
    """How dark each count is drawn, 0 to 1: by its share of the row, raised so that one in a thousand can be seen.

    >>> shades(np.array([[999, 1], [0, 5]])).round(2).tolist()
    [[1.0, 0.09], [0.0, 1.0]]
    """
    return (matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)) ** 0.35


def predictions(predicted: np.ndarray, expected: np.ndarray, targets: Sequence[str]) -> bytes:
    """Predicted values against expected ones, (rows, targets), a panel for each target; the diagonal is perfect."""
    figure, axes = canvas(len(targets), (4.8 * len(targets), 4.8))
    dense = len(expected) > 1000
    for axis, target, a, E in zip(axes, targets, predicted.T, expected.T, strict=True):
        low, high = min(a.min(), E.min()), max(a.max(), E.max())
        axis.plot([low, high], [low, high], color=INK, linewidth=1, linestyle=":")
        axis.scatter(E, a, s=6 if dense else 14, alpha=0.25 if dense else 0.7, color=COLOURS[0], linewidths=0)
        name = _words(target)
        axis.set(xlabel=f"{name}, expected", ylabel=f"{name}, predicted", aspect="equal")
    return saved(figure)


def _words(name: Any) -> str:
    """A name from the data as a label: printable, not too long, and no mathematics between its dollars."""
    text = printable(str(name))
    return (text if len(text) <= 24 else f"{text[:23]}…").replace("$", r"\$")
