"""Metrics: how good the outputs are, in figures that people use.

On the host they are computed in float64, of as many examples as there are: what a metric needs to know of some is a
tally, and tallies add up (`TallyMetric`). One that is a mean over examples can also be followed during training
(`MeanMetric`). Classes are numbers 0, 1, … on the last axis; a single output is the probability of class 1. Where
examples have weights, a metric is the weighted one. In sequences and images each step or place is an example, padding
one of weight 0.
"""

import re
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.arrays.dtypes import check_within, is_real, of_axes, widened
from chainrule.arrays.masked import step_weights
from chainrule.arrays.memory import blocks
from chainrule.errors import ChainruleError
from chainrule.formula.base import Formula, fields
from chainrule.formula.constraints import one_of, positive_int

Array = Any  # NumPy's on the host, JAX's in training


class Metric(Formula):
    """A figure of merit of outputs a against expected values E."""

    higher_is_better: ClassVar[bool] = True
    is_figure: ClassVar[bool] = True
    """Whether it is one number, rather than a table of them."""

    measures: ClassVar[Literal["classes", "values"] | None] = None
    """What targets it is for; None for any."""

    @property
    def fewest(self) -> int:
        """The fewest classes of which it tells anything."""
        return 1

    def suits(self, kind: str, classes: int) -> bool:
        """Whether it measures targets of a kind, "values" or so many "classes"."""
        return self.measures is None or (self.measures == kind and (kind == "values" or self.fewest <= classes))

    @abstractmethod
    def __call__(self, a: Array, E: Array, weights: Array | None = None) -> Any:
        """The metric over all examples.

        Args:
            a: the outputs, (rows, outputs), or (rows, …, outputs) for each step or place.
            E: class numbers (rows, …), or values in the shape of the outputs.
            weights: how much each row counts, (rows,), or each step, (rows, time).
        """

    def tally(self, a: Array, E: Array, weights: Array | None = None) -> Any:
        """What it needs to know of some examples, as `__call__` takes them; by default all about them.

        Tallies are added: the sum of those of the parts is that of the whole.
        """
        return Everything(np.asarray(a), np.asarray(E), None if weights is None else np.asarray(weights))

    def figure(self, tally: Any) -> Any:
        """The metric of the examples that were tallied."""
        return self(tally.a, tally.E, tally.weights)

    def label(self) -> str:
        """Its name in tables and files, with the fields that differ from their defaults: "top_k", "top_k_1"."""
        words = [re.sub("(?<=[a-z])(?=[A-Z])", "_", type(self).__name__).lower()]
        words += [
            str(getattr(self, field.name)) for field in fields(self) if getattr(self, field.name) != field.default
        ]
        return "_".join(words)


@dataclass(frozen=True)
class Everything:
    """The tally of a metric that has to see all examples at once."""

    a: np.ndarray
    E: np.ndarray
    weights: np.ndarray | None = None

    def __add__(self, more: "Everything") -> "Everything":
        mine, others = ((each.a, each.E, *([] if each.weights is None else [each.weights])) for each in (self, more))
        return Everything(*map(np.concatenate, zip(mine, others, strict=True)))


class TallyMetric(Metric):
    """A metric that needs to know a few figures only, however many the examples are: `tally` and `figure` are it.

    >>> tallies = [Accuracy().tally(np.eye(2), np.array([0, 1])), Accuracy().tally(np.eye(2), np.array([1, 1]))]
    >>> Accuracy().figure(sum(tallies))
    0.75
    """

    @abstractmethod
    def tally(self, a: Array, E: Array, weights: Array | None = None) -> Any:
        """What it needs to know of some examples."""

    @abstractmethod
    def figure(self, tally: Any) -> Any:
        """The metric of the examples that were tallied."""

    def __call__(self, a, E, weights=None):
        return self.figure(self.tally(a, E, weights))


class MeanMetric(TallyMetric):
    """A metric that is a function of a mean over examples."""

    @abstractmethod
    def each(self, a: Array, E: Array) -> Array:
        """The number of each example, shape (rows, …), whose mean makes the metric."""

    def from_mean(self, mean: Any) -> Any:
        """The metric from the mean of `each`."""
        return mean

    def tally(self, a, E, weights=None):
        a, E, weights = _on_host(self, a, E, weights)
        return np.array([_total(self.each, a, E, weights), _count_of(E, weights)])

    def figure(self, tally):
        total, count = tally
        return float(self.from_mean(total / count))


