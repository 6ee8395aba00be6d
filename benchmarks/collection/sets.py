"""A set of real data: where it comes from, what is predicted of it, and how its rows are divided."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby
from typing import Literal

import numpy as np

from benchmarks.collection.columns import Columns
from benchmarks.collection.packages import CollectionError, Package
from chainrule.data import split

Kind = Literal["table", "images", "series", "text"]
Task = Literal["classes", "values"]
Part = Literal["choose", "report"]


@dataclass(frozen=True)
class Source:
    """A file of a package, and what reads it."""

    package: Package
    file: str
    read: Callable[[], Columns]

    def __str__(self) -> str:
        return f"{self.package}, {self.file}"


@dataclass(frozen=True)
class Set:
    """A set of real data.

    Attributes:
        name: what it is called here.
        kind: what an example is.
        task: whether classes or values are predicted.
        rows: how many there are.
        target: the column that is predicted.
        source: where it is from.
        unit: what a text is read by.
        test: the share of the rows to test on; of sets that come divided, theirs.
        part: whether defaults are chosen on it, or reported.
    """

    name: str
    kind: Kind
    task: Task
    rows: int
    target: str
    source: Source
    unit: Literal["words", "characters"] = "words"
    test: float = 0.2
    part: Part = "report"

    def load(self) -> Columns:
        """All its columns, which are kept."""
        return _loaded(self)

    @property
    def inputs(self) -> Columns:
        """The columns that are not the target."""
        return {name: cells for name, cells in self.load().items() if name != self.target}

    @property
    def blank(self) -> int:
        """How many cells are blank."""
        cells = [each for each in self.inputs.values() if each.ndim == 1]
        return sum(
            int((each == np.array(None)).sum() if each.dtype == object else np.isnan(each).sum()) for each in cells
        )

    @property
    def said(self) -> dict[str, object]:
        """What has to be said of it to `chainrule train`."""
        task = "classification" if self.task == "classes" else "regression"
        unit = {self.unit: list(self.inputs)} if self.kind == "text" else {}
        return {"target": self.target, "task": task, **unit} | ({"missing": "median"} if self.blank else {})

    def divided(self, seed: int) -> tuple[Columns, Columns]:
        """Its rows to train on and to test on: other ones by another seed, of each class its share."""
        columns = self.load()
        classes = columns[self.target] if self.task == "classes" else None
        parts = split(self.rows, validation=0, test=self.test, seed=seed, classes=classes, name=self.name)
        return (
            {name: cells[parts.train] for name, cells in columns.items()},
            {name: cells[parts.test] for name, cells in columns.items()},
        )


@cache
def _loaded(one: Set) -> Columns:
    columns = one.source.read()
    if one.target not in columns or any(len(cells) != one.rows for cells in columns.values()):
        found = ", ".join(sorted({f"{len(cells):,}" for cells in columns.values()}))
        raise CollectionError(
            f"{one.name}: expected {one.rows:,} rows with {one.target}, got {found} of {[*columns][:8]}."
        )
    return columns


def parted(sets: Iterable[Set]) -> dict[str, Set]:
    """The sets by name, each in its part: one half to choose defaults on, the other to report, never to choose.

    The sets of a kind and a task are sorted by their rows, and taken in pairs: of two neighbours in size, the one whose
    name has the lower SHA-256 is to choose on. One that is left alone is so if its SHA-256 is even. A set that is added
    would change the pairs, and so what was looked at already: give new ones pairs of their own.
    """
    by_size = sorted(sets, key=lambda one: (one.kind, one.task, one.rows, one.name))
    found = {}
    for _, group in groupby(by_size, key=lambda one: (one.kind, one.task)):
        members = list(group)
        for first, second in zip(members[::2], members[1::2]):  # noqa: B905 - one may be left
            chosen = min(first, second, key=lambda one: _hash(one.name))
            found |= {one.name: replace(one, part="choose" if one is chosen else "report") for one in (first, second)}
        if len(members) % 2:
            found[members[-1].name] = replace(members[-1], part="report" if _hash(members[-1].name) % 2 else "choose")
    return found


def _hash(name: str) -> int:
    return int(hashlib.sha256(name.encode()).hexdigest(), 16)
