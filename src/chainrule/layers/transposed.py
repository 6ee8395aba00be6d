"""Transposed convolution: what a convolution gathers in windows, it spreads over them."""

from typing import Any

import jax.numpy as jnp

from chainrule.arrays.dtypes import promoted
from chainrule.arrays.masked import filled
from chainrule.errors import ChainruleError
from chainrule.formula.constraints import constrained
from chainrule.formula.layer import INFERENCE
from chainrule.kernels.convolution import transposed
from chainrule.kernels.window import Window
from chainrule.layers.convolution import Convolution
from chainrule.layers.windows import Axes, lengths_of, lengths_under, numbered, pads_of, reach_of, spread


def _further() -> Any:
    meaning = "places behind those that padding leaves, fewer than the stride: one number or one for each axis"

    def holds(v: Any) -> bool:
        each = v if isinstance(v, tuple) else (v,)
        return bool(each) and all(type(axis) is int and axis >= 0 for axis in each)

    return constrained(
        0, meaning, "a whole number >= 0, or one for each axis", holds, (-1, 1.5, True, (0, -1), "1", ())
    )


class TransposedConvolution(Convolution):
    """A window that moves over the output: each place of the input adds its channels, times the kernel, to all of it.

    It is the transpose of the linear map that a convolution with the same stride, padding and dilation is. x is 0 where
    it has no such place, as between two places.
    """

    output_padding: Axes = _further()

    @property
    def over_outputs(self) -> Window:
        """The window of the convolution of which it is the transpose; how it pads does not depend on lengths."""
        size, stride, dilation = (
            spread(self, axes, self.rank) for axes in (self.kernel_size, self.stride, self.dilation)
        )
        reach = reach_of(size, dilation)
        pads = pads_of(self, self.padding, stride, reach, stride)
        if self.padding == "causal":
            pads = ((0, max(reach[0] - stride[0], 0)),)  # so that no output sees a later step
        return Window(size, stride, dilation, pads)

    @property
    def beyond(self) -> tuple[int, ...]:
        """How many more outputs than strides there are along each axis."""
        window, further = self.over_outputs, spread(self, self.output_padding, self.rank)
        whole = self.padding in ("same", "causal")
        if any(more >= stride for more, stride in zip(further, window.stride, strict=True)) or (whole and any(further)):
            raise ChainruleError(
                f"{self!r}: expected output_padding smaller than the stride, and padding by numbers, got "
                f"{self.output_padding}. Put ZeroPad{self.rank}D behind it for more places."
            )
        each = zip(reach_of(window.size, window.dilation), window.stride, window.pads, further, strict=True)
        return tuple(0 if whole else reach - stride - sum(pads) + more for reach, stride, pads, more in each)

    def window(self, shape):
        lengths_of(self, shape, self.rank)
        self.check_groups(shape)
        return self.over_outputs

    def in_textbook(self):
        window = self.over_outputs
        lows = (low for low, _ in window.pads)
        return self.by_groups(numbered(self.textbook, stride=window.stride, dilation=window.dilation, pad=lows))

    def output_shape(self, shape):
        strides = self.window(shape).stride
        lengths = (n * stride + more for n, stride, more in zip(shape[:-1], strides, self.beyond, strict=True))
        found = (*lengths, self.filters)
        if min(found) < 1:
            raise self.refuse("more places than padding takes away", shape, "Choose a smaller padding.")
        return found

    def forward(self, p, x: Any) -> Any:
        x, p = promoted(x, p)
        *lengths, _ = self.output_shape(x.shape[1:])
        return transposed(x, *self.weights(p), tuple(lengths), self.window(x.shape[1:]), self.groups)


class ConvTranspose1D(TransposedConvolution):
    """Transposed convolution over time: (time, features) → (places, filters).

    n steps become (n − 1) · stride + dilation · (kernel_size − 1) + 1 places, from both ends of which padding takes
    away; "same" leaves n · stride of them, and "causal" the first ones, which see no later step. Where the kernel is
    smaller than the stride, Keras has further places behind the last. Of sequences of unequal length each has the
    places that it would have alone.

    The kernel is (kernel_size, channels / groups, filters), as that of a convolution is; Keras' has filters before
    channels, and PyTorch's weight is (channels, filters / groups, kernel_size).

    Reference: Zeiler, Krishnan, Taylor & Fergus, 2010, Deconvolutional networks; Dumoulin & Visin, 2016, A guide to
    convolution arithmetic for deep learning, arXiv:1603.07285.

    >>> ConvTranspose1D(8, 4, stride=2, padding="same").output_shape((50, 16))
    (100, 8)
    """

    rank = 1
    textbook = "y[t, f] = sum(kernel[k, c, f] * x[(t + pad - dilation * k) / stride, c] for k, c) + bias[f]"

    def output_mask(self, x, mask):
        if mask is None:
            return None
        (places, _), [stride], [beyond] = self.output_shape(x.shape[1:]), self.over_outputs.stride, self.beyond
        lengths = lengths_under(mask)
        return (jnp.arange(places)[None] < lengths * stride + beyond) & (lengths > 0)

    def apply(self, p, state, x, context=INFERENCE):
        return self.forward(p, filled(x, context.mask)), state


class ConvTranspose2D(TransposedConvolution):
    """Transposed convolution over images, or deconvolution: (height, width, channels) → (rows, columns, filters).

    n places of an axis become (n − 1) · stride + dilation · (kernel_size − 1) + 1, from both ends of which padding
    takes away; "same" leaves n · stride of them. Where the kernel is smaller than the stride, Keras has further places
    behind the last.

    The kernel is (*window, channels / groups, filters), as that of a convolution is; Keras' has filters before
    channels, and PyTorch's weight is (channels, filters / groups, *window).

    Reference: Zeiler, Krishnan, Taylor & Fergus, 2010, Deconvolutional networks; Dumoulin & Visin, 2016, A guide to
    convolution arithmetic for deep learning, arXiv:1603.07285.

    >>> ConvTranspose2D(8, 4, stride=2, padding="same").output_shape((7, 7, 16))
    (14, 14, 8)
    """

    rank = 2
    textbook = (
        "y[i, j, f] = sum(kernel[k, l, c, f] * x[(i + pad - dilation * k) / stride, (j + pad - dilation * l) / stride, "
        "c] for k, l, c) + bias[f]"
    )
