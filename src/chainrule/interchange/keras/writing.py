"""Networks of ours as Keras' functional models, in its own description and order of weights."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from chainrule.activations import Identity, PReLU
from chainrule.arrays.masked import Shape
from chainrule.errors import ChainruleError
from chainrule.formula.base import fields
from chainrule.formula.layer import Add, Chain, Concatenate, Layer, Multiply
from chainrule.formula.repeat import Repeat
from chainrule.interchange.keras.forms import KERAS
from chainrule.interchange.keras.reading import class_name
from chainrule.interchange.keras.twins import ACTIVATIONS, TWINS, Twin, one
from chainrule.interchange.weights.exchange import given
from chainrule.layers import (
    GRU,
    LSTM,
    RNN,
    AveragePool1D,
    AveragePool2D,
    AveragePool3D,
    Bidirectional,
    Conv1D,
    Conv2D,
    Conv3D,
    ConvTranspose1D,
    ConvTranspose2D,
    DepthwiseConv2D,
    Frozen,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    SelfAttention,
    Shift,
    SpatialDropout,
    StochasticDepth,
)
from chainrule.model import Model

Config = dict[str, Any]
Weights = list[tuple[str, Mapping[str, np.ndarray]]]


FUNCTIONAL = "keras.src.models.functional"  # where Keras looks for the class


class Tensor(NamedTuple):
    """What a layer gives: its name, and one example's shape."""

    name: str
    shape: Shape

    def config(self) -> Config:
        """As a description names it."""
        told = {"shape": [None, *self.shape], "dtype": "float32", "keras_history": [self.name, 0, 0]}
        return {"class_name": "__keras_tensor__", "config": told}


def written(model: Model) -> tuple[Config, Weights]:
    """A model's description as Keras loads it, and its weights by module.

    Raises:
        ChainruleError: for a layer that Keras does not have.
    """
    network, shape = model.network, model.input_shape
    writer = Writer()
    source = writer.input(shape, "int32" if network.tokens else "float32")
    target = writer.write(network, source)
    ends = {"input_layers": [source.name, 0, 0], "output_layers": [target.name, 0, 0]}
    config = {"name": "network", "trainable": True, "layers": writer.layers, **ends}
    described = {"module": FUNCTIONAL, "class_name": "Functional", "config": config, "registered_name": "Functional"}
    weights = zip(writer.weighted, (arrays for _, arrays in given(model, KERAS)), strict=True)
    return described | {"build_config": {"input_shape": [None, *shape]}}, [*weights]


class Writer:
    """Writes layers one after another.

    Attributes:
        layers: their descriptions.
        weighted: the names of those that have weights.
        frozen: whether they are not trained.
    """

    def __init__(self) -> None:
        self.layers: list[Config] = []
        self.weighted: list[str] = []
        self.used: Counter[str] = Counter()
        self.frozen = False

    def input(self, shape: Shape, dtype: str) -> Tensor:
        """The first layer."""
        return self.add("InputLayer", {"batch_shape": [None, *shape], "dtype": dtype}, [], shape)

    def add(self, kind: str, config: Config, inputs: list[Any], shape: Shape, **call: Any) -> Tensor:
        """One more layer, called once, and what it gives."""
        number = self.used[kind]
        self.used[kind] += 1
        name = f"{class_name(kind)}_{number}" if number else class_name(kind)
        calls = [{"args": inputs, "kwargs": call}] if inputs else []
        own = {"name": name, **config}
        described = {"module": "keras.layers", "class_name": kind, "config": own, "registered_name": None}
        self.layers.append(described | {"name": name, "inbound_nodes": calls})
        return Tensor(name, shape)

    def weigh(self, y: Tensor) -> Tensor:
        """Say that the last layer, which gives this, has weights."""
        self.weighted.append(y.name)
        if self.frozen:
            self.layers[-1]["config"]["trainable"] = False
        return y

    def write(self, layer: Layer, x: Tensor) -> Tensor:
        """A layer of what another one gives."""
        return WAYS.get(type(layer), by_twin)(self, layer, x)


def by_twin(writer: Writer, layer: Layer, x: Tensor) -> Tensor:
    """A layer that Keras has under the name of its twin."""
    if name := next((name for name, formula in ACTIVATIONS.items() if formula == layer), None):
        return writer.add("Activation", {"activation": name}, [x.config()], x.shape)
    twin = twin_of(layer)
    y = writer.add(twin.theirs, config_of(layer, twin), [x.config()], layer.output_shape(x.shape))
    return writer.weigh(y) if layer.parameters(x.shape) or layer.state(x.shape) else y


def twin_of(layer: Layer) -> Twin:
    """The pair of a layer and its class in Keras."""
    for twin in TWINS:
        if twin.ours is type(layer):
            return twin
    raise ChainruleError(f"{layer!r}: Keras has no such layer. Choose layers that both have.")


def config_of(layer: Layer, twin: Twin) -> Config:
    """A layer's fields as its twin has them; refused where it has no such field, or no such value."""
    config = {name: allowed[0] for name, allowed in twin.always.items() if allowed[0] not in (None, False)}
    for each in fields(layer):
        value, own = getattr(layer, each.name), twin.fields.get(each.name)
        if own is not None:
            config[own.name] = own.there(value)
        elif each.name in FREE or each.name.endswith("initializer") or value == each.default:
            continue
        if own is None or one(own.here(config[own.name])) != one(value):
            raise _lacking(layer, twin, each.name)
    return config


def _lacking(layer: Layer, twin: Twin, name: str) -> ChainruleError:
    return ChainruleError(f"{layer!r}: Keras' {twin.theirs} has no such {name}. Choose what both have.")


