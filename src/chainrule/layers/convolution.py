"""Convolution over one, two and three axes."""

import re
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from chainrule.arrays.dtypes import promoted
from chainrule.arrays.masked import filled
from chainrule.errors import ChainruleError
from chainrule.formula.base import fields
from chainrule.formula.constraints import positive_int
from chainrule.formula.layer import INFERENCE, Layer, Parameter
from chainrule.initializers import GlorotUniform, Initializer, Zeros, each_group
from chainrule.kernels.convolution import convolution
from chainrule.kernels.window import Window
from chainrule.layers.windows import Axes, Padding, abstract, in_axes, over_time, padding, per_axis, window


class Convolution(Layer):
    """A window that moves over the input; the same weighted sums at each place.

    The kernel is (*window, channels / groups, filters), Keras' order; PyTorch's weight is
    (filters, channels / groups, *window): `weight.permute(2, 3, 1, 0)` carries it over. Each group's kernel is drawn
    as one of its own; Keras and PyTorch take the outputs of all groups for its fan_out.
    """

    filters: int = positive_int(meaning="the number of output channels")
    kernel_size: Axes = per_axis(meaning="the window's size, one number or one for each axis")
    stride: Axes = per_axis(1, "how far the window moves from place to place")
    padding: Padding = padding()
    dilation: Axes = per_axis(1, "the distance between the window's cells")
    groups: int = positive_int(1, "parts of the channels that see only themselves; as many as channels: depthwise")
    bias: bool = True
    kernel_initializer: Initializer = GlorotUniform()
    bias_initializer: Initializer = Zeros()

    rank: ClassVar[int] = abstract()
    """How many axes the window moves over."""

    def window(self, shape: tuple[int, ...]) -> Window:
        """The window over examples of this shape; refused where it does not fit."""
        found = window(self, shape, self.rank, self.kernel_size, self.stride, self.padding, self.dilation)
        self.check_groups(shape)
        return found

    def check_groups(self, shape: tuple[int, ...]) -> None:
        """Refuse groups that do not divide the channels of examples of this shape, or the filters."""
        if shape[-1] % self.groups or self.filters % self.groups:
            raise ChainruleError(
                f"{self!r}: expected channels and filters that {self.groups} groups divide, "
                f"got {shape[-1]} channels and {self.filters} filters. Choose groups that divide both."
            )

    def in_textbook(self):
        return self.by_groups(in_axes(self, self.rank, self.kernel_size, self.stride, self.padding, self.dilation))

    def by_groups(self, text: str) -> str:
        """A textbook form in which each filter sees the channels of its group alone."""
        if self.groups == 1:
            return text
        each = self.filters // self.groups  # n channels make so many filters
        group = f"floor(f / {each})" if each > 1 else "f"
        return re.sub(r"x\[(.*), c\]", rf"x[\1, n * {group} + c]", text)

    def output_shape(self, shape):
        return (*self.window(shape).places(shape[:-1]), self.filters)

    def parameters(self, shape):
        kernel_shape = (*self.window(shape).size, shape[-1] // self.groups, self.filters)
        kernel = Parameter(kernel_shape, each_group(self.kernel_initializer, self.groups), regularized=True)
        return {"kernel": kernel} | ({"bias": Parameter((self.filters,), self.bias_initializer)} if self.bias else {})

    def forward(self, p, x: Any) -> Any:
        x, p = promoted(x, p)
        return convolution(x, *self.weights(p), self.window(x.shape[1:]), self.groups)

    def weights(self, p: Any) -> tuple[jax.Array, jax.Array]:
        """The kernel and the bias, which is 0 where the layer has none."""
        return p["kernel"], p["bias"] if self.bias else jnp.zeros(self.filters, p["kernel"].dtype)


class Conv1D(Convolution):
    """Convolution over time: (time, features) → (places, filters).

    `padding="causal"` pads before the first step only, so that no output sees a later step.

    Reference: Waibel, Hanazawa, Hinton, Shikano & Lang, 1989, Phoneme recognition using time-delay neural networks.

    >>> Conv1D(8, 3, padding="same").output_shape((100, 6))
    (100, 8)
    """

    rank = 1
    textbook = "y[t, f] = sum(kernel[k, c, f] * x[stride * t + dilation * k - pad, c] for k, c) + bias[f]"

    def output_mask(self, x, mask):
        return over_time(self, x, mask)

    def apply(self, p, state, x, context=INFERENCE):
        return self.forward(p, filled(x, context.mask)), state


class Conv2D(Convolution):
    """Convolution over images: (height, width, channels) → (rows, columns, filters).

    Reference: LeCun, Boser, Denker, Henderson, Howard, Hubbard & Jackel, 1989, Backpropagation applied to handwritten
    zip code recognition.

    >>> Conv2D(32, 3).output_shape((28, 28, 1))
    (26, 26, 32)
    """

    rank = 2
    textbook = (
        "y[i, j, f] = sum(kernel[k, l, c, f] * x[stride * i + dilation * k - pad, stride * j + dilation * l - pad, c] "
        "for k, l, c) + bias[f]"
    )


class Conv3D(Convolution):
    """Convolution over volumes, or images in time: (depth, height, width, channels) → (layers, rows, columns, filters).

    PyTorch's weight is carried over by `weight.permute(2, 3, 4, 1, 0)`.

    Reference: Ji, Xu, Yang & Yu, 2013, 3D convolutional neural networks for human action recognition.

    >>> Conv3D(8, 3).output_shape((16, 28, 28, 1))
    (14, 26, 26, 8)
    """

    rank = 3
    textbook = (
        "y[h, i, j, f] = sum(kernel[k, l, m, c, f] * x[stride * h + dilation * k - pad, stride * i + dilation * l - "
        "pad, stride * j + dilation * m - pad, c] for k, l, m, c) + bias[f]"
    )


class DepthwiseConv2D(Layer):
    """Convolution of each channel by itself: (height, width, channels) → (rows, columns, multiplier · channels).

    It is `Conv2D(multiplier * channels, kernel_size, groups=channels)`, for as many channels as there are; those of
    channel c are the filters from multiplier · c on. With a convolution of single places behind it, which mixes the
    channels, it is a depthwise separable one: `DepthwiseConv2D(3, bias=False) >> Conv2D(64, 1)` is SeparableConv2D of
    Keras. Keras' kernel is (*window, channels, multiplier), the last two axes of which are made one here.

    Reference: Sifre & Mallat, 2014, Rigid-motion scattering for texture classification, arXiv:1403.1687; Chollet, 2017,
    Xception: deep learning with depthwise separable convolutions, arXiv:1610.02357.

    >>> (DepthwiseConv2D(3) >> Conv2D(64, 1)).output_shape((28, 28, 16))
    (26, 26, 64)
    """

    kernel_size: Axes = per_axis(meaning="the window's size, one number or one for each axis")
    stride: Axes = per_axis(1, "how far the window moves from place to place")
    padding: Padding = padding()
    dilation: Axes = per_axis(1, "the distance between the window's cells")
    multiplier: int = positive_int(1, "how many filters each channel has")
    bias: bool = True
    kernel_initializer: Initializer = GlorotUniform()
    bias_initializer: Initializer = Zeros()
    textbook = (
        "y[i, j, f] = sum(kernel[k, l, 0, f] * x[stride * i + dilation * k - pad, stride * j + dilation * l - pad, "
        "floor(f / multiplier)] for k, l) + bias[f]"
    )

    def in_textbook(self):
        text = in_axes(self, 2, self.kernel_size, self.stride, self.padding, self.dilation)
        return text if self.multiplier > 1 else text.replace("floor(f / multiplier)", "f")

    def window(self, shape: tuple[int, ...]) -> Window:
        """The window over examples of this shape; refused where it does not fit."""
        return window(self, shape, 2, self.kernel_size, self.stride, self.padding, self.dilation)

    def output_shape(self, shape):
        return (*self.window(shape).places(shape[:-1]), self.multiplier * shape[-1])

    def parameters(self, shape):
        self.window(shape)
        return self._grouped(shape[-1]).parameters(shape)

    def forward(self, p, x: Any) -> Any:
        self.window(x.shape[1:])
        return self._grouped(x.shape[-1]).forward(p, x)

    def _grouped(self, channels: int) -> Conv2D:
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        return Conv2D(own.pop("multiplier") * channels, groups=channels, **own)
