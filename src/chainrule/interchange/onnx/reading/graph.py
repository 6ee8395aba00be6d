"""A graph from its nodes to a network: constants are computed, and what depends on the input becomes layers."""

import functools
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from chainrule.activations import Identity
from chainrule.arrays.masked import Shape
from chainrule.errors import ChainruleError
from chainrule.formula.layer import Chain, Layer
from chainrule.interchange.extras import needing
from chainrule.interchange.onnx.reading.attention import Scores, scored
from chainrule.interchange.onnx.reading.axes import View
from chainrule.interchange.onnx.reading.flow import Flow, Step, network_of
from chainrule.interchange.onnx.reading.node import ROWS, Node
from chainrule.layers import Permute, Reshape

AS_ONE_NODE = "A recurrent layer comes in as one node, as PyTorch writes it with dynamo=False"

RECURRENT = ("LSTM", "GRU", "RNN")


class Read(NamedTuple):
    """A network as a graph has it, and the classes that the graph names."""

    network: Chain
    parameters: Any
    state: Any
    input_shape: Shape
    classes: tuple[Any, ...] | None


def read(model: Any, input_shape: Shape | None = None, constants: Mapping[str, np.ndarray] | None = None) -> Read:
    """A network from a graph of one input that depends on the data.

    Args:
        model: ONNX's ModelProto.
        input_shape: one example's shape as the graph has it, where its sizes are not all fixed.
        constants: arrays of inputs that are none of the network's.

    Raises:
        ChainruleError: for what no formula computes, by the node and its operator.
    """
    with needing("onnx", "ONNX files"):
        import onnx
        from onnx import inliner
    if model.functions:
        model = inliner.inline_local_functions(model)
    graph = model.graph
    opsets = {each.domain: each.version for each in model.opset_import}
    values: dict[str, Any] = {"": None}
    values |= {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    values |= {name: np.asarray(array) for name, array in (constants or {}).items()}
    inputs = [each for each in graph.input if each.name not in values]
    output = _output(graph)
    needed = _needed(graph, output)
    fed = [each for each in inputs if each.name in needed]
    if len(fed) != 1:
        names = ", ".join(each.name for each in fed) or "none"
        raise ChainruleError(f"expected one input, got {names}. A network takes one array.")
    values[fed[0].name] = Flow((), _view_of(fed[0], graph, input_shape))
    nodes: dict[int, str] = {}
    for proto in graph.node:
        if not needed.intersection(proto.output):
            continue
        node = _node(onnx, proto, values, opsets)
        made = zip(proto.output, _found(node), strict=False)
        values.update((name, value) for name, value in made if value is not None)
        for flow in (values[name] for name in proto.output if isinstance(values.get(name), Flow)):
            _check_crossing(node, flow, nodes)
    flow = values[output]
    if not isinstance(flow, Flow):
        raise ChainruleError(f"output {output} does not depend on the input")
    end = Node("output", output, [flow], {}, 0)
    shape = values[fed[0].name].view.shape
    try:
        return _made(_as_output(end.flow(0)), shape, _classes(onnx, graph, values), nodes)
    except ChainruleError as error:
        raise (error if str(error).startswith("node ") else end.refuse(str(error).rstrip("."))) from None


def _found(node: Node) -> tuple[Any, ...]:
    """The outputs of a node."""
    if node.operator in ("Shape", "Size") and isinstance(node[0], Flow | Scores):
        sizes = np.array(node[0].view.sizes, np.int64)
        return (sizes[node.get("start", 0) : node.get("end")] if node.operator == "Shape" else sizes.prod(),)
    if any(isinstance(value, Scores) for value in node.inputs) and node.operator != "MatMul":
        found = scored(node)
        return found if isinstance(found, tuple) else (found,)
    if any(isinstance(value, Flow | Scores) for value in node.values.values()):
        return node.read()
    try:
        return node.compute(node.values)
    except Exception as error:
        raise node.refuse(f"its constants can't be computed ({str(error).splitlines()[0]})") from None


def _computed(onnx: Any, proto: Any, opsets: dict[str, int], given: Mapping[str, np.ndarray]) -> tuple[Any, ...]:
    """The outputs of a node by ONNX's own definitions."""
    from onnx.reference import ReferenceEvaluator

    helper = onnx.helper
    typed = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), None)
        for name, value in given.items()
    ]
    out = [onnx.ValueInfoProto(name=name) for name in proto.output if name]
    imports = [helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    alone = helper.make_model(helper.make_graph([proto], "alone", typed, out), opset_imports=imports)
    found = iter(ReferenceEvaluator(alone).run(None, dict(given)))
    return tuple(np.asarray(next(found)) if name else None for name in proto.output)


def _node(onnx: Any, proto: Any, values: dict[str, Any], opsets: dict[str, int]) -> Node:
    operator = proto.op_type if proto.domain in ("", "ai.onnx") else f"{proto.domain}.{proto.op_type}"
    attributes = {each.name: _attribute(onnx, each) for each in proto.attribute}
    taken = _taken(proto)
    for name in taken:
        if name not in values:
            raise ChainruleError(
                f"node {proto.name or '?'} ({operator}): its input {name} is not in the graph, or no formula gives it"
            )
    return Node(
        operator,
        proto.name,
        [values[name] for name in proto.input],
        attributes,
        opsets.get(proto.domain, 1),
        list(proto.output),
        {name: values[name] for name in taken if name},
        functools.partial(_computed, onnx, proto, opsets),
    )


def _taken(proto: Any) -> dict[str, None]:
    """The names of what a node takes: its inputs, and what its bodies take from around them."""
    names = dict.fromkeys(proto.input)
    for body in (each.g for each in proto.attribute if each.HasField("g")):
        own = {each.name for each in (*body.input, *body.initializer)}
        own.update(name for node in body.node for name in node.output)
        inner = (*(name for node in body.node for name in _taken(node)), *(each.name for each in body.output))
        names |= dict.fromkeys(name for name in inner if name not in own)
    return names


def _attribute(onnx: Any, proto: Any) -> Any:
    value = onnx.helper.get_attribute_value(proto)
    if isinstance(value, bytes):
        return value.decode()
    return [each.decode() if isinstance(each, bytes) else each for each in value] if isinstance(value, list) else value


def _view_of(info: Any, graph: Any, input_shape: Shape | None) -> View:
    """The axes of the network's input; the batch comes first, but where recurrent layers take it as it is."""
    dims = info.type.tensor_type.shape.dim
    sizes = [dim.dim_value or None for dim in dims]
    batch = int(_feeds_recurrent(info.name, graph) and len(sizes) == 3)
    if not sizes:
        raise ChainruleError(f"input {info.name} has no axes that the graph tells")
    if input_shape is not None:
        if len(input_shape) != len(sizes) - 1:
            raise ChainruleError(
                f"input {info.name}: expected an input_shape of {len(sizes) - 1} sizes, got {input_shape}"
            )
        sizes = [*input_shape[:batch], sizes[batch], *input_shape[batch:]]
    sizes[batch] = sizes[batch] or ROWS
    if None in sizes:
        shown = tuple(dim.dim_value or dim.dim_param or "?" for dim in dims)
        raise ChainruleError(
            f"input {info.name} has shape {shown}, of which some sizes are not fixed. Give one example's input_shape."
        )
    return View.of([size for size in sizes if size is not None], batch)


def _feeds_recurrent(name: str, graph: Any) -> bool:
    takers = [node for node in graph.node if name in node.input]
    time_first = [n for n in takers if n.op_type in RECURRENT and n.input[0] == name]
    return bool(time_first) and not any(a.name == "layout" and a.i for n in time_first for a in n.attribute)


def _output(graph: Any) -> str:
    """The output that is the network's: of several the first one of decimal numbers."""
    zipped = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "ZipMap"}
    for each in graph.output:
        if each.name in zipped:
            return zipped[each.name]
        if each.type.tensor_type.elem_type in (1, 10, 11):
            return each.name
    raise ChainruleError("expected an output of decimal numbers, got none")


