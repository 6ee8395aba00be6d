"""Keras 3 on JAX: `fit` with jit_compile."""

import os
from collections.abc import Callable

os.environ.setdefault("KERAS_BACKEND", "jax")  # before Keras is imported

import keras
import numpy as np
from keras import layers

from benchmarks.tasks import Task

OPTIMIZERS = {"Adam": lambda rate: keras.optimizers.Adam(rate, epsilon=1e-8), "GradientDescent": keras.optimizers.SGD}
WEIGHTS = ("table", "kernel", "recurrent_kernel", "bias")


def trainer(task: Task) -> Callable[[], float]:
    """An epoch of `fit`."""
    model = network(task)
    name, rate = task.optimizer.rstrip(")").split("(")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(OPTIMIZERS[name](float(rate)), loss, jit_compile=True)
    orders = [task.order]

    def epoch() -> float:
        x, y, shuffle = task.x, task.y, True
        if orders:
            x, y, shuffle = x[orders[0]], y[orders.pop()], False
        history = model.fit(x, y, batch_size=task.batch, epochs=1, verbose=0, shuffle=shuffle)
        return history.history["loss"][-1]

    return epoch


def predictor(task: Task) -> Callable[[np.ndarray], np.ndarray]:
    """`predict` in large batches, `predict_on_batch` for one row."""
    model = keras.Sequential([network(task), layers.Softmax()])
    model.compile(jit_compile=True)
    return lambda x: model.predict_on_batch(x) if len(x) == 1 else model.predict(x, batch_size=1024, verbose=0)


def network(task: Task) -> keras.Model:
    """The same network up to Softmax, with the same parameters."""
    made, weights = [], []
    for layer, _, p in task.layers():
        match type(layer).__name__:
            case "Dense":
                made.append(layers.Dense(layer.units))
            case "Conv2D":
                made.append(layers.Conv2D(layer.filters, layer.kernel_size, layer.stride, layer.padding))
            case "DepthwiseConv2D":
                made.append(layers.DepthwiseConv2D(layer.kernel_size, layer.stride, layer.padding))
                p = p | {"kernel": p["kernel"].swapaxes(2, 3)}
            case "Conv1D":
                made.append(layers.Conv1D(layer.filters, layer.kernel_size, layer.stride, layer.padding))
            case "RNN":
                made.append(layers.SimpleRNN(layer.units))
            case "LSTM":
                made.append(layers.LSTM(layer.units, return_sequences=layer.return_sequences))
            case "GRU":
                made.append(layers.GRU(layer.units, reset_after=layer.reset_after))
                p = _gru(p, layer.units)
            case "Embedding":
                made.append(layers.Embedding(*p["table"].shape))
            case "MaxPool2D":
                made.append(layers.MaxPooling2D(layer.size, layer.stride))
            case "MaxPool1D":
                made.append(layers.MaxPooling1D(layer.size, layer.stride))
            case "GlobalAveragePool2D":
                made.append(layers.GlobalAveragePooling2D())
            case "GlobalAveragePool1D":
                made.append(layers.GlobalAveragePooling1D())
            case "Flatten":
                made.append(layers.Flatten())
            case "ReLU":
                made.append(layers.ReLU())
            case "Softmax":
                pass
            case name:
                raise NotImplementedError(name)
        weights += [p[name] for name in WEIGHTS if name in p]
    model = keras.Sequential([keras.Input(task.shape, dtype=task.x.dtype), *made])
    model.set_weights(weights)
    return model


def _gru(p: dict[str, np.ndarray], units: int) -> dict[str, np.ndarray]:
    """Keras has the update gate before the reset gate, and two biases."""
    recurrent = np.zeros_like(p["bias"])
    recurrent[-units:] = p["recurrent_bias"]
    exchanged = np.r_[units : 2 * units, :units, 2 * units : 3 * units]
    bias = np.stack([p["bias"], recurrent])
    return {
        "kernel": p["kernel"][:, exchanged],
        "recurrent_kernel": p["recurrent_kernel"][:, exchanged],
        "bias": bias[:, exchanged],
    }
