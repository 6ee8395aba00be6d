"""Steps that see each other, and places."""

import numpy as np

from chainrule.interchange.onnx.forms import form
from chainrule.interchange.onnx.graph import Graph
from chainrule.interchange.onnx.values import (
    DOUBLE,
    FLOAT,
    Own,
    Value,
    channels_last,
    counted,
    filled,
    product,
    real,
    size,
    whole,
)
from chainrule.layers import AttentionPool, LearnedPositions, SelfAttention, SinusoidalPositions

LOWEST = float(np.finfo(np.float32).min)


@form(SelfAttention)
def self_attention(graph: Graph, layer: SelfAttention, own: Own, x: Value) -> Value:
    """Products of queries and keys, their Softmax, and its product with the values, of all heads side by side."""
    x = filled(graph, channels_last(graph, x))
    key, value = layer.sizes(x.shape)

    def by_heads(name: str, length: int) -> str:
        y = product(graph, x.name, own.p[f"kernel_{name}"], own.p.get(f"bias_{name}"))
        return graph.transpose(graph.add("Reshape", y, whole(graph, 0, 0, layer.heads, length)), (0, 2, 1, 3))

    q, k, v = by_heads("q", key), by_heads("k", key), by_heads("v", value)
    if layer.rotary:
        waves = _waves(graph, size(graph, x.name, 1), key)
        q, k = (_turned(graph, each, waves) for each in (q, k))
    q = graph.add("Mul", q, real(graph, key**-0.5))
    scores = graph.add("MatMul", q, graph.transpose(k, (0, 1, 3, 2)))
    o = graph.add("MatMul", _softmax(graph, scores, _seen(graph, layer, x)), v)
    o = graph.add("Reshape", graph.transpose(o, (0, 2, 1, 3)), whole(graph, 0, 0, layer.heads * value))
    return filled(graph, x.became(product(graph, o, own.p["kernel_o"], own.p.get("bias_o"))))


def _seen(graph: Graph, layer: SelfAttention, x: Value) -> str:
    """Which steps see which, in as many axes as scores have; empty where all see all."""
    seen = graph.add("Unsqueeze", x.mask, whole(graph, 1, 2)) if x.mask else ""
    if not layer.causal:
        return seen
    steps = counted(graph, size(graph, x.name, 1))
    before = graph.add("GreaterOrEqual", graph.add("Unsqueeze", steps, whole(graph, 1)), steps)
    return graph.add("And", seen, before) if seen else before


def _softmax(graph: Graph, scores: str, seen: str) -> str:
    """The softmax of what is seen, 0 elsewhere."""
    if not seen:
        return graph.add("Softmax", scores, axis=-1)
    shares = graph.add("Softmax", graph.add("Where", seen, scores, real(graph, LOWEST)), axis=-1)
    return graph.add("Where", seen, shares, real(graph, 0))


def _angles(graph: Graph, steps: str, features: int) -> str:
    """How far the waves of each pair of features have come at each step, in double: (steps, pairs)."""
    times = graph.add("Unsqueeze", graph.add("Cast", counted(graph, steps), to=DOUBLE), whole(graph, 1))
    return graph.add("Mul", times, graph.constant(10_000.0 ** (-np.arange(0, features, 2) / features)))


def _waves(graph: Graph, steps: str, features: int) -> tuple[str, str]:
    """Cosines and sines of the angles, in float32."""
    angles = _angles(graph, steps, features)
    cos, sin = (graph.add("Cast", graph.add(wave, angles), to=FLOAT) for wave in ("Cos", "Sin"))
    return cos, sin


def _turned(graph: Graph, x: str, waves: tuple[str, str]) -> str:
    """Queries or keys, (rows, heads, steps, size), each pair of features turned by its angle at each step."""
    cos, sin = waves
    ends = whole(graph, 2**62), whole(graph, 3), whole(graph, 2)
    even, odd = (graph.add("Slice", x, whole(graph, start), *ends) for start in (0, 1))
    one = graph.add("Sub", graph.add("Mul", even, cos), graph.add("Mul", odd, sin))
    other = graph.add("Add", graph.add("Mul", even, sin), graph.add("Mul", odd, cos))
    return graph.add("Reshape", _paired(graph, one, other, 4), graph.add("Shape", x))


def _paired(graph: Graph, one: str, other: str, axis: int) -> str:
    """Each value beside that of another tensor."""
    return graph.add("Concat", *(graph.add("Unsqueeze", each, whole(graph, axis)) for each in (one, other)), axis=axis)


@form(AttentionPool)
def attention_pool(graph: Graph, layer: AttentionPool, own: Own, x: Value) -> Value:
    """The steps' mean, weighted by the Softmax of their scores."""
    x = filled(graph, channels_last(graph, x))
    u = graph.add("Tanh", product(graph, x.name, own.p["kernel"], own.p["bias"]))
    scores = graph.transpose(product(graph, u, own.p["query"]), (0, 2, 1))
    shares = _softmax(graph, scores, graph.add("Unsqueeze", x.mask, whole(graph, 1)) if x.mask else "")
    return x.became(graph.add("Squeeze", graph.add("MatMul", shares, x.name), whole(graph, 1)))


@form(SinusoidalPositions)
def sinusoidal_positions(graph: Graph, layer: SinusoidalPositions, own: Own, x: Value) -> Value:
    """A sum with waves of each step's place."""
    x, features = channels_last(graph, x), x.shape[-1]
    cos, sin = _waves(graph, size(graph, x.name, 1), features)
    table = graph.add("Reshape", _paired(graph, sin, cos, 2), whole(graph, 0, features + features % 2))
    if features % 2:
        table = graph.add("Slice", table, whole(graph, 0), whole(graph, features), whole(graph, 1))
    return x.became(graph.add("Add", x.name, table))


@form(LearnedPositions)
def learned_positions(graph: Graph, layer: LearnedPositions, own: Own, x: Value) -> Value:
    """A sum with as many vectors as there are steps."""
    x = channels_last(graph, x)
    steps = size(graph, x.name, 1)
    table = graph.add("Slice", own.p["table"].into(graph), whole(graph, 0), steps, whole(graph, 0))
    return x.became(graph.add("Add", x.name, table))
