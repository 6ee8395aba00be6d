"""PyTorch: eager, with fused optimizers and, for images, channels_last memory; and torch.compile. On a GPU, if any."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.machine import cores
from benchmarks.tasks import Part, Task

torch.set_num_threads(cores())
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

OPTIMIZERS = {
    "Adam": lambda p, rate: torch.optim.Adam(p, lr=rate, fused=True),
    "GradientDescent": lambda p, rate: torch.optim.SGD(p, lr=rate, fused=True),
}


def trainer(task: Task, compiled: bool = False) -> Callable[[], float]:
    """An epoch of steps as PyTorch's tutorials write them, the batches cut from shuffled tensors."""
    module = network(task)
    name, rate = task.optimizer.rstrip(")").split("(")
    rule = OPTIMIZERS[name](module.parameters(), float(rate))
    forward = compile_afresh(module) if compiled else module
    criterion = nn.CrossEntropyLoss()
    x, y = inputs(task.x), torch.from_numpy(task.y.astype(np.int64)).to(DEVICE)
    orders = [torch.from_numpy(task.order).to(DEVICE)]

    def epoch() -> float:
        total = torch.zeros((), device=DEVICE)
        batches = (orders.pop() if orders else torch.randperm(len(x), device=DEVICE)).split(task.batch)
        for rows in batches:
            rule.zero_grad()
            cost = criterion(forward(x[rows]), y[rows])
            cost.backward()
            rule.step()
            total += cost.detach()
        return float(total) / len(batches)

    return epoch


