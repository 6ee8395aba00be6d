"""Recurrent layers: the operators that ONNX has for them, and a Scan of their step where it has none.

A run of one layer, or of several directions of it, is (directions, rows, [steps,] units). The operators want
padding behind the last step, so that of masked sequences the live steps are gathered before the others.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from chainrule.activations import ELU, Activation, HardSigmoid, Identity, LeakyReLU, ReLU, Sigmoid, Softsign, Tanh
from chainrule.interchange.onnx.forms import form, written
from chainrule.interchange.onnx.graph import Graph
from chainrule.interchange.onnx.layers.pooling import any_step
from chainrule.interchange.onnx.values import (
    INT,
    WHOLE,
    Array,
    Own,
    Value,
    channels_last,
    counted,
    filled,
    product,
    size,
    whole,
)
from chainrule.layers import GRU, LSTM, RNN, Bidirectional, LayerNormLSTM, PeepholeLSTM

Parts = Sequence[tuple[Any, Any]]
"""Layers that differ in their direction, each with its parameters."""


class Kind(NamedTuple):
    """A recurrent operator: its name, and of our gates which one stands in each place there."""

    operator: str
    order: tuple[int, ...]


MEMORY = Kind("LSTM", (0, 3, 1, 2))  # i, f, g, o as i, o, f, c
KINDS = {LSTM: MEMORY, PeepholeLSTM: MEMORY, GRU: Kind("GRU", (1, 0, 2)), RNN: Kind("RNN", (0,))}  # r, z, n as z, r, h

ACTIVATIONS: dict[type[Activation], tuple[str, Callable[[Any], tuple[float, ...]]]] = {
    Tanh: ("Tanh", lambda f: ()),
    ReLU: ("Relu", lambda f: ()),
    Sigmoid: ("Sigmoid", lambda f: ()),
    Softsign: ("Softsign", lambda f: ()),
    Identity: ("Affine", lambda f: (1.0, 0.0)),
    LeakyReLU: ("LeakyRelu", lambda f: (f.slope,)),
    ELU: ("Elu", lambda f: (f.alpha,)),
    HardSigmoid: ("HardSigmoid", lambda f: (1 / 6, 0.5)),
}
"""Those that the operator RNN has, each with its alpha and beta."""


@form(RNN, GRU, LSTM, PeepholeLSTM, LayerNormLSTM)
def recurrent(graph: Graph, layer: Any, own: Own, x: Value) -> Value:
    """The operator in one direction, or a Scan."""
    y = _run(graph, [(layer, own.p)], channels_last(graph, x))
    return x.became(graph.add("Squeeze", y, whole(graph, 0)), first=False)


@form(Bidirectional)
def bidirectional(graph: Graph, layer: Bidirectional, own: Own, x: Value) -> Value:
    """The operator in both directions, or two Scans."""
    one, mirrored = layer.layer, dataclasses.replace(layer.layer, reverse=not layer.layer.reverse)
    y = _run(graph, [(one, own.p["forward"]), (mirrored, own.p["backward"])], channels_last(graph, x))
    if layer.merge == "concat":
        axes = len(one.output_shape(x.shape))
        y = graph.transpose(y, (*range(1, axes + 1), 0, axes + 1))
        y = graph.add("Reshape", y, whole(graph, *[0] * axes, 2 * one.units))
    else:
        y = graph.add("ReduceSum" if layer.merge == "sum" else "ReduceMean", y, whole(graph, 0), keepdims=0)
    return x.became(y, first=False)


def _run(graph: Graph, parts: Parts, x: Value) -> str:
    """The outputs of layers for the same series, side by side."""
    layer, _ = parts[0]
    if type(layer) in KINDS and type(getattr(layer, "activation", Tanh())) in ACTIVATIONS:
        return _operated(graph, parts, x)
    each = [graph.add("Unsqueeze", _scanned(graph, one, p, x), whole(graph, 0)) for one, p in parts]
    return graph.add("Concat", *each, axis=0) if len(each) > 1 else each[0]


def _operated(graph: Graph, parts: Parts, x: Value) -> str:
    """The operator, which has the time before the rows, and the forward direction first."""
    swapped = parts[0][0].reverse and len(parts) > 1
    parts = parts[::-1] if swapped else parts
    layer, kind = parts[0][0], KINDS[type(parts[0][0])]
    values, lengths = (_live_first(graph, x), _lengths(graph, x.mask)) if x.mask else (x.name, "")
    first = [_first(graph, parts, state, x) for state in range(layer.states)]
    weights = [*_weights(graph, kind, parts), lengths, *first]
    if kind is MEMORY:
        weights.append(_peepholes(graph, parts))
    y, last = graph.add(
        kind.operator,
        graph.transpose(values, (1, 0, 2)),
        *weights,
        outputs=2,
        hidden_size=layer.units,
        direction="bidirectional" if len(parts) > 1 else "reverse" if layer.reverse else "forward",
        linear_before_reset=int(layer.reset_after) if kind.operator == "GRU" else None,
        **_activation(layer, len(parts)),
    )
    if layer.return_sequences:
        y = _in_place(graph, x.mask, y) if x.mask else graph.transpose(y, (1, 2, 0, 3))
    else:
        y = graph.add("Where", any_step(graph, x.mask), last, first[0]) if x.mask and first[0] else last
    return graph.add("Gather", y, whole(graph, 1, 0), axis=0) if swapped else y


def _weights(graph: Graph, kind: Kind, parts: Parts) -> list[str]:
    """The kernels and the biases of all directions, their gates in the operator's order."""
    order, units = list(kind.order), parts[0][0].units

    def gated(numbers: np.ndarray) -> np.ndarray:
        apart = numbers.reshape(*numbers.shape[:-1], len(order), units)
        return apart[..., order, :].reshape(numbers.shape).T

    def biases(p: Any) -> np.ndarray:
        own = gated(p["bias"].numbers)
        of_product = np.zeros_like(own)
        if "recurrent_bias" in p:
            of_product[-units:] = p["recurrent_bias"].numbers
        return np.concatenate([own, of_product])

    kernels = [
        _together([p[name] for _, p in parts], [gated(p[name].numbers) for _, p in parts])
        for name in ("kernel", "recurrent_kernel")
    ]
    arrays = [p[name] for _, p in parts for name in ("bias", "recurrent_bias") if name in p]
    return [each.into(graph) for each in (*kernels, _together(arrays, [biases(p) for _, p in parts]))]