def _needed(graph: Any, output: str) -> set[str]:
    """The values that an output depends on."""
    makers = {name: node for node in graph.node for name in node.output}
    found, left = {output}, [output]
    while left:
        for name in _taken(makers[left[-1]]) if left[-1] in makers else ():
            if name and name not in found:
                found.add(name)
                left.insert(0, name)
        left.pop()
    return found


def _classes(onnx: Any, graph: Any, values: dict[str, Any]) -> tuple[Any, ...] | None:
    """The classes that scikit-learn's exporter writes beside a network."""
    for node in graph.node:
        if node.op_type == "ZipMap":
            attributes = {each.name: _attribute(onnx, each) for each in node.attribute}
            found = attributes.get("classlabels_strings") or attributes.get("classlabels_int64s")
            if found:
                return tuple(found)
        if node.op_type == "ArrayFeatureExtractor" and isinstance(values.get(node.input[0]), np.ndarray):
            return tuple(np.ravel(values[node.input[0]]).tolist())
    return None


def _as_output(flow: Flow) -> Flow:
    """An output's axes as they are there, but channels last where the network has places."""
    view = flow.view
    if len(view.there) > 2 and view.there[0] == (view.batch,):
        batch, channels, *lengths = view.there
        if view.here == (batch, *lengths, channels):
            return flow
    if view.here == tuple(sorted(view.there, key=lambda axis: view.batch not in axis)):
        return flow
    return flow.as_there()


