"""A rate that follows the validation data: lower where they tell of no gain any more."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from chainrule.formula.base import unchecked
from chainrule.formula.constraints import fraction, non_negative, optional, positive, positive_int
from chainrule.metrics import Metric
from chainrule.optimizers.schedules import Schedule
from chainrule.regularizers.stopping import EarlyStopping, figure


class ReduceOnPlateau(Schedule):
    """The rate falls by a factor when the validation cost, or a metric, has been no better for `patience` epochs.

    Then it has as many epochs again to bring a gain, over the best of all, as in Keras; PyTorch waits an epoch longer,
    and measures a gain in parts of the best by default. It is a function of the history alone, so that a training that
    goes on has the same rates; in a population each network has its own. It needs validation data, and its rate is the
    first one outside `fit`.

    Reference: Bengio, 2012, Practical recommendations for gradient-based training of deep architectures,
    arXiv:1206.5533.

    >>> rate = ReduceOnPlateau(0.1, factor=0.5, patience=2)
    >>> costs = [3.0, 2.0, 2.0, 2.5, 1.0]
    >>> [rate.after(costs[:epochs]).initial for epochs in (3, 4, 5)]
    [0.1, 0.05, 0.05]
    """

    initial: float = positive(meaning="the rate at the beginning")
    factor: float = fraction(0.1, "what the rate is multiplied by")
    patience: int = positive_int(10, "epochs without a gain before it falls")
    fall: float = non_negative(0.0, "by how much the cost must fall to count, or the metric improve")
    monitor: Metric | None = optional(figure("what is watched on the validation data; None for the cost"))
    textbook = "factor * eta if epoch - last_epoch >= patience else eta"

    def __call__(self, t):
        return jnp.asarray(self.initial)

    @property
    def rule(self) -> EarlyStopping:
        """What counts as a gain, and of what."""
        return EarlyStopping(self.patience, self.fall, self.monitor)

    def after(self, values: Sequence[float]) -> "ReduceOnPlateau":
        """The same with the rate that follows epochs with these values of what is watched."""
        rule, best, last, rate = self.rule, None, 0, self.initial
        for epoch, value in enumerate(values, 1):
            if rule.better([value] if best is None else [best, value], None if best is None else 1):
                best, last = value, epoch
            elif rule.is_over(epoch, last):
                rate, last = rate * self.factor, epoch
        return unchecked(ReduceOnPlateau, vars(self).items(), [("initial", rate)])  # a rate of 0 too, in the end


def plateaus(optimizer: Any) -> list[ReduceOnPlateau]:
    """Those within an optimizer."""
    return [node for node in jax.tree.leaves(optimizer, is_leaf=_is_one) if _is_one(node)]


def reduced(optimizer: Any, rows: Sequence[Any]) -> Any:
    """An optimizer with the rates that follow the rows of a history."""

    def after(node: Any) -> Any:
        return node.after([row[node.rule.watched] for row in rows if node.rule.watched in row])

    return jax.tree.map(lambda node: after(node) if _is_one(node) else node, optimizer, is_leaf=_is_one)


def _is_one(node: Any) -> bool:
    return isinstance(node, ReduceOnPlateau)