def _together(arrays: Sequence[Array], numbers: Sequence[np.ndarray]) -> Array:
    """Several arrays as one, whose first axis is that of the directions."""
    return arrays[0].beside(arrays[1:], np.stack(numbers))


def _peepholes(graph: Graph, parts: Parts) -> str:
    """The weights through which gates see the cell, i, f, o as i, o, f; empty where they do not."""
    if "peephole" not in parts[0][1]:
        return ""
    arrays = [p["peephole"] for _, p in parts]
    return _together(arrays, [array.numbers[[0, 2, 1]].reshape(-1) for array in arrays]).into(graph)


def _activation(layer: Any, directions: int) -> dict[str, Any]:
    """The attributes of an RNN's activation, for each direction."""
    if not isinstance(layer, RNN):
        return {}
    name, numbers = ACTIVATIONS[type(layer.activation)]
    told = dict(zip(("activation_alpha", "activation_beta"), numbers(layer.activation), strict=False))
    return {"activations": [name] * directions} | {key: [float(value)] * directions for key, value in told.items()}


def _first(graph: Graph, parts: Parts, state: int, x: Value) -> str:
    """What a learned state begins with, for each row: (directions, rows, units); empty where it is 0."""
    if not parts[0][0].learn_start:
        return ""
    arrays = [p["start"].moved(lambda start: start[state][None]) for _, p in parts]
    arrays = [dataclasses.replace(array, name=array.name and f"{array.name}[{state}]") for array in arrays]
    rows = graph.add("Concat", whole(graph, 1), size(graph, x.name, 0), whole(graph, 1), axis=0)
    return graph.add("Expand", _together(arrays, [array.numbers for array in arrays]).into(graph), rows)


def _live_first(graph: Graph, x: Value) -> str:
    """Series whose live steps stand before the others, in their order."""
    steps = size(graph, x.mask, 1)
    left = graph.add("Sub", steps, counted(graph, steps))
    key = graph.add("Where", x.mask, left, graph.constant(np.int64(0)))
    _, order = graph.add("TopK", key, steps, outputs=2, axis=1)
    return graph.add("GatherND", x.name, graph.add("Unsqueeze", order, whole(graph, 2)), batch_dims=1)


def _lengths(graph: Graph, mask: str) -> str:
    """How many live steps each sequence has, (rows,)."""
    return graph.add("ReduceSum", graph.add("Cast", mask, to=INT), whole(graph, 1), keepdims=0)


