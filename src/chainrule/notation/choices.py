"""What users choose: formulas, themselves or in notation, checked for what they are chosen for."""

import math
from collections.abc import Iterable
from typing import Any, Literal, TypeGuard

import numpy as np

from chainrule.errors import ArgumentError, ChainruleError
from chainrule.formula.base import Formula
from chainrule.formula.layer import Chain, Layer
from chainrule.metrics import Metric
from chainrule.notation.families import family
from chainrule.notation.parsing import as_formula
from chainrule.optimizers import FromOptax, Optimizer
from chainrule.regularizers.stopping import EarlyStopping

EPOCHS, SEEDS = (1, 10**9), (0, 2**32 - 1)
"""The least and the most that each can be."""

BatchSize = int | Literal["all"]


def as_chain(network: Layer | str) -> Chain:
    """A network as a chain, from a layer or its notation."""
    layer = as_formula(network, Layer)
    return layer if isinstance(layer, Chain) else Chain((layer,))


def as_optimizer(value: Any) -> Optimizer | FromOptax:
    """An optimizer from itself, from its notation, or from one of Optax's."""
    if not isinstance(value, Formula) and hasattr(value, "init") and hasattr(value, "update"):
        return FromOptax(value)
    return as_formula(value, Optimizer)


def as_metrics(metrics: Any, who: str) -> tuple[Metric, ...]:
    """Metrics from a sequence of them, or of their notations."""
    if isinstance(metrics, str | Metric) or not isinstance(metrics, Iterable):
        one = repr(metrics) if isinstance(metrics, str | Metric) else "'Accuracy()'"
        raise ChainruleError(f"{who}: metrics must be a list, got {metrics!r}. Write [{one}].")
    return tuple(as_formula(metric, Metric) for metric in metrics)


def check_measured(metrics: Iterable[Metric], who: str, target: str, classes: int | None) -> None:
    """Refuse metrics that are not for a target of so many classes: 0 for values, None for what may be either.

    >>> from chainrule.metrics import F1
    >>> check_measured([F1()], "fit", "y", 0)
    Traceback (most recent call last):
    chainrule.errors.ChainruleError: fit: F1() is for classes, but y is a value. Choose MAE(), RMSE(), R2() or MAPE().
    """
    kind, is_one = ("classes", "is a class") if classes else ("values", "is a value")
    for metric in metrics:
        if classes is None or metric.suits(kind, classes):
            continue
        if metric.measures == kind:
            why = f"{metric!r} tells nothing of fewer than {metric.fewest} classes, but {target} has {classes}"
        else:
            why = f"{type(metric).__name__}() is for {metric.measures}, but {target} {is_one}"
        others = [each for each in family(Metric) if each.measures and each.is_figure and each().suits(kind, classes)]
        *some, last = [f"{each.__name__}()" for each in others[:4]]
        raise ChainruleError(f"{who}: {why}. Choose {', '.join(some)} or {last}.")


def is_whole(value: Any, least: int = 1, most: float = math.inf) -> TypeGuard[int]:
    """Whether it is a whole number within bounds, of Python or NumPy."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(least <= value <= most)


def as_whole(value: Any, name: str, least: int, most: int) -> int:
    """A whole number within bounds; the name is that of the argument, in braces where a command has another."""
    if not is_whole(value, least, most):
        raise ArgumentError(f"{name} must be a whole number from {least} to {most}, got {{!r}}.", value)
    return int(value)


def as_minutes(value: Any, name: str = "{minutes}") -> float | None:
    """A time, from a number above 0; None for none."""
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf):
        return value
    raise ArgumentError(f"{name} must be a number above 0, such as 2 or 0.5, got {{!r}}.", value)


def is_batch_size(size: Any) -> TypeGuard[BatchSize]:
    """Whether it is how many examples a step has: a whole number, or "all"."""
    return is_whole(size) or (isinstance(size, str) and size == "all")


def batch_size_of(optimizer: Optimizer | FromOptax, size: Any, usual: BatchSize) -> Any:
    """The batch size that is said; where none is, "all" for an optimizer that asks for it, and else the usual one.

    >>> from chainrule.optimizers import Adam
    >>> batch_size_of(Adam(), None, 32), batch_size_of(Adam(), 64, 32)
    (32, 64)
    """
    if not optimizer.whole_batch:
        return usual if size is None else size
    if size is not None and size != "all":
        raise ArgumentError(
            '{batch_size} must be "all" for {!r}, whose steps are for all examples at once; got {!r}. Leave it out.',
            optimizer,
            size,
        )
    return "all"


def as_early_stopping(rule: EarlyStopping | int | str | None) -> EarlyStopping | None:
    """A rule from itself, from its patience, or from its notation."""
    if rule is None:
        return None
    return EarlyStopping(rule) if isinstance(rule, int) else as_formula(rule, EarlyStopping)
