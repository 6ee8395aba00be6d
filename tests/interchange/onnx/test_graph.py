"""Graphs: names, what is made once, and what is refused."""

import sys

import numpy as np
import onnx
import pytest

from chainrule.errors import ChainruleError
from chainrule.interchange.onnx import graph as module
from chainrule.interchange.onnx.graph import Graph


def read(graph):
    return onnx.load_from_string(graph.to_bytes({"who": "us"}))


def test_each_name_is_given_once_and_outputs_are_called_as_asked():
    graph = Graph("g", "Tanh() >> Tanh()")
    x = graph.input("x", np.float32, ("rows", 2))
    y = graph.add("Tanh", graph.add("Tanh", x))
    graph.output("y", y, np.float32, ("rows", 2))
    graph.output("again", y, np.float32, ("rows", 2))
    graph.output("x", x, np.float32, ("rows", 2))
    model = read(graph)
    nodes = [(node.op_type, *node.input, *node.output) for node in model.graph.node]
    expected = [("Tanh", "x", "Tanh"), ("Tanh", "Tanh", "y"), ("Identity", "y", "again"), ("Identity", "x", "x_2")]
    assert nodes == expected
    assert model.graph.doc_string == "Tanh() >> Tanh()"
    assert [(each.key, each.value) for each in model.metadata_props] == [("who", "us")]
    assert [size.dim_param or size.dim_value for size in model.graph.input[0].type.tensor_type.shape.dim] == ["rows", 2]


def test_equal_nodes_and_constants_are_made_once_and_a_transpose_is_undone_by_what_it_came_of():
    graph = Graph()
    x = graph.input("x", np.float32, ("rows", 2, 3))
    assert graph.constant(np.float32(1)) == graph.constant(np.float32(1)) != graph.constant(np.int64(1))
    assert graph.constant(np.zeros(2), "parameters.0") == graph.constant(np.zeros(2), "parameters.0") == "parameters.0"
    assert graph.constant(np.ones(2), "parameters.0") == "parameters.0_2"
    assert graph.constant(np.array(["a", "é"])) == graph.constant(np.array(["a", "é"], object))
    assert graph.add("Relu", x) == graph.add("Relu", x)
    there = graph.transpose(x, (1, 2, 0))
    assert graph.transpose(there, (2, 0, 1)) == graph.transpose(x, (0, 1, 2)) == x
    assert graph.transpose(there, (1, 0, 2)) == graph.transpose(x, (2, 1, 0))


def test_what_nobody_asks_for_is_left_out():
    graph = Graph()
    x = graph.input("x", np.float32, ("rows", 2))
    y = graph.add("Relu", x)
    graph.add("Add", y, graph.constant(np.float32(3)))
    graph.output("last", graph.add("Neg", y), np.float32, ("rows", 2))
    graph.output("first", y, np.float32, ("rows", 2))
    model = read(graph)
    assert [(*node.input, *node.output) for node in model.graph.node] == [("x", "first"), ("first", "last")]
    assert not model.graph.initializer


def test_more_than_a_file_holds_is_refused(monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 79)
    graph = Graph()
    graph.constant(np.zeros(10))
    with pytest.raises(ChainruleError) as caught:
        graph.to_bytes({})
    assert str(caught.value) == "An ONNX file has less than 2 GB, and these arrays have 80 bytes. Use fewer units."


def test_the_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ChainruleError) as caught:
        Graph()
    assert str(caught.value) == "ONNX files need the onnx package. Install it: pip install 'chainrule[onnx]'"
