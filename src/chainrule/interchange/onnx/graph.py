"""An ONNX model while it is written: inputs, constants, nodes and outputs, one after another."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.interchange.extras import needing

OPERATORS = {"": 20, "ai.onnx.ml": 4, "com.microsoft": 1}
"""The version of each domain's operators that a model is written with."""

SPARING = ("LSTM", "GRU", "RNN")
"""Operators whose outputs may be left out."""

MOST_BYTES = 2**31 - 1  # of a protobuf message

Sizes = Sequence[int | str]


class Graph:
    """What an ONNX model is written with. Values go by their names, which are texts.

    What a constant is named after a parameter (`parameters.0.kernel`, as in the model file) holds that parameter's
    numbers bit for bit: as they are, or moved about (transposed, gates in another order, a part of it, beside others
    or zeros), never computed with. What is computed has no name.

    Attributes:
        constants: the arrays by their names.
        about: what the next nodes compute, in notation, which they carry.

    >>> graph = Graph("halves")
    >>> x = graph.input("x", np.float32, ("rows", 2))
    >>> graph.output("y", graph.add("Mul", x, graph.constant(np.float32(0.5))), np.float32, ("rows", 2))
    >>> import onnx
    >>> [node.op_type for node in onnx.load_from_string(graph.to_bytes({})).graph.node]
    ['Mul']
    """

    def __init__(self, name: str = "network", description: str = "", within: "Graph | None" = None):
        with needing("onnx", "ONNX files"):
            import onnx
        self.name, self.description, self.about, self._onnx = name, description, "", onnx
        self._inputs, self._nodes, self._outputs = [], [], []
        self._within = within
        self.constants: dict[str, np.ndarray] = within.constants if within else {}
        self._unnamed: dict[tuple, str] = within._unnamed if within else {}
        self._taken: Counter[str] = within._taken if within else Counter()
        self._called: dict[str, str] = within._called if within else {}
        self._made: dict[Any, Any] = {}
        self._transposed: dict[str, tuple[str, tuple[int, ...]]] = {}

    def inner(self, name: str) -> Self:
        """A graph to be an attribute of a node of this one, such as the body of a Scan; it sees the values here."""
        return type(self)(name, within=self)

    def input(self, name: str, dtype: np.dtype | type, shape: Sizes) -> str:
        """An input; a text in its shape names a size that is known when it runs: "rows", "steps"."""
        return self._of_type(self._inputs, self._new(name), dtype, shape)

    def constant(self, array: Any, name: str = "") -> str:
        """An array; equal ones without a name are kept once, as is one that is named again."""
        array = np.asarray(array)
        array = array.astype(object) if array.dtype.kind in "UT" else array
        if name:
            known = self.constants.get(name)
            return name if known is not None and np.array_equal(known, array) else self._kept(self._new(name), array)
        content = tuple(array.ravel()) if array.dtype == object else array.tobytes()
        key = array.dtype, array.shape, content
        if key not in self._unnamed:
            self._unnamed[key] = self._kept(self._new("constant"), array)
        return self._unnamed[key]

    def add(self, operator: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: Any) -> Any:
        """A node: the name of its output, or a tuple of so many; a node that is there already is not made again.

        An input that is "" is left out, as is an attribute that is None; one that is a `Graph` was made by `inner`.
        """
        given = {key: value for key, value in attributes.items() if value is not None}
        key = operator, inputs, outputs, domain, repr(given)
        if key not in self._made:
            self._made[key] = self._node(operator, inputs, outputs, domain, given)
        return self._made[key]

    def _node(self, operator: str, inputs: Sequence[str], outputs: int, domain: str, attributes: dict) -> Any:
        name = self._new(operator)
        made = (name,) if outputs == 1 else tuple(self._new(f"{operator}_output") for _ in range(outputs))
        seen = [self._called.get(value, value) for value in inputs]
        while seen and not seen[-1]:
            seen.pop()
        given = {key: value._proto() if isinstance(value, Graph) else value for key, value in attributes.items()}
        about = self.about or None
        self._nodes.append(
            self._onnx.helper.make_node(operator, seen, made, name=name, domain=domain, doc_string=about, **given)
        )
        return made[0] if outputs == 1 else made

    def transpose(self, value: str, axes: Iterable[int]) -> str:
        """A value with its axes in another order; of one that was transposed before, what it came of is, at once."""
        source, before = self._transposed.get(value, (value, None))
        order = tuple(before[axis] for axis in axes) if before else tuple(axes)
        if order == tuple(range(len(order))):
            return source
        made = self.add("Transpose", source, perm=order)
        self._transposed[made] = source, order
        return made

    def output(self, name: str, value: str, dtype: np.dtype | type, shape: Sizes) -> None:
        """An output: a value by the name that whoever runs the model knows it by."""
        name, value = self._new(name), self._called.get(value, value)
        inside = {seen for node in self._nodes for attribute in node.attribute for seen in _seen(attribute.g.node)}
        made = {each for node in self._nodes for each in node.output}
        if value in made - inside - {output.name for output in self._outputs}:
            self._called[value] = name
            for node in self._nodes:
                for side in (node.input, node.output):
                    side[:] = [name if each == value else each for each in side]
        else:
            self._nodes.append(self._onnx.helper.make_node("Identity", [value], [name], name=name))
        self._of_type(self._outputs, name, dtype, shape)

    def to_bytes(self, metadata: dict[str, str]) -> bytes:
        """The content of the model's file, which ONNX's own checker has seen; equal models give equal bytes.

        Raises:
            ChainruleError: for a model of 2 GB and more.
        """
        onnx, helper = self._onnx, self._onnx.helper
        if (size := sum(array.nbytes for array in self.constants.values())) > MOST_BYTES:
            raise ChainruleError(
                f"An ONNX file has less than 2 GB, and these arrays have {size:,} bytes. Use fewer units."
            )
        domains = {"", *(node.domain for node in self._nodes)}
        operators = [helper.make_operatorsetid(domain, OPERATORS[domain]) for domain in sorted(domains)]
        model = helper.make_model(
            self._proto(),
            producer_name="chainrule",
            opset_imports=operators,
            ir_version=helper.find_min_ir_version_for([each for each in operators if each.domain != "com.microsoft"]),
        )
        helper.set_model_props(model, metadata)
        onnx.checker.check_model(model)
        return model.SerializeToString(deterministic=True)

    def _proto(self) -> Any:
        nodes, seen = [], {output.name for output in self._outputs}
        for node in reversed(self._nodes):
            if seen.isdisjoint(node.output):
                continue  # since nobody asks for it
            nodes.insert(0, node)
            seen.update(_seen([node]))
            if node.op_type in SPARING:
                node.output[:] = [name if name in seen else "" for name in node.output]
        unused = {*self._unnamed.values()} - seen
        constants = {} if self._within else {k: v for k, v in self.constants.items() if k not in unused}
        return self._onnx.helper.make_graph(
            nodes,
            self.name,
            self._inputs,
            self._outputs,
            [self._onnx.numpy_helper.from_array(array, name) for name, array in constants.items()],
            self.description or None,
        )

    def _kept(self, name: str, array: np.ndarray) -> str:
        self.constants[name] = array
        return name

    def _of_type(self, among: list, name: str, dtype: np.dtype | type, shape: Sizes) -> str:
        kind = np.dtype(object) if np.dtype(dtype).kind in "UT" else np.dtype(dtype)
        element = self._onnx.helper.np_dtype_to_tensor_dtype(kind)
        among.append(self._onnx.helper.make_tensor_value_info(name, element, [*shape]))
        return name

    def _new(self, name: str) -> str:
        """A name that no value has yet: the one that is asked for, or with a number behind it."""
        self._taken[name] += 1
        return name if self._taken[name] == 1 else self._new(f"{name}_{self._taken[name]}")


def _seen(nodes: Iterable[Any]) -> Iterator[str]:
    """The values that nodes take, and those within them."""
    for node in nodes:
        yield from node.input
        for attribute in node.attribute:
            yield from _seen(attribute.g.node)
            yield from (output.name for output in attribute.g.output)
