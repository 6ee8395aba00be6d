"""What every metric is, and what it needs to know of examples."""

import re
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Literal, Self

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.arrays.dtypes import is_real, widened
from chainrule.arrays.masked import step_weights
from chainrule.arrays.memory import blocks
from chainrule.errors import ChainruleError, warn
from chainrule.formula.base import Formula, fields

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
        return Everything.of(np.asarray(a), np.asarray(E), None if weights is None else np.asarray(weights))

    def figure(self, tally: Any) -> Any:
        """The metric of the examples that were tallied."""
        return self(*tally.arrays)

    def label(self) -> str:
        """Its name in tables and files, with the fields that differ from their defaults: "top_k", "top_k_1"."""
        own = ((getattr(self, field.name), field.default) for field in fields(self))
        return "_".join([_in_words(type(self).__name__), *(str(value) for value, usual in own if value != usual)])


@dataclass(frozen=True)
class Everything:
    """The tally of a metric that has to see all examples at once: arrays with an entry for each, in parts."""

    parts: tuple[tuple[np.ndarray | None, ...], ...]

    @classmethod
    def of(cls, *arrays: np.ndarray | None) -> Self:
        """Of one part; None stands where there is no array."""
        return cls((arrays,))

    def __add__(self, more: Self) -> Self:
        return type(self)(self.parts + more.parts)

    @property
    def arrays(self) -> tuple[Any, ...]:
        """Each array of all examples, which are put together only now."""
        columns = zip(*self.parts, strict=True)
        return tuple(None if column[0] is None else np.concatenate(column) for column in columns)


class TallyMetric(Metric):
    """A metric that needs to know a few figures only, however many the examples are: `tally` and `figure` are it.

    >>> from chainrule.metrics import Accuracy
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
        a, E, weights = on_host(self, a, E, weights)
        return np.array([total_of(self.each, a, E, weights), count_of(E, weights)])

    def figure(self, tally):
        total, count = tally
        return float(self.from_mean(total / count))


@cache
def _in_words(name: str) -> str:
    """A class's name as it stands in tables and files."""
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", name).lower()


def undefined(metric: Metric, examples: str) -> float:
    """The figure of examples of which a metric tells nothing: no number, with a warning."""
    warn(f"{metric!r} tells nothing of {examples}.")
    return float("nan")


def on_host(metric: Metric, a: Any, E: Any, weights: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
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


def total_of(each: Callable[[Array, Array], Array], a: Array, E: Array, weights: Array | None) -> Any:
    """The sum over examples of what is made of each, which is never made of all of many at once."""
    total = 0
    for some in blocks(len(a), a.shape[-1]):
        values = each(a[some], E[some])
        if weights is not None:
            values = values * weights[some].reshape(-1, *(1,) * (values.ndim - 1))
        total = total + values.sum(axis=0, dtype=np.float64)
    return total


def count_of(E: Array, weights: Array | None) -> Any:
    """How much the examples count together."""
    return len(E) if weights is None else weights.sum()


def wide(a: Array) -> Array:
    """The outputs as numbers whose sums are exact enough: on the host they are already."""
    return widened(a) if isinstance(a, jax.Array) else a


def namespace(a: Array) -> Any:
    """NumPy, or JAX of its arrays."""
    return jnp if isinstance(a, jax.Array) else np


def _as_array(metric: Metric, values: Any) -> np.ndarray:
    try:
        return np.asarray(values)
    except ValueError:
        raise ChainruleError(f"{metric!r}: expected arrays of numbers, got rows of unequal length.") from None
