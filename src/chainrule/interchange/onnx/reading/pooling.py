"""Pooling, and the mean and the largest of whole axes."""

import math
from dataclasses import replace
from typing import Any

from chainrule.formula.layer import Layer
from chainrule.interchange.onnx.reading.axes import View, size
from chainrule.interchange.onnx.reading.flow import Flow
from chainrule.interchange.onnx.reading.node import Node, reads
from chainrule.interchange.onnx.reading.places import one_or_each, padding_of, places
from chainrule.interchange.onnx.reading.pointwise import Function, along, applied, settled
from chainrule.layers import (
    AveragePool1D,
    AveragePool2D,
    AveragePool3D,
    GlobalAveragePool1D,
    GlobalAveragePool2D,
    GlobalMaxPool1D,
    GlobalMaxPool2D,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    ZeroPad1D,
    ZeroPad2D,
)

POOLS: dict[str, tuple[Any, ...]] = {
    "MaxPool": (MaxPool1D, MaxPool2D, MaxPool3D),
    "AveragePool": (AveragePool1D, AveragePool2D, AveragePool3D),
}
ZERO_PADS: tuple[Any, ...] = (ZeroPad1D, ZeroPad2D)

WHOLE: dict[str, tuple[Any, Any]] = {
    "GlobalAveragePool": (GlobalAveragePool1D, GlobalAveragePool2D),
    "GlobalMaxPool": (GlobalMaxPool1D, GlobalMaxPool2D),
    "ReduceMean": (GlobalAveragePool1D, GlobalAveragePool2D),
    "ReduceMax": (GlobalMaxPool1D, GlobalMaxPool2D),
    "ReduceSum": (GlobalAveragePool1D, GlobalAveragePool2D),
}


REDUCED: dict[str, Function] = {
    "GlobalAveragePool": lambda x: x.mean(-1, keepdims=True),
    "GlobalMaxPool": lambda x: x.max(-1, keepdims=True),
    "ReduceMean": lambda x: x.mean(-1, keepdims=True),
    "ReduceMax": lambda x: x.max(-1, keepdims=True),
    "ReduceSum": lambda x: x.sum(-1, keepdims=True),
}


@reads(*POOLS)
def pool(node: Node) -> Flow:
    """The mean or the largest of each window; padding that counts is put in front as zeros."""
    at = places(node, node.get("kernel_shape"))
    node.only(storage_order=0)
    counted, ceil = node.get("count_include_pad", 0), node.get("ceil_mode", 0)
    strides, dilations = at.strides(node), node.get("dilations", [1] * at.rank)
    reach = [(n - 1) * dilation + 1 for n, dilation in zip(at.window, dilations, strict=True)]
    pads = at.pads(node, strides, reach)
    lengths = at.lengths
    if counted and any(map(any, pads)):
        if at.rank > len(ZERO_PADS):
            raise node.refuse("attribute count_include_pad=1: no formula pads three axes")
        at = replace(at, x=at.through(ZERO_PADS[at.rank - 1](**padding_of(pads))))
        pads, lengths = [(0, 0)] * at.rank, at.lengths
    if ceil and node.get("auto_pad", "NOTSET") == "NOTSET":
        ends = [high for _, high in at.pads(node, strides, reach)] if counted else [0] * at.rank
        pads = [
            _up(length, size, stride, *both, padded)
            for length, size, stride, both, padded in zip(lengths, reach, strides, pads, ends, strict=True)
        ]
    fields = {"size": one_or_each(at.window)}
    fields |= {} if tuple(strides) == tuple(at.window) else {"stride": one_or_each(strides)}
    fields |= {} if set(dilations) == {1} else {"dilation": one_or_each(dilations)}
    return at.through(POOLS[node.operator][at.rank - 1](**fields, **padding_of(pads)))


def _up(length: int, size: int, stride: int, low: int, high: int, padded: int) -> tuple[int, int]:
    """Padding by which the last window, which the length cuts off, is whole, where it begins before the padded end."""
    places = -(-(length + low + high - size) // stride) + 1
    if (places - 1) * stride >= length - padded + low:
        places -= 1
    missing = (places - 1) * stride + size - length - low
    return low, max(missing, 0)


@reads(*WHOLE)
def whole(node: Node) -> Flow:
    """The mean or the largest of all places, or of some axes."""
    x = node.any(0)
    if node.operator.startswith("Global"):
        axes, keep = [*range(2, len(x.view.there))], True
    else:
        found = node.numbers(1, "axes")
        axes = sorted(axis % len(x.view.there) for axis in found or range(len(x.view.there)))
        keep = bool(node.get("keepdims", 1))
        if found == [] and node.get("noop_with_empty_axes", 0):
            return x
        node.get("noop_with_empty_axes")
    if x.view.batch_axis in axes:
        raise node.refuse("it mixes the rows of a batch")
    there = tuple(() if place in axes else axis for place, axis in enumerate(x.view.there) if keep or place not in axes)
    made = along(x, tuple(axes), REDUCED[node.operator], node.operator) if keep else ()
    if made and not settled(x):
        return Flow(x.steps, View(there, x.view.here), made, whole=False)
    x = node.settled(x)
    reduced = [x.view.there[axis] for axis in axes]
    kept = tuple(factor for axis in there for factor in axis if not factor.batch)
    one, two = WHOLE[node.operator]
    layer: Layer
    if len(reduced) == 2:
        x, layer = x.arranged((x.view.batch,), *reduced, kept), two()
    else:
        x, layer = x.arranged((x.view.batch,), tuple(f for axis in reduced for f in axis), kept), one()
    steps = x.then(layer, View(there, ((x.view.batch,), kept)))
    if node.operator == "ReduceSum":
        steps = node.settled(applied(steps, lambda x: math.prod(map(size, reduced)) * x, "ReduceSum"))
    return replace(steps, functions=made)
