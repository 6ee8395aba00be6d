"""Convolution with unshared weights, as one batched product over the places of the window."""

import math

import jax
import jax.numpy as jnp

from chainrule.kernels.window import Window


def plain(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
    """The definition: at each place a sum over the window, with weights of that place's own.

    x is (batch, *axes, channels), the kernel (*places, *window, channels, filters).
    """
    rank = len(window.size)
    kernel = kernel.reshape(*kernel.shape[:rank], math.prod(window.size), *kernel.shape[-2:])
    taps = enumerate(window.taps(x))
    return sum(jnp.einsum("n...c,...cf->n...f", seen, kernel[..., cell, :, :]) for cell, seen in taps)  # type: ignore[return-value]


def local(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
    """`plain`, as a product of each place's patch with its matrix."""
    places, filters = kernel.shape[: len(window.size)], kernel.shape[-1]
    patches = jnp.concatenate(list(window.taps(x)), axis=-1)
    patches = patches.reshape(x.shape[0], math.prod(places), patches.shape[-1])
    matrices = kernel.reshape(math.prod(places), patches.shape[-1], filters)
    product = jax.lax.dot_general(patches, matrices, (((2,), (1,)), ((1,), (0,))))  # (place, batch, filter)
    return jnp.moveaxis(product, 0, 1).reshape(x.shape[0], *places, filters)
