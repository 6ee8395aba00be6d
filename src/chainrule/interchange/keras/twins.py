"""Layers that Keras has under another name, and its names of their fields: once for both directions."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from chainrule.activations import (
    CELU,
    ELU,
    GELU,
    SELU,
    Activation,
    Exp,
    HardShrink,
    HardSigmoid,
    HardSwish,
    HardTanh,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    Mish,
    PReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    SoftShrink,
    Softsign,
    Sparsemax,
    Tanh,
    TanhShrink,
)
from chainrule.formula.layer import Layer
from chainrule.layers import (
    GRU,
    LSTM,
    RNN,
    AlphaDropout,
    AveragePool1D,
    AveragePool2D,
    AveragePool3D,
    BatchNorm,
    Conv1D,
    Conv2D,
    Conv3D,
    ConvTranspose1D,
    ConvTranspose2D,
    Crop1D,
    Crop2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Embedding,
    Flatten,
    Flip,
    GaussianDropout,
    GaussianNoise,
    GlobalAveragePool1D,
    GlobalAveragePool2D,
    GlobalMaxPool1D,
    GlobalMaxPool2D,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    Permute,
    Reshape,
    RMSNorm,
    RobustScale,
    SelfAttention,
    Standardize,
    Upsample1D,
    Upsample2D,
    ZeroPad1D,
    ZeroPad2D,
)

ACTIVATIONS: dict[str, Activation] = {
    "relu": ReLU(),
    "relu6": ReLU6(),
    "leaky_relu": LeakyReLU(0.2),
    "elu": ELU(),
    "selu": SELU(),
    "celu": CELU(),
    "gelu": GELU(),
    "silu": SiLU(),
    "swish": SiLU(),
    "mish": Mish(),
    "hard_silu": HardSwish(),
    "hard_swish": HardSwish(),
    "softplus": Softplus(),
    "softsign": Softsign(),
    "sigmoid": Sigmoid(),
    "hard_sigmoid": HardSigmoid(),
    "log_sigmoid": LogSigmoid(),
    "tanh": Tanh(),
    "hard_tanh": HardTanh(),
    "tanh_shrink": TanhShrink(),
    "soft_shrink": SoftShrink(),
    "hard_shrink": HardShrink(),
    "exponential": Exp(),
    "softmax": Softmax(),
    "log_softmax": LogSoftmax(),
    "sparsemax": Sparsemax(),
}
"""Activations by Keras' names, the first of which is written."""

LINEAR = (None, "linear")


class Field(NamedTuple):
    """A field that Keras has under another name, or as another value."""

    name: str
    here: Callable[[Any], Any] = lambda value: value
    there: Callable[[Any], Any] = lambda value: value


class Twin(NamedTuple):
    """A layer of ours and its class in Keras.

    Attributes:
        ours, theirs: the classes.
        fields: ours by name, as Keras has them.
        always: what Keras' fields must be for it to be the same layer.
        kernels: the fields of Keras that say how kernels are regularised.
    """

    ours: type[Layer]
    theirs: str
    fields: Mapping[str, Field]
    always: Mapping[str, tuple[Any, ...]] = {}
    kernels: tuple[str, ...] = ()


def _fields(names: str) -> dict[str, Field]:
    """Fields from "ours=theirs", or a name that both have."""
    pairs = (name.partition("=") for name in names.split())
    return {ours: Field(theirs or ours) for ours, _, theirs in pairs}


def _axes(names: str) -> dict[str, Field]:
    """Fields of a number for each axis; one where they are equal."""
    return {ours: Field(each.name, one) for ours, each in _fields(names).items()}


def one(value: Any) -> Any:
    """One number for all axes, and both ends, that have it."""
    numbers = set(np.ravel(value).tolist()) if isinstance(value, tuple) else set()
    return numbers.pop() if len(numbers) == 1 else value


WINDOW = _axes("kernel_size stride=strides dilation=dilation_rate") | _fields("padding bias=use_bias")
POOL = _axes("size=pool_size stride=strides") | _fields("padding")
FIRST_LAST = {"data_format": ("channels_last", None)}
LAST_AXIS = {"axis": (-1, [-1])}  # or the number of the last axis, which the reader knows
LEARNED = {"mean": (None,), "variance": (None,), "invert": (False,)}
CONVOLUTION = _fields("filters groups") | WINDOW
TRANSPOSED = _fields("filters") | WINDOW
SCALED = _fields("epsilon scale offset=center")
NONE_OR_ZERO = Field("recurrent_dropout", lambda rate: rate or None, lambda rate: rate or 0.0)
STEPS = _fields("units return_sequences reverse=go_backwards") | {"recurrent_dropout": NONE_OR_ZERO}
WHOLE = {"stateful": (False,), "return_state": (False,), "use_bias": (True, False)}
GATED = WHOLE | {"activation": ("tanh",), "recurrent_activation": ("sigmoid",)}
RECURRENT = ("kernel_regularizer", "recurrent_regularizer")
KERNEL = ("kernel_regularizer",)
ONE_MASK = {"noise_shape": (None,)}

