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

from chainrule.arrays.functions import relu
from chainrule.kernels import native
from chainrule.kernels.convolution import (
    Kept,
    convolution,
    convolve,
    has_phases,
    input_gradient,
    input_gradient_by_phases,
    kernel_gradient,
    no_bias,
    sum_of_products,
)
from chainrule.kernels.derivatives import differentiable, differentiated_as, linear, with_zeros
from chainrule.kernels.pooling import given_back, held, largest, max_pool
from chainrule.kernels.sharding import by_parts
from chainrule.kernels.window import Window

Size = tuple[int, ...]


@by_parts("n*,*,*->n*")
def pooled_convolution(
    x: jax.Array, kernel: jax.Array, bias: jax.Array, window: Window, size: Size, rectified: bool
) -> jax.Array:
    """The largest of each `size` places of `convolution`, side by side, and its ReLU where it is rectified."""
    places = window.places(x.shape[1:-1])
    if 0 in (x.size, kernel.size, *_beside(size).places(places)):
        y = max_pool(convolution(x, kernel, bias, window), _beside(size))
        return relu(y) if rectified else y

    def natively(x: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
        return convolve(x, kernel, bias, window, places, keep=size, rectified=rectified, alone=True).values

    def plain(*arrays: jax.Array) -> jax.Array:
        return _one_by_one(window, size, rectified, *arrays)[0]

    def change(arrays: tuple, tangents: tuple) -> tuple[jax.Array, jax.Array]:
        (y, _), (dy, _) = _change(window, size, rectified, arrays, tangents)
        return y, dy

    return differentiable(partial(native.either, natively, plain), change, x, kernel, bias)


def _one_by_one(
    window: Window, size: Size, rectified: bool, x: jax.Array, kernel: jax.Array, bias: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The value and its cell, where no kernel has all in one."""
    y, cell = largest(convolution(x, kernel, bias, window), _beside(size))
    cell = cell.astype(jnp.uint8)
    return (relu(y), jnp.where(y > 0, cell, jnp.uint8(math.prod(size)))) if rectified else (y, cell)


def _with_cell(
    window: Window, size: Size, rectified: bool, x: jax.Array, kernel: jax.Array, bias: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The value, and the number of the cell that has its gradient."""

    def natively(x: jax.Array, kernel: jax.Array, bias: jax.Array) -> tuple[jax.Array, jax.Array]:
        return convolve(x, kernel, bias, window, window.places(x.shape[1:-1]), keep=size, rectified=rectified)[:2]

    form = partial(native.either, natively, partial(_one_by_one, window, size, rectified))
    return differentiable(form, partial(_change, window, size, rectified), x, kernel, bias)


def _change(window: Window, size: Size, rectified: bool, arrays: Any, tangents: Any) -> tuple[tuple, tuple]:
    y, cell = _with_cell(window, size, rectified, *arrays)

    def change(of: tuple, d: tuple) -> jax.Array:
        (x, kernel, cell), (dx, d_kernel, d_bias) = of, d
        by_input = convolution(dx, kernel, no_bias(kernel), window)
        return held(cell, by_input + convolution(x, d_kernel, d_bias, window), _beside(size))

    def gradient(of: tuple, dy: jax.Array) -> tuple:
        x, kernel, cell = of
        lengths = x.shape[1:-1]

        def whole(dy, cell):
            return given_back(dy, cell, window.places(lengths), _beside(size))

        def by_input(dy, cell, kernel):
            return input_gradient(whole(dy, cell), kernel, lengths, window, 1)

        def by_weights(dy, cell, x):
            return kernel_gradient(x, whole(dy, cell), window, 1)

        def by_phases(dy, cell, k):
            return input_gradient_by_phases(Kept(dy, cell, size), k, lengths, window)

        def of_products(dy, cell, x):
            return sum_of_products(x, Kept(dy, cell, size), window)

        dx = _either(by_phases if has_phases(window) else by_input, by_input, dy, cell, kernel)
        return dx, *_either(of_products, by_weights, dy, cell, x)

    dy = linear(change, gradient, (*arrays[:2], cell), with_zeros(tangents, arrays), like=y)
    return (y, cell), (dy, None)


def _beside(size: Size) -> Window:
    return Window(size, size, (1,) * len(size), ((0, 0),) * len(size))


def _either(natively: Callable, plain: Callable, *arrays: jax.Array) -> Any:
    """Either form, with the derivatives of the plain one."""
    return differentiated_as(plain, partial(native.either, natively, plain, also=jnp.uint8), *arrays)