def predictor(task: Task, compiled: bool = False) -> Callable[[np.ndarray], np.ndarray]:
    """The network's probabilities in inference mode."""
    module = nn.Sequential(network(task), nn.Softmax(1)).eval()
    forward = compile_afresh(module) if compiled else module

    def predict(rows: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return forward(inputs(rows)).cpu().numpy()

    return predict


def compile_afresh(function: Callable) -> Callable:
    """`torch.compile`, which gives up where it has compiled other things too often."""
    torch._dynamo.reset()
    return torch.compile(function)


def inputs(x: np.ndarray) -> torch.Tensor:
    """Rows as PyTorch wants them: tokens as long integers, channels first (in memory they stay last)."""
    tensor = torch.from_numpy(x).to(DEVICE)
    if x.dtype == np.int32:
        return tensor.long()
    return tensor.permute(0, 3, 1, 2) if x.ndim == 4 else tensor


def network(task: Task) -> nn.Module:
    """The same network up to Softmax, with the same parameters."""
    whole = module(task.whole, time=2 if "Conv1D" in task.notation else 1)
    if task.notation.startswith("Conv1D"):
        whole = nn.Sequential(ChannelsFirst(), whole)
    return whole.to(DEVICE, memory_format=torch.channels_last if len(task.shape) == 3 else torch.preserve_format)


def module(part: Part, time: int, flattened: tuple[int, ...] = ()) -> nn.Module:
    """One of PyTorch's own for a layer or a composition of them.

    Args:
        part: the layer.
        time: the axis of time.
        flattened: the shape of what was made one axis before it, channels last.
    """
    layer, shape, p = part
    match part.kind:
        case "Chain":
            made = nn.Sequential()
            for one in part.parts():
                if one.kind != "Softmax":
                    made.append(module(one, time, flattened))
                flattened = one.shape if one.kind == "Flatten" else ()
            return made
        case "Add":
            return Sum(module(one, time) for one in part.parts())
        case "Dense":
            kernel = p["kernel"]
            if len(flattened) > 1:  # channels come first here
                kernel = np.moveaxis(kernel.reshape(*flattened, -1), -2, 0).reshape(kernel.shape)
            return _with(nn.Linear(*kernel.shape), kernel.T, p["bias"])
        case "Conv2D":
            like = nn.Conv2d(
                *(shape[-1], layer.filters, layer.kernel_size, layer.stride, layer.padding), bias=layer.bias
            )
            return _with(like, p["kernel"].transpose(3, 2, 0, 1), *([p["bias"]] if layer.bias else []))
        case "DepthwiseConv2D":
            channels = shape[-1]
            like = nn.Conv2d(channels, channels, layer.kernel_size, layer.stride, layer.padding, groups=channels)
            return _with(like, p["kernel"].transpose(3, 2, 0, 1), p["bias"])
        case "ConvTranspose2D":
            [(low, high), _] = layer.over_outputs.pads
            assert (low, layer.beyond) == (high, (0, 0))  # PyTorch pads both ends alike
            like = nn.ConvTranspose2d(shape[-1], layer.filters, layer.kernel_size, layer.stride, low)
            return _with(like, p["kernel"].transpose(2, 3, 0, 1), p["bias"])
        case "Conv1D":
            like = nn.Conv1d(shape[-1], layer.filters, layer.kernel_size, layer.stride, layer.padding)
            return _with(like, p["kernel"].transpose(2, 1, 0), p["bias"])
        case "RNN" | "LSTM" | "GRU" as name:
            like = getattr(nn, name)(shape[-1], layer.units, batch_first=True)
            recurrent = np.zeros_like(p["bias"])
            if "recurrent_bias" in p:
                recurrent[-layer.units :] = p["recurrent_bias"]
            like = _with(like, p["kernel"].T, p["recurrent_kernel"].T, p["bias"], recurrent)
            return Steps(like) if layer.return_sequences else Last(like)
        case "SelfAttention":
            like = nn.MultiheadAttention(shape[-1], layer.heads, batch_first=True)
            kernel, bias = (np.concatenate([p[f"{kind}_{of}"] for of in "qkv"], axis=-1) for kind in ("kernel", "bias"))
            return Attention(_with(like, kernel.T, bias, p["kernel_o"].T, p["bias_o"]))
        case "LayerNorm":
            return _with(nn.LayerNorm(shape[-1], layer.epsilon), p["scale"], p["offset"])
        case "BatchNorm":
            kind = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
            return _with(kind(shape[-1], layer.epsilon, 1 - layer.momentum), p["scale"], p["offset"])
        case "LocallyConnected2D":
            return Local(p["kernel"], p["bias"])
        case "Embedding":
            return _with(nn.Embedding(*p["table"].shape), p["table"])
        case "MaxPool2D":
            return nn.MaxPool2d(layer.size, layer.stride)
        case "MaxPool1D":
            return nn.MaxPool1d(layer.size, layer.stride)
        case "GlobalAveragePool2D":
            return Mean((2, 3))
        case "GlobalAveragePool1D":
            return Mean(time)
        case "Flatten":
            return nn.Flatten()
        case "ReLU" | "GELU" | "Identity" as name:
            return getattr(nn, name)()
        case name:
            raise NotImplementedError(name)


class Sum(nn.Module):
    """The sum of branches."""

    def __init__(self, branches: Iterable[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Any) -> Any:
        first, *others = (branch(x) for branch in self.branches)
        return sum(others, start=first)


class Attention(nn.Module):
    """Steps that attend to each other."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Any) -> Any:
        return self.layer(x, x, x, need_weights=False)[0]


class Last(nn.Module):
    """A recurrent layer's output after the last step."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Any) -> Any:
        return self.layer(x)[0][:, -1]


class Steps(nn.Module):
    """A recurrent layer's outputs after all steps."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Any) -> Any:
        return self.layer(x)[0]


class Mean(nn.Module):
    """The mean over time, or over places."""

    def __init__(self, axis: int | tuple[int, ...]) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, x: Any) -> Any:
        return x.mean(self.axis)


class ChannelsFirst(nn.Module):
    """Series as PyTorch's convolutions want them."""

    def forward(self, x: Any) -> Any:
        return x.transpose(1, 2)


class Local(nn.Module):
    """PyTorch has no locally connected layer: unfold, and one product for all places."""

    def __init__(self, kernel: np.ndarray, bias: np.ndarray) -> None:
        super().__init__()
        rows, columns, height, width, channels, filters = kernel.shape
        self.size, self.places, self.channels = (height, width), rows * columns, channels
        own = kernel.reshape(self.places, height * width, channels, filters)  # unfold has the channels before the cells
        self.kernel = nn.Parameter(_tensor(own.transpose(0, 2, 1, 3).reshape(self.places, -1, filters)))
        self.bias = nn.Parameter(_tensor(bias.reshape(self.places, filters)))

    def forward(self, x: Any) -> Any:
        patches = nn.functional.unfold(x, self.size)
        y = torch.einsum("nkp,pkf->nfp", patches, self.kernel) + self.bias.T
        return y.unflatten(2, (-1, int(self.places**0.5)))


def _with(module: nn.Module, *arrays: np.ndarray) -> nn.Module:
    """The module with these parameters, in the order in which it declares them."""
    for parameter, array in zip(module.parameters(), arrays, strict=True):
        parameter.data = _tensor(array)
    return module


def _tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array).copy())
