"""Normalisation: values brought to mean 0 and variance 1, then scaled and shifted."""

from functools import partial
from typing import Any

import numpy as np

from chainrule.interchange.onnx.forms import form
from chainrule.interchange.onnx.graph import Graph
from chainrule.interchange.onnx.layers.pooling import steps_of
from chainrule.interchange.onnx.values import (
    Array,
    Own,
    Value,
    affine,
    channels_first,
    channels_last,
    filled,
    of_channels,
    real,
    whole,
)
from chainrule.layers import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm, RobustScale, Standardize


@form(BatchNorm)
def batch_norm(graph: Graph, layer: BatchNorm, own: Own, x: Value) -> Value:
    """BatchNormalization, by the statistics of training."""
    x, channels = channels_first(graph, x), x.shape[-1]
    scale, offset = _told(graph, own, channels)
    statistics = (own.state[name].into(graph) for name in ("mean", "variance"))
    return x.became(graph.add("BatchNormalization", x.name, scale, offset, *statistics, epsilon=layer.epsilon))


def _told(graph: Graph, own: Own, channels: int) -> tuple[str, str]:
    """The scale and the offset of each channel: 1 and 0 where there are none."""
    neither = {"scale": np.ones(channels, np.float32), "offset": np.zeros(channels, np.float32)}
    scale, offset = (own.p.get(name, Array("", numbers)).into(graph) for name, numbers in neither.items())
    return scale, offset


@form(Standardize, RobustScale)
def scaling(graph: Graph, layer: Standardize | RobustScale, own: Own, x: Value) -> Value:
    """Sub and Div."""
    center, scale = (of_channels(graph, own.state[name], x) for name in ("center", "scale"))
    return x.became(graph.add("Div", graph.add("Sub", x.name, center), scale))


@form(LayerNorm)
def layer_norm(graph: Graph, layer: LayerNorm, own: Own, x: Value) -> Value:
    """LayerNormalization."""
    x = channels_last(graph, x)
    return x.became(
        graph.add("LayerNormalization", x.name, *_told(graph, own, x.shape[-1]), axis=-1, epsilon=layer.epsilon)
    )


@form(RMSNorm)
def rms_norm(graph: Graph, layer: RMSNorm, own: Own, x: Value) -> Value:
    """Each value over the root of the mean square."""
    mean = graph.add("ReduceMean", graph.add("Mul", x.name, x.name), whole(graph, x.channels))
    root = graph.add("Sqrt", graph.add("Add", mean, real(graph, layer.epsilon)))
    return affine(graph, own, x.became(graph.add("Div", x.name, root)))


@form(InstanceNorm)
def instance_norm(graph: Graph, layer: InstanceNorm, own: Own, x: Value) -> Value:
    """InstanceNormalization; of sequences of unequal length the mean and the variance of their steps."""
    if x.mask:
        return affine(graph, own, _standardized(graph, filled(graph, x), layer.epsilon, lambda means: means))
    x = channels_first(graph, x)
    return x.became(graph.add("InstanceNormalization", x.name, *_told(graph, own, x.shape[-1]), epsilon=layer.epsilon))


@form(GroupNorm)
def group_norm(graph: Graph, layer: GroupNorm, own: Own, x: Value) -> Value:
    """InstanceNormalization, in which each group is a channel."""
    if x.mask:
        shared = partial(_of_groups, graph, layer.groups, x.shape[-1])
        return affine(graph, own, _standardized(graph, filled(graph, x), layer.epsilon, shared))
    x = channels_first(graph, x)
    alone = np.ones(layer.groups, np.float32)
    y = graph.add("Reshape", x.name, whole(graph, 0, layer.groups, -1))
    scale, offset = graph.constant(alone), graph.constant(0 * alone)
    y = graph.add("InstanceNormalization", y, scale, offset, epsilon=layer.epsilon)
    return affine(graph, own, x.became(graph.add("Reshape", y, graph.add("Shape", x.name))))


def _standardized(graph: Graph, x: Value, epsilon: float, shared: Any) -> Value:
    """Series with mean 0 and variance 1 over their own steps."""
    x = channels_last(graph, x)
    count = graph.add("Unsqueeze", steps_of(graph, x.mask), whole(graph, 2))

    def mean(values: str) -> str:
        total = graph.add("ReduceSum", filled(graph, x.became(values)).name, whole(graph, 1))
        return shared(graph.add("Div", total, count))

    deviation = graph.add("Sub", x.name, mean(x.name))
    variance = mean(graph.add("Mul", deviation, deviation))
    root = graph.add("Sqrt", graph.add("Add", variance, real(graph, epsilon)))
    return x.became(graph.add("Div", deviation, root))


def _of_groups(graph: Graph, groups: int, channels: int, means: str) -> str:
    """The mean of each channel, (rows, 1, channels), made that of its group."""
    apart = graph.add("Reshape", means, whole(graph, 0, groups, channels // groups))
    mean = graph.add("ReduceMean", apart, whole(graph, 2))
    spread = graph.add("Expand", mean, whole(graph, 1, 1, channels // groups))
    return graph.add("Reshape", spread, whole(graph, 0, 1, channels))
