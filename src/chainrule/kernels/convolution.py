"""Convolution with a bias and its gradients: the ways to take the form ⟨y, x ∗ kernel + bias⟩ apart.

The gradient by one of x, kernel and y is a product of the other two, so each of the three products has the other two as
its gradients; the bias goes with the kernel. Images are (batch, height, width, channels), kernels (height, width,
channels / groups, filters), and likewise for one axis and for three. On the CPU native kernels serve. Elsewhere all
three are written as plain convolutions, since XLA derives gradients in forms that run many times slower inside a loop
(jax#12868).
"""

import math
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from chainrule.arrays.dtypes import of_axes
from chainrule.arrays.precision import exactly
from chainrule.kernels import native
from chainrule.kernels.derivatives import differentiable, linear, with_zeros
from chainrule.kernels.sharding import by_parts
from chainrule.kernels.window import Window

AXES = {1: ("NHC", "HIO", "NHC"), 2: ("NHWC", "HWIO", "NHWC"), 3: ("NDHWC", "DHWIO", "NDHWC")}


class Kept(NamedTuple):
    """Images, (batch, *lengths, channels), of which max pooling has kept something; the rest of them is zero."""

    values: jax.Array
    """The largest of each `size` pixels."""
    cell: jax.Array
    """Which of these pixels held it; empty where all pixels are kept."""
    size: tuple[int, ...]


@exactly
def plain(x: jax.Array, kernel: jax.Array, bias: jax.Array | int, window: Window, groups: int = 1) -> jax.Array:
    """The definition: each output is the sum over a window of the input times the kernel, and the bias."""
    product = lax.conv_general_dilated(
        x,
        kernel,
        window_strides=window.stride,
        padding=window.pads,
        rhs_dilation=window.dilation,
        feature_group_count=groups,
        dimension_numbers=AXES[len(window.size)],
    )
    return product + of_axes(bias, product)


@by_parts("n*,*,*->n*")
def convolution(x: jax.Array, kernel: jax.Array, bias: jax.Array, window: Window, groups: int = 1) -> jax.Array:
    """`plain`, faster, and with gradients that are as fast inside a compiled loop as outside."""
    places = window.places(x.shape[1:-1])
    if 0 in (x.size, kernel.size, *places):
        return plain(x, kernel, bias, window, groups)

    def natively(x, kernel, bias):
        return convolve(x, kernel, bias, window, places, groups).values

    form = partial(native.either, natively, partial(plain, window=window, groups=groups))
    return differentiable(form, partial(_convolution_change, window, groups), x, kernel, bias)


@by_parts("n*,*,*->n*")
def transposed(
    x: jax.Array, kernel: jax.Array, bias: jax.Array, lengths: tuple[int, ...], window: Window, groups: int = 1
) -> jax.Array:
    """The transpose of the convolution whose window moves over axes of these lengths, at as many places as x has.

    What a convolution gathers, it spreads: each value of x times the kernel, (*window, channels / groups, filters), is
    added to all that the window sees there.
    """
    turned = _exchanged(kernel, groups)
    spread_out = 0 in (x.size, kernel.size, *lengths)
    y = (_input_gradient_spread_out if spread_out else input_gradient)(x, turned, lengths, window, groups)
    return y + of_axes(bias, y)


def input_gradient(dy: jax.Array, kernel: jax.Array, lengths: tuple, window: Window, groups: int) -> jax.Array:
    """∂/∂x for x with axes of these lengths: dy, spread out by the stride, convolved with the mirrored kernel."""
    how = {"lengths": lengths, "window": window, "groups": groups}
    form = partial(_input_gradient_spread_out, **how)
    if has_phases(window):
        form = partial(native.either, partial(input_gradient_by_phases, **how), form)
    return differentiable(form, partial(_input_gradient_change, lengths, window, groups), dy, kernel)


def kernel_gradient(x: jax.Array, dy: jax.Array, window: Window, groups: int) -> tuple[jax.Array, jax.Array]:
    """∂/∂kernel: the input convolved with dy, which is as large as the output; and ∂/∂bias: dy summed over places."""
    by_taps = _kernel_gradient_by_taps if groups > 1 else _kernel_gradient_as_convolution

    def plain(x, dy):
        return (by_taps(x, dy, window, groups), dy.sum(range(dy.ndim - 1)))

    form = partial(native.either, partial(sum_of_products, window=window, groups=groups), plain)
    return differentiable(form, partial(_kernel_gradient_change, window, groups), x, dy)


