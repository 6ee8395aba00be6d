"""A network, its data, and what it begins with: the same for every library."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import numpy as np

from chainrule.arrays.masked import Shape
from chainrule.arrays.random import keyed
from chainrule.costs import CategoricalCrossEntropy
from chainrule.formula.layer import Chain, Layer
from chainrule.layers import Embedding
from chainrule.metrics import Accuracy
from chainrule.notation import parse
from chainrule.training.batches import on_device
from chainrule.training.feed import InMemory, first_values
from chainrule.training.loop import Loop
from chainrule.training.step import Problem, first


@dataclass
class Task:
    """A classification into ten classes by a network that ends in Softmax.

    Attributes:
        notation, optimizer: the formulas.
        x, y: the inputs, and the numbers of the classes.
        batch: examples a step.
    """

    notation: str
    x: np.ndarray
    y: np.ndarray
    batch: int
    optimizer: str = "Adam(0.001)"

    @cached_property
    def network(self) -> Chain:
        """The composition of formulas."""
        return parse(self.notation, Chain)

    @cached_property
    def shape(self) -> Shape:
        """One example's."""
        return self.x.shape[1:]

    @property
    def problem(self) -> Problem:
        """Our formulas for it."""
        return Problem(self.network, CategoricalCrossEntropy(), parse(self.optimizer), None, (Accuracy(),))

    def loop(self) -> Loop:
        """Our training loop, the one that `fit` runs, before its first epoch."""
        state = first(self.problem, keyed(first_values(0)), self.shape)
        loop = Loop(self.problem, InMemory(on_device(self.x, self.y, None), self.batch, seed=0), state)
        loop.chunk = loop.feed.steps
        return loop

    @cached_property
    def parameters(self) -> tuple[dict[str, np.ndarray], ...]:
        """What every library begins with."""
        return jax.tree.map(np.array, self.loop().state.parameters)

    @cached_property
    def order(self) -> np.ndarray:
        """The rows in the order in which the first epoch visits them."""
        [block] = self.loop().feed.epoch(1)
        return np.array(block.order)[: len(self.x)]

    def layers(self) -> list[tuple[Layer, Shape, dict[str, np.ndarray]]]:
        """Each layer with the shape that reaches it and its first parameters."""
        return [(layer, at, p) for (layer, at), p in zip(self.network.walk(self.shape), self.parameters, strict=True)]

    @property
    def flops(self) -> float:
        """The multiplications and additions of a step: value, and the gradients of every kernel and inner input."""
        first = self.network.layers[0]  # whose input's gradient nobody asks for
        kernels = self._kernels()
        return sum(self.batch * own * (2 if layer is first and name == "kernel" else 3) for layer, name, own in kernels)

    @property
    def flops_forward(self) -> float:
        """The multiplications and additions of one example's prediction."""
        return sum(own for _, _, own in self._kernels())

    def _kernels(self) -> list[tuple[Layer, str, float]]:
        """Each layer's kernels by name, and the multiplications and additions of one example with them."""
        return [
            (layer, name, 2.0 * np.prod(p.shape) * _times(layer, shape))
            for layer, shape in self.network.walk(self.shape)
            for name, p in layer.parameters(shape).items()
            if p.regularized
        ]


def _times(layer: Layer, shape: Shape) -> int:
    """How often an example meets each number of a layer's kernel."""
    match type(layer).__name__:
        case "Conv1D" | "Conv2D" | "DepthwiseConv2D":
            return int(np.prod(layer.output_shape(shape)[:-1]))
        case "RNN" | "LSTM" | "GRU":
            return shape[0]
        case _:
            return 1


def classification(notation: str, shape: Shape, batch: int, steps: int, **options: Any) -> Task:
    """A task with random inputs, numbers or tokens, for an epoch of so many steps."""
    random = np.random.default_rng(0)
    first = parse(notation, Chain).layers[0]
    size = (batch * steps, *shape)
    if isinstance(first, Embedding):
        x = random.integers(0, first.vocabulary, size).astype(np.int32)
    else:
        x = random.normal(size=size).astype(np.float32)
    return Task(notation, x, random.integers(0, 10, len(x)).astype(np.int32), batch, **options)
