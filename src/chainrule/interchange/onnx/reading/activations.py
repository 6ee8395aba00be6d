"""Operators of each number, and of the numbers of one axis: activations, or parts of them."""

import numpy as np
from scipy import special

from chainrule import activations as a
from chainrule.activations import Activation
from chainrule.interchange.onnx.reading.flow import Flow
from chainrule.interchange.onnx.reading.lines import scaled
from chainrule.interchange.onnx.reading.node import Node, along_last, reads
from chainrule.interchange.onnx.reading.pointwise import Function, applied

FUNCTIONS: dict[str, tuple[Function, Activation | None]] = {
    "Abs": (np.abs, None),
    "Acos": (np.arccos, None),
    "Acosh": (np.arccosh, None),
    "Asin": (np.arcsin, None),
    "Asinh": (np.arcsinh, None),
    "Atan": (np.arctan, a.ArcTan()),
    "Atanh": (np.arctanh, None),
    "Ceil": (np.ceil, None),
    "Cos": (np.cos, None),
    "Cosh": (np.cosh, None),
    "Erf": (special.erf, None),
    "Erfc": (special.erfc, None),
    "Exp": (np.exp, a.Exp()),
    "Floor": (np.floor, None),
    "HardSwish": (lambda x: x * np.clip(x / 6 + 0.5, 0, 1), a.HardSwish()),
    "Identity": (lambda x: x, None),
    "Log": (np.log, None),
    "Mish": (lambda x: x * np.tanh(np.logaddexp(0, x)), a.Mish()),
    "Neg": (np.negative, None),
    "Not": (np.logical_not, None),
    "Reciprocal": (np.reciprocal, None),
    "Relu": (lambda x: np.maximum(x, 0), a.ReLU()),
    "Round": (np.round, None),
    "Sigmoid": (special.expit, a.Sigmoid()),
    "Sign": (np.sign, None),
    "Sin": (np.sin, a.Sinusoid()),
    "Sinh": (np.sinh, None),
    "Softplus": (lambda x: np.logaddexp(0, x), a.Softplus()),
    "Softsign": (lambda x: x / (1 + np.abs(x)), a.Softsign()),
    "Sqrt": (np.sqrt, None),
    "Tan": (np.tan, None),
    "Tanh": (np.tanh, a.Tanh()),
}
"""Operators without attributes: what they compute, and the activation that does so."""


@reads(*FUNCTIONS)
def function(node: Node) -> Flow:
    """An operator without attributes."""
    computed, layer = FUNCTIONS[node.operator]
    return applied(node.any(0), computed, node.operator, layer) if node.operator != "Identity" else node.any(0)


@reads("Elu")
def elu(node: Node) -> Flow:
    """α (eˣ − 1) below 0."""
    alpha = decimal(node.get("alpha", 1.0))
    return applied(node.any(0), lambda x: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))), "Elu", a.ELU(alpha))


@reads("Celu")
def celu(node: Node) -> Flow:
    """α (e^(x / α) − 1) below 0."""
    alpha = decimal(node.get("alpha", 1.0))
    below = lambda x: alpha * np.expm1(np.minimum(x, 0) / alpha)  # noqa: E731
    return applied(node.any(0), lambda x: np.where(x > 0, x, below(x)), "Celu", a.CELU(alpha))


@reads("Selu")
def selu(node: Node) -> Flow:
    """SELU; with factors that are not the published ones an ELU, and a scale behind it."""
    alpha, gamma = (decimal(node.get(name, default)) for name, default in (("alpha", 1.6732632), ("gamma", 1.050701)))
    flow = node.any(0)
    if np.allclose((alpha, gamma), (1.6732632, 1.050701), rtol=1e-6):
        layer = a.SELU()
        return applied(flow, lambda x: gamma * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))), "Selu", layer)
    return scaled(node.settled(flow).then(a.ELU(alpha), flow.view), gamma, 0)


@reads("LeakyRelu")
def leaky_relu(node: Node) -> Flow:
    """The slope times x below 0."""
    slope = decimal(node.get("alpha", 0.01))
    return applied(node.any(0), lambda x: np.where(x > 0, x, slope * x), "LeakyRelu", a.LeakyReLU(slope))


