"""A network layer by layer, as a table."""

from typing import NamedTuple

from chainrule.arrays.masked import Shape
from chainrule.formula.displays import displayed
from chainrule.formula.layer import Layer
from chainrule.formula.network import count
from chainrule.notation import as_chain


class SummaryRow(NamedTuple):
    """A layer of a network in its summary."""

    layer: str
    output_shape: Shape
    parameters: int


class Summary(tuple[SummaryRow, ...]):
    """The rows of a network's summary, which print as a table."""

    def __str__(self) -> str:
        cells = [("layer", "output shape", "parameters")]
        cells += [(row.layer, str(row.output_shape), f"{row.parameters:,}") for row in self]
        cells += [("", "", f"{sum(row.parameters for row in self):,}")]
        first, second, third = (max(map(len, column)) for column in zip(*cells, strict=True))
        return "\n".join(f"{a:<{first}}  {b:>{second}}  {c:>{third}}" for a, b, c in cells)

    def _repr_html_(self) -> str | None:
        """The same as a table, for a notebook."""
        return displayed("summary", self)


def summary(network: Layer, shape: Shape) -> Summary:
    """A row for each layer: its notation, output shape and number of parameters.

    >>> from chainrule.layers import Dense
    >>> from chainrule.activations import Softmax
    >>> print(summary(Dense(10) >> Softmax(), (64,)))
    layer      output shape  parameters
    Dense(10)         (10,)         650
    Softmax()         (10,)           0
                                    650
    """
    reached = as_chain(network).walk(shape)
    return Summary(SummaryRow(repr(layer), layer.output_shape(at), count(layer, at)) for layer, at in reached)
