"""What a model says, from its network's outputs: `label` and `probabilities`, or `values` in their own units.

Labels are the classes' names, texts, numbers or booleans as they were given, (rows,); probabilities are (rows, classes)
also where the network has one output; values are (rows, targets), and beside them `values std` or each quantile, such
as `values 0.9`, where the cost tells of them.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from chainrule.activations import Activation
from chainrule.costs import Cost, GaussianNLL, Quantile
from chainrule.interchange.onnx.graph import Graph
from chainrule.interchange.onnx.rows import DOUBLE, INT64
from chainrule.interchange.onnx.values import real, whole
from chainrule.model.trained import Trained


def answer(graph: Graph, model: Trained, outputs: str, shape: Sequence[int | str], blank: str = "") -> None:
    """Give a model's answers out, behind the nodes that compute them.

    Args:
        graph: what computes the outputs.
        model: whose they are.
        outputs: the network's outputs, single.
        shape: theirs, "rows" first.
        blank: the rows that have no answer, (rows, 1): NaN, and no name, instead.
    """
    graph.about = ""
    if model.classes is None:
        _values(graph, model, outputs, shape, blank)
    else:
        _classes(graph, model, outputs, shape, blank)


def _values(graph: Graph, model: Trained, a: str, shape: Sequence[int | str], blank: str) -> None:
    """The cost's estimate of each target, and beside it what else it tells, in the targets' units."""
    dtype = np.float32 if model.preprocessor is None else np.float64
    outputs = int(shape[-1])
    a = a if model.preprocessor is None else graph.add("Cast", a, to=DOUBLE)
    estimate, count = estimated(graph, model, a, outputs, dtype)
    told = [("values", estimate, True), *DETAILS.get(type(model.cost), _nothing)(graph, model.cost, a, outputs)]
    for name, value, shifts in told:
        if model.preprocessor is not None:
            scale, shift = map(graph.constant, model.preprocessor.units)
            value = graph.add("Mul", value, scale)
            value = graph.add("Add", value, shift) if shifts else value
        graph.output(name, _unless(graph, blank, dtype(np.nan), value), dtype, (*shape[:-1], count))


Told = Iterator[tuple[str, str, bool]]
"""Outputs of a number for each target: a name, the value, and whether it moves with the target, as spreads do not."""


def _nothing(graph: Graph, cost: Cost, a: str, outputs: int) -> Told:
    yield from ()


def _deviation(graph: Graph, cost: GaussianNLL, a: str, outputs: int) -> Told:
    s = graph.add("Gather", a, whole(graph, *range(outputs // 2, outputs)), axis=-1)
    yield "values std", graph.add("Sqrt", graph.add("Exp", s)), False


def _quantiles(graph: Graph, cost: Quantile, a: str, outputs: int) -> Told:
    for level, [places] in cost.details(np.arange(outputs)[None]).items():
        yield f"values {level}", graph.add("Gather", a, whole(graph, *places), axis=-1), True


DETAILS: dict[type[Cost], Callable[[Graph, Any, str, int], Told]] = {GaussianNLL: _deviation, Quantile: _quantiles}
"""What costs tell of targets beside their estimate, as `Cost.details` says it."""


def _classes(graph: Graph, model: Trained, a: str, shape: Sequence[int | str], blank: str) -> None:
    estimate, count = estimated(graph, model, a, int(shape[-1]), np.float32)
    if count == 1:
        number = graph.add("Cast", graph.add("Greater", estimate, real(graph, 0.5)), to=INT64)
        number = graph.add("Squeeze", number, whole(graph, -1))
    else:
        number = graph.add("ArgMax", estimate, axis=-1, keepdims=0)
    names = _names(model.classes or ())
    label = graph.add("Gather", graph.constant(names), number)
    if blank and names.dtype == object:
        label = _unless(
            graph, graph.add("Squeeze", blank, graph.constant(np.array([1], np.int64))), np.array("", object), label
        )
    graph.output("label", label, names.dtype, shape[:-1])
    last = model.network.layers[-1]
    probable = isinstance(last, Activation) and last.probable
    if probable and count == 1:
        a = graph.add("Concat", graph.add("Sub", real(graph, 1), a), a, axis=-1)
        shape = (*shape[:-1], 2)
    a = _unless(graph, blank, np.float32(np.nan), a)
    graph.output("probabilities" if probable else "scores", a, np.float32, shape)


def estimated(graph: Graph, model: Trained, a: str, outputs: int, dtype: type) -> tuple[str, int]:
    """What the cost takes from outputs, and of how many: each is one of the outputs, perhaps on another scale."""
    zero = np.asarray(model.cost.estimate(np.zeros((1, outputs))))[0]
    factors = np.asarray(model.cost.estimate(np.eye(outputs))) - zero
    place, factor = factors.argmax(axis=0), factors.max(axis=0)
    if place.tolist() != [*range(outputs)]:
        a = graph.add("Gather", a, graph.constant(place), axis=-1)
    if (factor != 1).any() or zero.any():
        scaled = graph.add("Mul", a, graph.constant(factor.astype(dtype)))
        a = graph.add("Add", scaled, graph.constant(zero.astype(dtype)))
    return a, len(place)


def _names(classes: Sequence) -> np.ndarray:
    """The classes in a type of ONNX's; as texts where there is none for all of them."""
    names = np.asarray(classes)
    if len({type(name) for name in classes}) == 1 and names.dtype.kind in "bif":
        return names
    return np.array([str(name) for name in classes], dtype=object)


def _unless(graph: Graph, blank: str, instead: np.ndarray | np.generic, a: str) -> str:
    """Something else in the rows that have no answer."""
    return a if not blank else graph.add("Where", blank, graph.constant(instead), a)
