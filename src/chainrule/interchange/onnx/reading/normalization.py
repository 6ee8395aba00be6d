"""Normalisation."""

from typing import Any

import numpy as np

from chainrule.interchange.onnx.reading.activations import decimal
from chainrule.interchange.onnx.reading.axes import View, size
from chainrule.interchange.onnx.reading.flow import Flow, in_rows
from chainrule.interchange.onnx.reading.node import Node, reads
from chainrule.interchange.onnx.reading.places import places
from chainrule.layers import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm


@reads("BatchNormalization")
def batch_norm(node: Node) -> tuple[Flow, ...]:
    """Standardised by running statistics; they are taken for those of a training that went on for long."""
    node.only(training_mode=0, spatial=1)
    node.older("is_test", "consumed_inputs")
    momentum, epsilon = decimal(node.get("momentum", 0.9)), decimal(node.get("epsilon", 1e-5))
    flow, rows = node.x.ending(1)

    scale, offset, mean, variance = (in_rows(node.array(place), rows) for place in range(1, 5))
    count = np.float32(1 / (1 - momentum)) if momentum < 1 else np.float32(1e6)
    state = {"mean": mean, "variance": variance, "count": count}
    layer = BatchNorm(**_unless(momentum=(momentum, 0.9), epsilon=(epsilon, 1e-5)))
    return (flow.then(layer, flow.view, {"scale": scale, "offset": offset}, state),)


@reads("InstanceNormalization")
def instance_norm(node: Node) -> Flow:
    """Each channel of each example by itself; where the channels are a part of those here, groups of them."""
    x, epsilon = node.x, _unless(epsilon=(decimal(node.get("epsilon", 1e-5)), 1e-5))
    scale, offset = node.array(1), node.array(2)
    groups, last = x.view.there[1], x.view.here[-1]
    if groups and last[: len(groups)] == groups and len(last) > len(groups) and len(x.view.here) > 1:
        each = size(last) // len(scale)
        arrays = {"scale": np.repeat(scale, each), "offset": np.repeat(offset, each)}
        return x.then(*_lines(GroupNorm, {"groups": len(scale)} | epsilon, arrays, x.view))
    at = places(node)
    layer, _, arrays = _lines(InstanceNorm, epsilon, {"scale": scale, "offset": offset}, x.view)
    return at.through(layer, arrays)


def _lines(
    kind: Any, fields: dict[str, Any], arrays: dict[str, np.ndarray], view: View
) -> tuple[Any, View, dict[str, np.ndarray]]:
    """A normalisation with those of its scale and its offset that change something."""
    held = {name: bool(np.any(arrays[name] != neutral)) for name, neutral in (("scale", 1), ("offset", 0))}
    return kind(**fields, **held), view, {name: arrays[name] for name, its in held.items() if its}


@reads("GroupNormalization")
def group_norm(node: Node) -> Flow:
    """Channels in groups; until opset 21 a scale and an offset a group."""
    at, groups, epsilon = places(node), node.get("num_groups"), decimal(node.get("epsilon", 1e-5))
    node.get("stash_type")
    channels = at.x.view.shape[-1]
    scale, offset = (node.array(place) for place in (1, 2))
    each = channels // len(scale)
    arrays = {"scale": np.repeat(scale, each), "offset": np.repeat(offset, each)}
    return at.through(GroupNorm(groups, **_unless(epsilon=(epsilon, 1e-5))), arrays)


@reads("LayerNormalization", "RMSNormalization")
def layer_norm(node: Node) -> tuple[Flow, ...]:
    """Each place over the axes from one on, which are one axis here."""
    x, epsilon = node.x, decimal(node.get("epsilon", 1e-5))
    node.get("stash_type")
    axis = node.get("axis", -1) % len(x.view.there)
    x, rows = x.ending(*range(axis, len(x.view.there)))
    scale, offset = (
        None if node[place] is None else np.broadcast_to(node.array(place), x.view.sizes[axis:]).ravel()
        for place in (1, 2)
    )
    made: Any = LayerNorm if node.operator == "LayerNormalization" else RMSNorm
    fields = {"scale": scale is not None} | ({"offset": offset is not None} if made is LayerNorm else {})
    arrays = {
        name: in_rows(values, rows) for name, values in (("scale", scale), ("offset", offset)) if values is not None
    }
    layer = made(**_unless(epsilon=(epsilon, 1e-5)), **{name: held for name, held in fields.items() if not held})
    return (x.then(layer, x.view, arrays),)


def _unless(**fields: tuple[Any, Any]) -> dict[str, Any]:
    """Those fields whose values are not the usual ones."""
    return {name: value for name, (value, usual) in fields.items() if value != usual}
