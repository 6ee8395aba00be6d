"""A model as an ONNX file."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from chainrule.arrays.masked import Shape
from chainrule.data.files import write_whole
from chainrule.errors import ArgumentError, ChainruleError
from chainrule.formula.base import check_single
from chainrule.formula.layer import Chain, Layer, Parameter
from chainrule.interchange.onnx import activations as activations
from chainrule.interchange.onnx import layers as layers
from chainrule.interchange.onnx import textbooks as textbooks
from chainrule.interchange.onnx.answers import answer
from chainrule.interchange.onnx.forms import written
from chainrule.interchange.onnx.graph import Graph
from chainrule.interchange.onnx.rows import prepared
from chainrule.interchange.onnx.values import Array, Own, Value, channels_last
from chainrule.model.container import place
from chainrule.model.embedded import numbered
from chainrule.model.file import arrays_of, in_graph
from chainrule.model.trained import Trained

SUFFIX = ".onnx"


def to_onnx(model: Trained, path: str | os.PathLike, arrays: bool = False, masked: bool = False) -> None:
    """Write a model to an ONNX file, as `interchange.to_onnx` says."""
    if Path(path).suffix.lower() != SUFFIX:
        raise ChainruleError(f"Expected the name of an ONNX file, such as model{SUFFIX}, got {str(path)!r}.")
    write_whole(path, content(model, arrays, masked))


def content(model: Trained, arrays: bool = False, masked: bool = False) -> bytes:
    """The content of a model's ONNX file."""
    check_single(model.network)
    if masked and model.preprocessor and not arrays:
        raise ArgumentError(
            "{masked} is for inputs that are arrays: of raw rows, the file finds itself which steps there are. "
            "Leave it out, or choose {arrays}=True."
        )
    graph = graph_of(model, arrays, masked)
    with np.errstate(all="ignore"):  # what is computed from places means nothing
        traced = graph_of(_numbered(model), arrays, masked)
    return graph.to_bytes(in_graph(model, graph.constants, traced.constants))


def graph_of(model: Trained, arrays: bool = False, masked: bool = False) -> Graph:
    """A model's graph, from raw rows or arrays to its answers."""
    graph = Graph("network", repr(model.network))
    if model.preprocessor is None or arrays:
        x, blank = inputs(graph, model.network, model.input_shape, masked), ""
    else:
        x, blank = prepared(graph, model.preprocessor)
    y = network(graph, model, x)
    answer(graph, model, y.name, sizes(model.network, model.input_shape, y.shape), blank)
    if y.mask:
        graph.output("steps", y.mask, np.bool_, ("rows", "steps" if x.mask == y.mask else "steps of outputs"))
    return graph


def _numbered(model: Trained) -> Trained:
    """A model whose numbers are 1, 2, 3, …, so that a graph of it shows where they go."""
    structure = jax.tree.structure({"parameters": model.parameters, "state": model.state})
    return replace(model, **structure.unflatten(numbered(arrays_of(model)).values()))


def inputs(graph: Graph, layer: Chain, shape: Shape, masked: bool = False) -> Value:
    """The arrays that a network takes as inputs of a graph."""
    given = sizes(layer, shape)
    x = graph.input("x", np.int64 if layer.tokens else np.float32, given)
    mask = graph.input("mask", np.bool_, given[:2]) if masked else ""
    return Value(x, shape, mask, tokens=bool(layer.tokens))


def network(graph: Graph, model: Trained, x: Value) -> Value:
    """What a model's network makes of a batch, in nodes of a graph; the outputs have the channels last."""
    p, state = named({"parameters": model.parameters, "state": model.state}).values()
    return channels_last(graph, written(graph, model.network, Own(p, state), x))


def named(tree: Any) -> Any:
    """A tree of arrays in which each knows its place, by which the model's file has it, too."""
    leaves, structure = jax.tree.flatten_with_path(tree)
    return structure.unflatten(Array(place(path), np.asarray(leaf)) for path, leaf in leaves)


def sizes(layer: Chain, shape: Shape, after: Shape | None = None) -> tuple[int | str, ...]:
    """The sizes of a batch before a network, or behind it: rows, and steps where there may be any number of them."""
    sized = shape if after is None else after
    if (after is not None and len(after) < 2) or not takes_any_length(layer, shape):
        return ("rows", *sized)
    return ("rows", "steps" if sized[0] == shape[0] else "steps of outputs", *sized[1:])


def takes_any_length(layer: Layer, shape: Shape) -> bool:
    """Whether a network of series or tokens has the same parameters for sequences of other lengths.

    >>> from chainrule.layers import LSTM, Dense, Flatten
    >>> takes_any_length(LSTM(3) >> Dense(2), (10, 4)), takes_any_length(Flatten() >> Dense(2), (10, 4))
    (True, False)
    """
    if len(shape) != (1 if layer.tokens else 2):
        return False

    def declared(length: int) -> Any:
        parameters = layer.parameters((length, *shape[1:])), layer.state((length, *shape[1:]))
        return jax.tree.map(lambda one: one.shape, parameters, is_leaf=lambda node: isinstance(node, Parameter))

    try:
        return declared(shape[0]) == declared(shape[0] + 1) == declared(2 * shape[0] + 1)
    except ChainruleError:
        return False
