"""What is learned from on the page: points, or a file that was given, as arrays."""

from typing import Any, NamedTuple

import numpy as np

from chainrule import runs
from chainrule.arrays.masked import Masked
from chainrule.data.loaders import Whole
from chainrule.data.points import CLASSES, VALUES, points
from chainrule.data.preprocessing import Preprocessor
from chainrule.data.table import Table
from chainrule.errors import ChainruleError
from chainrule.playground.choices import Choices

MARGIN = 0.12
"""Of the width of the examples, what is seen around them."""

MOST = 20_000  # rows of a file


class Examples(NamedTuple):
    """Examples to train and to measure on.

    Attributes:
        name: of the points or the file.
        train, test: each x and y.
        classes: the names of the classes; None for values.
        inputs: the names of the inputs.
        preprocessor: of a file.
    """

    name: str
    train: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    classes: tuple[Any, ...] | None
    inputs: tuple[str, ...]
    preprocessor: Preprocessor | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """One example's."""
        return self.train[0].shape[1:]

    @property
    def frame(self) -> list[list[float]] | None:
        """The least and the most of each of the first two inputs that is shown; None of images and their like."""
        if len(self.shape) != 1:
            return None
        x = np.concatenate([self.train[0], self.test[0]])[:, :2]
        low, high = x.min(axis=0), x.max(axis=0)
        margin = MARGIN * np.where(high > low, high - low, 1)
        return np.stack([low - margin, high + margin], axis=1).astype(float).tolist()


def examples(choices: Choices, table: Table | None) -> Examples:
    """The examples that are chosen.

    Raises:
        ChainruleError: for points that there are not, and for a file that can't be learned from or is not here.
    """
    if choices.data in CLASSES or choices.data in VALUES:
        found = points(choices.data, choices.rows, choices.noise, choices.seed, choices.curve)
        order = np.random.default_rng(choices.seed).permutation(choices.rows)
        count = held_out(choices)
        names = ("x₁", "x₂")[: found.x.shape[1]]
        train, test = ((found.x[rows], found.y[rows]) for rows in (order[count:], order[:count]))
        return Examples(choices.data, train, test, found.classes, names)
    if table is None or table.name != choices.data:
        raise ChainruleError(f"The file {choices.data!r} is not here: pages keep files in memory only. Give it again.")
    return of_table(table, choices)


def held_out(choices: Choices) -> int:
    """How many of the points are only measured on."""
    return min(max(round(choices.rows * choices.test), 1), choices.rows - 1)


def of_table(table: Table, choices: Choices) -> Examples:
    """A file's rows, prepared as `chainrule train` prepares them."""
    if table.rows > MOST:
        raise ChainruleError(
            f"{table.name} has {table.rows:,} rows, and the page takes {MOST:,} at most. Run: chainrule train FILE."
        )
    planned = runs.plan(table, test=choices.test, validation=0, seed=choices.seed)
    parts = []
    for name in ("train", "test"):
        part = planned.prepared[name]
        x, y = part.examples if isinstance(part, Whole) else (None, None)
        if x is None or isinstance(x, Masked) or x.dtype.kind != "f":
            raise ChainruleError(
                f"{table.name}: the page takes numbers, dates and categories, and no text or sequences. "
                f"Run: chainrule train FILE."
            )
        parts.append((x, y))
    width = parts[0][0].shape[-1]
    columns = [name for name in table if name not in planned.preprocessor.schema.target.split(", ")]
    names = tuple(columns) if len(columns) == width else tuple(f"input {place + 1}" for place in range(width))
    return Examples(table.name, parts[0], parts[1], planned.preprocessor.classes or None, names, planned.preprocessor)
