"""When training ends before its last epoch."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from chainrule.formula.base import Formula
from chainrule.formula.constraints import constrained, non_negative, optional, positive_int
from chainrule.metrics import ConfusionMatrix, Metric


def figure(meaning: str) -> Any:
    """A field for a metric that is a figure."""

    def holds(v: Any) -> bool:
        return isinstance(v, Metric) and v.is_figure

    return constrained(dataclasses.MISSING, meaning, "a metric that is a figure", holds, (1, "F1()", ConfusionMatrix()))


class EarlyStopping(Formula):
    """Stop when the validation cost, or a metric, has been no better for `patience` epochs; keep the best epoch.

    Reference: Prechelt, 1998, Early stopping: but when?

    >>> from chainrule.metrics import F1
    >>> EarlyStopping(5), EarlyStopping(5, monitor=F1())
    (EarlyStopping(patience=5), EarlyStopping(patience=5, monitor=F1(average='macro')))
    """

    patience: int = positive_int(10, "epochs without a gain before training stops")
    fall: float = non_negative(0.0, "by how much the cost must fall to count, or the metric improve")
    monitor: Metric | None = optional(figure("what is watched on the validation data; None for the cost"))
    textbook = "epoch - best_epoch >= patience"

    @property
    def watched(self) -> str:
        """The column of the history that is watched."""
        return f"validation_{'cost' if self.monitor is None else self.monitor.label()}"

    @property
    def gain(self) -> str:
        """What goes on training, in words: "lower validation cost"."""
        return f"{'higher' if self._rises else 'lower'} {self.watched.replace('_', ' ')}"

    def better(self, values: Sequence[float], best_epoch: int | None) -> bool:
        """Whether the last of the epochs' values of `watched` is the best so far; `best_epoch` counts from 1."""
        *_, last = values
        if not best_epoch:
            return last == last
        best = values[best_epoch - 1]
        return last > best + self.fall if self._rises else last < best - self.fall

    def is_over(self, epochs: int, best_epoch: int | None) -> bool:
        """Whether training ends after so many epochs, as none has been better for its patience."""
        return epochs - (best_epoch or 0) >= self.patience

    @property
    def _rises(self) -> bool:
        return self.monitor is not None and self.monitor.higher_is_better