@reads("ThresholdedRelu")
def thresholded_relu(node: Node) -> Flow:
    """x above the threshold, else 0."""
    threshold = decimal(node.get("alpha", 1.0))
    return applied(node.any(0), lambda x: np.where(x > threshold, x, 0), "ThresholdedRelu", a.Threshold(threshold))


@reads("Shrink")
def shrink(node: Node) -> Flow:
    """Nearer to 0 by the bias outside ±λ, and 0 inside."""
    threshold, bias = decimal(node.get("lambd", 0.5)), decimal(node.get("bias", 0.0))
    layer = {threshold: a.SoftShrink(threshold), 0.0: a.HardShrink(threshold)}.get(bias)

    def shrunk(x: np.ndarray) -> np.ndarray:
        return np.where(x > threshold, x - bias, np.where(x < -threshold, x + bias, 0))

    return applied(node.any(0), shrunk, "Shrink", layer)


@reads("HardSigmoid")
def hard_sigmoid(node: Node) -> Flow:
    """α x + β, held to 0 and 1: a scale and an offset before the published one, where these are others."""
    alpha, beta = decimal(node.get("alpha", 0.2)), decimal(node.get("beta", 0.5))
    flow = node.any(0)
    if np.allclose((alpha, beta), (1 / 6, 0.5), rtol=1e-6):
        return applied(flow, lambda x: np.clip(alpha * x + beta, 0, 1), "HardSigmoid", a.HardSigmoid())
    moved = scaled(node.settled(flow), 6 * alpha, 6 * beta - 3)
    return moved.then(a.HardSigmoid(), flow.view)


@reads("Gelu")
def gelu(node: Node) -> Flow:
    """GELU, exact or by a tanh."""
    by_tanh = node.get("approximate", "none") == "tanh"

    def computed(x: np.ndarray) -> np.ndarray:
        if by_tanh:
            return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
        return x / 2 * (1 + special.erf(x / np.sqrt(2)))

    return applied(node.any(0), computed, "Gelu", a.GELU(by_tanh))


@reads("Swish")
def swish(node: Node) -> Flow:
    """x σ(α x)."""
    alpha = decimal(node.get("alpha", 1.0))
    return applied(node.any(0), lambda x: x * special.expit(alpha * x), "Swish", a.SiLU(alpha))


@reads("Clip")
def clip(node: Node) -> Flow:
    """Held between two numbers, either of which may be missing."""
    older = node.get("min"), node.get("max")
    low, high = (
        float(np.ravel(node.constant(1 + place, if_none if old is None else old))[0])
        for place, (old, if_none) in enumerate(zip(older, (-np.inf, np.inf), strict=True))
    )
    layer: Activation | None = None
    if (low, high) in ((0, 6), (0, np.inf)):
        layer = a.ReLU6() if high == 6 else a.ReLU()
    elif np.isfinite((low, high)).all() and low < high:
        layer = a.HardTanh(decimal(low), decimal(high))
    return applied(node.any(0), lambda x: np.clip(x, low, high), "Clip", layer)


@reads("PRelu")
def prelu(node: Node) -> Flow:
    """A learned slope below 0, one for all or one a channel."""
    x = node.x
    slope = np.asarray(node.constant(1))
    if slope.size == 1:
        return x.then(a.PReLU(shared=True), x.view, {"slope": np.float32(slope.reshape(()))})
    if node.opset < 9 and slope.ndim == 1:
        slope = slope.reshape(-1, *[1] * (len(x.view.there) - 2))
    x, slope = along_last(node, x, slope)
    return x.then(a.PReLU(), x.view, {"slope": slope})


@reads("Softmax", "LogSoftmax")
def softmax(node: Node) -> Flow:
    """Probabilities along an axis, or their logarithms."""
    x = node.x
    axis = node.get("axis", -1 if node.opset >= 13 else 1) % len(x.view.there)
    if node.opset < 13 and any(size != 1 for size in x.view.sizes[axis + 1 :]):
        raise node.refuse(f"attribute axis={axis} makes one axis of several. Export it with a newer opset")
    x, _ = x.ending(axis)
    return x.then(a.Softmax() if node.operator == "Softmax" else a.LogSoftmax(), x.view)


def decimal(number: float) -> float:
    """A float32 attribute as it was meant: 0.2, and not 0.20000000298."""
    return float(str(np.float32(number)))
