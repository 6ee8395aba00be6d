"""Sums over all inputs, vectors of tokens and categories, and layers that leave values as they are."""

import numpy as np

from chainrule.interchange.onnx.forms import form
from chainrule.interchange.onnx.graph import Graph
from chainrule.interchange.onnx.values import WHOLE, Array, Own, Value, affine, channels_last, product, real, whole
from chainrule.layers import (
    Affine,
    AlphaDropout,
    Dense,
    Dropout,
    Embedding,
    EntityEmbedding,
    Flatten,
    Flip,
    GaussianDropout,
    GaussianNoise,
    Permute,
    Reshape,
    Shift,
    SpatialDropout,
    StochasticDepth,
)


@form(Dense)
def dense(graph: Graph, layer: Dense, own: Own, x: Value) -> Value:
    """Gemm, where an example has one axis; the bias is its third input."""
    x = channels_last(graph, x)
    kernel, bias = own.p["kernel"], own.p.get("bias")
    if len(x.shape) > 1:
        return x.became(product(graph, x.name, kernel, bias))
    return x.became(graph.add("Gemm", x.name, kernel.into(graph), bias.into(graph) if bias else ""))


@form(Affine)
def scaled(graph: Graph, layer: Affine, own: Own, x: Value) -> Value:
    """Mul and Add."""
    return affine(graph, own, x)


@form(Embedding)
def embedding(graph: Graph, layer: Embedding, own: Own, x: Value) -> Value:
    """Gather; steps of the padding id are zeros, and padding for the layers behind."""
    ids = x.name if x.tokens else graph.add("Cast", x.name, to=WHOLE)
    y = graph.add("Gather", own.p["table"].into(graph), ids)
    if layer.padding_id is None:
        return x.became(y, tokens=False)
    padding = graph.constant(np.int64(layer.padding_id))
    live = graph.add("Not", graph.add("Equal", ids, padding))
    y = graph.add("Where", graph.add("Unsqueeze", live, whole(graph, 2)), y, real(graph, 0))
    return x.became(y, tokens=False, mask=graph.add("And", x.mask, live) if x.mask else live)


@form(EntityEmbedding)
def entity_embedding(graph: Graph, layer: EntityEmbedding, own: Own, x: Value) -> Value:
    """A Gather for each category, from its table and a row of zeros behind it, for numbers that it does not have."""
    categories = layer.categories
    columns = [graph.add("Gather", x.name, graph.constant(np.int64(column)), axis=1) for column in range(categories)]
    vectors = [_rows(graph, table, column) for table, column in zip(own.p["tables"], columns, strict=True)]
    if x.shape[0] > categories:
        vectors.append(graph.add("Slice", x.name, whole(graph, categories), whole(graph, x.shape[0]), whole(graph, 1)))
    return x.became(graph.add("Concat", *vectors, axis=1))


def _rows(graph: Graph, table: Array, numbers: str) -> str:
    """The rows of a table with these numbers; zeros where it has none."""
    count, units = table.numbers.shape
    inside = graph.add(
        "And",
        graph.add("GreaterOrEqual", numbers, real(graph, 0)),
        graph.add("Less", numbers, real(graph, count)),
    )
    known = graph.add("And", inside, graph.add("Equal", numbers, graph.add("Floor", numbers)))
    row = graph.add("Cast", graph.add("Where", known, numbers, real(graph, count)), to=WHOLE)
    extended = table.moved(lambda rows: np.concatenate([rows, np.zeros((1, units), rows.dtype)]))
    return graph.add("Gather", extended.into(graph), row)


@form(Dropout, SpatialDropout, StochasticDepth, AlphaDropout, GaussianNoise, GaussianDropout, Flip, Shift)
def unchanged(graph: Graph, layer: Dropout, own: Own, x: Value) -> Value:
    """Nothing: noise is for training."""
    return x


@form(Flatten)
def flatten(graph: Graph, layer: Flatten, own: Own, x: Value) -> Value:
    """Flatten."""
    return x.became(graph.add("Flatten", channels_last(graph, x).name, axis=1), first=False)


@form(Reshape)
def reshape(graph: Graph, layer: Reshape, own: Own, x: Value) -> Value:
    """Reshape, in which a size of 0 is that of the input: the rows."""
    return x.became(graph.add("Reshape", channels_last(graph, x).name, whole(graph, 0, *layer.shape)), first=False)


@form(Permute)
def permute(graph: Graph, layer: Permute, own: Own, x: Value) -> Value:
    """Transpose."""
    return x.became(graph.transpose(channels_last(graph, x).name, (0, *layer.axes)), first=False)
