"""When training ends before its last epoch."""

import math

from chainrule.formula import Formula, non_negative, positive_int
from chainrule.history import History


class EarlyStopping(Formula):
    """Stop when the validation cost has not fallen for `patience` epochs, and return the best epoch's parameters.

    Reference: Prechelt, 1998, Early stopping: but when?

    >>> EarlyStopping(5)
    EarlyStopping(patience=5)
    """

    patience: int = positive_int(10, "epochs without a fall before training stops")
    fall: float = non_negative(0.0, "by how much the cost must fall to count")
    textbook = "epoch - best_epoch >= patience"

    def better(self, history: History) -> bool:
        """Whether the last epoch is the best so far."""
        costs = history["validation_cost"]
        lowest = costs[history.best_epoch - 1] if history.best_epoch else math.inf
        return costs[-1] < lowest - self.fall