class Accuracy(MeanMetric):
    """The part of the examples whose most probable class is the expected one.

    >>> Accuracy()(np.array([[0.2, 0.8], [0.9, 0.1]]), np.array([1, 1]))
    0.5
    """

    measures = "classes"
    textbook = "mean(argmax(a) == E)"

    def each(self, a, E):
        return _as_numbers((predicted_classes(a) == _classes(self, a, E)) & _is_ordered(a))


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
        xp = _namespace(a)
        expected = _classes(self, a, E)[..., None]
        if a.shape[-1] == 1:
            a = xp.concatenate([1 - a, a], axis=-1)
        own = xp.take_along_axis(a, expected, axis=-1)
        ahead = (a > own) | ((a == own) & (of_axes(xp.arange(a.shape[-1], dtype=expected.dtype), a) < expected))
        return _as_numbers((ahead.sum(axis=-1) < self.k) & _is_ordered(a))


class MAE(MeanMetric):
    """Mean absolute error, in the units of the target.

    >>> MAE()(np.array([[1.0], [2.0]]), np.array([[1.0], [4.0]]))
    1.0
    """

    measures = "values"
    higher_is_better = False
    textbook = "mean(abs(a - E))"

    def each(self, a, E):
        return abs(_wide(a) - _values(a, E)).mean(axis=-1)


class RMSE(MeanMetric):
    """Root of the mean squared error, in the units of the target.

    >>> RMSE()(np.array([[1.0], [2.0]]), np.array([[1.0], [4.0]])) == 2**0.5
    True
    """

    measures = "values"
    higher_is_better = False
    textbook = "sqrt(mean((a - E)**2))"

    def each(self, a, E):
        return ((_wide(a) - _values(a, E)) ** 2).mean(axis=-1)

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
        a, E, weights = _on_host(self, a, E, weights)
        E, count = _values(a, E), _count_of(E, weights)
        missed = _total(lambda a, E: a != E, a, E, weights)
        residual = _total(lambda a, E: (a - E) ** 2, a, E, weights)
        mean = _total(lambda a, E: E, a, E, weights) / count
        total = _total(lambda a, E: (E - mean) ** 2, a, E, weights)
        return Spread(count, missed, residual, mean, total, E.min(axis=0), E.max(axis=0))

    def figure(self, tally):
        residual, total = tally.residual / tally.count, tally.total / tally.count
        total = np.where(tally.high - tally.low > 0, total, 0)  # a mean is rounded
        return float(np.mean(np.where(total > 0, 1 - residual / np.where(total > 0, total, 1), tally.missed == 0)))


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


class ConfusionMatrix(TallyMetric):
    """How many examples (or what weight) of each expected class, a row, were given each class, a column.

    >>> ConfusionMatrix()(np.array([[0.2, 0.8], [0.9, 0.1]]), np.array([1, 1])).tolist()
    [[0.0, 0.0], [1.0, 1.0]]
    """

    measures = "classes"
    is_figure = False
    textbook = "C[i, j] = sum((E == i) * (argmax(a) == j))"

    def tally(self, a, E, weights=None):
        a, E, weights = _on_host(self, a, E, weights)
        given = _is_ordered(a)
        cells = (_classes(self, a, E) * _count(a) + predicted_classes(a))[given]
        weights = None if weights is None else weights[given]
        return np.bincount(cells, weights=weights, minlength=_count(a) ** 2).reshape(_count(a), -1).astype(float)

    def figure(self, tally):
        return tally


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
        a, E, weights = _on_host(self, a, E, weights)
        expected = np.bincount(_classes(self, a, E), weights, _count(a)).astype(float)
        return np.stack([*ConfusionMatrix().tally(a, E, weights), expected])

    def figure(self, tally):
        confusion, expected = tally[:-1], tally[-1]
        hits, predicted = np.diag(confusion), confusion.sum(axis=0)
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
    """Of the examples of a class, the part that is given it. The macro average is the balanced accuracy.

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


def predicted_classes(a: Array) -> Array:
    """The most probable class of each output; of equals, the first."""
    return (a[..., 0] > 0.5 if a.shape[-1] == 1 else a.argmax(axis=-1)).astype("int32")


def _is_ordered(a: Array) -> Array:
    """Whether each output has a most probable class: NaN is none, and never right."""
    return (a == a).all(axis=-1)


def _count(a: Array) -> int:
    """How many classes there are."""
    return max(a.shape[-1], 2)


def _classes(metric: Metric, a: Array, E: Array) -> Array:
    """The expected class numbers, also from one-hot targets or a column of them."""
    if E.ndim == a.ndim and E.shape[-1] > 1:
        return E.argmax(axis=-1).astype("int32")
    E = E if E.ndim < a.ndim else E[..., 0]
    check_within(f"{metric!r}: E", E, 0, _count(a) - 1, f"a class number from 0 to {_count(a) - 1}", whole=True)
    return E.astype("int32")


def _values(a: Array, E: Array) -> Array:
    """The expected values in the outputs' shape: a column, or one-hot for class numbers."""
    if E.ndim < a.ndim:
        E = E[..., None]
        if a.shape[-1] > 1:
            E = of_axes(_namespace(a).arange(a.shape[-1], dtype=E.dtype), a) == E
    return E.astype(_wide(a).dtype, copy=False)


