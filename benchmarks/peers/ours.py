"""Chainrule."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.tasks import Task


def trainer(task: Task) -> Callable[[], float]:
    """An epoch of the loop that `fit` runs."""
    epochs = count(1)
    loop = task.loop()
    return lambda: loop.epoch(next(epochs), lambda step: None)["cost"]


def predictor(task: Task) -> Any:
    """A model that was read from its file, whose calls are predictions."""
    from chainrule import load
    from chainrule.costs import CategoricalCrossEntropy
    from chainrule.model import Model

    state = task.loop().state
    model = Model(task.network, state.parameters, state.statistics, task.shape, CategoricalCrossEntropy())
    with TemporaryDirectory() as folder:
        model.save(file := Path(folder, "model.safetensors"))
        return load(file)


def of_table(columns: dict[str, np.ndarray], target: str, notation: str) -> Any:
    """A model of raw rows, as it begins."""
    import jax

    from chainrule.costs import CategoricalCrossEntropy
    from chainrule.data.preprocessing import Preprocessor
    from chainrule.formula.network import initialize
    from chainrule.model import Model
    from chainrule.notation import as_chain

    preprocessor, network = Preprocessor.fit(columns, target=target), as_chain(notation)
    shape = preprocessor.input_shape
    parameters = initialize(network, shape, jax.random.key(0))
    known = {"classes": preprocessor.classes, "preprocessor": preprocessor}
    return Model(network, parameters, network.state(shape), shape, CategoricalCrossEntropy(), **known)
