"""What Keras' layers have for each of ours: arrays by number, in its order, which has the channels last as ours."""

from typing import Any

import numpy as np

from chainrule.activations import PReLU
from chainrule.interchange.weights.modules import Arrays, Form, Library, Of
from chainrule.interchange.weights.views import Told, Weight, joined, viewed
from chainrule.layers import (
    GRU,
    LSTM,
    RNN,
    Affine,
    BatchNorm,
    Bidirectional,
    Conv1D,
    Conv2D,
    Conv3D,
    ConvTranspose1D,
    ConvTranspose2D,
    Dense,
    DepthwiseConv2D,
    Embedding,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    RMSNorm,
    RobustScale,
    SelfAttention,
    Standardize,
)


def numbered(*arrays: Weight | None, within: str = "") -> Arrays:
    """Arrays by their numbers there; None for one that a layer is without."""
    return {f"{within}{index}": each for index, each in enumerate(each for each in arrays if each is not None)}


def _plain(layer: Any, of: Of) -> Arrays:
    return numbered(*(viewed(of.p[name]) for name in ("kernel", "bias", "table", "scale", "offset") if name in of.p))


def _depthwise(layer: DepthwiseConv2D, of: Of) -> Arrays:
    kernel = of.p["kernel"]
    apart = viewed(kernel, (*kernel.shape[:2], of.shape[-1], layer.multiplier))
    return numbered(apart, viewed(of.p["bias"]) if layer.bias else None)


def _transposed(layer: Any, of: Of) -> Arrays:
    return numbered(viewed(of.p["kernel"].swapaxes(-1, -2)), viewed(of.p["bias"]) if layer.bias else None)


def _batch_norm(layer: BatchNorm, of: Of) -> Arrays:
    trained = (of.p[name] for name in ("scale", "offset") if name in of.p)
    arrays = numbered(*map(viewed, (*trained, of.state["mean"], of.state["variance"])))
    many = 1 / max(1 - layer.momentum, 1e-6)  # what batches count together after many of them, which are not counted
    return arrays | {"count": Told(of.state["count"], None, otherwise=many)}


def _scaling(layer: Standardize | RobustScale, of: Of) -> Arrays:
    variance = Told(of.state["scale"], np.square, np.sqrt, shape=of.state["scale"].shape, optional=False)
    return numbered(viewed(of.state["center"]), variance, Told(None, lambda _: np.int32(0)))


def _recurrent(layer: Any, of: Of, within: str = "cell/") -> Arrays:
    bias = viewed(of.p["bias"], optional=True)
    return numbered(viewed(of.p["kernel"]), viewed(of.p["recurrent_kernel"]), bias, within=within)


def _gru(layer: GRU, of: Of, within: str = "cell/") -> Arrays:
    def gates(array: np.ndarray) -> list[np.ndarray]:
        r, z, n = np.split(array, 3, -1)
        return [z, r, n]

    bias = gates(of.p["bias"])
    both = joined(*bias, optional=True)
    if layer.reset_after:
        both = joined(*bias, *bias[:2], of.p["recurrent_bias"], optional=True, form=(2, 3 * layer.units))
    kernels = (joined(*gates(of.p[name]), axis=1) for name in ("kernel", "recurrent_kernel"))
    return numbered(*kernels, both, within=within)


def _bidirectional(layer: Bidirectional, of: Of) -> Arrays:
    form: Any = FORMS[type(layer.layer)]
    ways = ((way, of._replace(p=of.p[way])) for way in ("forward", "backward"))
    both = [form(layer.layer, own, f"{way}_layer/cell/") for way, own in ways]
    return both[0] | both[1]


def _attention(layer: SelfAttention, of: Of) -> Arrays:
    features, heads = of.shape[-1], layer.heads
    arrays: Arrays = {}
    for name, there in {"q": "query", "k": "key", "v": "value", "o": "output"}.items():
        kernel = of.p[f"kernel_{name}"]
        shape = (features, heads, kernel.shape[1] // heads)
        if name == "o":
            shape = (heads, kernel.shape[0] // heads, features)
        own = viewed(of.p[f"bias_{name}"], shape[1:] if name != "o" else None) if layer.bias else None
        arrays |= numbered(viewed(kernel, shape), own, within=f"{there}_dense/")
    return arrays


def _prelu(layer: PReLU, of: Of) -> Arrays:
    slope, places = of.p["slope"], len(of.shape) - 1
    shape = (1,) * (places + 1) if layer.shared else (*(1,) * places, *slope.shape)
    return numbered(viewed(slope.reshape(shape)))


FORMS: dict[type, Form] = {
    **dict.fromkeys(
        (Affine, Dense, Conv1D, Conv2D, Conv3D, Embedding, LayerNorm, RMSNorm, GroupNorm, InstanceNorm), _plain
    ),
    DepthwiseConv2D: _depthwise,
    **dict.fromkeys((ConvTranspose1D, ConvTranspose2D), _transposed),
    BatchNorm: _batch_norm,
    **dict.fromkeys((Standardize, RobustScale), _scaling),
    **dict.fromkeys((RNN, LSTM), _recurrent),
    GRU: _gru,
    Bidirectional: _bidirectional,
    SelfAttention: _attention,
    PReLU: _prelu,
}

KERAS = Library("Keras", FORMS, {}, channels_first=False)
