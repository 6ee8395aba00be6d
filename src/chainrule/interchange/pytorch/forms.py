"""What PyTorch's modules have for each layer: one form for each exact type, by which weights come in and go out."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np

from chainrule.activations import PReLU
from chainrule.errors import ChainruleError, cut
from chainrule.formula.layer import Layer
from chainrule.interchange.weights.modules import Around, Arrays, Form, Library, Module, Of
from chainrule.interchange.weights.views import Part, Told, Viewed, joined, ordered, viewed
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
    EntityEmbedding,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LearnedPositions,
    RMSNorm,
    RobustScale,
    SelfAttention,
    SpectralNorm,
    Standardize,
    WeightNorm,
)
from chainrule.layers.reparametrized import LEAST, WARM


def _dense(layer: Dense, of: Of) -> Arrays:
    weight = ordered(of.p["kernel"].T, 1, of.before.blocks)
    if of.after.blocks:
        weight = Viewed(tuple(_outputs_first(part, of.after.blocks[0]) for part in weight.parts), weight.axis)
    return {"weight": weight, **({"bias": ordered(of.p["bias"], 0, of.after.blocks)} if layer.bias else {})}


def _outputs_first(part: Part, image: tuple[int, ...]) -> Part:
    """A part of a weight whose outputs become an image, which has its channels first there."""
    apart = part.view.reshape(*image, *part.view.shape[1:])
    return Part(np.moveaxis(apart, len(image) - 1, 0), part.shape)


def _convolution(layer: Any, of: Of) -> Arrays:
    return {"weight": viewed(np.moveaxis(of.p["kernel"], (-1, -2), (0, 1)))} | _bias(of)


def _transposed(layer: Any, of: Of) -> Arrays:
    kernel, groups = of.p["kernel"], layer.groups  # whose filters are those of one group after another
    *window, channels, filters = kernel.shape
    apart = np.moveaxis(kernel.reshape(*window, channels, groups, filters // groups), (-2, -3, -1), (0, 1, 2))
    return {"weight": viewed(apart, (groups * channels, filters // groups, *window))} | _bias(of)


def _bias(of: Of) -> Arrays:
    return {"bias": viewed(of.p["bias"])} if "bias" in of.p else {}


def _scaled(layer: Any, of: Of) -> Arrays:
    named = {"weight": "scale", "bias": "offset"}
    return {there: ordered(of.p[here], 0, of.before.blocks) for there, here in named.items() if here in of.p}


def _batch_norm(layer: BatchNorm, of: Of) -> Arrays:
    running = {f"running_{short}": ordered(of.state[name], 0, of.before.blocks) for short, name in STATISTICS.items()}
    count = Told(of.state["count"], *counting(layer.momentum))
    return _scaled(layer, of) | running | {"num_batches_tracked": count}


def _scaling(layer: Standardize | RobustScale, of: Of) -> Arrays:
    return {name: ordered(of.state[name], 0, of.before.blocks) for name in ("center", "scale")}


STATISTICS = {"mean": "mean", "var": "variance"}
MOST_BATCHES = 1_000_000


def counting(momentum: float) -> tuple[Callable[[Any], np.ndarray], Callable[[Any], float], float]:
    """How many batches statistics have seen, of what they count together; the reverse; and what many batches count.

    A batch counts `momentum` times as much as the next one, so that n of them count (1 − mⁿ) / (1 − m).

    >>> batches, together, many = counting(0.5)
    >>> int(batches(1.5)), together(2), many
    (2, 1.5, 2.0)
    """

    def together(batches: Any) -> float:
        n = min(int(batches), MOST_BATCHES)
        return float(n) if momentum == 1 else (1 - momentum**n) / (1 - momentum)

    def batches(count: Any) -> np.ndarray:
        count = float(count)
        if momentum in (0, 1):
            return np.asarray(round(count), np.int64)
        left = 1 - count * (1 - momentum)
        n = MOST_BATCHES if left <= 0 else round(np.log(left) / np.log(momentum))
        return np.asarray(n, np.int64)

    return batches, together, together(MOST_BATCHES)


def _table(layer: Any, of: Of) -> Arrays:
    return {"weight": viewed(of.p["table"])}


def _tables(layer: EntityEmbedding, of: Of) -> list[Arrays]:
    return [{"weight": viewed(table)} for table in of.p["tables"]]


def _recurrent(layer: Any, of: Of, suffix: str = "") -> Arrays:
    bias = viewed(of.p["bias"], optional=True)
    arrays = {
        "weight_ih": viewed(of.p["kernel"].T),
        "weight_hh": viewed(of.p["recurrent_kernel"].T),
        "bias_ih": bias,
        "bias_hh": bias,  # which adds up with the first
    }
    return {f"{name}{suffix}": weight for name, weight in arrays.items()}


def _gru(layer: GRU, of: Of, suffix: str = "") -> Arrays:
    if not layer.reset_after:
        raise ChainruleError(
            f"{layer!r}: PyTorch's GRU resets after the product. Write GRU({layer.units}, reset_after=True)."
        )
    shared = of.p["bias"][: 2 * layer.units]
    own = {f"bias_hh{suffix}": joined(shared, of.p["recurrent_bias"], optional=True)}
    return _recurrent(layer, of, suffix) | own


def _bidirectional(layer: Bidirectional, of: Of) -> Arrays:
    form: Any = RECURRENT.get(type(layer.layer))
    if form is None:
        raise ChainruleError(f"{layer!r}: PyTorch has no such layer. Choose RNN, LSTM, or GRU with reset_after=True.")
    ways = {"": "forward", "_reverse": "backward"}
    each = [form(layer.layer, of._replace(p=of.p[way]), suffix) for suffix, way in ways.items()]
    return each[0] | each[1]


def _prelu(layer: PReLU, of: Of) -> Arrays:
    slope = of.p["slope"]
    return {"weight": viewed(slope.reshape(1)) if layer.shared else ordered(slope, 0, of.before.blocks)}


def _attention(layer: SelfAttention, of: Of) -> Arrays:
    features, [key, value] = of.shape[-1], layer.sizes(of.shape)
    if key != value or key * layer.heads != features or layer.rotary:
        raise ChainruleError(
            f"{layer!r}: PyTorch's attention has keys and values of features / heads, and no rotary places. "
            f"Write SelfAttention({layer.heads})."
        )
    arrays: Arrays = {
        "in_proj_weight": joined(*(of.p[f"kernel_{name}"].T for name in "qkv")),
        "out_proj.weight": viewed(of.p["kernel_o"].T),
    }
    if layer.bias:
        arrays["in_proj_bias"] = joined(*(of.p[f"bias_{name}"] for name in "qkv"))
        arrays["out_proj.bias"] = viewed(of.p["bias_o"])
    return arrays


def _weight_normed(layer: WeightNorm, of: Of, modules: list[Module]) -> list[Module]:
    """Each kernel's weight as lengths g and directions v."""
    lengths = [*zip(layer.kernels(of.shape, of.p["layer"]), of.p["lengths"], strict=True)]

    def apart(name: str, weight: Viewed, g: np.ndarray) -> Arrays:
        return {f"{name}_g": viewed(g.reshape(-1, *[1] * (len(weight.shape) - 1))), f"{name}_v": weight}

    return _of_kernels(layer, modules, lengths, apart)


