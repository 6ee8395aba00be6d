"""Convolution and its gradients: the three ways to take the trilinear form ⟨y, x ∗ kernel⟩ apart.

The gradient by one of its three arguments is a product of the other two, so each of the three products has the other
two as its gradients. Images are (batch, height, width, channels), kernels (height, width, channels / groups, filters),
and likewise for one axis. On the CPU native kernels serve. Elsewhere all three are written as plain convolutions, since
XLA derives gradients in forms that run many times slower inside a loop (jax#12868).
"""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from chainrule.kernels import native
from chainrule.kernels.window import Window

AXES = {1: ("NHC", "HIO", "NHC"), 2: ("NHWC", "HWIO", "NHWC")}


def plain(x: jax.Array, kernel: jax.Array, window: Window, groups: int = 1) -> jax.Array:
    """The definition: each output is the sum over a window of the input times the kernel."""
    return lax.conv_general_dilated(
        x,
        kernel,
        window_strides=window.stride,
        padding=window.pads,
        rhs_dilation=window.dilation,
        feature_group_count=groups,
        dimension_numbers=AXES[len(window.size)],
    )


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def convolution(x: jax.Array, kernel: jax.Array, window: Window, groups: int = 1) -> jax.Array:
    """`plain`, faster, and with gradients that are as fast inside a compiled loop as outside."""
    return native.either(
        lambda x, kernel: _convolve(x, kernel, window, window.places(x.shape[1:-1]), groups),
        lambda x, kernel: plain(x, kernel, window, groups),
        *(x, kernel),
    )


@partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def input_gradient(dy: jax.Array, kernel: jax.Array, lengths: tuple, window: Window, groups: int) -> jax.Array:
    """∂/∂x for x with axes of these lengths: dy, spread out by the stride, convolved with the mirrored kernel."""
    by_phases = partial(_input_gradient_by_phases, lengths=lengths, window=window, groups=groups)
    spread_out = partial(_input_gradient_spread_out, lengths=lengths, window=window, groups=groups)
    strided_and_dilated = max(window.stride) > 1 and max(window.dilation) > 1
    return spread_out(dy, kernel) if strided_and_dilated else native.either(by_phases, spread_out, dy, kernel)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def kernel_gradient(x: jax.Array, dy: jax.Array, window: Window, groups: int) -> jax.Array:
    """∂/∂kernel: the input convolved with dy, which is as large as the output; the batch is what is summed over."""

    def by_products(x: jax.Array, dy: jax.Array) -> jax.Array:
        shape = (*window.size, x.shape[-1] // groups, dy.shape[-1])
        return _call("kernel_gradient", shape, x, dy, window, groups)

    plain = _kernel_gradient_by_taps if groups > 1 else _kernel_gradient_as_convolution
    return native.either(by_products, partial(plain, window=window, groups=groups), x, dy)


convolution.defvjp(
    lambda x, kernel, window, groups: (convolution(x, kernel, window, groups), (x, kernel)),
    lambda window, groups, saved, dy: (
        input_gradient(dy, saved[1], saved[0].shape[1:-1], window, groups),
        kernel_gradient(saved[0], dy, window, groups),
    ),
)
input_gradient.defvjp(
    lambda dy, kernel, lengths, window, groups: (input_gradient(dy, kernel, lengths, window, groups), (dy, kernel)),
    lambda lengths, window, groups, saved, x: (
        convolution(x, saved[1], window, groups),
        kernel_gradient(x, saved[0], window, groups),
    ),
)
kernel_gradient.defvjp(
    lambda x, dy, window, groups: (kernel_gradient(x, dy, window, groups), (x, dy)),
    lambda window, groups, saved, kernel: (
        input_gradient(saved[1], kernel, saved[0].shape[1:-1], window, groups),
        convolution(saved[0], kernel, window, groups),
    ),
)


def _convolve(x: jax.Array, kernel: jax.Array, window: Window, places: tuple[int, ...], groups: int) -> jax.Array:
    """The native convolution, at as many places as asked for: what lies outside of x is zero."""
    return _call("convolve", (x.shape[0], *places, kernel.shape[-1]), x, kernel, window, groups)


def _call(name: str, shape: tuple[int, ...], a: jax.Array, b: jax.Array, window: Window, groups: int) -> jax.Array:
    """A native kernel, which knows two axes: one axis is an image of one row."""
    if len(window.size) == 2:
        numbers = (*window.stride, *window.dilation, *(low for low, _ in window.pads))
        return native.call(name, shape, a, b, window=numbers, groups=groups)
    row = Window((1, *window.size), (1, *window.stride), (1, *window.dilation), ((0, 0), *window.pads))
    at = 0 if name == "kernel_gradient" else 1  # where the result's new axis of one row is
    a, b = jnp.expand_dims(a, 1), jnp.expand_dims(b, 1 if name == "kernel_gradient" else 0)
    return jnp.squeeze(_call(name, (*shape[:at], 1, *shape[at:]), a, b, row, groups), at)


def _mirrored(kernel: jax.Array, groups: int) -> jax.Array:
    """The kernel turned round on its axes, inputs and filters exchanged."""
    kernel = lax.rev(kernel, tuple(range(kernel.ndim - 2)))
    kernel = kernel.reshape(*kernel.shape[:-1], groups, kernel.shape[-1] // groups)
    return jnp.einsum("...igo->...ogi", kernel).reshape(*kernel.shape[:-3], kernel.shape[-1], -1)


def _input_gradient_by_phases(
    dy: jax.Array, kernel: jax.Array, lengths: tuple[int, ...], window: Window, groups: int
) -> jax.Array:
    """Places of x as far apart as the stride see the same cells of the kernel: one convolution of dy for them all."""
    firsts = [low // stride for (low, _), stride in zip(window.pads, window.stride, strict=True)]
    sides = zip(lengths, window.pads, window.stride, firsts, strict=True)
    blocks = tuple(-(-(length + low) // stride) - first for length, (low, _), stride, first in sides)
    phases = []
    for phase in itertools.product(*map(range, window.stride)):
        cells = kernel[tuple(slice(first, None, s) for first, s in zip(phase, window.stride, strict=True))]
        reach = [(n - 1) * d for n, d in zip(cells.shape, window.dilation, strict=False)]
        pads = tuple((far - first, 0) for far, first in zip(reach, firsts, strict=True))
        part = Window(cells.shape[:-2], (1,) * len(blocks), window.dilation, pads)
        seen = _convolve(dy, _mirrored(cells, groups), part, blocks, groups) if cells.size else None
        phases.append(jnp.zeros((dy.shape[0], *blocks, kernel.shape[-2] * groups), dy.dtype) if seen is None else seen)
    apart = jnp.stack(phases).reshape(
        *window.stride, *phases[0].shape
    )  # (phase of each axis, batch, *blocks, channels)
    rank = len(blocks)
    order = (rank, *(axis for own in range(rank) for axis in (rank + 1 + own, own)), 2 * rank + 1)
    whole = apart.transpose(order).reshape(
        dy.shape[0], *(n * s for n, s in zip(blocks, window.stride, strict=True)), -1
    )
    for axis, ((low, _), stride, length) in enumerate(zip(window.pads, window.stride, lengths, strict=True), start=1):
        whole = lax.slice_in_dim(whole, low % stride, low % stride + length, axis=axis)
    return whole


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


def _kernel_gradient_by_taps(x: jax.Array, dy: jax.Array, window: Window, groups: int) -> jax.Array:
    """The same for groups: for each place in the window one product of what it saw with dy."""
    apart = lambda array: array.reshape(*array.shape[:-1], groups, -1)  # noqa: E731
    taps = [jnp.einsum("n...gi,n...go->igo", apart(seen), apart(dy)) for seen in window.taps(x)]
    return jnp.stack(taps).reshape(*window.size, x.shape[-1] // groups, dy.shape[-1])
