"""A layer that Keras describes, as one of ours or several; what has no form here is said by layer, class, attribute."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.activations import LeakyReLU, PReLU, ReLU, ReLU6, Softmax
from chainrule.arrays.masked import Shape
from chainrule.errors import ChainruleError, warn
from chainrule.formula.layer import Chain, Layer
from chainrule.interchange.keras import constants
from chainrule.interchange.keras.pieces import Config, Described, Piece
from chainrule.interchange.keras.twins import ACTIVATIONS, LINEAR, TWINS, Twin
from chainrule.interchange.keras.volumes import VOLUMES
from chainrule.layers import (
    GRU,
    LSTM,
    RNN,
    Bidirectional,
    Crop2D,
    Dense,
    Dropout,
    Embedding,
    Flip,
    Frozen,
    GlobalAveragePool1D,
    LayerNorm,
    Reshape,
    SelfAttention,
    Shift,
    SpatialDropout,
    StochasticDepth,
    Upsample1D,
)
from chainrule.regularizers import L1, L2, Regularizer

IGNORED = {
    *("name", "trainable", "dtype", "seed", "synchronized", "unit_forget_bias", "unroll", "zero_output_for_mask"),
    *("batch_input_shape", "input_length", "implementation", "renorm_momentum", "activation"),
}
"""What changes no answer, or is read elsewhere."""


def layer_of(seen: Described) -> Piece:
    """A layer, with the activation behind it, if it has one."""
    piece = SPECIAL.get(seen.kind, by_twin)(seen)
    if seen.config.get("trainable") is False and piece.modules:
        piece = replace(piece, layer=Frozen(piece.layer))
    inside = seen.kind in ("Activation", "SimpleRNN", "LSTM", "GRU")
    return piece if inside else piece >> _activation(seen)


def with_masks(network: Layer) -> Layer:
    """A network whose masks are seen by the layer behind the embedding, or else there are none.

    Keras' masks are lost at a layer that knows none, and tokens of padding have vectors like others.
    """
    first, *others = network.layers if isinstance(network, Chain) else [network]
    after = next((layer for layer in others if layer.decides and type(layer) not in (Dense, LayerNorm)), None)
    embedding = first.layer if type(first) is Frozen else first
    if type(embedding) is not Embedding or embedding.padding_id is None or _sees_masks(after):
        return network
    plain: Layer = replace(embedding, padding_id=None)
    return Chain((Frozen(plain) if type(first) is Frozen else plain, *others))


def _sees_masks(layer: Layer | None) -> bool:
    """Whether a layer of Keras, or one in it, makes use of masks."""
    inner = getattr(layer, "layers", None) or [getattr(layer, "layer", None), getattr(layer, "block", None)]
    return type(layer) in MASKED or any(_sees_masks(each) for each in inner if each is not None)


MASKED = frozenset({RNN, LSTM, GRU, Bidirectional, SelfAttention, GlobalAveragePool1D})


def by_twin(seen: Described, **changed: Any) -> Piece:
    """A layer of ours by the description of its twin, in which some attributes are others."""
    config = {**seen.config, **changed}
    twin = _twin(seen, config)
    named = {each.name: (ours, each) for ours, each in twin.fields.items()}
    chosen: dict[str, Any] = {}
    for name, value in config.items():
        if name in named:
            ours, own = named[name]
            if name == "activation" and value not in ACTIVATIONS:
                raise seen.refused(name)
            chosen[ours] = own.here(_plain(value))
        elif name in twin.kernels:
            seen.notes.penalties[seen.who] = _penalty(seen, name)
        elif name in twin.always and name != "groups":
            if not any(value == each and type(value) is type(each) for each in _allowed(twin, name, seen.shape)):
                raise seen.refused(name, value)
        elif not (name in IGNORED or name == "groups" or name.endswith("_initializer") or value in (None, False, 0)):
            raise seen.refused(name, value)
    if "shape" in chosen:
        chosen["shape"] = _resolved(chosen["shape"], seen.shape)
    layer = twin.ours(**chosen)
    if chosen.get("reverse") and chosen["return_sequences"]:
        raise ChainruleError(
            f"{seen.who}: go_backwards=True with return_sequences=True gives the steps backwards, which no layer does "
            f"here. Choose Bidirectional, or the last step alone."
        )
    return Piece(layer, (seen.module,) if layer.parameters(seen.shape) or layer.state(seen.shape) else ())


def _twin(seen: Described, config: Config) -> Twin:
    """The first twin of the class whose groups are as they must be."""
    for twin in TWINS:
        groups = twin.always.get("groups")
        if twin.theirs == seen.kind and (groups is None or config.get("groups") in (*groups, *seen.shape[-1:])):
            return twin
    raise ChainruleError(f"{seen.who}: there is no such layer here. Choose layers that both have.")


def _allowed(twin: Twin, name: str, shape: Shape) -> tuple[Any, ...]:
    allowed = twin.always[name]
    return (*allowed, len(shape), [len(shape)]) if name == "axis" else allowed


def _activation(seen: Described) -> Piece:
    name = seen.config.get("activation")
    if name in LINEAR:
        return Piece()
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise seen.refused("activation")
    return Piece(ACTIVATIONS[name])


def _bidirectional(seen: Described) -> Piece:
    merge = {"concat": "concat", "sum": "sum", "ave": "mean"}.get(str(seen.config.get("merge_mode")))
    if merge is None:
        raise seen.refused("merge_mode", seen.config.get("merge_mode"))
    one = seen.within(seen.config["layer"], "")
    other = seen.within(seen.config.get("backward_layer") or seen.config["layer"], "")
    for name in sorted((one.config.keys() | other.config.keys()) - IGNORED - {"go_backwards"}):
        if not name.endswith("_initializer") and one.config.get(name) != other.config.get(name):
            raise seen.refused(f"backward_layer's {name}", other.config.get(name))
    if one.config.get("go_backwards"):
        raise one.refused("go_backwards")
    before, inner = _dropped(one), by_twin(one, dropout=0.0)
    return before >> Piece(Bidirectional(inner.layer, merge), (seen.module,))  # type: ignore[arg-type]


def _dropped(seen: Described) -> Piece:
    """The dropout of a recurrent layer's inputs, which leaves out whole features."""
    rate = seen.config.get("dropout")
    return Piece(SpatialDropout(rate)) if rate else Piece()