def _convolution_change(window: Window, groups: int, arrays: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    def change(of: tuple, d: tuple) -> jax.Array:
        (x, kernel), (dx, d_kernel, d_bias) = of, d
        by_input = convolution(dx, kernel, no_bias(kernel), window, groups)
        return by_input + convolution(x, d_kernel, d_bias, window, groups)

    def gradient(of: tuple, dy: jax.Array) -> tuple:
        x, kernel = of
        return input_gradient(dy, kernel, x.shape[1:-1], window, groups), *kernel_gradient(x, dy, window, groups)

    y = convolution(*arrays, window=window, groups=groups)
    return y, linear(change, gradient, arrays[:2], with_zeros(tangents, arrays), like=y)


def _input_gradient_change(
    lengths: tuple, window: Window, groups: int, arrays: Any, tangents: Any
) -> tuple[jax.Array, jax.Array]:
    def change(of: tuple, d: tuple) -> jax.Array:
        (dy, kernel), (d_dy, d_kernel) = of, d
        by_dy = input_gradient(d_dy, kernel, lengths, window, groups)
        return by_dy + input_gradient(dy, d_kernel, lengths, window, groups)

    def gradient(of: tuple, x: jax.Array) -> tuple:
        dy, kernel = of
        return convolution(x, kernel, no_bias(kernel), window, groups), kernel_gradient(x, dy, window, groups)[0]

    dx = input_gradient(*arrays, lengths=lengths, window=window, groups=groups)
    return dx, linear(change, gradient, arrays, with_zeros(tangents, arrays), like=dx)


def _kernel_gradient_change(window: Window, groups: int, arrays: Any, tangents: Any) -> tuple[tuple, tuple]:
    def change(of: tuple, d: tuple) -> tuple:
        (x, dy), (dx, d_dy) = of, d
        by_kernel, by_bias = kernel_gradient(x, d_dy, window, groups)
        return by_kernel + kernel_gradient(dx, dy, window, groups)[0], by_bias  # which is a sum of dy alone

    def gradient(of: tuple, weights: tuple) -> tuple:
        (x, dy), (kernel, bias) = of, weights
        return input_gradient(dy, kernel, x.shape[1:-1], window, groups), convolution(x, kernel, bias, window, groups)

    both = kernel_gradient(*arrays, window=window, groups=groups)
    return both, linear(change, gradient, arrays, with_zeros(tangents, arrays), like=both)


def no_bias(kernel: jax.Array) -> jax.Array:
    """A zero for each of the kernel's filters."""
    return jnp.zeros(kernel.shape[-1], kernel.dtype)


def convolve(
    x: jax.Array | Kept,
    kernel: jax.Array,
    bias: jax.Array,
    window: Window,
    places: tuple[int, ...],
    groups: int = 1,
    keep: tuple[int, ...] | None = None,
    rectified: bool = False,
    alone: bool = False,
) -> Kept:
    """The native convolution, at as many places as asked for: what lies outside of x is zero.

    Of each `keep` places only the largest is kept, and of that its ReLU where it is rectified; `alone`: without its
    cell, which only a gradient needs.
    """
    x = _as_kept(x)
    if len(places) == 1:
        keep = None if keep is None else (1, *keep)
        kernel = jnp.expand_dims(kernel, 0)
        y = convolve(_as_image(x), kernel, bias, window.of_images, (1, *places), groups, keep, rectified, alone)
        return Kept(jnp.squeeze(y.values, 1), jnp.squeeze(y.cell, 1), y.size[1:])
    if len(places) == 3:
        cells = jnp.moveaxis(kernel, 0, -3)
        cells = cells.reshape(*cells.shape[:2], math.prod(cells.shape[2:4]), kernel.shape[-1])
        y = convolve(_as_images(x.values, window, places[0], groups), cells, bias, _behind(window), places[1:], groups)
        return _as_kept(y.values.reshape(len(x.values), *places, kernel.shape[-1]))
    size = keep or (1,) * len(places)
    shape = (len(x.values), *(n // s for n, s in zip(places, size, strict=True)), kernel.shape[-1])
    cell = jax.ShapeDtypeStruct(shape if keep and not alone else (0, 1, 0, 0), jnp.uint8)
    numbers: dict[str, Any] = {"window": window.numbers, "groups": groups, "kept": (*x.size, *size, int(rectified))}
    numbers["packed"] = 0
    arrays, rule = (x.values, x.cell, kernel, bias), "n*,n*,*,*->n*,n*"
    values, cell = native.call("convolve", (shape, cell), *arrays, rule=rule, **numbers)
    return Kept(values, cell, size)


def sum_of_products(x: jax.Array, dy: jax.Array | Kept, window: Window, groups: int = 1) -> tuple[jax.Array, jax.Array]:
    """The native gradients of kernel and bias."""
    dy = _as_kept(dy)
    if len(window.size) == 1:
        dk, db = sum_of_products(jnp.expand_dims(x, 1), _as_image(dy), window.of_images, groups)
        return jnp.squeeze(dk, 0), db
    if len(window.size) == 3:
        images, own = _as_images(x, window, dy.values.shape[1], groups), dy.values.reshape(-1, *dy.values.shape[2:])
        dk, db = sum_of_products(images, own, _behind(window), groups)
        dk = dk.reshape(*window.size[1:], window.size[0], x.shape[-1] // groups, dk.shape[-1])
        return jnp.moveaxis(dk, 2, 0), db
    shapes = (*window.size, x.shape[-1] // groups, dy.values.shape[-1]), dy.values.shape[-1:]
    numbers = {"window": window.numbers, "groups": groups, "kept": dy.size}
    return native.call("kernel_gradient", shapes, x, dy.values, dy.cell, rule="n*,n*,n*->*,*", **numbers)


def _as_kept(x: jax.Array | Kept) -> Kept:
    return x if isinstance(x, Kept) else Kept(x, jnp.zeros((0,) * x.ndim, jnp.uint8), (1,) * (x.ndim - 2))


def _as_image(x: Kept) -> Kept:
    """One axis as an image of one row."""
    return Kept(jnp.expand_dims(x.values, 1), jnp.expand_dims(x.cell, 1), (1, *x.size))


def _as_images(x: jax.Array, window: Window, places: int, groups: int) -> jax.Array:
    """Volumes as images, one for each place along the first axis, whose channels are what the cells along it see."""
    (batch, length, *image, channels), along = x.shape, window.along(0)
    reach = (places - 1) * along.stride + 1
    high = (along.size - 1) * along.dilation + reach - length - along.low
    ends = [(along.low, high, 0) if axis == 1 else (0, 0, 0) for axis in range(x.ndim)]
    padded, starts = lax.pad(x, jnp.zeros((), x.dtype), ends), [n * along.dilation for n in range(along.size)]
    seen = [lax.slice_in_dim(padded, start, start + reach, along.stride, axis=1) for start in starts]
    apart = [of.reshape(batch * places, *image, groups, channels // groups) for of in seen]
    return jnp.stack(apart, axis=-2).reshape(batch * places, *image, along.size * channels)


def _behind(window: Window) -> Window:
    """The window along all axes but the first."""
    return Window(window.size[1:], window.stride[1:], window.dilation[1:], window.pads[1:])


def _mirrored(kernel: jax.Array, groups: int) -> jax.Array:
    """The kernel turned round on its axes, inputs and filters exchanged."""
    return _exchanged(lax.rev(kernel, tuple(range(kernel.ndim - 2))), groups)


def _exchanged(kernel: jax.Array, groups: int) -> jax.Array:
    """The kernel with inputs and filters exchanged."""
    *cells, inputs, filters = kernel.shape
    kernel = kernel.reshape(*cells, inputs, groups, filters // groups)
    return jnp.einsum("...igo->...ogi", kernel).reshape(*cells, filters // groups, groups * inputs)


def has_phases(window: Window) -> bool:
    """Whether `input_gradient_by_phases` serves it."""
    return max(window.stride) == 1 or max(window.dilation) == 1


class Phases(NamedTuple):
    """Places of an axis of x that see as many cells of the kernel: those `first`, first + 1, … behind each stride."""

    first: int
    phases: int
    cells: int

    @staticmethod
    def of(size: int, stride: int) -> list["Phases"]:
        """Those that see some of so many cells, of which there are at most two kinds."""
        fewest, more = divmod(size, stride)
        both = Phases(0, more, fewest + 1), Phases(more, stride - more, fewest)
        return [kind for kind in both if kind.phases and kind.cells]

    def cut(self, kernel: jax.Array, axis: int, stride: int) -> jax.Array:
        """What they see of the kernel, with an axis of phases behind that of cells."""
        seen = lax.slice_in_dim(kernel, self.first, self.first + (self.cells - 1) * stride + self.phases, axis=axis)
        filled = jnp.pad(seen, [(0, stride - self.phases if own == axis else 0) for own in range(kernel.ndim)])
        apart = filled.reshape(*kernel.shape[:axis], self.cells, stride, *kernel.shape[axis + 1 :])
        return lax.slice_in_dim(apart, 0, self.phases, axis=axis + 1)


def input_gradient_by_phases(
    dy: jax.Array | Kept, kernel: jax.Array, lengths: tuple[int, ...], window: Window, groups: int = 1
) -> jax.Array:
    """Places of x as far apart as the stride see the same cells of the kernel: one convolution of dy for them all."""
    rank, channels = len(lengths), kernel.shape[-2]
    ends = [length + low for length, (low, _) in zip(lengths, window.pads, strict=True)]
    strides = [  # from one place to nowhere, any stride is as good as one to the end
        stride if places > 1 else min(stride, max(end, size))
        for stride, places, end, size in zip(window.stride, window.places(lengths), ends, window.size, strict=True)
    ]
    firsts = [low // stride for (low, _), stride in zip(window.pads, strides, strict=True)]
    blocks = [-(-end // stride) - first for end, stride, first in zip(ends, strides, firsts, strict=True)]

    def part(kinds: tuple[Phases, ...]) -> jax.Array:
        """That of some phases, which are filters of one convolution: (batch, a block and a phase an axis, channels)."""
        cells = kernel
        for axis, kind in enumerate(kinds):
            cells = kind.cut(cells, 2 * axis, strides[axis])
        cells = cells.transpose(*range(0, 2 * rank, 2), *range(1, 2 * rank, 2), 2 * rank, 2 * rank + 1)
        counts = [kind.phases for kind in kinds]
        cells = cells.reshape(*cells.shape[:rank], math.prod(counts) * channels, kernel.shape[-1])
        reach = [(kind.cells - 1) * dilation for kind, dilation in zip(kinds, window.dilation, strict=True)]
        pads = tuple((far - first, 0) for far, first in zip(reach, firsts, strict=True))
        own, mirrored = Window(cells.shape[:rank], (1,) * rank, window.dilation, pads), _mirrored(cells, groups)
        found = convolve(dy, mirrored, no_bias(mirrored), own, tuple(blocks), groups).values
        found = found.reshape(len(found), *blocks, groups, *counts, channels)
        by_turns = (of for axis in range(rank) for of in (1 + axis, 2 + rank + axis))
        found = found.transpose(0, *by_turns, 1 + rank, 2 + 2 * rank)
        return found.reshape(*found.shape[:-2], groups * channels)

    def whole(*kinds: Phases) -> jax.Array:
        """The same of all phases of the axes behind."""
        axis = len(kinds)
        if axis == rank:
            return part(kinds)
        own = Phases.of(window.size[axis], strides[axis])
        found = jnp.concatenate([whole(*kinds, kind) for kind in own], axis=2 + 2 * axis)
        unseen = strides[axis] - sum(kind.phases for kind in own)
        return jnp.pad(found, [(0, unseen if of == 2 + 2 * axis else 0) for of in range(found.ndim)])

    covered = [n * stride for n, stride in zip(blocks, strides, strict=True)]
    dx = whole()
    dx = dx.reshape(len(dx), *covered, groups * channels)
    for axis, ((low, _), stride, length) in enumerate(zip(window.pads, strides, lengths, strict=True), start=1):
        dx = lax.slice_in_dim(dx, low % stride, low % stride + length, axis=axis)
    return dx


@exactly
def _input_gradient_spread_out(
    dy: jax.Array, kernel: jax.Array, lengths: tuple[int, ...], window: Window, groups: int
) -> jax.Array:
    """The same for any stride, with zeros between the values of dy."""
    pads = []
    for axis, length in enumerate(lengths):
        reach = (window.size[axis] - 1) * window.dilation[axis]
        spread = (dy.shape[axis + 1] - 1) * window.stride[axis] + 1
        low = reach - window.pads[axis][0]
        pads.append((low, length + reach - spread - low))
    return lax.conv_general_dilated(
        dy,
        _mirrored(kernel, groups),
        window_strides=(1,) * len(lengths),
        padding=pads,
        lhs_dilation=window.stride,
        rhs_dilation=window.dilation,
        feature_group_count=groups,
        dimension_numbers=AXES[len(lengths)],
    )


@exactly
def _kernel_gradient_as_convolution(x: jax.Array, dy: jax.Array, window: Window, groups: int) -> jax.Array:
    """The input convolved with dy, batch and channels exchanged, in XLA's canonical form."""
    rank = len(window.size)
    image, filters = jnp.swapaxes(x, 0, -1), jnp.moveaxis(dy, 0, -2)  # (I, …, N) and (…, N, O)
    pads = []
    for axis in range(rank):
        low = window.pads[axis][0]
        reach = (dy.shape[axis + 1] - 1) * window.stride[axis] + (window.size[axis] - 1) * window.dilation[axis] + 1
        pads.append((low, reach - x.shape[axis + 1] - low))
    gradient = lax.conv_general_dilated(
        image,
        filters,
        window_strides=window.dilation,
        padding=pads,
        rhs_dilation=window.stride,
        dimension_numbers=AXES[rank],
    )
    return jnp.moveaxis(gradient, 0, -2)


@exactly
def _kernel_gradient_by_taps(x: jax.Array, dy: jax.Array, window: Window, groups: int) -> jax.Array:
    """The same for groups: for each place in the window one product of what it saw with dy."""

    def apart(array):
        return array.reshape(*array.shape[:-1], groups, array.shape[-1] // groups)

    taps = [jnp.einsum("n...gi,n...go->igo", apart(seen), apart(dy)) for seen in window.taps(x)]
    return jnp.stack(taps).reshape(*window.size, x.shape[-1] // groups, dy.shape[-1])
