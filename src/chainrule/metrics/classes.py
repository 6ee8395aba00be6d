"""Metrics of classes: what part of the examples is given the expected one, and of which classes."""

import re
from abc import abstractmethod

import jax
import numpy as np

from chainrule.arrays.dtypes import check_within, of_axes
from chainrule.formula.constraints import one_of, positive_int
from chainrule.metrics.base import Array, MeanMetric, Metric, TallyMetric, namespace, on_host


class Accuracy(MeanMetric):
    """The part of the examples whose most probable class is the expected one.

    >>> Accuracy()(np.array([[0.2, 0.8], [0.9, 0.1]]), np.array([1, 1]))
    0.5
    """

    measures = "classes"
    textbook = "mean(argmax(a) == E)"

    def each(self, a, E):
        return _as_numbers((predicted_classes(a) == as_classes(self, a, E)) & _is_ordered(a))


class TopK(MeanMetric):
    """The part of the examples whose expected class is among the k most probable; of equals, the first count.

    >>> TopK(2)(np.array([[0.5, 0.3, 0.2]]), np.array([1]))
    1.0
    """

    measures = "classes"
    k: int = positive_int(5, "how many classes may be named")
    textbook = "mean(rank(a[E]) < k)"

    @property
    def fewest(self):
        return self.k + 1

    def each(self, a, E):
        xp = namespace(a)
        expected = as_classes(self, a, E)[..., None]
        if a.shape[-1] == 1:
            a = xp.concatenate([1 - a, a], axis=-1)
        own = xp.take_along_axis(a, expected, axis=-1)
        ahead = (a > own) | ((a == own) & (of_axes(xp.arange(a.shape[-1], dtype=expected.dtype), a) < expected))
        return _as_numbers((ahead.sum(axis=-1) < self.k) & _is_ordered(a))


class ConfusionMatrix(TallyMetric):
    """How many examples (or what weight) of each expected class, a row, were given each class, a column.

    >>> ConfusionMatrix()(np.array([[0.2, 0.8], [0.9, 0.1]]), np.array([1, 1])).tolist()
    [[0.0, 0.0], [1.0, 1.0]]
    """

    measures = "classes"
    is_figure = False
    textbook = "C[i, j] = sum((E == i) * (argmax(a) == j))"

    def tally(self, a, E, weights=None):
        return counted(self, a, E, weights)

    def figure(self, tally):
        return tally[:, :-1]


class _ClassRate(TallyMetric):
    """A rate of each class from the confusion matrix, averaged over the classes."""

    measures = "classes"
    average: str = one_of("macro", "weighted", "micro", default="macro", meaning="how the classes are averaged")

    def in_textbook(self):
        rate = self.textbook.removeprefix("mean(").removesuffix(")")
        if self.average == "micro":
            return re.sub(r"hits|predicted|expected", r"sum(\g<0>)", rate)
        return f"sum(expected * {rate}) / sum(expected)" if self.average == "weighted" else self.textbook

    @abstractmethod
    def rate(self, hits: Array, predicted: Array, expected: Array) -> Array:
        """The rate from the numbers of right, predicted and expected examples; 0/0 is 0."""

    def tally(self, a, E, weights=None):
        return counted(self, a, E, weights)

    def figure(self, tally):
        hits, predicted, expected = np.diag(tally), tally.sum(axis=0)[:-1], tally.sum(axis=1)
        if self.average == "micro":
            return float(self.rate(hits.sum(), predicted.sum(), expected.sum()))
        shown = (predicted + expected) > 0  # a class that stands nowhere says nothing
        share = expected[shown] if self.average == "weighted" else None
        return float(np.average(self.rate(hits, predicted, expected)[shown], weights=share))


class Precision(_ClassRate):
    """Of the examples given a class, the part that is of it.

    >>> Precision()(np.array([[0.2, 0.8], [0.1, 0.9]]), np.array([0, 1]))
    0.25
    """

    textbook = "mean(hits / predicted)"

    def rate(self, hits, predicted, expected):
        return _ratio(hits, predicted)


class Recall(_ClassRate):
    """Of the examples of a class, the part that is given it.

    The macro average is BalancedAccuracy, but that a class that is given and never expected counts here, as 0.

    >>> Recall()(np.array([[0.2, 0.8], [0.1, 0.9]]), np.array([0, 1]))
    0.5
    """

    textbook = "mean(hits / expected)"

    def rate(self, hits, predicted, expected):
        return _ratio(hits, expected)


class F1(_ClassRate):
    """The harmonic mean of precision and recall.

    >>> round(F1()(np.array([[0.2, 0.8], [0.1, 0.9]]), np.array([0, 1])), 4)
    0.3333
    """

    textbook = "mean(2 * hits / (predicted + expected))"

    def rate(self, hits, predicted, expected):
        return _ratio(2 * hits, predicted + expected)


def counted(metric: Metric, a: Array, E: Array, weights: Array | None) -> np.ndarray:
    """How many examples of each class, a row, were given each class, a column, or none, which is the last column."""
    a, E, weights = on_host(metric, a, E, weights)
    count = count_classes(a)
    given = np.where(_is_ordered(a), predicted_classes(a), count)
    cells = as_classes(metric, a, E) * (count + 1) + given
    return np.bincount(cells, weights, count * (count + 1)).reshape(count, -1).astype(float)


def predicted_classes(a: Array) -> Array:
    """The most probable class of each output; of equals, the first."""
    return (a[..., 0] > 0.5 if a.shape[-1] == 1 else a.argmax(axis=-1)).astype("int32")


def _is_ordered(a: Array) -> Array:
    """Whether each output has a most probable class: NaN is none, and never right."""
    return (a == a).all(axis=-1)


def count_classes(a: Array) -> int:
    """How many classes there are."""
    return max(a.shape[-1], 2)


def as_classes(metric: Metric, a: Array, E: Array) -> Array:
    """The expected class numbers, also from one-hot targets or a column of them."""
    if E.ndim == a.ndim and E.shape[-1] > 1:
        return E.argmax(axis=-1).astype("int32")
    E = E if E.ndim < a.ndim else E[..., 0]
    last = count_classes(a) - 1
    check_within(f"{metric!r}: E", E, 0, last, f"a class number from 0 to {last}", whole=True)
    return E.astype("int32")


def _as_numbers(right: Array) -> Array:
    """Truth values as 1 and 0."""
    return right.astype("float32" if isinstance(right, jax.Array) else "float64")


def _ratio(part: Array, whole: Array) -> Array:
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1), 0.0)
