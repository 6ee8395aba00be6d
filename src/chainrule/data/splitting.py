"""Which rows train, which validate and which test."""

from typing import Any, NamedTuple

import numpy as np

from chainrule.errors import ChainruleError


class Split(NamedTuple):
    """The row numbers of each part, from 0 and rising; every row is in one of them."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split(
    rows: int, *, validation: float = 0.1, test: float = 0.2, seed: int = 0, classes: Any = None, name: str = "the data"
) -> Split:
    """Divide rows at random into parts for training, validation and test.

    Args:
        rows: how many there are.
        validation: the fraction of all rows to validate on; 0 for none.
        test: the fraction of all rows to test on; 0 for none.
        seed: a whole number; the same one gives the same parts.
        classes: each row's class, (rows,), where each part shall hold its share of every class. A class keeps one row
            at least in training.
        name: what people call the data, for messages.

    Raises:
        ChainruleError: for fractions that leave nothing to train on, or a part that would be empty.

    >>> parts = split(10, validation=0.1, test=0.3)
    >>> [len(part) for part in parts]
    [6, 1, 3]
    """
    if not (0 <= validation < 1 and 0 <= test < 1 and validation + test < 1):
        raise ChainruleError(
            f"Validation and test must be fractions from 0 up to 1, together below 1; got {validation} and {test}."
        )
    if rows < 1:
        raise ChainruleError(f"{name}: there are no rows to divide. Give rows of data.")
    groups = np.zeros(rows, int) if classes is None else np.unique(np.asarray(classes), return_inverse=True)[1]
    counts = np.bincount(groups)
    for_test = _shares(counts, test, counts - 1)
    for_validation = _shares(counts, validation, counts - 1 - for_test)
    among = "" if classes is None else f" in {len(counts)} classes"
    for part, fraction, taken in (("test", test, for_test), ("validation", validation, for_validation)):
        if fraction > 0 and taken.sum() == 0:
            raise ChainruleError(
                f"{name}: the {part} part would be empty, of {rows} rows{among}. Give more rows", **{part: 0}
            )
    rank = _rank_within(groups, counts, np.random.default_rng(seed))
    in_test, in_either = rank < for_test[groups], rank < (for_test + for_validation)[groups]
    return Split(np.flatnonzero(~in_either), np.flatnonzero(in_either & ~in_test), np.flatnonzero(in_test))


def _rank_within(groups: np.ndarray, counts: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Each row's place in a random order of its own group."""
    order = generator.permutation(len(groups))
    order = order[np.argsort(groups[order], kind="stable")]
    starts = np.cumsum(counts) - counts
    rank = np.empty(len(groups), int)
    rank[order] = np.arange(len(groups)) - np.repeat(starts, counts)
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
