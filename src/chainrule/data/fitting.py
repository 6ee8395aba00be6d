"""What a preprocessor's columns are learned from: the training part, as one table or as many, one after another."""

from collections.abc import Collection
from typing import Any

from chainrule.data.columns import (
    Category,
    Column,
    Number,
    Series,
    Values,
    check_few,
    learning,
    readable_cells,
    refuse_blank,
)
from chainrule.data.dates import spell_times
from chainrule.data.learning import HELD, Learning
from chainrule.data.schema import Schema, check_alone
from chainrule.data.table import Table, shortened
from chainrule.data.values import as_number
from chainrule.errors import ChainruleError


class Fitting:
    """The columns of a schema, each with what learns its fitted form.

    Args:
        schema: what the columns are for.
        name: what people call the data.
    """

    def __init__(self, schema: Schema, name: str):
        self.schema, self.name, self.tables = schema, name, 0
        most = HELD // len((*schema.inputs, *schema.targets))
        self.inputs = {
            each: learning(each, each in schema.text, schema.tokens, schema.order(each), most) for each in schema.inputs
        }
        classes = schema.task == "classification"
        self.targets = {each: learning(each, classes, None, None, most) for each in schema.targets}

    def add(self, table: Table) -> None:
        """Learn from some more rows of the training part.

        Raises:
            ChainruleError: for text among numbers, infinity, or too many categories.
        """
        self.tables += 1
        for name, learner in (self.inputs | self.targets).items():
            text = name in self.schema.text or (name in self.targets and self.schema.task == "classification")
            learner.add(readable_cells(table, name, text, self.schema.order(name) if name in self.inputs else None))
            if isinstance(learner, Values):
                check_few(self.name, name, len(learner.counts), " so far" if self.tables > 1 else "")

    def check(self, said: Collection[str]) -> None:
        """Refuse columns of text that a whole table would not be taken to hold, but those of which it is said."""
        for name, learner in self.inputs.items():
            if not isinstance(learner, Values) or name in said:
                continue
            counts = learner.counts
            stray = next((text for text in counts if as_number(text) is None), None)
            numbers = sum(count for text, count in counts.items() if as_number(text) is not None)
            if stray is not None and 2 * numbers > counts.total():
                message = f"{self.name}: column {name!r} is mostly of numbers, but {stray!r} is none. Mend the cells"
                raise ChainruleError(message, text=[name])
            if spell_times(counts):
                message = f"{self.name}: column {name!r} is mostly of times, but its first cells are not. Mend them"
                raise ChainruleError(message, text=[name])

    @property
    def sampled(self) -> list[int]:
        """The numbers of random rows that columns' medians are of; none where they are of all rows."""
        learners = [each for each in (self.inputs | self.targets).values() if isinstance(each, Learning)]
        return [len(each.sample.rows()) for each in learners if each.sample]

    def columns(self) -> tuple[tuple[Column, ...], tuple[Number | Category, ...]]:
        """The fitted inputs and targets.

        Raises:
            ChainruleError: for a column blank throughout, inputs that can't go side by side, or a single class.
        """
        columns, predicted = (
            tuple(learner.fitted() or refuse_blank(self.name, name) for name, learner in learners.items())
            for learners in (self.inputs, self.targets)
        )
        self._check_side_by_side(columns)
        for column in predicted:
            if isinstance(column, Category) and len(column.values) == 1:
                raise ChainruleError(
                    f"{self.name}: the target {column.name!r} has a single class, {column.values[0]!r}. "
                    f"Give rows of two classes or more."
                )
        return columns, predicted

    def _check_side_by_side(self, columns: tuple[Any, ...]) -> None:
        names = [column.name for column in columns]
        for column in columns:
            if isinstance(column, Series):
                check_alone(self.name, column.name, "series of unequal length", names)
        if len({column.shape[:-1] for column in columns}) > 1:
            found = shortened(f"{column.name} {column.shape}" for column in columns)
            raise ChainruleError(f"{self.name}: inputs of different shapes can't go side by side: {found}. Drop some.")
