"""Chainrule."""

from collections.abc import Callable
from itertools import count

import numpy as np

from benchmarks.tasks import Task


def trainer(task: Task) -> Callable[[], float]:
    """An epoch of the loop that `fit` runs."""
    epochs = count(1)
    loop = task.loop()
    return lambda: loop.epoch(next(epochs), lambda step: None)["cost"]


def predictor(task: Task) -> Callable[[np.ndarray], np.ndarray]:
    """A model's outputs."""
    from chainrule.costs import CategoricalCrossEntropy
    from chainrule.model import Model

    state = task.loop().state
    return Model(task.network, state.parameters, state.statistics, task.shape, CategoricalCrossEntropy())
