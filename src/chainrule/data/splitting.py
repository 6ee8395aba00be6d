"""Which rows train, which validate and which test."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from chainrule.data.table import is_blank
from chainrule.errors import ChainruleError


class Split(NamedTuple):
    """The row numbers of each part, from 0 and rising; every row is in one of them."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split(
    rows: int,
    *,
    validation: float = 0.1,
    test: float = 0.2,
    seed: int = 0,
    classes: Any = None,
    order: Any = None,
    groups: Any = None,
    name: str = "the data",
) -> Split:
    """Divide rows into parts for training, validation and test: at random, by time, or by group.

    Args:
        rows: how many there are.
        validation: the fraction of all rows to validate on; 0 for none.
        test: the fraction of all rows to test on; 0 for none.
        seed: a whole number; the same one gives the same parts.
        classes: each row's class, (rows,), where each part shall hold its share of every class. A class keeps one row
            at least in training.
        order: each row's time, (rows,), where the earliest shall train, later ones validate and the last ones test.
            Rows of one time are in one part, so that the parts are as near to the fractions as times allow.
        groups: each row's group, (rows,), where the rows of a group shall be in one part; drawn at random, as near to
            the fractions as groups allow.
        name: what people call the data, for messages.

    Raises:
        ChainruleError: for fractions that leave nothing to train on, a part that would be empty, or several ways.

    >>> parts = split(10, validation=0.1, test=0.3)
    >>> [len(part) for part in parts]
    [6, 1, 3]
    >>> split(5, validation=0.2, test=0.4, order=[2020, 2024, 2021, 2023, 2022])
    Split(train=array([0, 2]), validation=array([4]), test=array([1, 3]))
    """
    if not (0 <= validation < 1 and 0 <= test < 1 and validation + test < 1):
        raise ChainruleError(
            f"Validation and test must be fractions from 0 up to 1, together below 1; got {validation} and {test}."
        )
    if rows < 1:
        raise ChainruleError(f"{name}: there are no rows to divide. Give rows of data.")
    ways = {"classes": classes, "order": order, "groups": groups}
    said = {way: _numbered(way, values, rows, name) for way, values in ways.items() if values is not None}
    if len(said) > 1:
        raise ChainruleError(f"{name}: rows are divided in one way, not by {' and '.join(said)}. Choose one.")
    fractions, generator = {"test": test, "validation": validation}, np.random.default_rng(seed)
    try:
        return _divided(said, rows, fractions, generator, name)
    except ChainruleError as error:
        raise _without(error, lambda left: _divided(said, rows, left, generator, name), fractions) from None


def _divided(
    said: dict[str, np.ndarray], rows: int, fractions: dict[str, float], generator: np.random.Generator, name: str
) -> Split:
    if "order" in said:
        return _cut(said["order"], fractions, name, "times")
    if "groups" in said:
        return _cut(generator.permutation(said["groups"].max() + 1)[said["groups"]], fractions, name, "groups")
    return _draw(said.get("classes"), rows, fractions, generator, name)


def _numbered(way: str, values: Any, rows: int, name: str) -> np.ndarray:
    """Each row's place among the distinct values, which are in their order."""
    values = np.asarray(values)
    if values.shape != (rows,):
        raise ChainruleError(f"{name}: {way} must be one value a row, of shape {(rows,)}, got {values.shape}.")
    blank = _blank(values)
    if blank.any():
        raise ChainruleError(f"{name}: {way} is blank in row {blank.argmax() + 1}. Fill it, or leave the row out.")
    try:
        if values.dtype.kind != "O":
            return np.unique(values, return_inverse=True)[1].astype(np.int32)
        places = {value: place for place, value in enumerate(sorted(set(values)))}
        return np.fromiter(map(places.__getitem__, values), np.int32, count=rows)
    except TypeError:
        raise ChainruleError(f"{name}: {way} has values of several kinds. Give numbers, times or text.") from None


