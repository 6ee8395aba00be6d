"""Recurrent layers: time comes first there, and the directions are an axis."""

from typing import Any

import numpy as np

from chainrule import activations as a
from chainrule.activations import Activation
from chainrule.interchange.onnx.reading.activations import decimal
from chainrule.interchange.onnx.reading.axes import View, axis_of
from chainrule.interchange.onnx.reading.flow import Flow
from chainrule.interchange.onnx.reading.node import Node, reads
from chainrule.layers import GRU, LSTM, RNN, Bidirectional, PeepholeLSTM

ORDERS = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
"""Which gate there each gate here is: i, f, g, o of i, o, f, c; r, z, n of z, r, h."""

USUAL = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}

ACTIVATIONS: dict[str, Any] = {
    "Tanh": lambda alpha, beta: a.Tanh(),
    "Relu": lambda alpha, beta: a.ReLU(),
    "Sigmoid": lambda alpha, beta: a.Sigmoid(),
    "Softsign": lambda alpha, beta: a.Softsign(),
    "Softplus": lambda alpha, beta: a.Softplus(),
    "LeakyRelu": lambda alpha, beta: a.LeakyReLU(0.01 if alpha is None else alpha),
    "Elu": lambda alpha, beta: a.ELU(1.0 if alpha is None else alpha),
    "ThresholdedRelu": lambda alpha, beta: a.Threshold(1.0 if alpha is None else alpha),
    "Affine": lambda alpha, beta: a.Identity() if (alpha, beta) == (1.0, 0.0) else None,
}
"""What a simple recurrent network may have inside, by the operator's name for it."""


@reads("LSTM", "GRU", "RNN")
def recurrent(node: Node) -> tuple[Any, ...]:
    """All outputs (time, directions, batch, units), the last ones (directions, batch, units), and the last cells."""
    x, kind = node.x, node.operator
    units, directions = node.get("hidden_size"), node.get("direction", "forward")
    both = directions == "bidirectional"
    node.only(clip=None, input_forget=0)
    batch_first = node.get("layout", 0)
    time, batch = (1, 0) if batch_first else (0, 1)
    if x.view.batch_axis != batch:
        raise node.refuse(f"expected the batch on axis {batch} of its input")
    if (lengths := node.constant(4)) is not None and set(np.ravel(lengths).tolist()) != {x.view.sizes[time]}:
        raise node.refuse("sequences of unequal length come as a mask here. Leave sequence_lens out")
    x = x.arranged(x.view.there[batch], x.view.there[time], x.view.there[2])
    made = _layer(node, kind, units)
    fields, arrays = made.pop("fields"), [_arrays(node, kind, units, side) for side in range(1 + both)]
    if any("start" in its for its in arrays):
        fields["learn_start"] = True
        for its in arrays:
            its.setdefault("start", np.zeros((2 if kind == "LSTM" else 1, units), np.float32))

    def outputs(sequences: bool) -> Flow:
        options = fields | ({"return_sequences": True} if sequences else {})
        if directions == "reverse":
            options["reverse"] = True
        layer = made["kind"](units, **options)
        p = {"forward": arrays[0], "backward": arrays[1]} if both else arrays[0]
        sides, h = axis_of(1 + both), axis_of(units)
        steps = [x.view.there[time]] if sequences else []
        places = {"time": steps, "sides": [sides], "batch": [x.view.there[batch]], "units": [h]}
        order = ("batch", "time", "sides", "units") if batch_first else ("time", "sides", "batch", "units")
        view = View(tuple(axis for name in order for axis in places[name]), (x.view.here[0], *steps, sides + h))
        return x.then(Bidirectional(layer) if both else layer, view, p)

    return outputs(True), outputs(False), None


def _layer(node: Node, kind: str, units: int) -> dict[str, Any]:
    """The class of a layer, and what is unusual about it."""
    names = node.get("activations", USUAL[kind])
    both = len(names) > len(USUAL[kind])
    if both and names[: len(names) // 2] != names[len(names) // 2 :]:
        raise node.refuse(f"attribute activations={names}: both directions have the same ones here")
    names = names[: len(USUAL[kind])]
    alphas, betas = (
        [decimal(value) for value in node.get(name, [])] for name in ("activation_alpha", "activation_beta")
    )
    if kind == "RNN":
        made: Activation | None = ACTIVATIONS.get(names[0], lambda *_: None)(
            *(next(iter(v), None) for v in (alphas, betas))
        )
        if made is None:
            raise node.refuse(f"attribute activations={names}: no formula is this one")
        return {"kind": RNN, "fields": {} if made == a.Tanh() else {"activation": made}}
    if names != USUAL[kind]:
        raise node.refuse(f"attribute activations={names}: a {kind} has {USUAL[kind]}")
    if kind == "GRU":
        return {"kind": GRU, "fields": {"reset_after": True} if node.get("linear_before_reset", 0) else {}}
    return {"kind": LSTM if node[7] is None or not np.any(node.constant(7)) else PeepholeLSTM, "fields": {}}


def _first(values: list[float] | None) -> float | None:
    return decimal(values[0]) if values else None


def _arrays(node: Node, kind: str, units: int, side: int) -> dict[str, np.ndarray]:
    """The parameters of a direction."""
    order = ORDERS[kind]

    def gates(array: np.ndarray) -> np.ndarray:
        return array.reshape(len(order), units, -1)[[*order]].reshape(len(order) * units, -1)

    kernel, recurrent_kernel = (gates(node.array(place)[side]).T for place in (1, 2))
    bias = node.array(3, np.zeros((1 + side, 2 * len(order) * units)))[side]
    of_input, of_state = (gates(half)[:, 0] for half in np.split(bias, 2))
    found = {"kernel": kernel, "recurrent_kernel": recurrent_kernel, "bias": of_input + of_state}
    if kind == "GRU" and node.get("linear_before_reset", 0):
        n = slice(2 * units, None)
        found["bias"][n] = of_input[n]
        found["recurrent_bias"] = of_state[n]
    if kind == "LSTM" and node[7] is not None and np.any(node.constant(7)):
        found["peephole"] = node.array(7)[side].reshape(3, units)[[0, 2, 1]]
    starts = [node.constant(place) for place in ((5, 6) if kind == "LSTM" else (5,))]
    if any(start is not None and np.any(start) for start in starts):
        rows = [np.zeros(units) if start is None else _one_row(node, np.asarray(start), side) for start in starts]
        found["start"] = np.asarray(rows, np.float32)
    return found


def _one_row(node: Node, start: np.ndarray, side: int) -> np.ndarray:
    """The start of all sequences."""
    rows = start[:, side] if node.get("layout", 0) else start[side]
    if (rows != rows[:1]).any():
        raise node.refuse("each sequence has a start of its own, where all have the same here")
    return rows[0]
