"""The ONNX forms of activations: those that are operators of its own, and those of several values."""

from typing import Any

import numpy as np

from chainrule.activations import (
    APL,
    CELU,
    ELU,
    GELU,
    SELU,
    Activation,
    CReLU,
    HardShrink,
    HardSigmoid,
    HardSwish,
    HardTanh,
    Identity,
    LeakyReLU,
    LogSoftmax,
    Maxout,
    Mish,
    NoisyReLU,
    PReLU,
    ReLU,
    ReLU6,
    RReLU,
    Sigmoid,
    Softmax,
    Softmin,
    Softplus,
    SoftShrink,
    Softsign,
    Sparsemax,
    Tanh,
)
from chainrule.interchange.onnx.forms import form
from chainrule.interchange.onnx.graph import Graph
from chainrule.interchange.onnx.values import FLOAT, WHOLE, Own, Value, channels_last, of_channels, real, whole

OPERATORS: dict[type[Activation], tuple[str, Any]] = {
    Tanh: ("Tanh", None),
    Sigmoid: ("Sigmoid", None),
    ReLU: ("Relu", None),
    NoisyReLU: ("Relu", None),
    LeakyReLU: ("LeakyRelu", lambda f: {"alpha": f.slope}),
    RReLU: ("LeakyRelu", lambda f: {"alpha": (f.lower + f.upper) / 2}),
    ELU: ("Elu", lambda f: {"alpha": f.alpha}),
    CELU: ("Celu", lambda f: {"alpha": f.alpha}),
    SELU: ("Selu", None),
    Softplus: ("Softplus", None),
    Softsign: ("Softsign", None),
    Mish: ("Mish", None),
    GELU: ("Gelu", lambda f: {"approximate": "tanh" if f.approximate else "none"}),
    HardSwish: ("HardSwish", None),
    HardSigmoid: ("HardSigmoid", lambda f: {"alpha": 1 / 6, "beta": 0.5}),
    SoftShrink: ("Shrink", lambda f: {"lambd": f.threshold, "bias": f.threshold}),
    HardShrink: ("Shrink", lambda f: {"lambd": f.threshold}),
}
"""Operators of one value, each with its attributes."""


@form(*OPERATORS)
def operator(graph: Graph, layer: Activation, own: Own, x: Value) -> Value:
    """The operator of the name."""
    name, attributes = OPERATORS[type(layer)]
    return x.became(graph.add(name, x.name, **(attributes(layer) if attributes else {})))


@form(Identity)
def identity(graph: Graph, layer: Identity, own: Own, x: Value) -> Value:
    """Nothing."""
    return x


@form(HardTanh)
def hard_tanh(graph: Graph, layer: HardTanh, own: Own, x: Value) -> Value:
    """Clip."""
    return x.became(graph.add("Clip", x.name, real(graph, layer.low), real(graph, layer.high)))


@form(ReLU6)
def relu6(graph: Graph, layer: ReLU6, own: Own, x: Value) -> Value:
    """Clip."""
    return x.became(graph.add("Clip", x.name, real(graph, 0), real(graph, 6)))


@form(PReLU)
def prelu(graph: Graph, layer: PReLU, own: Own, x: Value) -> Value:
    """PRelu, whose slopes spread out over the values."""
    return x.became(graph.add("PRelu", x.name, of_channels(graph, own.p["slope"], x)))


@form(Softmax)
def softmax(graph: Graph, layer: Softmax, own: Own, x: Value) -> Value:
    """Softmax."""
    return x.became(graph.add("Softmax", x.name, axis=x.channels))


@form(LogSoftmax)
def log_softmax(graph: Graph, layer: LogSoftmax, own: Own, x: Value) -> Value:
    """LogSoftmax."""
    return x.became(graph.add("LogSoftmax", x.name, axis=x.channels))


@form(Softmin)
def softmin(graph: Graph, layer: Softmin, own: Own, x: Value) -> Value:
    """Softmax of the negative values."""
    return x.became(graph.add("Softmax", graph.add("Neg", x.name), axis=x.channels))


@form(CReLU)
def crelu(graph: Graph, layer: CReLU, own: Own, x: Value) -> Value:
    """Relu of the values and of the negative ones."""
    both = graph.add("Concat", x.name, graph.add("Neg", x.name), axis=x.channels)
    return x.became(graph.add("Relu", both))


@form(Maxout)
def maxout(graph: Graph, layer: Maxout, own: Own, x: Value) -> Value:
    """ReduceMax of each group of channels."""
    x = channels_last(graph, x)
    copied = (0,) * len(x.shape)
    groups = graph.add("Reshape", x.name, whole(graph, *copied, x.shape[-1] // layer.pieces, layer.pieces))
    return x.became(graph.add("ReduceMax", groups, whole(graph, -1), keepdims=0))


@form(APL)
def apl(graph: Graph, layer: APL, own: Own, x: Value) -> Value:
    """Relu, and a sum over the hinges, on an axis of their own."""
    x = channels_last(graph, x)
    at = graph.add("Unsqueeze", x.name, whole(graph, -1))
    a, b = (own.p[name].moved(np.transpose).into(graph) for name in "ab")
    hinges = graph.add("Mul", a, graph.add("Relu", graph.add("Sub", b, at)))
    return x.became(
        graph.add("Add", graph.add("Relu", x.name), graph.add("ReduceSum", hinges, whole(graph, -1), keepdims=0))
    )


@form(Sparsemax)
def sparsemax(graph: Graph, layer: Sparsemax, own: Own, x: Value) -> Value:
    """max(0, x − τ): of the largest entries, sorted, those support τ whose own sum is not above theirs by 1."""
    x = channels_last(graph, x)
    last = whole(graph, -1)
    z = graph.add("Sub", x.name, graph.add("ReduceMax", x.name, last))
    falling, _ = graph.add("TopK", z, whole(graph, x.shape[-1]), outputs=2)
    counts = graph.constant(np.arange(1, x.shape[-1] + 1, dtype=np.float32))
    over = graph.add("Sub", graph.add("CumSum", falling, graph.constant(np.int64(-1))), real(graph, 1))
    inside = graph.add("Cast", graph.add("Greater", graph.add("Mul", counts, falling), over), to=FLOAT)
    place = graph.add("Sub", graph.add("ReduceSum", inside, last), real(graph, 1))
    each = graph.add("Div", over, counts)
    tau = graph.add("GatherElements", each, graph.add("Cast", place, to=WHOLE), axis=-1)
    return x.became(graph.add("Relu", graph.add("Sub", z, tau)))
