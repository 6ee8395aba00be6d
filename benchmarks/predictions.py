"""Predictions of networks that every library has, and of raw rows of a table."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.networks import CNN, MLP
from benchmarks.tasks import classification
from benchmarks.workload import Contestants, Workload

GRU = "GRU(128, reset_after=True) >> Dense(10) >> Softmax()"
SHAPES = {MLP: (784,), CNN: (28, 28, 1), GRU: (100, 64)}
TABLE = "Dense(64) >> ReLU() >> Dense(32) >> ReLU() >> Dense(3) >> Softmax()"


def prediction(notation: str, rows: int, calls: int) -> Workload:
    """Probabilities of so many rows, as often as `calls`."""
    shape = SHAPES[notation]
    task = classification(notation, shape, 32, 1)
    x = np.random.default_rng(1).normal(size=(rows, *shape)).astype(np.float32)

    def contestants() -> Contestants:
        from benchmarks.peers import flax_nnx, keras_on_jax, onnx_runtime, ours, pytorch, scikit_learn

        makers: dict[str, Callable] = {
            "Chainrule": ours.predictor,
            "ONNX Runtime": onnx_runtime.predictor,
            "PyTorch": pytorch.predictor,
            "Keras": keras_on_jax.predictor,
            "Flax": flax_nnx.predictor,
        }
        if "GRU" not in notation:  # which torch.compile leaves as it is
            makers["torch.compile"] = lambda task: pytorch.predictor(task, compiled=True)
        if notation == MLP:
            makers["scikit-learn"] = scikit_learn.predictor
        return {name: _calls(make(task), x, calls) for name, make in makers.items()}

    return Workload(contestants, calls, flops=rows * task.flops_forward)


def of_table(rows: int, calls: int) -> Workload:
    """Probabilities of raw rows of a table: five numbers and three texts, standardised and one-hot on their way."""
    random = np.random.default_rng(0)

    def some(count: int) -> dict[str, np.ndarray]:
        numbers = {f"number {i}": random.normal(10 * i, i, count) for i in range(1, 6)}
        return numbers | {f"kind {i}": random.choice(["fair", "good", "ideal", "premium"], count) for i in range(1, 4)}

    known, table = some(2000), some(rows)
    named = {"quality": random.choice(["high", "low", "middle"], 2000)}

    def contestants() -> Contestants:
        from benchmarks.peers import onnx_runtime, ours

        model = ours.of_table(known | named, "quality", TABLE)
        run = onnx_runtime.answers(model)
        as_inputs = {
            name: column[:, None].astype(object if column.dtype.kind == "U" else float)
            for name, column in table.items()
        }
        return {
            "Chainrule": _calls(model, table, calls),
            "ONNX Runtime": _calls(run, as_inputs, calls),
        }

    return Workload(contestants, calls)


def _calls(predict: Callable[[Any], np.ndarray], x: Any, calls: int) -> Callable[[], float]:
    def work() -> float:
        for _ in range(calls):
            a = predict(x)
        return float(np.asarray(a[:, 0]).mean())

    return work
