"""Metrics of the order in which outputs put the examples: they ask no output to be a probability."""

from abc import abstractmethod

import numpy as np

from chainrule.arrays.dtypes import check_within
from chainrule.errors import warn
from chainrule.metrics.base import Everything, Metric, on_host, undefined
from chainrule.metrics.classes import as_classes


class _Ranking(Metric):
    """A figure of each class against the rest, in the order of its outputs; the mean over the classes.

    Of two classes it is that of class 1, and of several labels, (rows, labels) of 0 and 1, the mean over these.
    """

    measures = "classes"

    def __call__(self, a, E, weights=None):
        return self.figure(self.tally(a, E, weights))

    def tally(self, a, E, weights=None):
        scores, E, weights = on_host(self, a, E, weights)
        scores = scores.astype(np.float32) if getattr(a, "dtype", None) == np.float32 else scores  # as it was given
        if E.ndim == scores.ndim and E.shape[-1] > 1:
            check_within(f"{self!r}: E", E, 0, 1, "0 or 1", whole=True)
            return Everything.of(scores, E > 0, weights)
        count = scores.shape[-1]
        scores, classes = (scores, np.arange(count)) if count > 2 else (scores[:, -1:], np.array([1]))
        return Everything.of(scores, as_classes(self, scores, E)[:, None] == classes, weights)

    def figure(self, tally):
        scores, expected, weights = tally.arrays
        if expected.shape[1] == 2 and (expected.sum(axis=1) == 1).all():  # two classes, one-hot
            scores, expected = scores[:, 1:], expected[:, 1:]
        told = expected.any(axis=0) & ~expected.all(axis=0)
        if not told.any():
            return undefined(self, "examples that are all of one class")
        if not told.all():
            missing = ", ".join(map(str, np.flatnonzero(~told)))
            warn(f"{self!r} is the mean over the other classes: no example, or each, is of class {missing}.")
        each = zip(scores[:, told].T, expected[:, told].T, strict=True)
        return float(np.mean([self._of_class(own, of_it, weights) for own, of_it in each]))

    def _of_class(self, scores: np.ndarray, expected: np.ndarray, weights: np.ndarray | None) -> float:
        if np.isnan(scores).any():
            return np.nan
        _, place = np.unique(scores, return_inverse=True)
        weights = np.ones(len(scores)) if weights is None else weights
        return self.of_counts(*(np.bincount(place, each * weights) for each in (expected, ~expected)))

    @abstractmethod
    def of_counts(self, positive: np.ndarray, negative: np.ndarray) -> float:
        """The figure of a class from how many examples are of it, and are not, at each output that there is, rising."""


class ROCAUC(_Ranking):
    """The probability that an example of a class has a larger output for it than one that is not; of equals ½.

    It is the area under the curve of true against false positives. Of several classes it is the mean of each against
    the rest; 1 is perfect, 0.5 chance. It has to see all examples at once, and keeps 5 bytes of each output until the
    last block is measured. A class that does not occur, of which nothing can be told, is left out with a warning.

    Reference: Hanley & McNeil, 1982, The meaning and use of the area under a receiver operating characteristic curve.

    >>> ROCAUC()(np.array([[0.1], [0.4], [0.35], [0.8]]), np.array([0, 0, 1, 1]))
    0.75
    """

    textbook = "sum(E[i] * (1 - E[j]) * ((a[i] > a[j]) + (a[i] == a[j]) / 2) for i, j) / (sum(E) * sum(1 - E))"

    def label(self):
        return "roc_auc"

    def of_counts(self, positive, negative):
        below = np.cumsum(negative) - negative / 2
        return (positive * below).sum() / (positive.sum() * negative.sum())


class AveragePrecision(_Ranking):
    """The mean precision where ever more examples are taken, those of the largest output first.

    It is the area under the curve of precision over recall, in steps, and tells more than ROCAUC of a class that is
    rare. Of several classes it is the mean of each against the rest. It has to see all examples at once, as ROCAUC has,
    and leaves out a class that does not occur with a warning.

    Reference: Buckley & Voorhees, 2000, Evaluating evaluation measure stability.

    >>> a = np.array([[0.1], [0.4], [0.35], [0.8]])
    >>> round(AveragePrecision()(a, np.array([0, 0, 1, 1])), 4)
    0.8333
    """

    textbook = "sum((recall[i] - recall[i-1]) * precision[i] for i)"

    def of_counts(self, positive, negative):
        positive, negative = positive[::-1], negative[::-1]
        precision = np.cumsum(positive) / np.cumsum(positive + negative)
        return (positive * precision).sum() / positive.sum()