def _made(flow: Flow, shape: Shape, classes: tuple[Any, ...] | None, nodes: Mapping[int, str]) -> Read:
    steps = [*flow.steps]
    if len(steps) > 1 and shape and steps[0].layer in _channels_last(shape):
        shape = steps.pop(0).layer.output_shape(shape)  # images and series come with their channels last here
    step = network_of(steps or [Step(Identity(), {}, {})])
    _check_shared(steps, nodes)
    return Read(step.layer, step.parameters, step.state, shape, classes)  # type: ignore[arg-type]


def _channels_last(shape: Shape) -> tuple[Layer, ...]:
    """The layers that put the first axis last, as others have it."""
    moved = Permute((*range(2, len(shape) + 1), 1))
    return (moved, Reshape(moved.output_shape(shape))) if shape[0] == 1 else (moved,)


def _arrays(steps: Iterable[Step]) -> list[np.ndarray]:
    """What layers have learned."""
    return [leaf for step in steps for leaf in jax.tree.leaves(step.parameters)]


def _check_crossing(node: Node, flow: Flow, nodes: dict[int, str]) -> None:
    """Refuse branches that meet twice; and keep which node an array came in with."""
    counted = Counter(map(id, _arrays(flow.steps)))
    for array in (array for array, times in counted.items() if times > 1):
        raise node.refuse(
            f"the branches that meet here cross: {nodes[array]} is on both, and yet they part before it, which no "
            f"composition of layers does. {AS_ONE_NODE}"
        )
    for array in _arrays(flow.steps[-1:]):
        nodes.setdefault(id(array), f"node {node.name or '?'} ({node.operator})")


def _check_shared(steps: Iterable[Step], nodes: Mapping[int, str]) -> None:
    """Refuse arrays that several layers share, which would part in training."""
    first: dict[Any, np.ndarray] = {}
    for array in (array for array in _arrays(steps) if np.ndim(array) > 1 and np.unique(array).size > 2):
        other = first.setdefault((array.shape, array.tobytes()), array)
        if other is not array:
            raise ChainruleError(
                f"{nodes[id(other)]} and {nodes[id(array)]} share their arrays, which no composition of layers does. "
                f"{AS_ONE_NODE}"
            )
