"""Convolution with the max pooling and the ReLU behind it, in one pass that writes only what they keep.

Both orders of pooling and ReLU are the same to the bit. Backwards, each gradient goes to the one place that held the
largest value; the zeros at all others are never written either.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from chainrule.functions import relu
from chainrule.kernels import native
from chainrule.kernels.convolution import (
    Kept,
    convolution,
    convolve,
    has_phases,
    input_gradient,
    input_gradient_by_phases,
    kernel_gradient,
    sum_of_products,
)
from chainrule.kernels.pooling import given_back, largest_of_taps
from chainrule.kernels.window import Window

Size = tuple[int, ...]


@partial(jax.custom_vjp, nondiff_argnums=(3, 4, 5))
def pooled_convolution(
    x: jax.Array, kernel: jax.Array, bias: jax.Array, window: Window, size: Size, rectified: bool
) -> jax.Array:
    """The largest of each `size` places of `convolution`, side by side, and its ReLU where it is rectified."""
    return _with_cell(x, kernel, bias, window, size, rectified)[0]


def _forward(
    x: jax.Array, kernel: jax.Array, bias: jax.Array, window: Window, size: Size, rectified: bool
) -> tuple[jax.Array, Any]:
    y, cell = _with_cell(x, kernel, bias, window, size, rectified)
    return y, (x, kernel, cell)


def _backward(window: Window, size: Size, rectified: bool, saved: Any, dy: jax.Array) -> Any:
    x, kernel, cell = saved
    lengths = x.shape[1:-1]
    whole = lambda dy, cell: given_back(dy, cell, window.places(lengths), _beside(size))  # noqa: E731
    by_input = lambda dy, cell, kernel: input_gradient(whole(dy, cell), kernel, lengths, window, 1)  # noqa: E731
    if has_phases(window):
        by_phases = lambda dy, cell, k: input_gradient_by_phases(Kept(dy, cell, size), k, lengths, window)  # noqa: E731
        by_input = _either(by_phases, by_input)
    by_kernel = _either(
        lambda dy, cell, x: sum_of_products(x, Kept(dy, cell, size), window),
        lambda dy, cell, x: kernel_gradient(x, whole(dy, cell), window, 1),
    )
    return by_input(dy, cell, kernel), *by_kernel(dy, cell, x)


pooled_convolution.defvjp(_forward, _backward)


def _with_cell(
    x: jax.Array, kernel: jax.Array, bias: jax.Array, window: Window, size: Size, rectified: bool
) -> tuple[jax.Array, jax.Array]:
    """The value, and the number of the cell that has its gradient."""

    def natively(x: jax.Array, kernel: jax.Array, bias: jax.Array) -> tuple[jax.Array, jax.Array]:
        return convolve(x, kernel, bias, window, window.places(x.shape[1:-1]), keep=size, rectified=rectified)[:2]

    def one_by_one(x: jax.Array, kernel: jax.Array, bias: jax.Array) -> tuple[jax.Array, jax.Array]:
        y, cell = largest_of_taps(convolution(x, kernel, bias, window), _beside(size))
        cell = cell.astype(jnp.uint8)
        return (relu(y), jnp.where(y > 0, cell, jnp.uint8(math.prod(size)))) if rectified else (y, cell)

    return _either(natively, one_by_one)(x, kernel, bias)


def _beside(size: Size) -> Window:
    return Window(size, size, (1,) * len(size), ((0, 0),) * len(size))


def _either(natively: Callable, plainly: Callable) -> Callable:
    """Either form, with the gradient of the plain one."""
    chosen = jax.custom_vjp(partial(native.either, natively, plainly, also=jnp.uint8))
    chosen.defvjp(lambda *arrays: (chosen(*arrays), arrays), lambda arrays, slope: jax.vjp(plainly, *arrays)[1](slope))
    return chosen