def _separable(seen: Described) -> Piece:
    """A depthwise convolution, and one of single places that mixes the channels."""
    of_both = {
        name: value for name, value in seen.config.items() if not name.startswith(("pointwise", "filters", "bias"))
    }
    rank = seen.kind.removeprefix("SeparableConv")
    of_both["use_bias"] = False
    one = seen._replace(kind=f"DepthwiseConv{rank}", config=of_both, module=f"{seen.module}.depthwise")
    mixing = {"filters": seen.config["filters"], "kernel_size": 1, "use_bias": seen.config.get("use_bias", True)}
    mixing["kernel_regularizer"] = seen.config.get("pointwise_regularizer")
    other = seen._replace(kind=f"Conv{rank}", config=mixing, module=f"{seen.module}.pointwise")
    return SPECIAL.get(one.kind, by_twin)(one) >> by_twin(other)


def _depthwise_in_time(seen: Described) -> Piece:
    """A convolution of as many groups as there are channels."""
    own = {"depth_multiplier", "depthwise_regularizer"}
    config = {name: value for name, value in seen.config.items() if name not in own}
    channels = seen.shape[-1]
    config |= {"groups": channels, "filters": channels * seen.config.get("depth_multiplier", 1)}
    config["kernel_regularizer"] = seen.config.get("depthwise_regularizer")
    return by_twin(seen._replace(kind="Conv1D", config=config))


def _einsum(seen: Described) -> Piece:
    """A dense layer over the last axis."""
    axes, kernel, made = re.split(",|->", str(seen.config.get("equation")))
    units, bias = kernel[1:], seen.config.get("bias_axes")
    if len(kernel) != 2 or axes[-1] != kernel[0] or made != axes[:-1] + units or bias not in (None, units):
        raise seen.refused("equation" if bias in (None, units) else "bias_axes")
    given = {
        name: value for name, value in seen.config.items() if name not in ("equation", "bias_axes", "output_shape")
    }
    size = np.ravel(seen.config["output_shape"])[-1]
    return by_twin(seen._replace(kind="Dense", config={**given, "units": int(size), "use_bias": bias is not None}))


