"""What goes through a graph while it is written: batches, which know their layout and their mask, and parameters."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import jax
import numpy as np

from chainrule.arrays.masked import Shape
from chainrule.interchange.onnx.graph import Graph

FLOAT, INT, WHOLE, DOUBLE = 1, 6, 7, 11
"""ONNX's numbers of types."""


@dataclass(frozen=True)
class Value:
    """A batch on its way.

    Attributes:
        name: the tensor's.
        shape: one example's, the channels last; of sequences of any length the first size is an example.
        mask: the tensor (rows, steps) that is False where a step is padding; empty where none is.
        first: whether the tensor has the channels first, behind the rows.
        tokens: whether it holds whole numbers.
    """

    name: str
    shape: Shape
    mask: str = ""
    first: bool = False
    tokens: bool = False

    @property
    def channels(self) -> int:
        """The axis of the channels."""
        return 1 if self.first else len(self.shape)

    @property
    def places(self) -> tuple[int, ...]:
        """The axes between the rows and the channels."""
        start = 2 if self.first else 1
        return tuple(range(start, start + len(self.shape) - 1))

    def became(self, name: str, **changed: Any) -> Self:
        """What is computed of it, in the same layout; its shape is told by the layer's rule."""
        return replace(self, name=name, **changed)


@dataclass(frozen=True)
class Array:
    """An array of a model: its name in the model's file, or none where it was computed, and its numbers."""

    name: str
    numbers: np.ndarray

    def moved(self, about: Callable[[np.ndarray], np.ndarray]) -> Self:
        """The same numbers in another order or shape, or a part of them."""
        return replace(self, numbers=about(self.numbers))

    def beside(self, others: Sequence["Array"], numbers: np.ndarray) -> Self:
        """Several arrays as one."""
        names = [self.name, *(other.name for other in others)]
        return type(self)(" | ".join(names) if all(names) else "", numbers)

    def into(self, graph: Graph) -> str:
        """A constant of a graph."""
        return graph.constant(self.numbers, self.name)


class Own(NamedTuple):
    """The arrays of a layer: its parameters and its statistics, trees of `Array`s."""

    p: Any
    state: Any

    def at(self, place: Any) -> Self:
        """Those of a layer within it."""
        return type(self)(self.p[place], self.state[place])

    def each(self, change: Callable[[Array], Array]) -> Self:
        """All of them, changed."""
        return type(self)(*jax.tree.map(change, (self.p, self.state)))


def whole(graph: Graph, *numbers: int) -> str:
    """Whole numbers, such as axes and sizes."""
    return graph.constant(np.array(numbers, np.int64))


def real(graph: Graph, number: Any) -> str:
    """A number, in float32."""
    return graph.constant(np.float32(number))


def channels_first(graph: Graph, x: Value) -> Value:
    """The batch with the channels behind the rows, as ONNX's windows have them."""
    axes = len(x.shape)
    if x.first or axes < 2:
        return x
    return x.became(graph.transpose(x.name, (0, axes, *range(1, axes))), first=True)


def channels_last(graph: Graph, x: Value) -> Value:
    """The batch with the channels behind the places, as ours are."""
    axes = len(x.shape)
    return x.became(graph.transpose(x.name, (0, *range(2, axes + 1), 1)), first=False) if x.first else x


def of_channels(graph: Graph, array: Array, x: Value) -> str:
    """An array of a number for each channel, or of one for all, to be computed with x."""
    ones = (1,) * len(x.places) if x.first and array.numbers.ndim else ()
    return array.moved(lambda numbers: numbers.reshape((*numbers.shape, *ones))).into(graph)


def filled(graph: Graph, x: Value, fill: float = 0.0) -> Value:
    """The batch with one value in the place of padding."""
    return x.became(graph.add("Where", over(graph, x), x.name, real(graph, fill))) if x.mask else x


def over(graph: Graph, x: Value) -> str:
    """The mask of a batch, in as many axes as this has."""
    axes = [1] if x.first else range(2, len(x.shape) + 1)
    return graph.add("Unsqueeze", x.mask, whole(graph, *axes)) if len(x.shape) > 1 else x.mask


def size(graph: Graph, name: str, axis: int) -> str:
    """The size of an axis, (1,)."""
    return graph.add("Shape", name, start=axis, end=axis + 1)


def counted(graph: Graph, size: str, start: int = 0) -> str:
    """The whole numbers from `start` on, as many as a size (1,) tells."""
    end = graph.add("Squeeze", size)
    end = graph.add("Add", end, graph.constant(np.int64(start))) if start else end
    return graph.add("Range", graph.constant(np.int64(start)), end, graph.constant(np.int64(1)))


def lengths_under(graph: Graph, mask: str) -> str:
    """How many steps each sequence has up to its last one, (rows, 1)."""
    places = counted(graph, size(graph, mask, 1), 1)
    seen = graph.add("Where", mask, places, graph.constant(np.int64(0)))
    return graph.add("ReduceMax", seen, whole(graph, 1))


def product(graph: Graph, x: str, kernel: Array, bias: Array | None = None) -> str:
    """x @ kernel + bias, of the last axis."""
    y = graph.add("MatMul", x, kernel.into(graph))
    return graph.add("Add", y, bias.into(graph)) if bias else y


def affine(graph: Graph, own: Own, x: Value) -> Value:
    """A batch times the scale and plus the offset of each channel, where the layer has them."""
    for operator, name in (("Mul", "scale"), ("Add", "offset")):
        if name in own.p:
            x = x.became(graph.add(operator, x.name, of_channels(graph, own.p[name], x)))
    return x
