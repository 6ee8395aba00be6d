"""Convolution with both gradients written as plain convolutions.

XLA derives them in forms that its CPU backend runs many times slower inside a loop (jax#12868). Images are
(batch, height, width, channels), kernels (height, width, channels / groups, filters), and likewise for one axis.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

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
    """`plain`, with gradients that are as fast inside a compiled loop as outside."""
    return plain(x, kernel, window, groups)


def _forward(x: jax.Array, kernel: jax.Array, window: Window, groups: int) -> tuple:
    return plain(x, kernel, window, groups), (x, kernel)


def _backward(window: Window, groups: int, saved: tuple, dy: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, kernel = saved
    return input_gradient(dy, kernel, x.shape, window, groups), kernel_gradient(x, dy, window, groups)


convolution.defvjp(_forward, _backward)


def input_gradient(dy: jax.Array, kernel: jax.Array, shape: tuple[int, ...], window: Window, groups: int) -> jax.Array:
    """∂/∂x: dy, spread out by the stride, convolved with the mirrored kernel, inputs and filters exchanged."""
    spatial = tuple(range(len(window.size)))
    reach = [(size - 1) * d for size, d in zip(window.size, window.dilation, strict=True)]
    pads = []
    for axis in spatial:
        spread = (dy.shape[axis + 1] - 1) * window.stride[axis] + 1
        low = reach[axis] - window.pads[axis][0]
        pads.append((low, shape[axis + 1] + reach[axis] - spread - low))
    mirrored = lax.rev(kernel, spatial)
    inputs, filters = kernel.shape[-2], kernel.shape[-1] // groups
    mirrored = mirrored.reshape(*window.size, inputs, groups, filters)
    exchanged = jnp.einsum("...igo->...ogi", mirrored).reshape(*window.size, filters, groups * inputs)
    return lax.conv_general_dilated(
        dy,
        exchanged,
        window_strides=(1,) * len(spatial),
        padding=pads,
        lhs_dilation=window.stride,
        rhs_dilation=window.dilation,
        feature_group_count=groups,
        dimension_numbers=AXES[len(spatial)],
    )


def kernel_gradient(x: jax.Array, dy: jax.Array, window: Window, groups: int) -> jax.Array:
    """∂/∂kernel: the input convolved with dy, which is as large as the output; the batch is what is summed over."""
    if groups > 1:
        return _kernel_gradient_by_taps(x, dy, window, groups)
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