def _dropout(seen: Described) -> Piece:
    """Dropout of numbers, of channels or of whole examples, as what is drawn has the shape of."""
    rate, told = seen.config["rate"], seen.config.get("noise_shape") or [None] * (len(seen.shape) + 1)
    drawn = tuple(size if each is None else each for each, size in zip(told[1:], seen.shape, strict=False))
    for kind in (Dropout, SpatialDropout, StochasticDepth):
        if len(told) == len(seen.shape) + 1 and told[0] is None and kind(rate).drawn((0, *seen.shape)) == (0, *drawn):
            return Piece(kind(rate))
    raise seen.refused("noise_shape")


def _attention(seen: Described) -> Piece:
    piece = by_twin(seen)
    return replace(piece, layer=replace(piece.layer, causal=bool(seen.call.get("use_causal_mask"))))  # type: ignore[type-var]


def _global(seen: Described) -> Piece:
    pooled, kept = by_twin(seen, keepdims=False), (*[1] * (len(seen.shape) - 1), seen.shape[-1])
    return pooled >> Piece(Reshape(kept)) if seen.config.get("keepdims") else pooled


def _pool(seen: Described) -> Piece:
    piece = by_twin(seen)
    size, stride = (getattr(piece.layer, name) for name in ("size", "stride"))
    return replace(piece, layer=replace(piece.layer, stride=None)) if stride == size else piece  # type: ignore[type-var]


