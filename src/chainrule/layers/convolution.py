"""Convolution over one axis and two."""

import re
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from chainrule.arrays.dtypes import promoted
from chainrule.arrays.masked import filled
from chainrule.errors import ChainruleError
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
        if shape[-1] % self.groups or self.filters % self.groups:
            raise ChainruleError(
                f"{self!r}: expected channels and filters that {self.groups} groups divide, "
                f"got {shape[-1]} channels and {self.filters} filters. Choose groups that divide both."
            )
        return found

    def in_textbook(self):
        text = in_axes(self, self.rank, self.kernel_size, self.stride, self.padding, self.dilation)
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
