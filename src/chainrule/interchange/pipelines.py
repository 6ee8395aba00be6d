"""Networks inside scikit-learn's pipelines, as sklearn-onnx converts these.

It asks each estimator for what is here, so that nobody has to register them. Labels and probabilities are two outputs,
without a ZipMap behind them.
"""

from typing import Any

import numpy as np

from chainrule.activations import Sigmoid
from chainrule.errors import ChainruleError
from chainrule.estimators import NetworkClassifier, NetworkRegressor
from chainrule.interchange.onnx.answers import answer, estimated
from chainrule.interchange.onnx.graph import OPERATORS, Graph
from chainrule.interchange.onnx.values import real, whole
from chainrule.interchange.onnx.writing import inputs, network

Estimator = NetworkClassifier | NetworkRegressor


def register(estimator: type[Estimator]) -> None:
    """Let sklearn-onnx know a kind of estimators, and that `zipmap=False`, which people say of all of them, is so."""
    from skl2onnx import update_registered_converter
    from skl2onnx._parse import _parse_sklearn_simple_model as parsed

    def parser(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:
        return parsed(scope, model, inputs, custom_parsers)

    name = f"Chainrule{estimator.__name__}"
    update_registered_converter(estimator, name, shapes, convert, parser=parser, options={"zipmap": [False]})


def shapes(operator: Any) -> None:
    """Tell sklearn-onnx the types and sizes of an estimator's outputs."""
    from skl2onnx.common import data_types as types

    estimator, rows = operator.raw_operator, operator.inputs[0].get_first_dimension()
    if isinstance(estimator, NetworkRegressor):
        operator.outputs[0].set_type(types.FloatTensorType([rows, estimator.n_outputs_]))
        return
    kinds = {"O": types.StringTensorType, "U": types.StringTensorType, "b": types.BooleanTensorType}
    kind, labels = kinds.get(estimator.classes_.dtype.kind, types.Int64TensorType), [rows]
    count = estimator.n_outputs_ if estimator.model_.cost.targets.scores else len(estimator.classes_)
    if _is_multilabel(estimator):
        kind, labels = types.Int64TensorType, [rows, count]
    operator.outputs[0].set_type(kind(labels))
    operator.outputs[1].set_type(types.FloatTensorType([rows, count]))


def convert(scope: Any, operator: Any, container: Any) -> None:
    """Write an estimator's nodes into a graph of sklearn-onnx.

    Raises:
        ChainruleError: for a graph that is to be written in operators of an earlier version than ours.
    """
    import onnx

    estimator = operator.raw_operator
    who = type(estimator).__name__
    if container.target_opset < OPERATORS[""]:
        raise ChainruleError(
            f"{who}: expected a target_opset of {OPERATORS['']} or more, got {container.target_opset}. Leave it out."
        )
    graph = onnx.load_from_string(graph_of(estimator).to_bytes({})).graph
    names = {each.name: variable.full_name for each, variable in zip(graph.output, operator.outputs, strict=True)}
    names |= {graph.input[0].name: _taken(scope, operator, container), "": ""}
    made = (name for node in graph.node for name in node.output)
    for name in (*(each.name for each in graph.initializer), *made):
        if name not in names:
            names[name] = scope.get_unique_variable_name(f"{who}_{name}")
    for each in graph.initializer:
        each.name = names[each.name]
        container.initializers.append(each)
    for node in graph.node:
        node.name = scope.get_unique_operator_name(node.name)
        container.nodes.append(_renamed(node, names))
        container.node_domain_version_pair_sets.add((node.domain, OPERATORS[node.domain]))


def graph_of(estimator: Estimator) -> Graph:
    """An estimator's graph, from numbers to what its `predict` and `predict_proba` give."""
    model = estimator.model_
    graph = Graph("network", repr(model.network))
    y = network(graph, model, inputs(graph, model.network, model.input_shape))
    a, shape = y.name, ("rows", *y.shape)
    if _is_multilabel(estimator):
        near, _ = estimated(graph, model, a, y.shape[-1], np.float32)
        label = graph.add("Cast", graph.add("Greater", near, real(graph, 0.5)), to=7)
        graph.output("label", label, np.int64, shape)
        graph.output("probabilities", a, np.float32, shape)
        return graph
    if model.classes and isinstance(model.network.layers[-1], Sigmoid) and y.shape[-1] > 1:  # each against the rest
        a = graph.add("Div", a, graph.add("ReduceSum", a, whole(graph, -1)))
    answer(graph, model, a, shape)
    return graph


def _is_multilabel(estimator: Estimator) -> bool:
    return isinstance(estimator, NetworkClassifier) and estimator.model_.classes is None


def _taken(scope: Any, operator: Any, container: Any) -> str:
    """What an operator takes, side by side, as float."""
    parts = []
    for variable in operator.inputs:
        parts.append(scope.get_unique_variable_name("numbers"))
        container.add_node("Cast", [variable.full_name], parts[-1:], to=1, op_version=13)
    if len(parts) == 1:
        return parts[0]
    beside = scope.get_unique_variable_name("numbers")
    container.add_node("Concat", parts, [beside], axis=1, op_version=13)
    return beside


def _renamed(node: Any, names: dict[str, str]) -> Any:
    """A node with other names for the values that it takes and gives, as are those of the nodes within it."""
    for values in (node.input, node.output):
        values[:] = [names.get(value, value) for value in values]
    for attribute in node.attribute:
        for inner in attribute.g.node:
            _renamed(inner, names)
        for each in attribute.g.output:
            each.name = names.get(each.name, each.name)
    return node
