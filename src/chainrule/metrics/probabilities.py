"""Metrics of the probabilities of classes: whether they are as often true as they say."""

from typing import Any

import numpy as np

from chainrule.arrays.dtypes import of_axes
from chainrule.formula.constraints import positive_int
from chainrule.metrics.base import Array, MeanMetric, Metric, TallyMetric, namespace, on_host, wide
from chainrule.metrics.classes import as_classes

LEAST = 2.0**-52  # a probability of 0 counts as this, as in scikit-learn, or one example would make the mean infinite


class LogLoss(MeanMetric):
    """The mean of −ln of the probability that the expected class was given.

    It is what cross-entropy is as a cost, but for the regulariser and for a probability of 0, which counts as 2⁻⁵².

    Reference: Good, 1952, Rational decisions.

    >>> round(LogLoss()(np.array([[0.5, 0.5], [0.75, 0.25]]), np.array([1, 0])), 4)
    0.4904
    """

    measures = "classes"
    higher_is_better = False
    textbook = "-mean(ln(a[E]))"

    def each(self, a, E):
        xp, (p, expected) = namespace(a), _distributions(self, a, E)
        return -(expected * xp.log(xp.maximum(p, LEAST))).sum(axis=-1)


class BrierScore(MeanMetric):
    """The mean squared distance of the probabilities from what came true.

    Of two classes it is that of the probability of one of them, half of the sum.

    Reference: Brier, 1950, Verification of forecasts expressed in terms of probability.

    >>> BrierScore()(np.array([[0.5], [0.25]]), np.array([1, 0]))
    0.15625
    """

    measures = "classes"
    higher_is_better = False
    textbook = "mean(sum((a[c] - (E == c))**2 for c))"

    def each(self, a, E):
        p, expected = _distributions(self, a, E)
        return ((p - expected) ** 2).sum(axis=-1) / (2 if p.shape[-1] == 2 else 1)


class CalibrationError(TallyMetric):
    """How far the part that is right is from the probability that said so: the mean over bins of equal probability.

    Examples are put in bins by the probability of the class that they are given; each bin counts as its examples do.

    Reference: Guo, Pleiss, Sun & Weinberger, 2017, On calibration of modern neural networks, arXiv:1706.04599.

    >>> CalibrationError()(np.array([[0.75, 0.25], [0.75, 0.25]]), np.array([0, 1]))
    0.25
    """

    measures = "classes"
    higher_is_better = False
    bins: int = positive_int(15, "how many bins there are from 0 to 1")
    textbook = "sum(n[b] * abs(accuracy[b] - confidence[b]) for b) / n"

    def tally(self, a, E, weights=None):
        a, E, weights = on_host(self, a, E, weights)
        p, expected = _distributions(self, a, E)
        sure, right = p.max(axis=-1), as_classes(self, p, expected) == p.argmax(axis=-1)
        weights = np.ones(len(p)) if weights is None else weights
        inner = np.linspace(0, 1, self.bins + 1)[1:-1]
        place = np.searchsorted(inner, sure)
        return np.stack([np.bincount(place, weights * each, self.bins) for each in (1.0, sure, right)])

    def figure(self, tally):
        count, sure, right = tally
        return float(abs(right - sure).sum() / count.sum())


def _distributions(metric: Metric, a: Array, E: Array) -> tuple[Any, Any]:
    """The probabilities of all classes as they were given, and as they were expected; (…, classes)."""
    xp, a = namespace(a), wide(a)
    E = E if E.ndim == a.ndim and E.shape[-1] > 1 else as_classes(metric, a, E)
    p = xp.concatenate([1 - a, a], axis=-1) if a.shape[-1] == 1 else a
    if E.ndim < p.ndim:
        E = E[..., None] == of_axes(xp.arange(p.shape[-1], dtype=E.dtype), p)
    return p, E.astype(p.dtype)