TWINS = [
    Twin(Dense, "Dense", _fields("units bias=use_bias"), kernels=KERNEL),
    *(Twin(ours, ours.__name__, CONVOLUTION, FIRST_LAST, KERNEL) for ours in (Conv1D, Conv2D, Conv3D)),
    Twin(
        DepthwiseConv2D,
        "DepthwiseConv2D",
        WINDOW | _fields("multiplier=depth_multiplier"),
        FIRST_LAST,
        ("depthwise_regularizer",),
    ),
    *(
        Twin(ours, theirs, TRANSPOSED, FIRST_LAST | {"output_padding": (None,)}, KERNEL)
        for ours, theirs in ((ConvTranspose1D, "Conv1DTranspose"), (ConvTranspose2D, "Conv2DTranspose"))
    ),
    Twin(BatchNorm, "BatchNormalization", SCALED | _fields("momentum"), LAST_AXIS | {"renorm": (False,)}),
    *(Twin(ours, "Normalization", {}, LAST_AXIS | LEARNED) for ours in (Standardize, RobustScale)),
    Twin(LayerNorm, "LayerNormalization", SCALED, LAST_AXIS | {"rms_scaling": (False,)}),
    Twin(RMSNorm, "RMSNormalization", _fields("epsilon"), LAST_AXIS),
    Twin(InstanceNorm, "GroupNormalization", SCALED, LAST_AXIS | {"groups": (-1,)}),
    Twin(GroupNorm, "GroupNormalization", SCALED | _fields("groups"), LAST_AXIS),
    Twin(
        Embedding,
        "Embedding",
        _fields("vocabulary=input_dim units=output_dim")
        | {"padding_id": Field("mask_zero", lambda masked: 0 if masked else None, lambda id: id == 0)},
        {"lora_rank": (None,)},
    ),
    Twin(
        RNN,
        "SimpleRNN",
        STEPS | {"activation": Field("activation", ACTIVATIONS.get, lambda formula: name_of(formula))},
        WHOLE,
        RECURRENT,
    ),
    Twin(LSTM, "LSTM", STEPS, GATED, RECURRENT),
    Twin(GRU, "GRU", STEPS | _fields("reset_after"), GATED, RECURRENT),
    Twin(
        SelfAttention,
        "MultiHeadAttention",
        _fields("heads=num_heads key_size=key_dim value_size=value_dim bias=use_bias")
        | {"dropout": Field("dropout", lambda rate: rate or None, lambda rate: rate or 0.0)},
        {"output_shape": (None,), "use_gate": (False,), "sliding_window": (None,), "attention_axes": (None, [1])},
        KERNEL,
    ),
    *(
        Twin(ours, ours.__name__.replace("Pool", "Pooling"), POOL, FIRST_LAST)
        for ours in (MaxPool1D, MaxPool2D, MaxPool3D, AveragePool1D, AveragePool2D, AveragePool3D)
    ),
    *(
        Twin(ours, ours.__name__.replace("Pool", "Pooling"), {}, FIRST_LAST | {"keepdims": (False,)})
        for ours in (GlobalMaxPool1D, GlobalMaxPool2D, GlobalAveragePool1D, GlobalAveragePool2D)
    ),
    Twin(Flatten, "Flatten", {}, FIRST_LAST),
    Twin(Reshape, "Reshape", _fields("shape=target_shape")),
    Twin(Permute, "Permute", _fields("axes=dims")),
    Twin(Dropout, "Dropout", _fields("rate"), ONE_MASK),
    Twin(AlphaDropout, "AlphaDropout", _fields("rate"), ONE_MASK),
    Twin(GaussianDropout, "GaussianDropout", _fields("rate")),
    Twin(GaussianNoise, "GaussianNoise", _fields("stddev")),
    Twin(Flip, "RandomFlip", {}, {"mode": ("horizontal",)} | FIRST_LAST),
    Twin(Upsample1D, "UpSampling1D", _axes("size")),
    Twin(Upsample2D, "UpSampling2D", _axes("size") | _fields("interpolation"), FIRST_LAST),
    Twin(ZeroPad1D, "ZeroPadding1D", _axes("padding"), FIRST_LAST),
    Twin(ZeroPad2D, "ZeroPadding2D", _axes("padding"), FIRST_LAST),
    Twin(Crop1D, "Cropping1D", _axes("cropping"), FIRST_LAST),
    Twin(Crop2D, "Cropping2D", _axes("cropping"), FIRST_LAST),
    Twin(LeakyReLU, "LeakyReLU", _fields("slope=negative_slope")),
    Twin(ELU, "ELU", _fields("alpha")),
    Twin(PReLU, "PReLU", {}),
]
"""Pairs of classes; of two that share one of Keras', the first that fits is read."""


def name_of(activation: Any) -> str | None:
    """Keras' name of an activation; None where it has none."""
    return next((name for name, formula in ACTIVATIONS.items() if formula == activation), None)
