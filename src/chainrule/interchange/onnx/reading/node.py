"""A node of a graph as its reader sees it, and the readers of all operators."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError, nearest
from chainrule.interchange.onnx.reading.flow import Flow, in_rows
from chainrule.interchange.onnx.reading.pointwise import settled

Reader = Callable[["Node"], Any]

ROWS = 10_007
"""How many rows a batch of any number has while its graph is read: a prime that no other size is."""

READERS: dict[str, Reader] = {}
"""What reads an operator's node, by its name; that of another domain has the domain in front."""


def reads(*operators: str) -> Callable[[Reader], Reader]:
    """Let it read the nodes of these operators."""

    def registered(reader: Reader) -> Reader:
        READERS.update(dict.fromkeys(operators, reader))
        return reader

    return registered


@dataclass
class Node:
    """An operator with its inputs, each a constant, a `Flow`, or None where it is left out.

    Attributes:
        values: the inputs by name, and what a body takes from around it.
        compute: its outputs from arrays by these names.
    """

    operator: str
    name: str
    inputs: Sequence[Any]
    attributes: dict[str, Any]
    opset: int
    outputs: Sequence[str] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    compute: Callable[[Mapping[str, Any]], tuple[Any, ...]] = lambda values: ()
    taken: set[str] = field(default_factory=set)

    def read(self) -> tuple[Any, ...]:
        """Its outputs."""
        if self.operator not in READERS:
            raise self.refuse("no formula computes this operator", nearest(self.operator, READERS))
        try:
            found = READERS[self.operator](self)
        except ChainruleError as error:
            raise (error if str(error).startswith("node ") else self.refuse(str(error).rstrip("."))) from None
        for attribute in self.attributes.keys() - self.taken:
            raise self.refuse(f"attribute {attribute}={self.attributes[attribute]!r} is not known")
        return found if isinstance(found, tuple) else (found,)

    def get(self, attribute: str, default: Any = None) -> Any:
        """An attribute's value."""
        self.taken.add(attribute)
        return self.attributes.get(attribute, default)

    def older(self, *attributes: str) -> None:
        """Attributes of older graphs that say nothing here."""
        self.taken.update(attributes)

    def only(self, **supported: Any) -> None:
        """Refuse attributes of other values than these, which are the operator's defaults, too."""
        for attribute, value in supported.items():
            if (found := self.get(attribute, value)) != value:
                raise self.refuse(f"attribute {attribute}={found!r}: no formula computes that, only {value!r}")

    def __getitem__(self, place: int) -> Any:
        """An input; None where it is left out."""
        return self.inputs[place] if place < len(self.inputs) else None

    @property
    def x(self) -> Flow:
        """The first input, which depends on the network's."""
        return self.flow(0)

    def flow(self, place: int) -> Flow:
        """An input that depends on the network's, made of layers."""
        flow = self[place]
        if not isinstance(flow, Flow):
            raise self.refuse(f"input {place} is a constant, where the network's input was expected")
        return self.settled(flow)

    def any(self, place: int) -> Flow:
        """An input that depends on the network's, made of layers or a function of each number of one that is."""
        flow = self[place]
        return flow if isinstance(flow, Flow) else self.flow(place)

    def settled(self, flow: Flow) -> Flow:
        """A tensor made of layers."""
        if (found := settled(flow)) is None:
            made_by = flow.functions[0].made_by if flow.functions else "?"
            raise self.refuse(f"no activation is the function that {made_by} make, whose result it takes")
        return found

    def constant(self, place: int, default: Any = None) -> Any:
        """An input that is a constant."""
        value = self[place]
        if isinstance(value, Flow):
            raise self.refuse(f"input {place} depends on the network's input, where a constant was expected")
        return default if value is None else value

    def array(self, place: int, default: Any = None) -> np.ndarray:
        """An input that is a constant of decimal numbers."""
        return np.asarray(self.constant(place, default), np.float32)

    def numbers(self, place: int, attribute: str, default: Any = None) -> Any:
        """Whole numbers that are an input or, in older graphs, an attribute."""
        older = self.get(attribute)
        given = self.constant(place, older)
        return default if given is None else [int(number) for number in np.ravel(given)]

    def refuse(self, why: str, hint: str = "") -> ChainruleError:
        """The error of a node that can't be read."""
        return ChainruleError(f"node {self.name or '?'} ({self.operator}): {why}.{hint}")


def varying_axes(node: Node, x: Flow, c: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """A constant with as many axes as a tensor has there, and along which of them it has entries."""
    c = np.asarray(c, np.float32)
    for axis in [axis for axis, size in enumerate(c.shape) if size == ROWS and (c == c.take([0], axis)).all()]:
        c = c.take([0], axis)  # the same for each row of the batch
    c = c.reshape((1,) * (len(x.view.there) - np.ndim(c)) + np.shape(c))
    varying = [axis for axis, size in enumerate(c.shape) if size != 1]
    if x.view.batch_axis in varying:
        raise node.refuse("its constant has an entry for each row of the batch")
    if any(c.shape[axis] != x.view.sizes[axis] for axis in varying):
        raise node.refuse(f"its constant has shape {c.shape}, and the tensor {x.view.sizes[1:]} behind the batch")
    return c, varying


def along_last(node: Node, x: Flow, c: np.ndarray) -> tuple[Flow, np.ndarray]:
    """A tensor whose last axis here is what a constant has entries for, and these entries in its order."""
    c, varying = varying_axes(node, x, c)
    x, rows = x.ending(*varying)
    return x, in_rows(c.ravel(), rows)
