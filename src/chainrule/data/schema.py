"""What each column of a table is for: a target, an input, of numbers, text, time or tokens."""

import dataclasses
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal, Self

import numpy as np

from chainrule.data.columns import MOST_VALUES, cells
from chainrule.data.dates import Order, are_times, order_of, times
from chainrule.data.guesses import TASKS, Task, known_texts, likely_target, likely_task, likely_tokens
from chainrule.data.problems import Problems
from chainrule.data.reading import HARD, SEPARATORS, separated_by
from chainrule.data.records import require
from chainrule.data.table import Table, as_table, blank_rows, check_column, check_columns, shortened
from chainrule.data.tokens import UNITS, Unit
from chainrule.data.values import as_number, is_text, is_worded, numbers, refuse_text, texts
from chainrule.errors import ChainruleError, cut, warn

Missing = Literal["median", "drop"] | None

MISSING = (None, "median", "drop")


@dataclasses.dataclass(frozen=True)
class Schema:
    """What each column is for: the targets, the inputs, and what becomes of blank cells.

    Attributes:
        targets: the column to predict, or several of numbers.
        task: "classification" or "regression".
        inputs: the columns to predict it from.
        text: the columns among them, and the targets, that are read as text.
        tokens: "words" or "characters", where the only input is a column of free text to be read so.
        missing: None refuses blank cells, "median" fills them, "drop" leaves their rows out.
        guessed: whether the target was not said but found.
        dates: the columns among the inputs that are read as time.
        day_first, month_first: those among them whose day or month comes first and whose year comes last.
        order_by: the column of numbers or times by which rows are divided: the earliest train, the last test.
        group: the column, no input, whose values are not divided: a patient's rows all train, or all test.
    """

    targets: tuple[str, ...]
    task: Task
    inputs: tuple[str, ...]
    text: tuple[str, ...] = ()
    tokens: Unit | None = None
    missing: Missing = None
    guessed: bool = False
    dates: tuple[str, ...] = ()
    day_first: tuple[str, ...] = ()
    month_first: tuple[str, ...] = ()
    order_by: str | None = None
    group: str | None = None

    def __post_init__(self) -> None:
        require(len(self.targets) == 1 or (len(self.targets) > 1 and self.task == "regression"), "a target")

    @classmethod
    def of(
        cls,
        data: Any,
        *,
        target: str | Iterable[str] | None = None,
        task: Task | None = None,
        drop: Iterable[str] = (),
        text: Iterable[str] = (),
        words: Iterable[str] = (),
        characters: Iterable[str] = (),
        missing: Missing = None,
        day_first: Iterable[str] = (),
        month_first: Iterable[str] = (),
        order_by: str | None = None,
        group: str | None = None,
        whole: bool = True,
    ) -> Self:
        """Find the schema of the columns of a table.

        A column of text is one of categories, or of time where most of its cells are dates or times. The only input is
        free text instead where it has more than 100 distinct values, more than half as many as cells: it is read word
        by word where cells have three words or more on average, else character by character. `text`, `words` and
        `characters` say it otherwise.

        Args:
            data: a `Table`, a mapping of columns or a data frame.
            target: the column to predict, or several of numbers; where not said, that called "target", else the last.
            task: where not said, text is classified, and so are whole numbers of at most 20 distinct values that
                appear twice or more on average; every other number is regressed.
            drop: columns to leave out.
            text: columns of categories, though they look like numbers or like free text.
            words: a column of free text, the only input, to be read word by word.
            characters: the same, to be read character by character.
            missing: what becomes of blank cells.
            day_first, month_first: columns of dates such as 3/4/2020, where the column itself leaves open which it is.
            order_by: the column by which rows are divided, an input too unless it is dropped.
            group: the column whose values are not divided; it is no input, since those to test were never seen.
            whole: whether this is all of the data; else only what no later row can mend is refused.

        Raises:
            ChainruleError: for a column that is not there, and no inputs; or for all that is wrong with cells at once:
                numbers mixed with text, infinity, dates that may be day/month or month/day, blank cells where none is
                allowed, a column blank throughout or with too many values.

        >>> schema = Schema.of({"width": [1.5, 2.5], "kind": ["a", "b"]})
        >>> schema.targets, schema.task, schema.inputs, schema.text
        (('kind',), 'classification', ('width',), ('kind',))
        """
        table = as_table(data)
        _check_rows(table)
        drop, text, words, characters = map(_names, (drop, text, words, characters))
        day_first, month_first = map(_names, (day_first, month_first))
        _check_choice("task", task, (None, *TASKS))
        _check_choice("missing", missing, MISSING)
        said = () if target is None else _names(target)
        single = [name for name in (order_by, group) if name is not None]
        for name in (*said, *single, *drop, *text, *words, *characters, *day_first, *month_first):
            check_column(table, name)
        kept = [name for name in table if name not in drop and name != group]
        targets = said or (likely_target(table, kept),)
        for name in targets:
            if targets.count(name) > 1:
                raise ChainruleError(f"{table.name}: the target {name!r} is named twice. Name it once.")
            _check_target(table, name, drop, group, order_by)
        inputs = tuple(name for name in kept if name not in targets)
        _check_several(table)
        if not inputs:
            raise ChainruleError(
                f"{table.name}: no input columns are left beside the target{'s' * (len(targets) > 1)} "
                f"{', '.join(map(repr, targets))}. Drop fewer."
            )
        _check_read_once(
            table, text=text, words=words, characters=characters, day_first=day_first, month_first=month_first
        )
        tokens = _said_tokens(table, inputs, words, characters)
        text = (*text, *words, *characters)
        order = dict.fromkeys(day_first, "day") | dict.fromkeys(month_first, "month")
        said_kinds = {*text, *order}
        for name in (*inputs, *([] if order_by is None else [order_by])):
            if name not in said_kinds and are_times(table[name]):
                order[name] = order_of(table[name]) or "day"
        task = likely_task(table, targets, task)
        if len(inputs) == 1 and inputs[0] not in (*text, *order) and is_text(table[inputs[0]]):
            tokens = likely_tokens(table[inputs[0]])
        worded = tuple(name for name in inputs if name in text or (is_text(table[name]) and name not in order))
        worded = (*worded, *(targets if task == "classification" else ()), *([] if group is None else [group]))
        dates = tuple(name for name in table if name in order)
        days, months = (tuple(name for name in dates if order[name] == first) for first in ("day", "month"))
        schema = cls(targets, task, inputs, worded, tokens, missing, not said, dates, days, months, order_by, group)
        schema._check(table, said_kinds, whole)
        return schema

    def _check(self, table: Table, said: Collection[str], whole: bool) -> None:
        """Refuse all that is wrong with cells, at once; columns whose kind was said are not doubted."""
        problems = Problems(table.name)
        used, worded, dates = {*self.inputs, *self.targets}, set(self.text), set(self.dates)  # of many columns
        for name in dict.fromkeys((*self.inputs, *self.targets, *self.dates)):
            needed = () if name not in self.targets else ("drop",) if name in worded else ("drop", "text")
            with problems.gathered(without=needed):
                if name not in said and name in dates:
                    _check_order(table, name)
                if name not in said and name in worded:
                    _check_unmixed(table, name)
                if name in used and whole:
                    unit = None if name in self.targets else self.tokens
                    cells(table, name, name in worded, unit, self.order(name) if name in dates else None)
        if self.missing is None and whole:
            with problems.gathered():
                blank = {name: rows for name, rows in self._blank(table).items() if not rows.all()}
                _check_filled(table, blank, self.targets)
        if self.missing != "drop" and whole:
            with problems.gathered():
                self.way(table)
        problems.refuse()

    @property
    def target(self) -> str:
        """The names of the targets, in words."""
        return ", ".join(self.targets)

    def order(self, name: str) -> Order | None:
        """What comes first in a column's dates; None for a column that is not read as time."""
        first: Order = "day" if name in self.day_first else "month" if name in self.month_first else "year"
        return first if name in self.dates else None

    def way(self, table: Table) -> dict[str, Any]:
        """The way in which a table's rows are divided, as `split` takes it: by order, groups or classes, if by any.

        Raises:
            ChainruleError: for a column that is not there, a blank cell in it, or one that has no place in time.
        """
        said = {"order": self.order_by, "groups": self.group}
        found = {way: self._known(table, name) for way, name in said.items() if name is not None}
        return found or ({"classes": table[self.targets[0]]} if self.task == "classification" else {})

    def _known(self, table: Table, name: str) -> np.ndarray:
        """A column by which rows are divided: texts of groups, numbers, or days."""
        check_column(table, name)
        if name == self.group:
            values = texts(table, name)
        elif order := self.order(name):
            values = times(table, name, order)[:, 0]
        elif is_worded(table[name]):
            raise ChainruleError(
                f"{table.name}: an order needs numbers or dates, and column {name!r} is text. Order by another column."
            )
        else:
            values = numbers(table, name) if is_text(table[name]) else table[name]
        blank = blank_rows(values)
        if blank.any():
            place = table.place(int(blank.argmax()), name)
            raise ChainruleError(f"{place}: is blank, but rows are divided by it. Fill it", missing="drop")
        return values

    def complete(self, data: Any) -> Table:
        """The rows to train on or to score: those whose target is known and, if so chosen, whose inputs all are.

        Raises:
            ChainruleError: for blank cells where none is allowed, counted by column.
        """
        table = as_table(data)
        _check_rows(table)
        blank = self._blank(table)
        if self.missing is None:
            _check_filled(table, blank, self.targets)
        out = self._left_out(table, blank)
        if out.all():
            raise ChainruleError(
                f"{table.name}: every row has a blank cell that is needed. Fill them, or drop columns."
            )
        warn_unknown(table.name, {name: int(blank[name].sum()) for name in self.targets if name in blank})
        if not out.any():
            return table
        if self.task == "classification" and (lost := _lost(texts(table, self.targets[0]), out)):
            classes = f"the class{'es' * (len(lost) > 1)} {shortened(lost)}"
            warn(f"{table.name}: rows with blank cells are left out, among them all of {classes}.")
        return table.take(~out)

    def complete_block(self, table: Table) -> tuple[Table, dict[str, int]]:
        """Those rows of some of a stream, and how many blank cells each target has; see `complete`.

        Raises:
            ChainruleError: for a blank cell where none is allowed, with its place.
        """
        blank = self._blank(table)
        if self.missing is None and blank:
            name, rows = next(iter(blank.items()))
            message = f"{table.place(int(rows.argmax()), name)}: the cell is blank. Fill it"
            raise ChainruleError(message, missing="drop" if blank.keys() <= set(self.targets) else "median")
        out = self._left_out(table, blank)
        unknown = {name: int(blank[name].sum()) for name in self.targets if name in blank}
        return table.take(~out) if out.any() else table, unknown

    def _left_out(self, table: Table, blank: dict[str, np.ndarray]) -> np.ndarray:
        """The rows without a target or, if so chosen, without an input, as a mask."""
        also = (*self.inputs, self.order_by, self.group) if self.missing == "drop" else ()
        needed = [*self.targets, *also]
        return np.logical_or.reduce([np.zeros(table.rows, bool), *(blank[name] for name in needed if name in blank)])

    def _blank(self, table: Table) -> dict[str, np.ndarray]:
        """The rows with a blank cell, as a mask, of each column with such cells."""
        check_columns(table, (*self.inputs, *self.targets))
        divide = [name for name in (self.order_by, self.group) if name in table and self.missing == "drop"]
        blank = {name: blank_rows(table[name]) for name in (*self.inputs, *self.targets, *divide) if name is not None}
        return {name: rows for name, rows in blank.items() if rows.any()}


