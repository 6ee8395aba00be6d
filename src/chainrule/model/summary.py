"""A network layer by layer, as a table."""

from collections.abc import Iterator
from typing import NamedTuple

from chainrule.arrays.masked import Shape
from chainrule.formula.displays import displayed
from chainrule.formula.layer import Branches, Chain, Layer
from chainrule.formula.network import count, numbers
from chainrule.formula.repeat import Repeat
from chainrule.layers import Frozen
from chainrule.notation import as_chain


class SummaryRow(NamedTuple):
    """A layer of a network in its summary: its notation, behind the sign of its branch where it is within others."""

    layer: str
    output_shape: Shape
    parameters: int
    frozen: int = 0
    """How many of the parameters training does not change."""


class Summary(tuple[SummaryRow, ...]):
    """The rows of a network's summary, which print as a table."""

    def __str__(self) -> str:
        cells = [("layer", "output shape", "parameters")]
        cells += [(row.layer, str(row.output_shape), f"{row.parameters:,}") for row in self]
        cells += [("", label, f"{number:,}") for label, number in self.totals]
        first, second, third = (max(map(len, column)) for column in zip(*cells, strict=True))
        return "\n".join(f"{a:<{first}}  {b:>{second}}  {c:>{third}}" for a, b, c in cells)

    @property
    def totals(self) -> list[tuple[str, int]]:
        """All parameters, and how many of them are frozen where some are, each behind its label."""
        frozen = sum(row.frozen for row in self)
        return [("", sum(row.parameters for row in self)), *[("frozen", frozen)] * bool(frozen)]

    def _repr_html_(self) -> str | None:
        """The same as a table, for a notebook."""
        return displayed("summary", self)


def summary(network: Layer | str, shape: Shape) -> Summary:
    """A row for each layer: its notation, output shape and number of parameters.

    Branches stand below their composition, each behind its sign; of a repetition all are counted. What is frozen
    is counted beside the sum.

    >>> print(summary("Dense(8) >> Identity() + (Dense(16) >> ReLU() >> Dense(8)) >> Softmax()", (64,)))
    layer           output shape  parameters
    Dense(8)                (8,)         520
    Add                     (8,)           0
      + Identity()          (8,)           0
      + Dense(16)          (16,)         144
        ReLU()             (16,)           0
        Dense(8)            (8,)         136
    Softmax()               (8,)           0
                                         800
    """
    return Summary(row for row, _ in outline(as_chain(network), shape))


def outline(layer: Layer, shape: Shape, before: str = "", times: int = 1) -> Iterator[tuple[SummaryRow, Layer]]:
    """The rows of a summary with their layers; `before` is what stands before the first."""
    inside = " " * len(before)
    match layer:
        case Chain():
            for part, reached in layer.parts(shape):
                yield from outline(part, reached, before, times)
                before = inside
        case Branches():
            yield SummaryRow(f"{before}{type(layer).__name__}", layer.output_shape(shape), 0), layer
            for part, reached in layer.parts(shape):
                yield from outline(part, reached, f"{inside}  {layer.sign} ", times)
        case Repeat():
            yield SummaryRow(f"{before}Repeat {layer.times} times", layer.output_shape(shape), 0), layer
            yield from outline(layer.block, shape, f"{inside}  ", times * layer.times)
        case Frozen():
            yield SummaryRow(f"{before}Frozen", layer.output_shape(shape), 0), layer
            for row, part in outline(layer.layer, shape, f"{inside}  ", times):
                yield row._replace(frozen=row.parameters), part
        case _:
            every, trained = times * numbers(layer, shape), times * count(layer, shape)
            yield SummaryRow(f"{before}{layer!r}", layer.output_shape(shape), every, every - trained), layer