def _as_numbers(right: Array) -> Array:
    """Truth values as 1 and 0."""
    return right.astype("float32" if isinstance(right, jax.Array) else "float64")


def _on_host(metric: Metric, a: Any, E: Any, weights: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Outputs, expected values and weights of the examples that count, checked, (n, outputs), (n, …) and (n,)."""
    a, E = _as_array(metric, a), _as_array(metric, E)
    if not (is_real(a.dtype) and is_real(E.dtype)):
        raise ChainruleError(
            f"{metric!r}: expected outputs and targets that are real numbers, got {a.dtype} and {E.dtype}. "
            f"Number the classes from 0."
        )
    if a.ndim < 2 or a.size == 0 or E.shape not in (a.shape, a.shape[:-1], (*a.shape[:-1], 1)):
        raise ChainruleError(
            f"{metric!r}: expected outputs (rows, …, outputs), and targets of the same shape or class numbers "
            f"(rows, …), got outputs of shape {a.shape} and targets of shape {E.shape}."
        )
    if weights is not None:
        weights = _as_array(metric, weights)
        weights = weights.astype(np.float64) if is_real(weights.dtype) else np.zeros(0)
        own = 0 < weights.ndim < a.ndim and weights.shape == a.shape[: weights.ndim]
        if not own or not (weights >= 0).all() or not weights.any():
            raise ChainruleError(
                f"{metric!r}: expected weights of shape {a.shape[:1]}, none negative and not all 0, "
                f"got shape {weights.shape}."
            )
        weights = step_weights(a.shape[:-1], weights, None).ravel()
    a, E = a.reshape(-1, a.shape[-1]), E.reshape(-1, *E.shape[a.ndim - 1 :])
    if weights is not None and not weights.all():
        a, E, weights = a[weights > 0], E[weights > 0], weights[weights > 0]
    return a.astype(np.float64, copy=False), E, weights


def _total(each: Callable[[Array, Array], Array], a: Array, E: Array, weights: Array | None) -> Any:
    """The sum over examples of what is made of each, which is never made of all of many at once."""
    total = 0
    for some in blocks(len(a), a.shape[-1]):
        values = each(a[some], E[some])
        if weights is not None:
            values = values * weights[some].reshape(-1, *(1,) * (values.ndim - 1))
        total = total + values.sum(axis=0, dtype=np.float64)
    return total


def _count_of(E: Array, weights: Array | None) -> Any:
    """How much the examples count together."""
    return len(E) if weights is None else weights.sum()


def _as_array(metric: Metric, values: Any) -> np.ndarray:
    try:
        return np.asarray(values)
    except ValueError:
        raise ChainruleError(f"{metric!r}: expected arrays of numbers, got rows of unequal length.") from None


def _wide(a: Array) -> Array:
    """The outputs as numbers whose sums are exact enough: on the host they are already."""
    return widened(a) if isinstance(a, jax.Array) else a


def _namespace(a: Array) -> Any:
    return jnp if isinstance(a, jax.Array) else np


def _ratio(part: Array, whole: Array) -> Array:
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1), 0.0)
