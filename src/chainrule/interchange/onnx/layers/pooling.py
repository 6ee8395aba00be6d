"""All places made one value, and each place made several."""

from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.interchange.onnx.forms import form
from chainrule.interchange.onnx.graph import Graph
from chainrule.interchange.onnx.values import (
    FLOAT,
    Own,
    Value,
    channels_first,
    channels_last,
    counted,
    filled,
    lengths_under,
    real,
    size,
    whole,
)
from chainrule.layers import (
    GlobalAveragePool1D,
    GlobalAveragePool2D,
    GlobalMaxPool1D,
    GlobalMaxPool2D,
    Upsample1D,
    Upsample2D,
)
from chainrule.layers.windows import spread


@form(GlobalMaxPool1D, GlobalMaxPool2D)
def global_max(graph: Graph, layer: Any, own: Own, x: Value) -> Value:
    """ReduceMax; of no step at all 0."""
    y = graph.add("ReduceMax", filled(graph, x, -np.inf).name, whole(graph, *x.places), keepdims=0)
    if x.mask:
        y = graph.add("Where", any_step(graph, x.mask), y, real(graph, 0))
    return x.became(y, first=False)


@form(GlobalAveragePool1D, GlobalAveragePool2D)
def global_average(graph: Graph, layer: Any, own: Own, x: Value) -> Value:
    """ReduceMean; of sequences of unequal length a sum of the steps over their number."""
    places = whole(graph, *x.places)
    if not x.mask:
        return x.became(graph.add("ReduceMean", x.name, places, keepdims=0), first=False)
    total = graph.add("ReduceSum", filled(graph, x).name, places, keepdims=0)
    return x.became(graph.add("Div", total, steps_of(graph, x.mask)), first=False)


def steps_of(graph: Graph, mask: str) -> str:
    """How many steps each sequence has, at least 1, (rows, 1)."""
    count = graph.add("ReduceSum", graph.add("Cast", mask, to=FLOAT), whole(graph, 1))
    return graph.add("Max", count, real(graph, 1))


def any_step(graph: Graph, mask: str) -> str:
    """Whether each sequence has a step, (rows, 1)."""
    return graph.add("Greater", lengths_under(graph, mask), graph.constant(np.int64(0)))


@form(Upsample1D, Upsample2D)
def upsample(graph: Graph, layer: Any, own: Own, x: Value) -> Value:
    """Resize: alike, or along lines between the middles of places."""
    nearest, sizes = layer.interpolation == "nearest", spread(layer, layer.size, layer.rank)
    y = channels_first(graph, filled(graph, x) if nearest or not x.mask else _lasting(graph, x))
    scales = graph.constant(np.array([1, 1, *sizes], np.float32))
    how: dict[str, Any] = (
        {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        if nearest
        else {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    )
    y = y.became(graph.add("Resize", y.name, "", scales, **how))
    if not x.mask:
        return y
    each = graph.add("Unsqueeze", x.mask, whole(graph, 2))
    each = graph.add("Expand", each, whole(graph, 1, 1, *sizes))
    return replace(y, mask=graph.add("Reshape", each, whole(graph, 0, -1)))


def _lasting(graph: Graph, x: Value) -> Value:
    """Sequences whose last step stands in the place of padding, too."""
    x = channels_last(graph, filled(graph, x))
    last = graph.add("Max", graph.add("Sub", lengths_under(graph, x.mask), whole(graph, 1)), whole(graph, 0))
    at = graph.add("Min", counted(graph, size(graph, x.name, 1)), last)
    return x.became(graph.add("GatherND", x.name, graph.add("Unsqueeze", at, whole(graph, 2)), batch_dims=1))
