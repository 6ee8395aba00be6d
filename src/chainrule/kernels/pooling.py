"""Pooling over windows, by comparing what each cell of the window sees: elementwise work, which XLA fuses.

For the maximum native kernels serve on the CPU, since XLA compares again for each cell that has the gradient. The
derived gradient of XLA's own windows searches each window again, one value at a time.
"""

import math
from collections.abc import Callable, Iterable
from functools import partial, reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from chainrule.kernels import native
from chainrule.kernels.window import Window


def plain_max(x: jax.Array, window: Window) -> jax.Array:
    """The definition: the largest value in each window; padding never counts."""
    return _reduce(x, -np.inf, lax.max, window)


def plain_mean(x: jax.Array, window: Window) -> jax.Array:
    """The definition: the mean of each window's values; padding never counts."""
    return _reduce(x, 0, lax.add, window) / _reduce(jnp.ones((1, *x.shape[1:-1], 1), x.dtype), 0, lax.add, window)


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def max_pool(x: jax.Array, window: Window) -> jax.Array:
    """`plain_max`; of equal values in a window, the first has the gradient."""
    return _largest(x, window)[0]


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def mean_pool(x: jax.Array, window: Window) -> jax.Array:
    """`plain_mean`."""
    return _sum(window.taps(x)) / _counts(x, window)


def _max_backward(window: Window, saved: Any, dy: jax.Array) -> tuple[jax.Array]:
    cell, x = saved
    by_taps = partial(given_back, lengths=x.shape[1:-1], window=window)
    return (_either("max_pool_gradient", by_taps, window, dy, cell),)


def _mean_backward(window: Window, x: jax.Array, dy: jax.Array) -> tuple[jax.Array]:
    return (given_back(dy / _counts(x, window), None, x.shape[1:-1], window),)


def _with_cell(x: jax.Array, window: Window) -> tuple[jax.Array, Any]:
    value, cell = _largest(x, window)
    return value, (cell, x[:0])  # of x only its shape and type are needed


max_pool.defvjp(_with_cell, _max_backward)
mean_pool.defvjp(lambda x, window: (mean_pool(x, window), x[:0]), _mean_backward)


def _largest(x: jax.Array, window: Window) -> tuple[jax.Array, jax.Array]:
    """The largest value of each window, NaN before all, and the number of the first cell that holds it."""
    return _either("max_pool", partial(largest_of_taps, window=window), window, x)


def largest_of_taps(x: jax.Array, window: Window) -> tuple[jax.Array, jax.Array]:
    """The largest value of each window, NaN before all, and the number of the first cell that holds it."""
    inside = list(window.taps(jnp.ones((1, *x.shape[1:-1], 1), bool), fill=False))
    first, *rest = window.taps(x, fill=-np.inf)
    cell = jnp.argmax(jnp.stack(inside), axis=0).astype(np.min_scalar_type(len(rest)))  # the first that is not padding
    value, cell = first, jnp.broadcast_to(cell, first.shape)
    for number, seen in enumerate(rest, start=1):
        larger = ~((seen <= value) | jnp.isnan(value))
        value, cell = jnp.where(larger, seen, value), jnp.where(larger, number, cell)
    return value, cell


def given_back(dy: jax.Array, cell: jax.Array | None, lengths: tuple[int, ...], window: Window) -> jax.Array:
    """The gradient of each place given back to the one cell that it came from, or to all of its cells."""
    if not window.side_by_side:
        parts = (dy if cell is None else jnp.where(cell == number, dy, 0) for number in range(math.prod(window.size)))
        return _sum(window.untap(part, at, lengths) for part, at in zip(parts, window.cells(), strict=True))
    behind = tuple(range(2, 2 * len(window.size) + 1, 2))  # behind the axis of places one of cells: (n, h, 2, w, 2, c)
    cells = np.arange(math.prod(window.size)).reshape(1, *(n for size in window.size for n in (1, size)), 1)
    own = np.ones_like(cells, bool) if cell is None else jnp.expand_dims(cell, behind) == cells
    blocks = jnp.where(own, jnp.expand_dims(dy, behind), 0)
    covered = [places * size for places, size in zip(dy.shape[1:-1], window.size, strict=True)]
    rest = [(0, length - known) for length, known in zip(lengths, covered, strict=True)]
    return jnp.pad(blocks.reshape(dy.shape[0], *covered, dy.shape[-1]), [(0, 0), *rest, (0, 0)])


def _counts(x: jax.Array, window: Window) -> jax.Array:
    """How many of a window's cells lie on the input rather than on padding, at each place: (*places, 1)."""
    inside = jnp.ones((1, *x.shape[1:-1], 1), x.dtype)
    return _sum(window.taps(inside))[0]


def _sum(parts: Iterable[jax.Array]) -> jax.Array:
    return reduce(jnp.add, parts)


def _reduce(x: jax.Array, start: float, operation: Any, window: Window) -> jax.Array:
    return lax.reduce_window(
        x,
        np.asarray(start, x.dtype),
        operation,
        window_dimensions=(1, *window.size, 1),
        window_strides=(1, *window.stride, 1),
        window_dilation=(1, *window.dilation, 1),
        padding=((0, 0), *window.pads, (0, 0)),
    )


def _either(name: str, by_taps: Callable, window: Window, *arrays: jax.Array) -> Any:
    """A native kernel with the derivative of the form by taps."""
    if math.prod(window.size) > 256:  # a cell's number is a byte
        return by_taps(*arrays)
    natively = partial(_call, name, window, jax.eval_shape(by_taps, *arrays))
    chosen = jax.custom_jvp(partial(native.either, natively, by_taps, also=jnp.uint8))
    chosen.defjvp(lambda primals, tangents: jax.jvp(by_taps, primals, tangents))
    return chosen(*arrays)


def _call(name: str, window: Window, results: Any, *arrays: jax.Array) -> Any:
    """A native kernel, for images of one row where there is one axis."""
    image = lambda shape: shape if len(shape) == 4 else (shape[0], 1, *shape[1:])  # noqa: E731
    images = jax.tree.map(lambda of: of.update(shape=image(of.shape)), results)
    own = window.of_images
    found = native.call(
        name, images, *(of.reshape(image(of.shape)) for of in arrays), size=own.size, window=own.numbers
    )
    return jax.tree.map(lambda of, result: of.reshape(result.shape), found, results)
