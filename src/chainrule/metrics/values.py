"""Metrics of values: how far outputs are from the expected ones."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.arrays.dtypes import of_axes
from chainrule.metrics.base import (
    Array,
    Everything,
    MeanMetric,
    Metric,
    TallyMetric,
    count_of,
    namespace,
    on_host,
    total_of,
    wide,
)


class MAE(MeanMetric):
    """Mean absolute error, in the units of the target.

    >>> MAE()(np.array([[1.0], [2.0]]), np.array([[1.0], [4.0]]))
    1.0
    """

    measures = "values"
    higher_is_better = False
    textbook = "mean(abs(a - E))"

    def each(self, a, E):
        return abs(wide(a) - _values(a, E)).mean(axis=-1)


class RMSE(MeanMetric):
    """Root of the mean squared error, in the units of the target.

    >>> RMSE()(np.array([[1.0], [2.0]]), np.array([[1.0], [4.0]])) == 2**0.5
    True
    """

    measures = "values"
    higher_is_better = False
    textbook = "sqrt(mean((a - E)**2))"

    def each(self, a, E):
        return ((wide(a) - _values(a, E)) ** 2).mean(axis=-1)

    def from_mean(self, mean):
        return mean**0.5


class R2(TallyMetric):
    """The part of the target's variance that is explained; the mean over several targets.

    1 is perfect, 0 as good as the mean. A constant target gives 1 if it is met exactly, else 0.

    >>> R2()(np.array([[1.0], [2.0]]), np.array([[1.0], [3.0]]))
    0.5
    """

    measures = "values"
    textbook = "1 - sum((a - E)**2) / sum((E - mean(E))**2)"

    def tally(self, a, E, weights=None):
        a, E, weights = on_host(self, a, E, weights)
        E, count = _values(a, E), count_of(E, weights)
        missed = total_of(lambda a, E: a != E, a, E, weights)
        residual = total_of(lambda a, E: (a - E) ** 2, a, E, weights)
        mean = total_of(lambda a, E: E, a, E, weights) / count
        total = total_of(lambda a, E: (E - mean) ** 2, a, E, weights)
        return Spread(count, missed, residual, mean, total, E.min(axis=0), E.max(axis=0))

    def figure(self, tally):
        residual, total = tally.residual / tally.count, tally.total / tally.count
        total = np.where(tally.high - tally.low > 0, total, 0)  # a mean is rounded
        return float(np.mean(np.where(total > 0, 1 - residual / np.where(total > 0, total, 1), tally.missed == 0)))


class MAPE(MeanMetric):
    """Mean absolute error as a part of what is expected; 0.1 is ten percent.

    An expected 0 makes it huge, as in scikit-learn, where it counts as 2⁻⁵². Keras' is a hundred times as large.

    >>> MAPE()(np.array([[1.0], [3.0]]), np.array([[2.0], [4.0]]))
    0.375
    """

    measures = "values"
    higher_is_better = False
    textbook = "mean(abs(a - E) / abs(E))"

    def each(self, a, E):
        E = _values(a, E)
        return (abs(wide(a) - E) / namespace(a).maximum(abs(E), 2.0**-52)).mean(axis=-1)


class MedianAbsoluteError(Metric):
    """The absolute error that half of the examples stay below, in the units of the target; the mean over several.

    It has to see all errors at once, and keeps 8 bytes of each until the last block is measured.

    >>> a, E = np.array([[1.0], [2.0], [9.0]]), np.array([[1.0], [4.0], [2.0]])
    >>> MedianAbsoluteError()(a, E)
    2.0
    """

    measures = "values"
    higher_is_better = False
    textbook = "median(abs(a - E))"

    def __call__(self, a, E, weights=None):
        return self.figure(self.tally(a, E, weights))

    def tally(self, a, E, weights=None):
        a, E, weights = on_host(self, a, E, weights)
        return Everything.of(abs(a - _values(a, E)), weights)

    def figure(self, tally):
        errors, weights = tally.arrays
        return float(np.mean([_median(each, weights) for each in errors.T]))


@dataclass(frozen=True)
class Spread:
    """How far outputs are from expected values, and these from their mean: sums over examples, for each output.

    Reference: Chan, Golub & LeVeque, 1983, Algorithms for computing the sample variance, The American Statistician 37.
    """

    count: Any
    missed: Any
    residual: Any
    mean: Any
    total: Any
    low: Any
    high: Any

    def __add__(self, more: "Spread") -> "Spread":
        count, apart = self.count + more.count, more.mean - self.mean
        return Spread(
            count,
            self.missed + more.missed,
            self.residual + more.residual,
            self.mean + apart * (more.count / count),
            self.total + more.total + apart**2 * (self.count * more.count / count),
            np.minimum(self.low, more.low),
            np.maximum(self.high, more.high),
        )


def _median(values: np.ndarray, weights: np.ndarray | None) -> Any:
    """The value with as much weight on either side; the mean of the two where it lies between them."""
    if weights is None or np.isnan(values).any():
        return np.median(values)
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    half, rounding = below[-1] / 2, 2.0**-50 * below[-1]
    lower, upper = np.searchsorted(below, [half - rounding, half + rounding])
    return (values[order[lower]] + values[order[upper]]) / 2


def _values(a: Array, E: Array) -> Array:
    """The expected values in the outputs' shape: a column, or one-hot for class numbers."""
    if E.ndim < a.ndim:
        E = E[..., None]
        if a.shape[-1] > 1:
            E = of_axes(namespace(a).arange(a.shape[-1], dtype=E.dtype), a) == E
    return E.astype(wide(a).dtype, copy=False)
