"""Operators of two tensors and more: a constant joins the layer before it, and two ways from one tensor a sum."""

from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np

from chainrule.formula.layer import Add, Concatenate, Layer, Multiply, Operation
from chainrule.interchange.onnx.reading.axes import Factor, View, size
from chainrule.interchange.onnx.reading.flow import Flow, Step, joined, spread_over
from chainrule.interchange.onnx.reading.node import Node, along_last, reads, varying_axes
from chainrule.interchange.onnx.reading.pointwise import applied, met, scaled, settled
from chainrule.layers import (
    Affine,
    BatchNorm,
    Conv1D,
    Conv2D,
    Conv3D,
    ConvTranspose1D,
    ConvTranspose2D,
    Dense,
    DepthwiseConv2D,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LearnedPositions,
    RMSNorm,
    SelfAttention,
)

BINARY: dict[str, Callable[..., Any]] = {
    "Add": np.add,
    "And": np.logical_and,
    "Div": np.divide,
    "Equal": np.equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Max": np.maximum,
    "Min": np.minimum,
    "Mul": np.multiply,
    "Or": np.logical_or,
    "Pow": np.power,
    "Sub": np.subtract,
}


@reads(*BINARY)
def binary(node: Node) -> Flow:
    """Two tensors, or one and a constant, which is a number, or one for each channel."""
    function = BINARY[node.operator]
    node.older("broadcast", "axis", "consumed_inputs")
    if len(node.inputs) != 2:
        return reduce(lambda one, other: _of_two(node, function, one, other), node.inputs)
    return _of_two(node, function, *node.inputs)


@reads("Sum", "Mean")
def total(node: Node) -> Flow:
    """The sum, or the mean, of tensors."""
    found = reduce(lambda one, other: _of_two(node, np.add, one, other), node.inputs)
    n = len(node.inputs)
    return found if node.operator == "Sum" or n == 1 else applied(found, lambda x: x / n, "Mean")


@reads("Where")
def where(node: Node) -> Flow:
    """One of two by a condition, where all of them are functions of the same numbers."""
    flows = [each for each in node.inputs if isinstance(each, Flow)]
    constants = [each for each in node.inputs if not isinstance(each, Flow)]
    if any(np.size(each) != 1 for each in constants):
        raise node.refuse("no formula chooses by a constant mask")

    def pick(*values: np.ndarray) -> np.ndarray:
        given = iter(values)
        return np.where(*(next(given) if isinstance(each, Flow) else np.ravel(each)[0] for each in node.inputs))

    if (found := met(flows, pick, "Where")) is None:
        raise node.refuse("no formula chooses between numbers by those of another tensor")
    return found


@reads("Concat")
def concat(node: Node) -> Flow:
    """Tensors side by side on one axis."""
    if not all(isinstance(each, Flow) for each in node.inputs):
        raise node.refuse("no formula puts constants beside what depends on the input")
    axis = node.get("axis") % len(node.any(0).view.there)
    return reduce(lambda one, other: _beside(one, other, axis), map(node.settled, node.inputs))


def _beside(one: Flow, other: Flow, axis: int) -> Flow:
    one, other = one.ending_as_there(axis), other.ending_as_there(axis)
    a, b = one.view.aligned(other.view, but=axis)
    one, other = one.seen(a), other.seen(b).arranged(*a.here[:-1], b.here[-1])
    both = (Factor(size(a.here[-1]) + size(b.here[-1])),)
    there = tuple(both if place == axis else its for place, its in enumerate(a.there))
    return joined(Concatenate, one, other, View(there, (*a.here[:-1], both)))


def _of_two(node: Node, function: Callable[..., Any], one: Any, other: Any) -> Flow:
    if not isinstance(one, Flow):
        return _with_constant(node, other, np.asarray(one), lambda x, c: function(c, x), reverse=True)
    if not isinstance(other, Flow):
        return _with_constant(node, one, np.asarray(other), function)
    together = met([one, other], function, node.operator)
    if together and not (function in OPERATIONS and settled(one) and settled(other)):
        return together
    if function not in OPERATIONS:
        raise node.refuse("no formula computes this of two tensors")
    factor, operation = OPERATIONS[function]
    a, b = spread_over(node.settled(one), node.settled(other))
    if factor != 1:
        b = scaled(b, factor, 0)
    view = max(a.view, b.view, key=lambda view: len(view.there) + sum(map(len, view.there)))
    found = joined(operation, a, b, view)
    return replace(together, steps=found.steps, view=found.view, whole=True) if together else found


