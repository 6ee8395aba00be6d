"""ONNX Runtime, on the file that `to_onnx` writes of the same model: predictions only."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime

from benchmarks.machine import cores
from benchmarks.peers import ours
from benchmarks.tasks import Task


def predictor(task: Task) -> Callable[[np.ndarray], np.ndarray]:
    """The network's probabilities."""
    run = answers(ours.predictor(task))
    return lambda x: run({"x": x})


def answers(model: Any) -> Callable[[dict[str, np.ndarray]], np.ndarray]:
    """A model's outputs for a graph's inputs by name, by as many threads as there are cores."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores()
    options.log_severity_level = 3
    with TemporaryDirectory() as folder:
        file = Path(folder, "model.onnx")
        model.to_onnx(file)
        session = onnxruntime.InferenceSession(file.read_bytes(), options, providers=["CPUExecutionProvider"])
    [*_, last] = session.get_outputs()  # behind the label, if there is one
    return lambda inputs: session.run([last.name], inputs)[0]
