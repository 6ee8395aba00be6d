"""Keras 3 on JAX: `fit` with jit_compile."""

import os
from collections.abc import Callable
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")  # before Keras is imported

import keras
import numpy as np
from keras import layers

from benchmarks.tasks import Part, Task

OPTIMIZERS = {"Adam": lambda rate: keras.optimizers.Adam(rate, epsilon=1e-8), "GradientDescent": keras.optimizers.SGD}
WEIGHTS = ("table", "kernel", "recurrent_kernel", "bias", "scale", "offset", "mean", "variance")


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
    x = keras.Input(task.shape, dtype=task.x.dtype)
    return keras.Model(x, output(task.whole, x))


def output(part: Part, x: Any) -> Any:
    """What a layer, or a composition of them, makes of a tensor."""
    match part.kind:
        case "Chain":
            for one in part.parts():
                x = output(one, x)
            return x
        case "Add":
            return layers.Add()([output(one, x) for one in part.parts()])
        case "SelfAttention":
            made, weights = attention(part)
            y = made(x, x)
        case "Identity" | "Softmax":
            return x
        case _:
            made, weights = layer(part)
            y = made(x)
    made.set_weights(weights)
    return y


def layer(part: Part) -> tuple[layers.Layer, list[np.ndarray]]:
    """One of Keras' own, and its weights."""
    own, _, p = part
    match part.kind:
        case "Dense":
            made = layers.Dense(own.units)
        case "Conv1D" | "Conv2D" as name:
            made = getattr(layers, name)(own.filters, own.kernel_size, own.stride, own.padding, use_bias=own.bias)
        case "DepthwiseConv2D":
            made = layers.DepthwiseConv2D(own.kernel_size, own.stride, own.padding)
            p = p | {"kernel": p["kernel"].swapaxes(2, 3)}
        case "ConvTranspose2D":
            made = layers.Conv2DTranspose(own.filters, own.kernel_size, own.stride, own.padding)
            p = p | {"kernel": p["kernel"].swapaxes(2, 3)}
        case "RNN":
            made = layers.SimpleRNN(own.units)
        case "LSTM":
            made = layers.LSTM(own.units, return_sequences=own.return_sequences)
        case "GRU":
            made = layers.GRU(own.units, reset_after=own.reset_after)
            p = _gru(p, own.units)
        case "LayerNorm":
            made = layers.LayerNormalization(epsilon=own.epsilon)
        case "BatchNorm":
            made = layers.BatchNormalization(momentum=own.momentum, epsilon=own.epsilon)
            p = p | {"mean": np.zeros_like(p["scale"]), "variance": np.ones_like(p["scale"])}
        case "Embedding":
            made = layers.Embedding(*p["table"].shape)
        case "MaxPool2D":
            made = layers.MaxPooling2D(own.size, own.stride)
        case "MaxPool1D":
            made = layers.MaxPooling1D(own.size, own.stride)
        case "GlobalAveragePool2D":
            made = layers.GlobalAveragePooling2D()
        case "GlobalAveragePool1D":
            made = layers.GlobalAveragePooling1D()
        case "Flatten":
            made = layers.Flatten()
        case "ReLU":
            made = layers.ReLU()
        case "GELU":
            made = layers.Activation(keras.activations.gelu)
        case name:
            raise NotImplementedError(name)
    return made, [p[name] for name in WEIGHTS if name in p]


def attention(part: Part) -> tuple[layers.Layer, list[np.ndarray]]:
    """Keras' own, and its weights, which have an axis of heads."""
    own, shape, p = part
    key, value = own.sizes(shape)
    weights = []
    for name in "qkv":
        by_heads = (own.heads, value if name == "v" else key)
        weights += [p[f"{kind}_{name}"] for kind in ("kernel", "bias")]
        weights[-2:] = [array.reshape(*array.shape[:-1], *by_heads) for array in weights[-2:]]
    weights += [p["kernel_o"].reshape(own.heads, value, -1), p["bias_o"]]
    return layers.MultiHeadAttention(own.heads, key, value), weights


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
