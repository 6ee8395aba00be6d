"""Flax NNX with Optax: a jitted step, its arguments' structure cached."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from benchmarks.tasks import Task

OPTIMIZERS = {"Adam": optax.adam, "GradientDescent": optax.sgd}


def trainer(task: Task) -> Callable[[], float]:
    """An epoch of jitted steps, the batches cut from arrays in memory."""
    name, rate = task.optimizer.rstrip(")").split("(")
    model = network(task)
    optimizer = nnx.Optimizer(model, OPTIMIZERS[name](float(rate)), wrt=nnx.Param)

    def step(model: Any, optimizer: Any, x: Any, y: Any) -> Any:
        def cost_of(model: Any) -> Any:
            return optax.softmax_cross_entropy_with_integer_labels(model(x), y).mean()

        cost, gradient = nnx.value_and_grad(cost_of)(model)
        optimizer.update(model, gradient)
        return cost

    step = nnx.cached_partial(nnx.jit(step), model, optimizer)
    random = np.random.default_rng(0)
    orders = [task.order]

    def epoch() -> float:
        batches = (orders.pop() if orders else random.permutation(len(task.x))).reshape(-1, task.batch)
        return float(sum(step(task.x[rows], task.y[rows]) for rows in batches)) / len(batches)

    return epoch


def predictor(task: Task) -> Callable[[np.ndarray], np.ndarray]:
    """The jitted network's probabilities."""
    forward = nnx.cached_partial(nnx.jit(lambda model, x: jax.nn.softmax(model(x))), network(task))
    return lambda x: np.asarray(forward(x))


def network(task: Task) -> nnx.Module:
    """The same network up to Softmax, with the same parameters."""
    rngs, made = nnx.Rngs(0), []
    for layer, shape, p in task.layers():
        match type(layer).__name__:
            case "Dense":
                made.append(_with(nnx.Linear(*p["kernel"].shape, rngs=rngs), p))
            case "Conv1D" | "Conv2D":
                size = p["kernel"].shape[:-2]
                like = nnx.Conv(shape[-1], layer.filters, size, padding=layer.padding.upper(), rngs=rngs)
                made.append(_with(like, p))
            case "DepthwiseConv2D":
                size, channels = p["kernel"].shape[:-2], shape[-1]
                like = nnx.Conv(
                    channels, channels, size, padding=layer.padding.upper(), feature_group_count=channels, rngs=rngs
                )
                made.append(_with(like, p))
            case "RNN" | "LSTM" | "GRU" as name:
                cell = _cell(name, shape[-1], layer.units, p, rngs)
                made.append(nnx.RNN(cell) if layer.return_sequences else _Last(cell))
            case "LocallyConnected2D":
                made.append(_Local(p["kernel"], p["bias"]))
            case "Embedding":
                like = nnx.Embed(*p["table"].shape, rngs=rngs)
                like.embedding[...] = jnp.asarray(p["table"])
                made.append(like)
            case "MaxPool1D" | "MaxPool2D":
                size = layer.window(shape).size
                made.append(lambda x, size=size: nnx.max_pool(x, size, size))
            case "GlobalAveragePool1D":
                made.append(lambda x: x.mean(1))
            case "GlobalAveragePool2D":
                made.append(lambda x: x.mean((1, 2)))
            case "Flatten":
                made.append(lambda x: x.reshape(x.shape[0], -1))
            case "ReLU":
                made.append(jax.nn.relu)
            case "Softmax":
                pass
            case name:
                raise NotImplementedError(name)
    return nnx.Sequential(*made)


def _cell(name: str, features: int, units: int, p: dict[str, np.ndarray], rngs: nnx.Rngs) -> Any:
    """A recurrent cell; Flax's GRU has no second bias, which is zero before training."""
    kind = {"RNN": nnx.SimpleCell, "LSTM": nnx.OptimizedLSTMCell, "GRU": nnx.GRUCell}[name]
    cell = kind(features, units, rngs=rngs)
    cell.dense_i.kernel[...] = jnp.asarray(p["kernel"])
    cell.dense_h.kernel[...] = jnp.asarray(p["recurrent_kernel"])
    (cell.dense_h if name == "LSTM" else cell.dense_i).bias[...] = jnp.asarray(p["bias"])
    return cell


class _Last(nnx.Module):
    """A recurrent layer's output after the last step."""

    def __init__(self, cell: Any) -> None:
        self.layer = nnx.RNN(cell)

    def __call__(self, x: Any) -> Any:
        return self.layer(x)[:, -1]


class _Local(nnx.Module):
    """What flax.linen's ConvLocal computes; NNX has none."""

    def __init__(self, kernel: np.ndarray, bias: np.ndarray) -> None:
        rows, columns, height, width, channels, filters = kernel.shape
        own = kernel.reshape(rows, columns, height * width, channels, filters)  # its patches have the channels first
        self.kernel = nnx.Param(jnp.asarray(own.swapaxes(2, 3).reshape(rows, columns, -1, filters)))
        self.bias, self.size = nnx.Param(jnp.asarray(bias)), (height, width)

    def __call__(self, x: Any) -> Any:
        y = jax.lax.conv_general_dilated_local(
            *(x, self.kernel[...], (1, 1), "VALID", self.size), dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return y + self.bias[...]


def _with(module: Any, p: dict[str, np.ndarray]) -> Any:
    module.kernel[...], module.bias[...] = jnp.asarray(p["kernel"]), jnp.asarray(p["bias"])
    return module
