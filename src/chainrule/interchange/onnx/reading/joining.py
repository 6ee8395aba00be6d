"""Operators of two tensors and more: a constant joins the layer before it, and two ways from one tensor a sum."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from chainrule.activations import Activation
from chainrule.errors import ChainruleError
from chainrule.formula.layer import Add, Concatenate, Multiply, Operation
from chainrule.interchange.onnx.reading.axes import Factor, View, axis_of, size
from chainrule.interchange.onnx.reading.flow import Flow, Pointwise, Step, joined, nearness, spelt_out, spread_over
from chainrule.interchange.onnx.reading.lines import scaled
from chainrule.interchange.onnx.reading.node import Node, along_last, reads, varying_axes
from chainrule.interchange.onnx.reading.pointwise import applied, met, settled
from chainrule.layers import Affine, Crop1D, Dense, Flatten, LayerNorm, LearnedPositions, RMSNorm

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
        return functools.reduce(lambda one, other: _of_two(node, function, one, other), node.inputs)
    return _of_two(node, function, *node.inputs)


@reads("Sum", "Mean")
def total(node: Node) -> Flow:
    """The sum, or the mean, of tensors."""
    found = functools.reduce(lambda one, other: _of_two(node, np.add, one, other), node.inputs)
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
    """Tensors side by side on one axis: neighbours that parted last are joined first."""
    if not all(isinstance(each, Flow) for each in node.inputs):
        raise node.refuse("no formula puts constants beside what depends on the input")
    axis = node.get("axis") % len(node.any(0).view.there)
    flows = [node.settled(each) for each in node.inputs]
    if alike := _alike(flows, axis):
        return alike
    many = any(flow.view.there[axis] for flow in flows)
    while len(flows) > 1:
        at = max(range(len(flows) - 1), key=lambda place: nearness(*flows[place : place + 2]))
        flows[at : at + 2] = [_beside(*flows[at : at + 2], axis)]
    return flows[0] if many else flows[0].as_there()


BY_PLACE = (Activation, Affine, Dense, LayerNorm, RMSNorm)
"""Layers that do the same at each place."""


def _alike(flows: Sequence[Flow], axis: int) -> Flow | None:
    """What is done alike to each place of an axis, one after another, is done to all of them at once."""
    first, n = flows[0], len(flows)
    at = len(first.steps) - 1
    while at >= 0 and isinstance(first.steps[at].layer, BY_PLACE):
        at -= 1
    before, every, view = first.steps[:at], first.steps[at + 1 :], first.view
    ways = [spelt_out(flow, first).steps for flow in flows]
    if at < 0 or view.there[axis] or len(view.here) != 3 or view.here[1]:
        return None
    rest = [[step for step in way[at + 1 :] if step.layer != Flatten()] for way in ways]
    if any(way[:at] != before for way in ways) or not all(_same(each, every) for each in rest):
        return None
    if [way[at].layer for way in ways] != [_place(place, n) for place in range(n)]:
        return None
    time = axis_of(n)
    there = tuple(time if place == axis else its for place, its in enumerate(view.there))
    return Flow((*before, *every), View(there, (view.here[0], time, view.here[2])))


def _place(place: int, n: int) -> Crop1D:
    """What leaves one place of n."""
    low, high = place, n - 1 - place
    return Crop1D(cropping=low if low == high else (low, high))


def _same(one: Sequence[Step], other: Sequence[Step]) -> bool:
    """Whether two ways have equal layers with equal arrays."""
    if [step.layer for step in one] != [step.layer for step in other]:
        return False
    leaves = (jax.tree.leaves([(step.parameters, step.state) for step in way]) for way in (one, other))
    return all(np.array_equal(a, b) for a, b in zip(*leaves, strict=True))


@functools.lru_cache(512)
def _beside(one: Flow, other: Flow, axis: int) -> Flow:
    """Two tensors side by side: the same whenever it is asked for, so that dense blocks share what they begin with."""
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
    if (further := c.ndim - len(flow.view.there)) > 0:
        flow = node.settled(flow).reshaped((1,) * further + flow.view.sizes)
    if c.size == 1:
        number = float(c.reshape(()))
        return applied(flow, lambda x: function(x, number), node.operator)
    of_rows = tuple(filter(None, (_of_rows(node, made, c, function) for made in flow.functions)))
    if settled(flow) is None:
        if not of_rows:
            raise node.refuse("no formula computes this with a constant for each entry")
        return Flow(flow.steps, of_rows[0].base.view, of_rows, whole=False)
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
    return replace(scaled(ended, *lines[node.operator](vector)), functions=of_rows)


def _of_rows(node: Node, made: Pointwise, c: np.ndarray, function: Callable[..., Any]) -> Pointwise | None:
    """A function of each number with a constant for each entry of some axes: a function of all numbers along these."""
    try:
        c, varying = varying_axes(node, made.base, c)
    except ChainruleError:  # of another shape
        return None
    axes = made.axes or tuple(varying)
    if not set(varying) <= set(axes):
        return None
    row = np.broadcast_to(c, [n if at in axes else 1 for at, n in enumerate(made.base.view.sizes)]).ravel()
    names = f"{made.made_by}, {node.operator}"
    return replace(made, function=lambda x: function(made.function(x), row), made_by=names, axes=axes, parts=())
