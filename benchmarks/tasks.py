"""A network, its data, and what it begins with: the same for every library."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import numpy as np

from chainrule.arrays.masked import Shape
from chainrule.arrays.random import keyed
from chainrule.costs import CategoricalCrossEntropy
from chainrule.formula.layer import Chain, Composition, Layer
from chainrule.layers import Embedding, SelfAttention
from chainrule.metrics import Accuracy
from chainrule.notation import parse
from chainrule.training.batches import on_device
from chainrule.training.feed import InMemory, first_values
from chainrule.training.loop import Loop
from chainrule.training.step import Problem, first


class Part(NamedTuple):
    """A layer of a network, or a composition of layers, with the shape that reaches it and its first parameters."""

    layer: Layer
    shape: Shape
    p: Any

    @property
    def kind(self) -> str:
        """The layer's name."""
        return type(self.layer).__name__

    def parts(self) -> Iterator["Part"]:
        """What a composition is made of."""
        assert isinstance(self.layer, Composition)
        return (Part(*one, p) for one, p in zip(self.layer.parts(self.shape), self.p, strict=True))


@dataclass
class Task:
    """A classification by a network that ends in Softmax: of examples, or of each place in them.

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

    @property
    def whole(self) -> Part:
        """The network with what every library begins with."""
        return Part(self.network, self.shape, self.parameters)

    @property
    def flops(self) -> float:
        """The multiplications and additions of a step: value, and the gradients of every kernel and inner input."""
        first = self.network.layers[0]  # whose input's gradient nobody asks for
        times = ((own, 2 if layer is first and name == "kernel" else 3) for layer, name, own in self._products())
        return sum(self.batch * own * each for own, each in times)

    @property
    def flops_forward(self) -> float:
        """The multiplications and additions of one example's prediction."""
        return sum(own for _, _, own in self._products())

    def _products(self) -> Iterator[tuple[Layer, str, float]]:
        """The multiplications and additions of one example with each layer's kernels, by name, or of its steps."""
        for layer, shape in self.network.walk(self.shape):
            for name, p in layer.parameters(shape).items():
                if p.regularized:
                    yield layer, name, 2.0 * np.prod(p.shape) * _times(layer, shape)
            if isinstance(layer, SelfAttention):  # of all queries and keys, and of their weights and all values
                yield layer, "steps", 2.0 * shape[0] ** 2 * layer.heads * sum(layer.sizes(shape))


def _times(layer: Layer, shape: Shape) -> int:
    """How often an example meets each number of a layer's kernel."""
    match type(layer).__name__:
        case "Conv1D" | "Conv2D" | "DepthwiseConv2D":
            return int(np.prod(layer.output_shape(shape)[:-1]))
        case "RNN" | "LSTM" | "GRU":
            return shape[0]
        case "Dense" | "SelfAttention" | "ConvTranspose2D":
            return int(np.prod(shape[:-1]))
        case _:
            return 1


def classification(notation: str, shape: Shape, batch: int, steps: int, **options: Any) -> Task:
    """A task with random inputs, numbers or tokens, for an epoch of so many steps."""
    random = np.random.default_rng(0)
    network = parse(notation, Chain)
    first, size = network.layers[0], (batch * steps, *shape)
    if isinstance(first, Embedding):
        x = random.integers(0, first.vocabulary, size).astype(np.int32)
    else:
        x = random.normal(size=size).astype(np.float32)
    *places, classes = network.output_shape(shape)
    y = random.integers(0, classes, (len(x), *places)).astype(np.int32)
    return Task(notation, x, y, batch, **options)
