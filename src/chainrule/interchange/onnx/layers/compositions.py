"""Layers that are made of layers: one after another, side by side, again and again, and around another one."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial, reduce

from chainrule.formula.layer import Add, Branches, Chain, Concatenate, Multiply
from chainrule.formula.repeat import Repeat
from chainrule.interchange.onnx.forms import form, written
from chainrule.interchange.onnx.graph import Graph
from chainrule.interchange.onnx.values import Array, Own, Value, channels_first, channels_last, size, whole
from chainrule.layers import Frozen


@form(Chain)
def chain(graph: Graph, layer: Chain, own: Own, x: Value) -> Value:
    """One after another."""
    for place, one in enumerate(layer.layers):
        x = written(graph, one, own.at(place), x)
    return x


@form(Frozen)
def frozen(graph: Graph, layer: Frozen, own: Own, x: Value) -> Value:
    """What is within: training alone knows the difference."""
    return written(graph, layer.layer, own, x)


@form(Repeat)
def repeat(graph: Graph, layer: Repeat, own: Own, x: Value) -> Value:
    """The chain that is written out: the nth time with the nth part of each array."""
    for time in range(layer.times):
        y = written(graph, layer.block, own.each(partial(_part, time)), x)
        if x.mask and not y.mask:  # all are steps, as the next one is told
            y = replace(y, mask=graph.add("Or", x.mask, graph.add("Not", x.mask)))
        x = y
    return x


def _part(time: int, array: Array) -> Array:
    return Array(array.name and f"{array.name}[{time}]", array.numbers[time])


@form(Add)
def add(graph: Graph, layer: Add, own: Own, x: Value) -> Value:
    """A sum."""
    return _joined(graph, layer, own, x, lambda ys: reduce(partial(graph.add, "Add"), (y.name for y in ys)))


@form(Multiply)
def multiply(graph: Graph, layer: Multiply, own: Own, x: Value) -> Value:
    """A product."""
    return _joined(graph, layer, own, x, lambda ys: reduce(partial(graph.add, "Mul"), (y.name for y in ys)))


@form(Concatenate)
def concatenate(graph: Graph, layer: Concatenate, own: Own, x: Value) -> Value:
    """Concat; where branches have other places, each is spread out over those of all first."""

    def joined(ys: Sequence[Value]) -> str:
        names = [y.name for y in ys]
        if len({y.shape[:-1] for y in ys}) > 1:
            names = [_spread(graph, y, ys) for y in ys]
        return graph.add("Concat", *names, axis=ys[0].channels)

    return _joined(graph, layer, own, x, joined)


def _joined(graph: Graph, layer: Branches, own: Own, x: Value, join: Callable[[Sequence[Value]], str]) -> Value:
    """The branches' outputs made one, with as many axes each and in one layout; steps are those of all."""
    ys = [written(graph, branch, own.at(place), x) for place, branch in enumerate(layer.layers)]
    axes = max(len(y.shape) for y in ys)
    first = any(y.first for y in ys) and all(len(y.shape) == axes for y in ys)
    ys = [_level(graph, (channels_first if first else channels_last)(graph, y), axes) for y in ys]
    made = join(ys)
    return replace(ys[0], name=made, tokens=False, mask=_steps_of_all(graph, layer, ys))


def _level(graph: Graph, y: Value, axes: int) -> Value:
    """A batch in so many axes: what is missing has size 1, behind the rows."""
    missing = axes - len(y.shape)
    if not missing:
        return y
    name = graph.add("Unsqueeze", y.name, whole(graph, *range(1, missing + 1)))
    return y.became(name, shape=(*(1,) * missing, *y.shape))


def _spread(graph: Graph, y: Value, ys: Sequence[Value]) -> str:
    """A batch with the places of all, and its own channels."""
    end = y.channels
    sizes = [[graph.add("Shape", each.name, start=start, end=stop) for each in ys] for start, stop in _around(y)]
    parts = [graph.add("Max", *each) for each in sizes]
    own = size(graph, y.name, end)
    order = [parts[0], own, *parts[1:]] if y.first else [*parts, own]
    return graph.add("Expand", y.name, graph.add("Concat", *order, axis=0))


def _around(y: Value) -> list[tuple[int, int]]:
    """The axes before and behind the channels, as ranges."""
    axes = len(y.shape) + 1
    return [(0, 1), (2, axes)] if y.first else [(0, axes - 1)]


def _steps_of_all(graph: Graph, layer: Branches, ys: Sequence[Value]) -> str:
    """The steps that are padding in no branch; one step of a branch stands for all, as it spreads out."""
    masks = [y.mask for y in ys if y.mask]
    steps = max(y.shape[0] for y in ys if y.shape) if masks else 0
    if any(y.mask and y.shape[0] not in (1, steps) for y in ys):
        raise layer.mixing()
    return reduce(partial(graph.add, "And"), dict.fromkeys(masks)) if masks else ""
