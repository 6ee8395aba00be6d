"""Pooling: windows made one value, and every s-th position kept."""

from typing import ClassVar

import jax
import jax.numpy as jnp

from chainrule.arrays.dtypes import lowest, real_type, wide_type, widened
from chainrule.arrays.masked import filled
from chainrule.errors import ChainruleError
from chainrule.formula.constraints import optional
from chainrule.formula.layer import INFERENCE, Layer
from chainrule.kernels.pooling import max_pool, mean_pool
from chainrule.kernels.window import Window
from chainrule.layers.windows import (
    KINDS,
    Axes,
    Padding,
    abstract,
    in_axes,
    over_time,
    padding,
    per_axis,
    reach_of,
    window,
)


class Pooling(Layer):
    """Each window of each channel made one value. With `dilation` its cells are apart, as in PyTorch's maxima."""

    size: Axes = per_axis(2, "the window's size, one number or one for each axis")
    stride: Axes | None = optional(per_axis(meaning="how far the window moves; None: its size, so that none overlap"))
    padding: Padding = padding()
    dilation: Axes = per_axis(1, "the distance between the window's cells")

    rank: ClassVar[int] = abstract()
    """How many axes the window moves over."""

    def window(self, shape: tuple[int, ...]) -> Window:
        """The window over examples of this shape; refused where it does not fit."""
        found = window(self, shape, self.rank, self.size, self.stride or self.size, self.padding, self.dilation)
        reach = reach_of(found.size, found.dilation)
        padded = any(max(pads) >= far for far, pads in zip(reach, found.pads, strict=True))
        if padded or not all(
            found.along(axis).inside(length).any(axis=0).all() for axis, length in enumerate(shape[:-1])
        ):
            raise ChainruleError(
                f"{self!r}: expected padding smaller than the window, {found.size}, got {self.padding}: "
                f'some windows would see nothing else. Choose "same".'
            )
        return found

    def in_textbook(self):
        return in_axes(self, self.rank, self.size, self.stride or self.size, self.padding, self.dilation)

    def output_shape(self, shape):
        return (*self.window(shape).places(shape[:-1]), shape[-1])


class _MaxPool(Pooling):
    def forward(self, p, x):
        return max_pool(x, self.window(x.shape[1:]))


class _AveragePool(Pooling):
    def forward(self, p, x):
        return mean_pool(widened(x), self.window(x.shape[1:])).astype(real_type(x))  # type: ignore[union-attr]


class MaxPool1D(_MaxPool):
    """The largest value of each window in time. Padding never counts; of equal values the first has the gradient.

    Reference: Zhou & Chellappa, 1988, Computation of optical flow using a neural network.

    >>> MaxPool1D(2).output_shape((100, 8))
    (50, 8)
    """

    rank = 1
    textbook = "y[t, c] = max(x[stride * t + dilation * k - pad, c] for k)"

    def output_mask(self, x, mask):
        return over_time(self, x, mask)

    def apply(self, p, state, x, context=INFERENCE):
        y = self.forward(p, filled(x, context.mask, lowest(x.dtype)))
        return _or_zero(self.output_mask(x, context.mask), y), state


class MaxPool2D(_MaxPool):
    """The largest value of each window of an image. Padding never counts; of equal values the first has the gradient.

    Reference: Zhou & Chellappa, 1988, Computation of optical flow using a neural network.

    >>> MaxPool2D(2).output_shape((28, 28, 32))
    (14, 14, 32)
    """

    rank = 2
    textbook = "y[i, j, c] = max(x[stride * i + dilation * k - pad, stride * j + dilation * l - pad, c] for k, l)"


class MaxPool3D(_MaxPool):
    """The largest value of each window of a volume. Padding never counts; of equal values the first has the gradient.

    Reference: Ji, Xu, Yang & Yu, 2013, 3D convolutional neural networks for human action recognition.

    >>> MaxPool3D(2).output_shape((16, 28, 28, 32))
    (8, 14, 14, 32)
    """

    rank = 3
    textbook = (
        "y[h, i, j, c] = max(x[stride * h + dilation * k - pad, stride * i + dilation * l - pad, "
        "stride * j + dilation * m - pad, c] for k, l, m)"
    )


class AveragePool1D(_AveragePool):
    """The mean of each window in time. Padding never counts, as in Keras; PyTorch counts it as zeros by default.

    Reference: LeCun, Bottou, Bengio & Haffner, 1998, Gradient-based learning applied to document recognition.

    >>> AveragePool1D(2).output_shape((100, 8))
    (50, 8)
    """

    rank = 1
    textbook = "y[t, c] = mean(x[stride * t + dilation * k - pad, c] for k)"

    def output_mask(self, x, mask):
        return over_time(self, x, mask)

    def apply(self, p, state, x, context=INFERENCE):
        if context.mask is None:
            return self.forward(p, x), state
        wide = wide_type(x)
        share = self.forward(p, context.mask[..., None].astype(wide))
        mean = self.forward(p, filled(x, context.mask).astype(wide)) / jnp.where(share > 0, share, 1)
        return _or_zero(self.output_mask(x, context.mask), mean).astype(real_type(x)), state


class AveragePool2D(_AveragePool):
    """The mean of each window of an image. Padding never counts, as in Keras; PyTorch counts it as zeros by default.

    Reference: LeCun, Bottou, Bengio & Haffner, 1998, Gradient-based learning applied to document recognition.

    >>> AveragePool2D(2).output_shape((28, 28, 32))
    (14, 14, 32)
    """

    rank = 2
    textbook = "y[i, j, c] = mean(x[stride * i + dilation * k - pad, stride * j + dilation * l - pad, c] for k, l)"