def warn_unknown(name: str, blank: Mapping[str, int]) -> None:
    """Say that rows without a target are left out, by how many cells each target is blank in."""
    if unknown := shortened(f"{target} ({count:,})" for target, count in blank.items() if count):
        warn(f"{name}: rows with a blank target are left out: {unknown}.")


def _spelt(table: Table, name: str) -> str:
    """The words that a file's reader took as blank, and how often."""
    words = table.found.blank.get(name, {})
    return "".join(f", {count:,} as {cut(word)!r}" for word, count in words.items())


def _said_tokens(table: Table, inputs: tuple[str, ...], words: tuple, characters: tuple) -> Unit | None:
    """What the only input is read as, where that is said."""
    for unit, names in zip(UNITS, (words, characters), strict=True):
        for name in names:
            if name not in inputs:
                raise ChainruleError(f"{table.name}: column {name!r} is no input. Leave it out of {unit}.")
            check_alone(table.name, name, unit, inputs)
    return "words" if words else "characters" if characters else None


# Checks: each words what was expected, what came and the remedy.


def _names(given: Iterable[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _lost(classes: np.ndarray, out: np.ndarray) -> list[str]:
    """The classes all of whose rows are left out."""
    return sorted(set(classes[out]) - set(classes[~out]) - {None})


def _check_rows(table: Table) -> None:
    if not table.rows:
        raise ChainruleError(f"{table.name}: has no rows. Give rows of data.")


def _check_several(table: Table) -> None:
    """Refuse a table of one column, whose cells may be separated by another mark than the one that was chosen."""
    if len(table) > 1:
        return
    (name,) = table
    mark = next((mark for mark in SEPARATORS if mark in name and "separator" in table.found.reading), " ")
    if mark == " ":
        raise ChainruleError(f"{table.name}: has one column, {name!r}. Give a target, and inputs beside it.")
    raise ChainruleError(
        f"{table.name}: has one column, {name!r}, but its cells seem to be separated by {separated_by(mark)}. "
        f"Separate them by {separated_by(table.found.reading['separator'])}",
        separator=HARD.get(mark, mark),
    )


def _check_target(table: Table, name: str, drop: Iterable[str], group: str | None, order: str | None) -> None:
    both = {"dropped and the target": drop, "the target and the group": (group,), "the target and the order": (order,)}
    for what, other in both.items():
        if name in other:
            raise ChainruleError(f"{table.name}: column {name!r} is both {what}. Choose one.")
    shape = table[name].shape[1:] if name in table else ()
    if shape not in ((), (1,)):
        raise ChainruleError(f"{table.name}: the target {name!r} must be one value a row, got shape {shape} a row.")


def _check_choice(name: str, value: Any, choices: tuple) -> None:
    if value not in choices:
        raise ChainruleError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}.")


def _check_read_once(table: Table, **ways: tuple[str, ...]) -> None:
    """Refuse a column that is said to be read in several ways."""
    for name, count in Counter(name for names in ways.values() for name in set(names)).items():
        if count > 1:
            said = " and ".join(way for way, names in ways.items() if name in names)
            raise ChainruleError(
                f"{table.name}: column {name!r} can be read in one way only, not by {said}. Choose one."
            )


def _check_order(table: Table, name: str) -> None:
    """Refuse a column of dates all of which leave open what comes first."""
    if order_of(table[name]) is None:
        known = known_texts(table[name])
        raise ChainruleError(
            f"{table.name}: column {name!r} holds dates such as {known[0]!r}, each of which may be day/month or "
            f"month/day. Write the year first",
            day_first=[name],
        )


def _check_filled(table: Table, blank: dict[str, np.ndarray], targets: Collection[str]) -> None:
    if blank:
        unknown = "; rows without a target are left out, not filled" if blank.keys() & set(targets) else ""
        found = shortened(f"{name} ({rows.sum():,}{_spelt(table, name)})" for name, rows in blank.items())
        raise ChainruleError(
            f"{table.name}: blank cells in {found}{unknown}. Fill them",
            missing="drop" if blank.keys() <= set(targets) else "median",
        )


def _check_unmixed(table: Table, name: str) -> None:
    """Refuse stray text in a column whose other cells are mostly numbers."""
    values = table[name]
    if not is_text(values):
        return
    counts = Counter(known_texts(values))
    stray = {text for text in counts if as_number(text) is None}
    numbers = counts.total() - sum(counts[text] for text in stray)
    if stray and 2 * numbers > counts.total():
        choices = {"text" if len(counts) <= MOST_VALUES else "drop": [name]}
        refuse_text(table, name, next(row for row, text in enumerate(values) if text in stray), **choices)


def check_alone(table: str, name: str, what: str, inputs: Iterable[str]) -> None:
    """Refuse inputs beside a column that can't go beside others."""
    others = [each for each in inputs if each != name]
    if others:
        raise ChainruleError(
            f"{table}: column {name!r} holds {what} and can't go beside other inputs: {shortened(others)}. "
            f"Read it as one value a row",
            drop=others,
        )
