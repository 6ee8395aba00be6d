"""Convolution with unshared weights, as one batched product over the places of the window."""

import math

import jax
import jax.numpy as jnp

from chainrule.arrays.precision import exactly
from chainrule.kernels.dense import product
from chainrule.kernels.sharding import by_parts
from chainrule.kernels.window import Window


@exactly
def plain(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
    """The definition: at each place a sum over the window, with weights of that place's own.

    x is (batch, *axes, channels), the kernel (*places, *window, channels, filters).
    """
    rank = len(window.size)
    kernel = kernel.reshape(*kernel.shape[:rank], math.prod(window.size), *kernel.shape[-2:])
    taps = enumerate(window.taps(x))
    return sum(jnp.einsum("n...c,...cf->n...f", seen, kernel[..., cell, :, :]) for cell, seen in taps)  # type: ignore[return-value]


@by_parts("n*,*->n*")
def local(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
    """`plain`, as a product of each place's patches with its matrix."""
    places, filters = kernel.shape[: len(window.size)], kernel.shape[-1]
    patches = jnp.concatenate([jnp.moveaxis(seen, 0, -2) for seen in window.taps(x)], axis=-1)
    patches = patches.reshape(math.prod(places), *patches.shape[-2:])
    matrices = kernel.reshape(len(patches), patches.shape[-1], filters)
    y = product(patches, matrices)  # (place, batch, filter)
    return jnp.moveaxis(y, 0, 1).reshape(x.shape[0], *places, filters)
