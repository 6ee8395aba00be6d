"""What a trained model says of rows, as columns to be written."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.data.preprocessing import Unseen, warn_all_unseen
from chainrule.data.streams import Stream, is_large
from chainrule.data.table import Table
from chainrule.data.values import texts
from chainrule.data.writing import Cell, Columns, Kind, kind_of
from chainrule.errors import ArgumentError
from chainrule.model import Model
from chainrule.model.model import is_probable, probabilities
from chainrule.runs.raw import answerable, as_text, as_written, read_rows

Rows = tuple[Table, Mapping[str, np.ndarray]]
"""Some rows, and the columns of text that are carried along with them, by name."""


def answers(model: Model, source: str, keep: Sequence[str] = (), shares: bool = False, **reading: Any) -> "Answers":
    """What a model says of the rows of a file; of one that is large for this memory, one table after another.

    Args:
        model: it has a preprocessor.
        source: the file.
        keep: the columns to carry along: numbers where all cells are written as such, but text in a large file, whose
            later cells may be anything.
        shares: whether there is a column for each class's probability too.
        **reading: how the file is read, as in `chainrule.data.read`.

    Raises:
        ChainruleError: for rows that do not fit, where they are reached; and for a column to keep that is not there, or
            has the name of one of the answers.
    """
    if is_large(source):
        stream = Stream(source, as_text(model, keep), **reading, like=model.training.get("reading"))
        tables = ((table, {name: texts(table, name) for name in keep}) for table in stream)
        return Answers(model, tables, dict.fromkeys(keep, str), stream, shares)
    table = read_rows(source, model, reading, keep)
    found = as_written(source, table, [*keep], model, reading)
    kept = {name: texts(found, name) for name in keep}
    return Answers(model, [(table, kept)], {name: kind_of(cells) for name, cells in kept.items()}, table, shares)


class Answers:
    """Answers to rows, a line for each, in their order, a block at a time.

    Attributes:
        source: where the rows come from; how it was read is known at the end.
        rows: how many were answered so far,
        blank: and how many were not, since they have blank cells.
    """

    def __init__(
        self, model: Model, tables: Iterable[Rows], kept: Mapping[str, Kind], source: Table | Stream, shares: bool
    ) -> None:
        assert model.preprocessor is not None
        self.model, self.preprocessor, self.tables, self.kept = model, model.preprocessor, tables, kept
        self.source, self.rows, self.blank = source, 0, 0
        if shares and model.classes and not is_probable(last := model.network.layers[-1]):
            raise ArgumentError(
                "{probabilities}: the outputs of {} are no probabilities. Leave it out, or train with Softmax().",
                repr(last),
            )
        self.shares = shares
        self.found: dict[str, Kind] = dict.fromkeys(self._targets, str if model.classes else float)
        self.found |= dict.fromkeys(self._details(np.zeros((1, *model.network.output_shape(model.input_shape)))), float)
        for name in kept.keys() & self.found.keys():
            raise ArgumentError("{keep} {}: a column of the answers has that name. Rename it in {}.", name, source.name)

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """What the cells of each column are."""
        return {**self.kept, **self.found}

    def __iter__(self) -> Iterator[Columns]:
        unseen: Unseen = {}
        for table, kept in self.tables:
            yield from self._of(table, kept, unseen)
        warn_all_unseen(unseen)

    @property
    def _targets(self) -> tuple[str, ...]:
        return self.preprocessor.schema.targets

    def _of(self, table: Table, kept: Mapping[str, np.ndarray], unseen: Unseen) -> Iterator[Columns]:
        """The answers to the rows of a table."""
        whole = answerable(table, self.preprocessor)
        places: Any = range(table.rows) if whole.all() else np.flatnonzero(whole)
        end = 0
        for some, outputs in self.model.in_blocks(table if whole.all() else table.take(places), unseen):
            begin, end = end, table.rows if some.stop in (None, len(places)) else int(places[some.stop])
            columns = {name: _typed(cells[begin:end], self.kept[name]) for name, cells in kept.items()}
            said = self._said(outputs)
            yield columns | {name: _in_place(cells, whole[begin:end]) for name, cells in said.items()}
        self.rows, self.blank = self.rows + len(places), self.blank + table.rows - len(places)

    def _said(self, outputs: np.ndarray) -> dict[str, list[Cell]]:
        """The columns that outputs become: the targets, and the details."""
        decided = _by_target(self.model.decide(outputs), self._targets)
        of = np.ndarray.tolist if self.model.classes else _rounded
        return {name: of(cells) for name, cells in decided.items()} | {
            name: _rounded(cells) for name, cells in self._details(outputs).items()
        }

    def _details(self, outputs: np.ndarray) -> dict[str, np.ndarray]:
        """What outputs tell more: what a cost of values says beside them, the probabilities that are asked for."""
        if classes := self.model.classes:
            names = [f"p({name})" for name in classes] if self.shares else []
            return dict(zip(names, probabilities(outputs).T, strict=False))
        details = self.model.cost.details(outputs)
        return {
            f"{target} {word}": values
            for word, each in details.items()
            for target, values in _by_target(each, self._targets).items()
        }


def _by_target(values: np.ndarray, targets: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The numbers or classes of each target."""
    return dict(zip(targets, values.reshape(len(values), len(targets)).T, strict=True))


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
