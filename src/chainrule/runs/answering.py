"""What a trained model says of the rows of a table, as columns to be written."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.data.table import Table
from chainrule.data.writing import Cell, Columns, Kind, kind_of
from chainrule.errors import ArgumentError
from chainrule.model import Model
from chainrule.model.model import probabilities
from chainrule.runs.raw import answerable


@dataclass(frozen=True)
class Answers:
    """Answers to rows, a line for each, in their order.

    Attributes:
        kinds: what the cells of each column are.
        blocks: the columns of some of the rows after those of others, each computed when it is asked for.
        rows: how many are answered,
        blank: and how many are not, since they have blank cells.
    """

    kinds: Mapping[str, Kind]
    blocks: Iterable[Columns]
    rows: int
    blank: int


def answers(model: Model, table: Table, kept: Mapping[str, np.ndarray], shares: bool = False) -> Answers:
    """What a model says of rows, a block at a time.

    Args:
        model: it has a preprocessor.
        table: the rows.
        kept: columns of text to carry along, by name.
        shares: whether there is a column for each class's probability too.

    Raises:
        ArgumentError: where a column that is kept has the name of one of the answers.
    """
    assert model.preprocessor is not None
    names = model.preprocessor.schema.targets
    kinds: dict[str, Kind] = {name: kind_of(cells) for name, cells in kept.items()}
    found: dict[str, Kind] = dict.fromkeys(names, str if model.classes else float)
    if shares and model.classes:
        found |= {f"p({name})": float for name in model.classes}
    for name in kinds.keys() & found.keys():
        raise ArgumentError("{keep} {}: a column of the answers has that name. Rename it in {}.", name, table.name)
    whole = answerable(table, model.preprocessor)
    places: Any = range(table.rows) if whole.all() else np.flatnonzero(whole)

    def said(outputs: np.ndarray) -> Iterator[list[Cell]]:
        for cells in model.decide(outputs).reshape(len(outputs), len(names)).T:
            yield cells.tolist() if model.classes else _rounded(cells)
        if len(found) > len(names):
            yield from map(_rounded, probabilities(outputs).T)

    def blocks() -> Iterator[Columns]:
        end = 0
        for some, outputs in model.in_blocks(table if whole.all() else table.take(places)):
            begin, end = end, table.rows if some.stop in (None, len(places)) else int(places[some.stop])
            columns = {name: _typed(cells[begin:end], kinds[name]) for name, cells in kept.items()}
            given = zip(found, said(outputs), strict=True)
            yield columns | {name: _in_place(cells, whole[begin:end]) for name, cells in given}

    return Answers(kinds | found, blocks(), len(places), table.rows - len(places))


def _typed(texts: Iterable[str | None], kind: Kind) -> list[Cell]:
    return [None if text is None else kind(text) for text in texts]


def _rounded(cells: np.ndarray) -> list[Cell]:
    """Numbers with all the digits that a network computes."""
    return [float(f"{cell:.9g}") for cell in cells.tolist()]


def _in_place(cells: list[Any], rows: np.ndarray) -> list[Any]:
    """Cells at the places of the rows that they belong to; None at the others."""
    if len(cells) == len(rows):
        return cells
    each = iter(cells)
    return [next(each) if row else None for row in rows]