def _spectral_normed(layer: SpectralNorm, of: Of, modules: list[Module]) -> list[Module]:
    """Each kernel's weight, and the singular vectors that are followed: u of ours, and v, which follows from it."""
    vectors = [*zip(layer.kernels(of.shape, of.p), of.state["vectors"], strict=True)]

    def apart(name: str, weight: Viewed, u: np.ndarray) -> Arrays:
        matrix = weight.copy().reshape(len(u), -1)
        followed = _followed(matrix, np.array(u))
        v = Told(None, lambda _: _unit(matrix.T @ followed), shape=(matrix.shape[1],))
        return {f"{name}_orig": weight, f"{name}_u": Told(u, lambda _: followed, shape=u.shape), f"{name}_v": v}

    return _of_kernels(layer, modules, vectors, apart)


def _followed(matrix: np.ndarray, u: np.ndarray) -> np.ndarray:
    """The vector u, begun where a layer was never trained."""
    if u.any():
        return u
    u = np.random.default_rng(0).normal(size=u.shape).astype(np.float32)
    for _ in range(WARM):
        u = _unit(matrix @ _unit(matrix.T @ u))
    return u


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), LEAST)


def _of_kernels(
    layer: Layer, modules: list[Module], kernels: list[Any], apart: Callable[[str, Viewed, Any], Arrays]
) -> list[Module]:
    """Modules in which each kernel is made other arrays, by its name, its weight and what belongs to it."""
    found = []
    for module in modules:
        arrays: Arrays = {}
        for name, weight in module.arrays.items():
            views = [part.view for part in weight.parts] if isinstance(weight, Viewed) else []
            own = [each for kernel, each in kernels if any(np.may_share_memory(kernel, view) for view in views)]
            if own and (len(own) > 1 or own[0].ndim > 1 or type(module.layer) in INPUTS_FIRST):
                raise ChainruleError(
                    f"{layer!r}: PyTorch's {type(layer).__name__} of {cut(repr(module.layer))} is another one. Put it "
                    f"around dense, convolutional or recurrent layers, and within Repeat."
                )
            arrays |= apart(name, cast(Viewed, weight), own[0]) if own else {name: weight}
        found.append(module._replace(arrays=arrays))
    return found


INPUTS_FIRST = frozenset({ConvTranspose1D, ConvTranspose2D})
"""Layers whose weights have the inputs first there, by which they are normalised."""

RECURRENT: dict[type, Form] = {RNN: _recurrent, LSTM: _recurrent, GRU: _gru}

FORMS: dict[type, Form] = {
    Dense: _dense,
    **dict.fromkeys((Conv1D, Conv2D, Conv3D, DepthwiseConv2D), _convolution),
    **dict.fromkeys((ConvTranspose1D, ConvTranspose2D), _transposed),
    BatchNorm: _batch_norm,
    **dict.fromkeys((Standardize, RobustScale), _scaling),
    **dict.fromkeys((Affine, LayerNorm, RMSNorm, GroupNorm, InstanceNorm), _scaled),
    **dict.fromkeys((Embedding, LearnedPositions), _table),
    EntityEmbedding: _tables,
    **RECURRENT,
    Bidirectional: _bidirectional,
    SelfAttention: _attention,
    PReLU: _prelu,
}

PYTORCH = Library(
    "PyTorch",
    FORMS,
    {
        WeightNorm: Around(lambda of: of._replace(p=of.p["layer"]), _weight_normed),
        SpectralNorm: Around(lambda of: of._replace(state=of.state["layer"]), _spectral_normed),
    },
    channels_first=True,
)
