"""What a table tells by itself, where nothing is said: its target, the task, and whether a column is free text."""

from typing import Literal

import numpy as np

from chainrule.data.dates import are_times
from chainrule.data.table import Table, blanks
from chainrule.data.tokens import Unit, split_text
from chainrule.data.values import is_text, is_worded
from chainrule.errors import ChainruleError

Task = Literal["classification", "regression"]

TASKS = ("classification", "regression")
MOST_CLASSES = 20  # that whole numbers are taken for, unless the task is said
MOST_CATEGORIES = 100  # that a lone column of text is taken for, where most cells differ


def likely_task(table: Table, targets: tuple[str, ...], said: Task | None) -> Task:
    """The task that is said, or that the target's values tell; several targets are regressed."""
    if said == "regression" and (words := [name for name in targets if is_worded(table[name])]):
        message = f"{table.name}: regression needs numbers, and the target {words[0]!r} is text. Name another target"
        raise ChainruleError(message, task="classification") if len(targets) == 1 else ChainruleError(f"{message}.")
    if len(targets) == 1:
        return said or _task_of(table[targets[0]])
    worded = [name for name in targets if is_text(table[name]) and said is None]
    if said == "classification" or worded:
        raise ChainruleError(
            f"{table.name}: several targets must be numbers, to be regressed together, but {(worded or targets)[0]!r} "
            f"is of classes. Train a model for each target."
        )
    return "regression"


def _task_of(values: np.ndarray) -> Task:
    guess = Guess()
    guess.add(values)
    return guess.task()


class Guess:
    """The task that a target's values tell, as one column or as many parts of it, one after another."""

    def __init__(self) -> None:
        self.rows, self.text = 0, False
        self.distinct: set[float] | None = set()

    def add(self, values: np.ndarray) -> Task | None:
        """Some more values; the task, once no later ones can change it."""
        self.text = self.text or is_text(values)
        if self.text or self.distinct is None:
            return self.task()
        known = values[~np.isnan(values)]
        distinct = np.unique(known)
        self.rows += len(known)
        whole = bool(np.all(np.isfinite(distinct) & (distinct == np.round(distinct))))
        self.distinct = self.distinct | set(distinct.tolist()) if whole and len(distinct) <= MOST_CLASSES else None
        if self.distinct and len(self.distinct) > MOST_CLASSES:
            self.distinct = None
        return None if self.distinct is not None else "regression"

    def task(self) -> Task:
        """Text is classified, and so are few whole numbers that repeat."""
        few = self.distinct is not None and 2 * len(self.distinct) <= self.rows
        return "classification" if self.text or few else "regression"


def likely_target(table: Table, kept: list[str]) -> str:
    """The target where none is said: the column of that name, else the last; refused where that can be none."""
    if not kept or "target" in kept:
        return "target" if kept else ""
    last, *others = reversed(kept)
    better = next((name for name in others if not _is_free(table[name])), None)
    if better is None or not _is_free(table[last]):
        return last
    distinct = len(set(table[last]) - {None})
    held = "times" if are_times(table[last]) else f"text with {distinct:,} distinct values"
    raise ChainruleError(
        f"{table.name}: the last column, {last!r}, holds {held}, which is no class to predict. Name the target",
        target=better,
    )


def _is_free(values: np.ndarray) -> bool:
    """Whether cells are text that is no class: times, or mostly of a value of their own."""
    if not is_text(values):
        return False
    known = known_texts(values)
    return len(set(known)) > max(MOST_CLASSES, len(known) / 2) or are_times(values)


def known_texts(texts: np.ndarray) -> np.ndarray:
    """A column's texts without the blank cells."""
    return texts[~blanks(texts)]


def likely_tokens(texts: np.ndarray) -> Unit | None:
    """What a lone column of text is read as; None where it holds categories."""
    known = known_texts(texts)
    if len(set(known)) <= max(MOST_CATEGORIES, len(known) / 2):
        return None
    return "words" if sum(len(split_text(text, "words")) for text in known) >= 3 * len(known) else "characters"