def _adaptive(seen: Described) -> Piece:
    """Pooling to so many places, where windows of one size make these."""
    wanted, places = seen.config["output_size"], seen.shape[:-1]
    wanted = [wanted] * len(places) if isinstance(wanted, int) else wanted
    if any(length % count for length, count in zip(places, wanted, strict=True)):
        raise seen.refused("output_size")
    size = [length // count for length, count in zip(places, wanted, strict=True)]
    config = {"pool_size": size, "strides": size, "padding": "valid", "data_format": seen.config.get("data_format")}
    return _pool(seen._replace(kind=seen.kind.removeprefix("Adaptive"), config=config))


def _relu(seen: Described) -> Piece:
    most, slope, least = (seen.config.get(name) for name in ("max_value", "negative_slope", "threshold"))
    if least:
        raise seen.refused("threshold")
    if most is not None and (slope or most != 6):
        raise seen.refused("max_value")
    return Piece(ReLU6() if most else LeakyReLU(slope) if slope else ReLU())


def _softmax(seen: Described) -> Piece:
    if seen.config.get("axis", -1) not in (-1, len(seen.shape)):
        raise seen.refused("axis")
    return Piece(Softmax())


def _prelu(seen: Described) -> Piece:
    axes, places = sorted(seen.config.get("shared_axes") or []), [*range(1, len(seen.shape))]
    if axes not in (places, [*places, len(seen.shape)]):
        raise seen.refused("shared_axes")
    return Piece(PReLU(shared=len(axes) == len(seen.shape)), (seen.module,))


def _each_step(seen: Described) -> Piece:
    inner = seen.within(seen.config["layer"], ".layer")
    if inner.kind != "Dense":
        raise seen.refused("layer", inner.kind)
    return layer_of(inner)


def _spectral(seen: Described) -> Piece:
    """The layer in it, whose kernel is kept divided by its largest singular value."""
    seen.notes.left.add(seen.module)
    warn(f"{seen.who}: its kernel is as it was trained. Here it is held no longer: SpectralNorm would do so.")
    return layer_of(seen.within(seen.config["layer"], ".layer"))


def _repeated(seen: Described) -> Piece:
    return Piece(Reshape((1, *seen.shape)) >> Upsample1D(seen.config["n"]))


def _center(seen: Described) -> Piece:
    """What is in the middle."""
    more = [length - seen.config[name] for length, name in zip(seen.shape, ("height", "width"), strict=False)]
    if min(more) < 0:
        raise seen.refused("height" if more[0] < 0 else "width")
    ends = tuple((each // 2, each - each // 2) for each in more)
    return Piece() if not any(more) else Piece(Crop2D(ends))


def _in_training(seen: Described) -> Piece:
    """Nothing, as answers go."""
    warn(f"{seen.who}: it is left out, as it acts in training alone.")
    return Piece()


def _flip(seen: Described) -> Piece:
    same = seen.config["mode"] == "horizontal" and seen.channels_last
    return Piece(Flip()) if same else _in_training(seen)


def _translation(seen: Described) -> Piece:
    """Shifts by whole pixels before a background of 0, as far in one direction as in the others."""
    told = seen.config["interpolation"], seen.config["fill_mode"], seen.config.get("fill_value", 0)
    same = told == ("nearest", "constant", 0) and seen.channels_last
    shares = (seen.config[name] for name in ("height_factor", "width_factor"))
    pairs = (sorted(share) if isinstance(share, list) else (-abs(share), abs(share)) for share in shares)
    ends = {end * n for (low, high), n in zip(pairs, seen.shape, strict=False) for end in (-low, high)}
    most = {math.ceil(round(end - 0.5, 6)) for end in ends}  # pixels, by rounding to the nearest
    return Piece(Shift(*most)) if same and len(most) == 1 and min(most) > 0 else _in_training(seen)


def _masking(seen: Described) -> Piece:
    raise ChainruleError(
        f"{seen.who}: which steps are padding comes with the data here, not as a value of them. Leave it out, and take "
        f"the weights alone."
    )


AUGMENTING = ["Brightness", "Contrast", "Rotation", "Zoom"]

SPECIAL: dict[str, Callable[[Described], Piece]] = {
    "Bidirectional": _bidirectional,
    "DepthwiseConv1D": _depthwise_in_time,
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), _separable),
    "MultiHeadAttention": _attention,
    **{f"Global{kind}Pooling{rank}D": _global for kind in ("Max", "Average") for rank in (1, 2)},
    **{f"{kind}Pooling{rank}D": _pool for kind in ("Max", "Average") for rank in (1, 2, 3)},
    **{f"SpatialDropout{rank}D": lambda seen: Piece(SpatialDropout(seen.config["rate"])) for rank in (1, 2, 3)},
    **dict.fromkeys(("SimpleRNN", "LSTM", "GRU"), lambda seen: _dropped(seen) >> by_twin(seen, dropout=0.0)),
    **{f"Adaptive{kind}Pooling{rank}D": _adaptive for kind in ("Max", "Average") for rank in (1, 2, 3)},
    "Identity": lambda seen: Piece(),
    "Dropout": _dropout,
    "EinsumDense": _einsum,
    "Activation": _activation,
    "ReLU": _relu,
    "Softmax": _softmax,
    "PReLU": _prelu,
    "TimeDistributed": _each_step,
    "Rescaling": constants.rescaling,
    "Normalization": lambda seen: by_twin(seen) if seen.config.get("mean") is None else constants.normalization(seen),
    "UnitNormalization": constants.unit_norm,
    "CategoryEncoding": constants.category,
    "SpectralNormalization": _spectral,
    "RepeatVector": _repeated,
    "CenterCrop": _center,
    "RandomFlip": _flip,
    "RandomTranslation": _translation,
    "Masking": _masking,
    **VOLUMES,
    **dict.fromkeys(("ActivityRegularization", *(f"Random{each}" for each in AUGMENTING)), _in_training),
}
"""Layers of Keras that are not one of ours with fields of other names."""


def _plain(value: Any) -> Any:
    """A value as a field has it."""
    return tuple(map(_plain, value)) if isinstance(value, list) else value


def _resolved(target: Shape, shape: Shape) -> Shape:
    """A shape in which −1 stands for what is left."""
    left = math.prod(shape) // max(math.prod(axis for axis in target if axis != -1), 1)
    return tuple(left if axis == -1 else axis for axis in target)


def _penalty(seen: Described, name: str) -> Regularizer | None:
    """A regulariser of Keras as one of ours."""
    value = seen.config.get(name)
    if value is None:
        return None
    kind, strengths = value.get("class_name"), value.get("config", {})
    terms = [*_terms(strengths)]
    if kind not in ("L1", "L2", "L1L2"):
        raise seen.refused(name, kind)
    return None if not terms else terms[0] if len(terms) == 1 else terms[0] + terms[1]


def _terms(strengths: Mapping[str, Any]) -> Iterator[Regularizer]:
    for name, kind in {"l1": L1, "l2": L2}.items():
        if strengths.get(name):
            yield kind(float(strengths[name]))
