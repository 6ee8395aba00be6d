"""How candidates stand: their means, their ranks, and which of their differences are beyond chance."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from chainrule.runs.comparison.chance import LEVEL, deviation, holm, p_values, standard_error

Choices = dict[str, str]


@dataclass(frozen=True)
class Standing:
    """How a candidate stands among the others, or one choice of an axis.

    Attributes:
        choices: what it chose, by axis.
        values: what each seed measured; NaN where it diverged.
        mean: of those seeds that did not.
        deviation: their standard deviation; NaN of fewer than two.
        error: the standard error of their mean, corrected as `chainrule.runs.comparison.chance` tells.
        rank: the mean over the seeds of its place, 1 for the best; who diverges is last, equals share their places.
        p: how often chance alone puts it as far from the best or further, corrected for all pairs; NaN of the best, of
            a single seed, and where a seed diverged, since those that are left are no fair draw.
    """

    choices: Choices
    values: tuple[float, ...]
    mean: float
    deviation: float
    error: float
    rank: float
    p: float

    @property
    def diverged(self) -> int:
        """With how many seeds it diverged."""
        return int(np.isnan(self.values).sum())

    @property
    def beyond_chance(self) -> bool:
        """Whether it is worse than the best by more than chance gives in one of twenty comparisons."""
        return self.p <= LEVEL


class Pair(NamedTuple):
    """Two candidates, the better one first.

    Attributes:
        better, worse: what they chose.
        difference: of their means, the better one's less the other's.
        deviation: the standard deviation of their differences over the seeds.
        error: the standard error of the difference.
        p: how often chance alone gives as much or more, corrected for all pairs.
    """

    better: Choices
    worse: Choices
    difference: float
    deviation: float
    error: float
    p: float

    @property
    def beyond_chance(self) -> bool:
        """Whether it is more than chance gives in one of twenty comparisons."""
        return self.p <= LEVEL


def standings(measured: Sequence[tuple[Choices, Sequence[float]]], ratio: float, rises: bool) -> list[Standing]:
    """How candidates stand, the best first, and behind all others those that diverged, by how often.

    Args:
        measured: what each chose, and what each seed measured, NaN where it diverged.
        ratio: of test rows to all others, as in `chainrule.runs.comparison.chance`.
        rises: whether larger is better.
    """
    values = np.array([each for _, each in measured], np.float64)
    costs = -values if rises else values
    ended = [each[~np.isnan(each)] for each in values]
    means = np.array([math.fsum(each) / len(each) if len(each) else np.nan for each in ended])
    ranks = _ranks(np.where(np.isnan(costs), np.inf, costs)).mean(axis=1)
    order = np.lexsort((ranks, -means if rises else means, np.isnan(values).sum(axis=1)))
    against_best = _corrected(values, ratio)[order[0]]
    return [
        Standing(
            choices=measured[index][0],
            values=tuple(values[index].tolist()),
            mean=float(means[index]),
            deviation=float(deviation(ended[index])),
            error=float(standard_error(ended[index], ratio)),
            rank=float(ranks[index]),
            p=float(against_best[index]),
        )
        for index in order
    ]


def _ranks(costs: np.ndarray) -> np.ndarray:
    """The places in a column, counted from 1; equals share the mean of theirs.

    >>> _ranks(np.array([[0.3], [0.1], [0.3], [0.2]])).tolist()
    [[3.5], [1.0], [3.5], [2.0]]
    """
    each, others = costs[:, None], costs[None]
    return 0.5 + (others < each).sum(axis=1) + 0.5 * (others == each).sum(axis=1)


def pairs(standings: Sequence[Standing], ratio: float) -> list[Pair]:
    """All pairs of candidates that never diverged, in the order of their standings.

    Args:
        standings: the best first.
        ratio: as in `standings`.
    """
    values = np.array([each.values for each in standings])
    p = _corrected(values, ratio)
    found = []
    for one, other in itertools.combinations(range(len(values)), 2):
        better, worse, apart = standings[one], standings[other], values[one] - values[other]
        if not (better.diverged or worse.diverged):
            figures = (apart.mean(), deviation(apart), standard_error(apart, ratio), p[one, other])
            found.append(Pair(better.choices, worse.choices, *map(float, figures)))
    return found


def _corrected(values: np.ndarray, ratio: float) -> np.ndarray:
    """P-values of all pairs of rows, corrected together; NaN for a row with itself, or with one that has a NaN.

    All pairs count, for which of them is the best, and makes the pairs that are looked at, is known from them only.
    """
    p = np.full((len(values), len(values)), np.nan)
    whole = np.flatnonzero(~np.isnan(values).any(axis=1))
    one, other = (whole[side] for side in np.triu_indices(len(whole), 1))
    p[one, other] = p[other, one] = holm(p_values(values[one], values[other], ratio))
    return p
