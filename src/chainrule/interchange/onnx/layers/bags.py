"""Texts as bags of words, and numbers as waves."""

import math

import numpy as np

from chainrule.interchange.onnx.forms import form
from chainrule.interchange.onnx.graph import Graph
from chainrule.interchange.onnx.values import FLOAT, WHOLE, Own, Value, channels_last, real, whole
from chainrule.layers import Periodic, TfIdf
from chainrule.layers.bags import FACTOR


@form(TfIdf)
def tf_idf(graph: Graph, layer: TfIdf, own: Own, x: Value) -> Value:
    """A Gather of the weights and rows of the tokens, each over the number of its like, and their sum."""
    ids, live = _terms(graph, layer, x)
    idf = graph.add("Gather", own.state["idf"].into(graph), ids)
    live = graph.add("And", live, graph.add("Greater", idf, real(graph, 0)))
    ids = graph.add("Where", live, ids, whole(graph, -1))
    one, other = (graph.add("Unsqueeze", ids, whole(graph, axis)) for axis in (1, 2))
    like = graph.add("Cast", graph.add("Equal", one, other), to=FLOAT)
    count = graph.add("ReduceSum", like, whole(graph, 2), keepdims=0)
    often = graph.add("Add", graph.add("Log", count), real(graph, 1))
    weight = graph.add("Where", live, graph.add("Mul", often, idf), real(graph, 0))
    share = graph.add("Div", weight, count)
    length = graph.add("Sqrt", graph.add("ReduceSum", graph.add("Mul", weight, share), whole(graph, 1)))
    length = graph.add("Where", graph.add("Greater", length, real(graph, 0)), length, real(graph, 1))
    share = graph.add("Unsqueeze", graph.add("Div", share, length), whole(graph, 1))
    rows = graph.add("Gather", own.p["table"].into(graph), graph.add("Max", ids, whole(graph, 0)))
    y = graph.add("Squeeze", graph.add("MatMul", share, rows), whole(graph, 1))
    return x.became(graph.add("Add", y, own.p["bias"].into(graph)), tokens=False, mask="")


def _terms(graph: Graph, layer: TfIdf, x: Value) -> tuple[str, str]:
    """The numbers of a text's tokens and n-grams, and which of them there are."""
    ids = x.name if x.tokens else graph.add("Cast", x.name, to=WHOLE)
    padding = -1 if layer.padding_id is None else layer.padding_id
    live = graph.add("Not", graph.add("Equal", ids, whole(graph, padding)))
    live = graph.add("And", live, x.mask) if x.mask else live
    found, number, there = [(ids, live)], ids, live
    factor, words = whole(graph, FACTOR), whole(graph, 1 << 32)

    def part(array: str, start: int, end: int) -> str:
        return graph.add("Slice", array, whole(graph, start), whole(graph, end), whole(graph, 1))

    for n in range(1, min(layer.ngrams, x.shape[0])):
        times = graph.add("Mul", part(number, 0, -1), factor)
        number = graph.add("Mod", graph.add("Add", times, part(ids, n, np.iinfo(np.int64).max)), words)
        there = graph.add("And", part(there, 0, -1), part(live, n, np.iinfo(np.int64).max))
        mixed = graph.add("Div", graph.add("Mod", graph.add("Mul", number, factor), words), whole(graph, 256))
        bucket = graph.add("Mod", mixed, whole(graph, layer.buckets))
        found.append((graph.add("Add", bucket, whole(graph, layer.vocabulary)), there))
    every, lives = zip(*found, strict=True)
    return tuple(graph.add("Concat", *arrays, axis=1) for arrays in (every, lives))  # type: ignore[return-value]


@form(Periodic)
def periodic(graph: Graph, layer: Periodic, own: Own, x: Value) -> Value:
    """Cos of each column times its frequencies, and the product with its kernel."""
    x = channels_last(graph, x)
    turns = graph.add("Unsqueeze", graph.add("Mul", x.name, real(graph, 2 * math.pi)), whole(graph, 2))
    turns = graph.add("Mul", turns, own.p["frequency"].into(graph))
    waves = graph.add("Cos", graph.add("Add", turns, own.p["phase"].into(graph)))
    waves = graph.add("Unsqueeze", waves, whole(graph, 2))
    y = graph.add("Squeeze", graph.add("MatMul", waves, own.p["kernel"].into(graph)), whole(graph, 2))
    return x.became(graph.add("Flatten", graph.add("Add", y, own.p["bias"].into(graph)), axis=1))