def _blank(values: np.ndarray) -> np.ndarray:
    """Which of some values are blank, as a mask."""
    if values.dtype.kind == "O":
        return np.fromiter(map(is_blank, values), bool, count=len(values))
    if values.dtype.kind in "mM":
        return np.isnat(values)
    return np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), bool)


def _cut(blocks: np.ndarray, fractions: dict[str, float], name: str, what: str) -> Split:
    """Whole blocks of rows in their order: the last to test on, those before to validate on, one at least for each."""
    sizes = np.bincount(blocks)
    count, start, parts = len(sizes), {}, sum(fraction > 0 for fraction in fractions.values())
    for part, fraction in fractions.items():
        if fraction > 0:
            held = np.cumsum(sizes[:count][::-1])[: count - parts]  # by the last one, two, … blocks
            if not len(held):
                raise empty_part(name, part, f"{len(blocks)} rows in {len(sizes)} {what}")
            count, parts = count - 1 - int(np.abs(held - fraction * len(blocks)).argmin()), parts - 1
        start[part] = count
    train, test = blocks < start["validation"], blocks >= start["test"]
    return Split(np.flatnonzero(train), np.flatnonzero(~train & ~test), np.flatnonzero(test))


def _draw(
    classes: np.ndarray | None, rows: int, fractions: dict[str, float], generator: np.random.Generator, name: str
) -> Split:
    """Rows at random, of each class its share."""
    groups = np.zeros(rows, np.int8) if classes is None else classes
    counts = np.bincount(groups)
    for_test = _shares(counts, fractions["test"], counts - 1)
    for_validation = _shares(counts, fractions["validation"], counts - 1 - for_test)
    among = "" if classes is None else f" in {len(counts)} classes"
    for part, taken in (("test", for_test), ("validation", for_validation)):
        if fractions[part] > 0 and taken.sum() == 0:
            if among and len(counts) == 1:  # of which nothing can be learned, however it is divided
                raise ChainruleError(f"{name}: all rows are of a single class. Give rows of two classes or more.")
            raise empty_part(name, part, f"{rows} rows{among}")
    rank = _rank_within(groups, counts, generator)
    in_test, in_either = rank < for_test[groups], rank < (for_test + for_validation)[groups]
    return Split(np.flatnonzero(~in_either), np.flatnonzero(in_either & ~in_test), np.flatnonzero(in_test))


def empty_part(name: str, part: str, found: str) -> ChainruleError:
    """The error of a part without rows."""
    return ChainruleError(f"{name}: the {part} part would be empty, of {found}. Give more rows", **{part: 0})


def _without(error: ChainruleError, divide: Callable[[dict], Split], fractions: dict[str, float]) -> ChainruleError:
    """The error of an empty part, with all that mends it: where another part would then be empty, both left out."""
    try:
        divide(fractions | error.choices)
    except ChainruleError as next_error:
        return ChainruleError(error.message, **(error.choices | next_error.choices))
    return error


def _rank_within(groups: np.ndarray, counts: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Each row's place in a random order of its own group."""
    places = np.arange(len(groups), dtype=np.int32 if len(groups) < 2**31 else np.int64)
    order = places.copy()
    generator.shuffle(order)
    order = order[np.argsort(groups[order], kind="stable")]
    starts = (np.cumsum(counts) - counts).astype(places.dtype)
    rank = np.empty_like(places)
    rank[order] = places - np.repeat(starts, counts)
    return rank


def _shares(counts: np.ndarray, fraction: float, available: np.ndarray) -> np.ndarray:
    """How many rows of each class a part takes: the fraction of it, and the largest remainders rounded up."""
    if fraction == 0:
        return np.zeros_like(counts)
    total = min(max(1, int(counts.sum() * fraction + 0.5)), int(available.sum()))
    taken = np.minimum((counts * fraction).astype(int), available)
    while taken.sum() < total:
        wanting = np.where(taken < available, counts * fraction - taken, -np.inf)
        taken[wanting.argmax()] += 1
    return taken
