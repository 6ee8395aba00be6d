"""Locally connected layers: convolution with unshared weights."""

from typing import ClassVar

from chainrule.arrays.dtypes import of_axes, promoted
from chainrule.formula.constraints import positive_int
from chainrule.formula.layer import Layer, Parameter
from chainrule.initializers import GlorotUniform, Initializer, Zeros, each_place
from chainrule.kernels.local import local
from chainrule.kernels.window import Window
from chainrule.layers.windows import Axes, Padding, abstract, in_axes, padding, per_axis, window


class LocallyConnected(Layer):
    """A window that moves over the input, with weights of its own at each place.

    The kernel is (*places, *window, channels, filters), the bias (*places, filters).
    """

    filters: int = positive_int(meaning="the number of output channels")
    kernel_size: Axes = per_axis(meaning="the window's size, one number or one for each axis")
    stride: Axes = per_axis(1, "how far the window moves from place to place")
    padding: Padding = padding()
    bias: bool = True
    kernel_initializer: Initializer = GlorotUniform()
    bias_initializer: Initializer = Zeros()

    rank: ClassVar[int] = abstract()
    """How many axes the window moves over."""

    def window(self, shape: tuple[int, ...]) -> Window:
        """The window over examples of this shape; refused where it does not fit."""
        return window(self, shape, self.rank, self.kernel_size, self.stride, self.padding)

    def in_textbook(self):
        return in_axes(self, self.rank, self.kernel_size, self.stride, self.padding)

    def output_shape(self, shape):
        return (*self.window(shape).places(shape[:-1]), self.filters)

    def parameters(self, shape):
        *places, filters = self.output_shape(shape)
        kernel_shape = (*places, *self.window(shape).size, shape[-1], filters)
        kernel = Parameter(kernel_shape, each_place(self.kernel_initializer, self.rank), True, self.rank)
        return {"kernel": kernel} | (
            {"bias": Parameter((*places, filters), self.bias_initializer)} if self.bias else {}
        )

    def forward(self, p, x):
        x, p = promoted(x, p)
        y = local(x, p["kernel"], self.window(x.shape[1:]))
        return y + of_axes(p["bias"], y) if self.bias else y


class LocallyConnected1D(LocallyConnected):
    """Convolution over time with unshared weights: (time, features) → (places, filters).

    Reference: LeCun, 1989, Generalization and network design strategies.

    >>> LocallyConnected1D(8, 3).output_shape((100, 6))
    (98, 8)
    """

    rank = 1
    textbook = "y[t, f] = sum(kernel[t, k, c, f] * x[stride * t + k - pad, c] for k, c) + bias[t, f]"


class LocallyConnected2D(LocallyConnected):
    """Convolution over images with unshared weights: (height, width, channels) → (rows, columns, filters).

    Reference: LeCun, 1989, Generalization and network design strategies.

    >>> LocallyConnected2D(8, 3).output_shape((8, 8, 1))
    (6, 6, 8)
    """

    rank = 2
    textbook = (
        "y[i, j, f] = sum(kernel[i, j, k, l, c, f] * x[stride * i + k - pad, stride * j + l - pad, c] for k, l, c) "
        "+ bias[i, j, f]"
    )