OPERATIONS: dict[Callable[..., Any], tuple[float, type[Operation]]] = {
    np.add: (1, Add),
    np.subtract: (-1, Add),
    np.multiply: (1, Multiply),
}
"""What the algebra of layers computes of two tensors, the second one times a number."""

LINES: dict[str, Callable[[Any], tuple[Any, Any]]] = {
    "Add": lambda c: (1, c),
    "Sum": lambda c: (1, c),
    "Sub": lambda c: (1, -c),
    "Mul": lambda c: (c, 0),
    "Div": lambda c: (1 / c, 0),
}
"""The scale and the offset that an operator with a constant behind it is."""


def _with_constant(node: Node, flow: Flow, c: np.ndarray, function: Callable[..., Any], reverse: bool = False) -> Flow:
    if c.size == 1:
        number = float(c.reshape(()))
        if c.ndim > len(flow.view.there):
            flow = node.settled(flow).reshaped((1,) * (c.ndim - len(flow.view.there)) + flow.view.sizes)
        return applied(flow, lambda x: function(x, number), node.operator)
    lines = {**LINES, "Sub": lambda c: (-1, c)} if reverse else LINES
    if node.operator not in lines or (reverse and node.operator == "Div"):
        raise node.refuse("no formula computes this with a constant for each entry")
    x = node.settled(flow)
    if node.opset < 7 and "axis" in node.attributes:  # whose first axis the constant begins with
        c = c.reshape(c.shape + (1,) * (len(x.view.there) - node.attributes["axis"] - c.ndim))
    c, varying = varying_axes(node, x, c)
    if (
        node.operator == "Add"
        and len(varying) == 2
        and x.view.here == tuple(x.view.there[axis] for axis in (x.view.batch_axis, *varying))
    ):
        table = c.reshape(x.view.shape)
        return x.then(LearnedPositions(len(table)), x.view, {"table": table})
    ended, vector = along_last(node, x, c)
    return with_line(ended, *lines[node.operator](vector))


BIASED: tuple[type[Layer], ...] = (Dense, Conv1D, Conv2D, Conv3D, DepthwiseConv2D, ConvTranspose1D, ConvTranspose2D)
NORMALIZING: tuple[type[Layer], ...] = (Affine, BatchNorm, GroupNorm, InstanceNorm, LayerNorm)
OFFSETS: dict[Any, tuple[str, str]] = {
    SelfAttention: ("bias", "bias_o"),
    **dict.fromkeys(BIASED, ("bias", "bias")),
    **dict.fromkeys(NORMALIZING, ("offset", "offset")),
}
"""The field and the array of what layers add to each channel."""

SCALED = (*NORMALIZING, RMSNorm)
"""Layers that multiply each channel before they add."""


def with_line(flow: Flow, scale: Any, offset: Any) -> Flow:
    """A tensor times a scale plus an offset for each entry of the last axis here: where it can, in the last layer."""
    if flow.steps and flow.pointwise is None:
        last = flow.steps[-1]
        field, array = OFFSETS.get(type(last.layer), ("", ""))
        if np.any(last.parameters.get(array, 0)):
            return scaled(flow, scale, offset)
        if np.all(scale == 1) and array:
            return _with_array(flow, field, array, offset)
        if np.all(offset == 0) and isinstance(last.layer, SCALED) and not last.layer.scale:  # type: ignore[attr-defined]
            return _with_array(flow, "scale", "scale", scale)
    return scaled(flow, scale, offset)


def _with_array(flow: Flow, field: str, array: str, values: Any) -> Flow:
    """The last layer with an array that it had not, or of zeros."""
    *steps, last = flow.steps
    layer = last.layer if getattr(last.layer, field) else replace(last.layer, **{field: True})
    return replace(flow, steps=(*steps, Step(layer, {**last.parameters, array: values}, last.state)))