FREE = {"forget_bias", "learn_start", "initial", "shared", "causal"}
"""Fields by which weights begin, or that are written elsewhere; a start that is not 0 has no array."""


def _chain(writer: Writer, layer: Chain, x: Tensor) -> Tensor:
    for each in layer.layers:
        x = writer.write(each, x)
    return x


def _joined(writer: Writer, layer: Any, x: Tensor) -> Tensor:
    branches = [writer.write(each, x).config() for each in layer.layers]
    config = {"axis": -1} if type(layer) is Concatenate else {}
    return writer.add(type(layer).__name__, config, [branches], layer.output_shape(x.shape))


def _repeat(writer: Writer, layer: Repeat, x: Tensor) -> Tensor:
    for _ in range(layer.times):
        x = writer.write(layer.block, x)
    return x


def _frozen(writer: Writer, layer: Frozen, x: Tensor) -> Tensor:
    before, writer.frozen = writer.frozen, True
    y = writer.write(layer.layer, x)
    writer.frozen = before
    return y


def _convolution(writer: Writer, layer: Any, x: Tensor) -> Tensor:
    """Padding by numbers is a layer of its own there."""
    if isinstance(layer.padding, str):
        return by_twin(writer, layer, x)
    rank = len(x.shape) - 1
    pads = layer.window(x.shape).pads
    lengths = (n + sum(pad) for n, pad in zip(x.shape[:-1], pads, strict=True))
    config = {"padding": pads[0] if rank == 1 else pads}
    padded = writer.add(f"ZeroPadding{rank}D", config, [x.config()], (*lengths, x.shape[-1]))
    return by_twin(writer, replace(layer, padding="valid"), padded)


def _named_padding(writer: Writer, layer: Any, x: Tensor) -> Tensor:
    if not isinstance(layer.padding, str):
        raise _lacking(layer, twin_of(layer), "padding")
    return by_twin(writer, layer, x)


def _transposed(writer: Writer, layer: Any, x: Tensor) -> Tensor:
    """Where the kernel is smaller than the stride, Keras has further places."""
    window = layer.over_outputs
    if any(size < stride for size, stride in zip(window.size, window.stride, strict=True)):
        raise _lacking(layer, twin_of(layer), "stride")
    return _named_padding(writer, layer, x)


def _recurrent(writer: Writer, layer: Any, x: Tensor) -> Tensor:
    if layer.reverse and layer.return_sequences:
        raise _lacking(layer, twin_of(layer), "order of steps")
    return by_twin(writer, layer, x)


def _bidirectional(writer: Writer, layer: Bidirectional, x: Tensor) -> Tensor:
    twin = twin_of(layer.layer)
    inner = config_of(layer.layer, twin)

    def described(**way: Any) -> Config:
        return {"module": "keras.layers", "class_name": twin.theirs, "config": inner | way, "registered_name": None}

    back = layer.layer.reverse
    config = {
        "layer": described(name="forward", go_backwards=back),
        "backward_layer": described(name="backward", go_backwards=not back),
        "merge_mode": {"mean": "ave"}.get(layer.merge, layer.merge),
    }
    y = writer.add("Bidirectional", config, [x.config()], layer.output_shape(x.shape))
    return writer.weigh(y)


def _attention(writer: Writer, layer: SelfAttention, x: Tensor) -> Tensor:
    key, value = layer.sizes(x.shape)
    config = config_of(replace(layer, key_size=key, value_size=value), twin_of(layer))
    y = writer.add("MultiHeadAttention", config, [x.config(), x.config()], x.shape, use_causal_mask=layer.causal)
    return writer.weigh(y)


def _prelu(writer: Writer, layer: PReLU, x: Tensor) -> Tensor:
    axes = [*range(1, len(x.shape) + layer.shared)]
    y = writer.add("PReLU", {"shared_axes": axes or None}, [x.config()], x.shape)
    return writer.weigh(y)


def _spatial(writer: Writer, layer: SpatialDropout, x: Tensor) -> Tensor:
    return writer.add(f"SpatialDropout{len(x.shape) - 1}D", {"rate": layer.rate}, [x.config()], x.shape)


def _depth(writer: Writer, layer: StochasticDepth, x: Tensor) -> Tensor:
    config = {"rate": layer.rate, "noise_shape": [None, *[1] * len(x.shape)]}
    return writer.add("Dropout", config, [x.config()], x.shape)


def _shift(writer: Writer, layer: Shift, x: Tensor) -> Tensor:
    """By shares of the image, half a pixel more, since Keras rounds what it draws."""
    down, right = ((layer.pixels + 0.5) / n for n in x.shape[:2])
    config = {"height_factor": down, "width_factor": right, "fill_mode": "constant", "interpolation": "nearest"}
    return writer.add("RandomTranslation", config, [x.config()], x.shape)


WAYS: dict[type[Layer], Callable[[Writer, Any, Tensor], Tensor]] = {
    Identity: lambda writer, layer, x: x,
    Chain: _chain,
    **dict.fromkeys((Add, Multiply, Concatenate), _joined),
    Repeat: _repeat,
    Frozen: _frozen,
    **dict.fromkeys((Conv1D, Conv2D, Conv3D, DepthwiseConv2D), _convolution),
    **dict.fromkeys((ConvTranspose1D, ConvTranspose2D), _transposed),
    **dict.fromkeys((MaxPool1D, MaxPool2D, MaxPool3D, AveragePool1D, AveragePool2D, AveragePool3D), _named_padding),
    **dict.fromkeys((RNN, LSTM, GRU), _recurrent),
    Bidirectional: _bidirectional,
    SelfAttention: _attention,
    PReLU: _prelu,
    SpatialDropout: _spatial,
    StochasticDepth: _depth,
    Shift: _shift,
}
"""Layers that are not written by their twin alone."""