class AveragePool3D(_AveragePool):
    """The mean of each window of a volume. Padding never counts, as in Keras; PyTorch counts it as zeros by default.

    Reference: LeCun, Bottou, Bengio & Haffner, 1998, Gradient-based learning applied to document recognition.

    >>> AveragePool3D(2).output_shape((16, 28, 28, 32))
    (8, 14, 14, 32)
    """

    rank = 3
    textbook = (
        "y[h, i, j, c] = mean(x[stride * h + dilation * k - pad, stride * i + dilation * l - pad, "
        "stride * j + dilation * m - pad, c] for k, l, m)"
    )


class _Global(Layer):
    """Every place of each channel made one value."""

    rank: ClassVar[int] = abstract()
    """How many axes there are besides the channels."""

    def output_shape(self, shape):
        if len(shape) != self.rank + 1:
            raise self.refuse(KINDS[self.rank], shape, "Put it behind layers that keep these axes.")
        if 0 in shape[:-1]:
            raise self.refuse("at least one place", shape, "Leave examples without any out.")
        return shape[-1:]


class GlobalMaxPool1D(_Global):
    """The largest value over all time, (time, features) → (features,); of equal values all share the gradient.

    Reference: Collobert, Weston, Bottou, Karlen, Kavukcuoglu & Kuksa, 2011, Natural language processing (almost) from
    scratch.

    >>> GlobalMaxPool1D().output_shape((100, 8))
    (8,)
    """

    rank = 1
    textbook = "y[c] = max(x[:, c])"

    def output_mask(self, x, mask):
        return None

    def forward(self, p, x):
        self.output_shape(x.shape[1:])
        return x.max(axis=1)

    def apply(self, p, state, x, context=INFERENCE):
        seen = None if context.mask is None else context.mask.any(axis=1)
        return _or_zero(seen, self.forward(p, filled(x, context.mask, lowest(x.dtype)))), state


class GlobalMaxPool2D(_Global):
    """The largest value over the image, (height, width, channels) → (channels,).

    Reference: Oquab, Bottou, Laptev & Sivic, 2015, Is object localization for free?

    >>> GlobalMaxPool2D().output_shape((7, 7, 64))
    (64,)
    """

    rank = 2
    textbook = "y[c] = max(x[:, :, c])"

    def forward(self, p, x):
        self.output_shape(x.shape[1:])
        return x.max(axis=(1, 2))


class GlobalAveragePool1D(_Global):
    """The mean over all time, (time, features) → (features,).

    Reference: Lin, Chen & Yan, 2014, Network in network, arXiv:1312.4400.

    >>> GlobalAveragePool1D().output_shape((100, 8))
    (8,)
    """

    rank = 1
    textbook = "y[c] = mean(x[:, c])"

    def output_mask(self, x, mask):
        return None

    def forward(self, p, x):
        self.output_shape(x.shape[1:])
        return _mean(x, axis=1)

    def apply(self, p, state, x, context=INFERENCE):
        if context.mask is None:
            return self.forward(p, x), state
        wide = wide_type(x)
        steps = context.mask.sum(axis=1, keepdims=True, dtype=wide)
        mean = filled(x, context.mask).sum(axis=1, dtype=wide) / jnp.maximum(steps, 1)  # of no step at all 0
        return mean.astype(real_type(x)), state


class GlobalAveragePool2D(_Global):
    """The mean over the image, (height, width, channels) → (channels,).

    Reference: Lin, Chen & Yan, 2014, Network in network, arXiv:1312.4400.

    >>> GlobalAveragePool2D().output_shape((7, 7, 64))
    (64,)
    """

    rank = 2
    textbook = "y[c] = mean(x[:, :, c])"

    def forward(self, p, x):
        self.output_shape(x.shape[1:])
        return _mean(x, axis=(1, 2))


def _or_zero(live: jax.Array | None, values: jax.Array) -> jax.Array:
    """The values where there is something to see, which is everywhere without a mask; zeros elsewhere."""
    return values if live is None else jnp.where(live[..., None], values, jnp.zeros_like(values))


def _mean(x: jax.Array, axis: int | tuple[int, ...]) -> jax.Array:
    return x.mean(axis=axis, dtype=wide_type(x)).astype(real_type(x))


class _Stride(Layer):
    """Every s-th place kept, from the first."""

    stride: Axes = per_axis(2, "the distance between places that are kept")

    rank: ClassVar[int] = abstract()
    """How many axes are thinned."""

    def window(self, shape: tuple[int, ...]) -> Window:
        """A window of one cell."""
        return window(self, shape, self.rank, 1, self.stride)

    def in_textbook(self):
        return in_axes(self, self.rank, 1, self.stride)

    def output_shape(self, shape):
        return (*self.window(shape).places(shape[:-1]), shape[-1])

    def forward(self, p, x):
        return next(self.window(x.shape[1:]).taps(x))


class Stride1D(_Stride):
    """Every s-th step kept, from the first: (time, features) → (⌈time / s⌉, features).

    >>> Stride1D(3).output_shape((100, 8))
    (34, 8)
    """

    rank = 1
    textbook = "y[t, c] = x[stride * t, c]"

    def output_mask(self, x, mask):
        return None if mask is None else mask[:, :: self.window(x.shape[1:]).stride[0]]


class Stride2D(_Stride):
    """Every s-th row and column kept, from the first: (height, width, channels) → (⌈h / s⌉, ⌈w / s⌉, channels).

    >>> Stride2D(2).output_shape((7, 7, 3))
    (4, 4, 3)
    """

    rank = 2
    textbook = "y[i, j, c] = x[stride * i, stride * j, c]"