def _in_place(graph: Graph, mask: str, y: str) -> str:
    """The operator's outputs of live steps back in their places; in those of padding is the last one before."""
    count = graph.add("CumSum", graph.add("Cast", mask, to=WHOLE), graph.constant(np.int64(1)))
    at = graph.add("Max", graph.add("Sub", count, whole(graph, 1)), whole(graph, 0))
    by_rows = graph.transpose(y, (2, 0, 1, 3))
    placed = graph.add("GatherND", by_rows, graph.add("Unsqueeze", at, whole(graph, 2)), batch_dims=1)
    return graph.transpose(placed, (2, 0, 1, 3))


def _scanned(graph: Graph, layer: Any, p: Any, x: Value) -> str:
    """A Scan of the layer's step over time; padding leaves the states as they are."""
    x, units = filled(graph, x), layer.units
    inputs = [graph.transpose(_of_input(graph, layer, p, x.name), (1, 0, 2))]
    if x.mask:
        live = graph.transpose(graph.add("Unsqueeze", x.mask, whole(graph, 2)), (1, 0, 2))
        inputs.append(live)
    rows = graph.add("Concat", size(graph, x.name, 0), whole(graph, 1), axis=0)
    zeros = np.zeros((layer.states, units), np.float32)
    start = p["start"] if layer.learn_start else Array("", zeros)
    starts = [graph.add("Expand", row, rows) for row in _rows(graph, start, layer.states)]

    step = graph.inner("step")
    step.about = graph.about
    old = [step.input("state", np.float32, ("rows", units)) for _ in starts]
    sums = step.input("sums", np.float32, ("rows", layer.gates * units))
    new = STEPS[type(layer)](step, layer, p, sums, old)
    if x.mask:
        lives = step.input("live", np.bool_, ("rows", 1))
        new = [step.add("Where", lives, after, before) for after, before in zip(new, old, strict=True)]
    for name, state in (*(("next", state) for state in new), ("output", new[0])):
        step.output(name, state, np.float32, ("rows", units))
    way = int(layer.reverse)
    *last, y = graph.add(
        "Scan",
        *starts,
        *inputs,
        outputs=len(new) + 1,
        body=step,
        num_scan_inputs=len(inputs),
        scan_input_directions=[way] * len(inputs),
        scan_output_directions=[way],
    )
    return graph.transpose(y, (1, 0, 2)) if layer.return_sequences else last[0]


def _rows(graph: Graph, start: Array, states: int) -> list[str]:
    """What each state begins with, (units,)."""
    return [graph.add("Gather", start.into(graph), graph.constant(np.int64(state))) for state in range(states)]


def _of_input(graph: Graph, layer: Any, p: Any, x: str) -> str:
    """The part of the gates that no step before has a say in, with the bias."""
    if isinstance(layer, LayerNormLSTM):
        return graph.add(
            "Add", _normed(graph, graph.add("MatMul", x, p["kernel"].into(graph)), p["scale_x"]), p["bias"].into(graph)
        )
    return product(graph, x, p["kernel"], p["bias"])


def _normed(graph: Graph, x: str, scale: Array, offset: Array | None = None) -> str:
    return graph.add(
        "LayerNormalization", x, scale.into(graph), offset.into(graph) if offset else "", axis=-1, epsilon=1e-5
    )


def _activated(graph: Graph, layer: RNN, p: Any, sums: str, states: Sequence[str]) -> list[str]:
    """The step of the simple network, with any activation."""
    seen = graph.add("Add", sums, graph.add("MatMul", states[0], p["recurrent_kernel"].into(graph)))
    return [written(graph, layer.activation, Own(p.get("activation", {}), {}), Value(seen, (layer.units,))).name]


def _normalized(graph: Graph, layer: LayerNormLSTM, p: Any, sums: str, states: Sequence[str]) -> list[str]:
    """The step of the LSTM that normalises."""
    seen = _normed(graph, graph.add("MatMul", states[0], p["recurrent_kernel"].into(graph)), p["scale_h"])
    i, f, g, o = graph.add("Split", graph.add("Add", sums, seen), outputs=4, axis=-1, num_outputs=4)
    kept = graph.add("Mul", graph.add("Sigmoid", f), states[1])
    c = graph.add("Add", kept, graph.add("Mul", graph.add("Sigmoid", i), graph.add("Tanh", g)))
    read = graph.add("Tanh", _normed(graph, c, p["scale_c"], p["offset_c"]))
    return [graph.add("Mul", graph.add("Sigmoid", o), read), c]


STEPS = {RNN: _activated, LayerNormLSTM: _normalized}
"""The step of each layer that is scanned: from the sums of the gates and the states to the next states."""
