"""Flax NNX with Optax: a jitted step, its arguments' structure cached."""

from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from benchmarks.tasks import Part, Task

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
    x, y = (task.x, task.y) if jax.default_backend() == "cpu" else jax.device_put((task.x, task.y))

    def epoch() -> float:
        batches = (orders.pop() if orders else random.permutation(len(x))).reshape(-1, task.batch)
        return float(sum(step(x[rows], y[rows]) for rows in batches)) / len(batches)

    return epoch


def predictor(task: Task) -> Callable[[np.ndarray], np.ndarray]:
    """The jitted network's probabilities."""
    model = network(task)
    model.eval()
    forward = nnx.cached_partial(nnx.jit(lambda model, x: jax.nn.softmax(model(x))), model)
    return lambda x: np.asarray(forward(x))


def network(task: Task) -> Any:
    """The same network up to Softmax, with the same parameters."""
    return module(task.whole, nnx.Rngs(0))


def module(part: Part, rngs: nnx.Rngs) -> Any:
    """One of Flax' own for a layer or a composition of them."""
    layer, shape, p = part
    match part.kind:
        case "Chain":
            return nnx.Sequential(*(module(one, rngs) for one in part.parts() if one.kind != "Softmax"))
        case "Add":
            return _Sum(module(one, rngs) for one in part.parts())
        case "Dense":
            return _with(nnx.Linear(*p["kernel"].shape, rngs=rngs), p)
        case "Conv1D" | "Conv2D":
            size, padding = p["kernel"].shape[:-2], layer.padding.upper()
            like = nnx.Conv(shape[-1], layer.filters, size, padding=padding, use_bias=layer.bias, rngs=rngs)
            return _with(like, p)
        case "DepthwiseConv2D":
            size, channels = p["kernel"].shape[:-2], shape[-1]
            like = nnx.Conv(
                channels, channels, size, padding=layer.padding.upper(), feature_group_count=channels, rngs=rngs
            )
            return _with(like, p)
        case "ConvTranspose2D":
            size, padding = p["kernel"].shape[:-2], layer.padding.upper()
            like = nnx.ConvTranspose(shape[-1], layer.filters, size, layer.stride, padding=padding, rngs=rngs)
            return _with(like, p | {"kernel": p["kernel"][::-1, ::-1]})  # its window sees the kernel mirrored
        case "RNN" | "LSTM" | "GRU" as name:
            cell = _cell(name, shape[-1], layer.units, p, rngs)
            return nnx.RNN(cell) if layer.return_sequences else _Last(cell)
        case "SelfAttention":
            return _attention(layer.heads, shape[-1], p, rngs)
        case "LayerNorm":
            return _with(nnx.LayerNorm(shape[-1], epsilon=layer.epsilon, rngs=rngs), _named(p))
        case "BatchNorm":
            like = nnx.BatchNorm(shape[-1], momentum=layer.momentum, epsilon=layer.epsilon, rngs=rngs)
            return _with(like, _named(p))
        case "LocallyConnected2D":
            return _Local(p["kernel"], p["bias"])
        case "Embedding":
            return _with(nnx.Embed(*p["table"].shape, rngs=rngs), {"embedding": p["table"]})
        case "MaxPool1D" | "MaxPool2D":
            size = layer.window(shape).size
            return lambda x: nnx.max_pool(x, size, size)
        case "GlobalAveragePool1D":
            return lambda x: x.mean(1)
        case "GlobalAveragePool2D":
            return lambda x: x.mean((1, 2))
        case "Flatten":
            return lambda x: x.reshape(x.shape[0], -1)
        case "ReLU":
            return jax.nn.relu
        case "GELU":
            return lambda x: jax.nn.gelu(x, approximate=False)
        case "Identity":
            return lambda x: x
        case name:
            raise NotImplementedError(name)


def _cell(name: str, features: int, units: int, p: dict[str, np.ndarray], rngs: nnx.Rngs) -> Any:
    """A recurrent cell; Flax's GRU has no second bias, which is zero before training."""
    kind = {"RNN": nnx.SimpleCell, "LSTM": nnx.OptimizedLSTMCell, "GRU": nnx.GRUCell}[name]
    cell = kind(features, units, rngs=rngs)
    cell.dense_i.kernel[...] = jnp.asarray(p["kernel"])
    cell.dense_h.kernel[...] = jnp.asarray(p["recurrent_kernel"])
    (cell.dense_h if name == "LSTM" else cell.dense_i).bias[...] = jnp.asarray(p["bias"])
    return cell


def _attention(heads: int, features: int, p: dict[str, np.ndarray], rngs: nnx.Rngs) -> Any:
    """Flax' own, whose kernels have an axis of heads."""
    made = nnx.MultiHeadAttention(heads, features, decode=False, rngs=rngs)
    for name, each in zip("qkvo", (made.query, made.key, made.value, made.out), strict=True):
        kernel, bias = p[f"kernel_{name}"], p[f"bias_{name}"]
        _with(each, {"kernel": kernel.reshape(each.kernel.shape), "bias": bias.reshape(each.bias.shape)})
    return made


class _Sum(nnx.Module):
    """The sum of branches."""

    def __init__(self, branches: Iterable[Any]) -> None:
        self.branches = nnx.List(branches)

    def __call__(self, x: Any) -> Any:
        first, *others = (branch(x) for branch in self.branches)
        return sum(others, start=first)


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


def _named(p: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A normalisation's parameters by Flax' names."""
    return {"scale": p["scale"], "bias": p["offset"]}


def _with(module: Any, p: dict[str, np.ndarray]) -> Any:
    for name, array in p.items():
        getattr(module, name)[...] = jnp.asarray(array)
    return module
