"""Attention: products of what depends on the input with what does so, too, which are parts of one layer."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.interchange.onnx.reading.axes import Factor, View, size
from chainrule.interchange.onnx.reading.flow import Flow, Step
from chainrule.interchange.onnx.reading.node import Node
from chainrule.interchange.onnx.reading.pointwise import functions, settled, straight
from chainrule.layers import Dense, SelfAttention


@dataclass(frozen=True)
class Scores:
    """How well queries and keys fit, (…, queries, keys): not yet a layer's output.

    Attributes:
        q, k: the tensors that were multiplied, (…, queries, d) and (…, d, keys).
        factor: what their products are multiplied by.
        causal: whether a query sees no later key.
        shares: whether they are already what softmax makes of them.
    """

    q: Flow
    k: Flow
    factor: float = 1.0
    causal: bool = False
    shares: bool = False

    @property
    def view(self) -> View:
        """Its axes there."""
        return View((*self.q.view.there[:-1], self.k.view.there[-1]), self.q.view.here)


def product(node: Node) -> Any:
    """Queries times keys, or shares times values; None where the second input is a constant."""
    one, other = node[0], node[1]
    if isinstance(one, Scores) and isinstance(other, Flow):
        return _attended(node, one, other)
    return Scores(one, other) if isinstance(one, Flow) and isinstance(other, Flow) else None


def scored(node: Node) -> Any:
    """What an operator makes of scores."""
    scores = next(value for value in node.inputs if isinstance(value, Scores))
    constants = [np.asarray(value) for value in node.inputs if not isinstance(value, Scores)]
    match node.operator:
        case "Mul" | "Div" if constants and constants[0].size == 1:
            number = float(constants[0].reshape(()))
            return replace(scores, factor=scores.factor * (number if node.operator == "Mul" else 1 / number))
        case "Add" if constants and not np.any(constants[0]):
            return scores
        case "Add" if constants and _is_causal(constants[0]):
            return replace(scores, causal=True)
        case "Where" if len(constants) == 2 and constants[1].size == 1 and constants[1] < -1e4:
            if _is_causal(np.where(constants[0], 0.0, -np.inf)):
                return replace(scores, causal=True)
        case "Softmax" if node.get("axis", -1) in (-1, len(scores.view.there) - 1):
            return replace(scores, shares=True)
        case "IsNaN":
            return scores
        case "Where" if all(isinstance(node[place], Scores) for place in (0, 2)):  # where no key is seen
            return scores
        case "Cast" | "Identity" | "Dropout":
            return (scores, None) if node.operator == "Dropout" else scores
    raise node.refuse("no attention does this to its scores")


def _is_causal(mask: np.ndarray) -> bool:
    """Whether it hides what is later, and nothing else."""
    steps = mask.shape[-1]
    hidden = np.broadcast_to(mask < -1e4, (*mask.shape[:-2], steps, steps))
    later = np.triu(np.ones((steps, steps), bool), 1)
    return mask.shape[-2] == steps and bool((hidden == later).all()) and not mask[~hidden].any()


def _attended(node: Node, scores: Scores, v: Flow) -> Flow:
    """The layer of three products, whose last kernel is the identity until another product follows."""
    parts = {name: _projection(node, flow) for name, flow in (("q", scores.q), ("k", scores.k), ("v", v))}
    prefix = parts["q"][0].steps[:-1]
    if not scores.shares or any(flow.steps[:-1] != prefix for flow, _ in parts.values()):
        raise node.refuse("no attention has queries, keys and values of different tensors")
    q, k, v = (flow for flow, _ in parts.values())
    batch, time, (*heads, _) = q.view.here
    count, wide = size(heads), q.view.shape[-1]
    if q.view.there[-1:] != (q.view.here[2][len(heads) :],) or k.view.there[-1] != time:
        raise node.refuse("its axes are not those of heads side by side")
    features = parts["q"][0].steps[-1].parameters["kernel"].shape[0]
    key, value = wide // count, v.view.shape[-1] // count
    if v.view.shape[-1] != features:
        raise node.refuse(f"expected values of {features} features in all heads, got {v.view.shape[-1]}")
    factor = scores.factor * parts["q"][1] * parts["k"][1] * np.sqrt(key)
    arrays = {
        f"{array}_{name}": its for name, (flow, _) in parts.items() for array, its in flow.steps[-1].parameters.items()
    }
    for array in ("kernel_q", "bias_q"):
        arrays[array] = np.float32(factor) * arrays.get(array, np.zeros(wide, np.float32))
    for name in "kv":
        arrays.setdefault(f"bias_{name}", np.zeros(parts[name][0].view.shape[-1], np.float32))
    if parts["v"][1] != 1:
        arrays |= {f"{array}_v": np.float32(parts["v"][1]) * arrays[f"{array}_v"] for array in ("kernel", "bias")}
    arrays |= {"kernel_o": np.eye(features, dtype=np.float32), "bias_o": np.zeros(features, np.float32)}
    layer = SelfAttention(
        count,
        causal=scores.causal,
        key_size=key if key * count != features else None,
        value_size=value if value != key else None,
    )
    of_value = (Factor(value),)
    there = (*scores.q.view.there[:-1], of_value)
    return Flow((*prefix, Step(layer, arrays, {})), View(there, (batch, time, (*heads, *of_value))))


def _projection(node: Node, flow: Flow) -> tuple[Flow, float]:
    """A Dense layer and the number that its outputs are multiplied by."""
    made, factor = functions(flow)[0], 1.0
    base = settled(made.base)
    if flow.functions and base is not None:
        line = straight(made.function)
        if line is None or line[1]:
            raise node.refuse("no attention does this to its queries and keys")
        factor = line[0]
        base = base.seen(flow.view)
    if base is None or not base.steps or not isinstance(base.steps[-1].layer, Dense) or len(base.view.here) != 3:
        raise node.refuse("expected queries, keys and values that Dense layers make of a sequence")
    return base, factor


def mixing(x: Flow, kernel: np.ndarray, bias: np.ndarray | None) -> Flow | None:
    """The last kernel of an attention that has none yet."""
    if not x.steps or not isinstance(x.steps[-1].layer, SelfAttention):
        return None
    *steps, last = x.steps
    features = len(kernel)
    if kernel.shape[1] != features or not np.array_equal(last.parameters["kernel_o"], np.eye(features)):
        return None
    arrays = {**last.parameters, "kernel_o": kernel} | ({} if bias is None else {"bias_o": bias})
    out = (Factor(features),)
    return Flow((*steps, replace(last, parameters=arrays)), View((*x.view.there[:-1], out), (*x.view.here[:-1], out)))
