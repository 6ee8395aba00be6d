"""scikit-learn's MLPClassifier."""

import warnings
from collections.abc import Callable

import numpy as np
from sklearn.neural_network import MLPClassifier

from benchmarks.tasks import Task

SOLVERS = {"Adam": {"solver": "adam"}, "GradientDescent": {"solver": "sgd", "momentum": 0.0}}


def trainer(task: Task) -> Callable[[], float]:
    """An epoch of `partial_fit`."""
    classifier = network(task)

    def epoch() -> float:
        x, y = (task.x[task.order], task.y[task.order]) if not classifier.shuffle else (task.x, task.y)
        classifier.partial_fit(x, y)
        classifier.shuffle = True
        return classifier.loss_

    return epoch


def predictor(task: Task) -> Callable[[np.ndarray], np.ndarray]:
    """`predict_proba`."""
    return network(task).predict_proba


def network(task: Task) -> MLPClassifier:
    """The same network of dense layers with ReLU between, with the same parameters."""
    kernels = [p["kernel"] for p in task.parameters if p]
    name, rate = task.optimizer.rstrip(")").split("(")
    hidden = tuple(kernel.shape[1] for kernel in kernels[:-1])
    options = {"learning_rate_init": float(rate), "alpha": 0.0, "batch_size": task.batch, "shuffle": False}
    classifier = MLPClassifier(hidden, **options, **SOLVERS[name])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        classifier.partial_fit(task.x[: task.batch], task.y[: task.batch], classes=np.arange(10))
    classifier.coefs_ = [kernel.copy() for kernel in kernels]
    classifier.intercepts_ = [p["bias"].copy() for p in task.parameters if p]
    del classifier._optimizer  # so that it starts afresh, at these
    classifier.t_ = 0
    return classifier
