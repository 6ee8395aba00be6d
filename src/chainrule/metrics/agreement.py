"""Metrics of classes that chance can't raise: to name the commonest class always is worth nothing."""

from typing import Any

import numpy as np

from chainrule.formula.constraints import one_of
from chainrule.metrics.base import TallyMetric, undefined
from chainrule.metrics.classes import counted


class _Agreement(TallyMetric):
    """A figure of how many examples of each class were given each class, or none: an output that is no number."""

    measures = "classes"

    def tally(self, a, E, weights=None):
        return counted(self, a, E, weights)


class BalancedAccuracy(_Agreement):
    """The mean over the classes of the part of their examples that is given them, however rare a class is.

    A class of which there is no example says nothing.

    Reference: Brodersen, Ong, Stephan & Buhmann, 2010, The balanced accuracy and its posterior distribution.

    >>> a = np.array([[0.2, 0.8], [0.9, 0.1], [0.1, 0.9]])
    >>> BalancedAccuracy()(a, np.array([0, 0, 1]))
    0.75
    """

    textbook = "mean(hits / expected)"

    def figure(self, tally):
        hits, expected = np.diag(tally), tally.sum(axis=1)
        return float((hits[expected > 0] / expected[expected > 0]).mean())


class Matthews(_Agreement):
    """The correlation of the given with the expected classes: 1 where all are right, 0 where chance would do as well.

    It is 0 where all examples are of one class, or are given one.

    Reference: Matthews, 1975, Comparison of the predicted and observed secondary structure of T4 phage lysozyme;
    Gorodkin, 2004, Comparing two K-category assignments by a K-category correlation coefficient.

    >>> Matthews()(np.array([[0.2, 0.8], [0.9, 0.1], [0.1, 0.9]]), np.array([0, 0, 1]))
    0.5
    """

    textbook = """
        c = n * sum(hits) - sum(predicted * expected)
        c / (sqrt(n**2 - sum(predicted**2)) * sqrt(n**2 - sum(expected**2)))"""

    def figure(self, tally):
        predicted, expected, n = tally.sum(axis=0), tally.sum(axis=1), tally.sum()
        if (predicted > 0).sum() < 2 or (expected > 0).sum() < 2:
            return 0.0
        covariance = n * np.trace(tally) - predicted[:-1] @ expected
        return float(covariance / np.sqrt(n**2 - predicted @ predicted) / np.sqrt(n**2 - expected @ expected))


class Kappa(_Agreement):
    """Cohen's κ: how much more the given and the expected classes agree than by chance; 1 where all are right.

    Of classes that stand in an order, `Kappa("quadratic")` counts a miss by the square of its distance.

    Reference: Cohen, 1960, A coefficient of agreement for nominal scales; Cohen, 1968, Weighted kappa.

    >>> round(Kappa()(np.array([[0.2, 0.8], [0.9, 0.1], [0.1, 0.9]]), np.array([0, 0, 1])), 4)
    0.4
    """

    distance: str = one_of(
        "equal", "linear", "quadratic", default="equal", meaning="how far apart two classes are that differ"
    )
    textbook = "1 - n * sum((i != j) * C[i, j] for i, j) / sum((i != j) * expected[i] * predicted[j] for i, j)"

    def in_textbook(self):
        between = {"equal": "(i != j)", "linear": "abs(i - j)", "quadratic": "(i - j)**2"}[self.distance]
        return self.textbook.replace("(i != j)", between)

    def figure(self, tally):
        by_chance = np.outer(tally.sum(axis=1), tally.sum(axis=0)) / tally.sum()
        apart = self._apart(len(tally))
        if not (apart * by_chance).any():
            return undefined(self, "examples that are all of one class and are given it")
        return float(1 - (apart * tally).sum() / (apart * by_chance).sum())

    def _apart(self, classes: int) -> np.ndarray:
        """How far apart an expected class, a row, and a given one are; where none is given, as far as any two."""
        places = np.arange(classes)
        apart: Any = abs(places[:, None] - places)
        apart = {"equal": apart > 0, "linear": apart, "quadratic": apart**2}[self.distance].astype(float)
        return np.pad(apart, [(0, 0), (0, 1)], constant_values=apart.max())
