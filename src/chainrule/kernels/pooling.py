"""Pooling over windows, by comparing what each cell of the window sees: elementwise work, which XLA fuses.

For the maximum native kernels serve on the CPU, since XLA compares again for each cell that has the gradient. The
derived gradient of XLA's own windows searches each window again, one value at a time. Windows of many cells are walked
in loops, since what is fused would take minutes to compile.
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
from chainrule.kernels.derivatives import differentiable, linear
from chainrule.kernels.window import Window

FEW = 32  # cells of a window, up to which they are compared in one piece
BYTE = 256  # cells of a window, up to which a byte tells them apart


def plain_max(x: jax.Array, window: Window) -> jax.Array:
    """The definition: the largest value in each window; padding never counts."""
    return _reduce(x, -np.inf, lax.max, window)


def plain_mean(x: jax.Array, window: Window) -> jax.Array:
    """The definition: the mean of each window's values; padding never counts."""
    return _reduce(x, 0, lax.add, window) / _reduce(jnp.ones((1, *x.shape[1:-1], 1), x.dtype), 0, lax.add, window)


def max_pool(x: jax.Array, window: Window) -> jax.Array:
    """`plain_max`; of equal values in a window, the first has the gradient."""
    return _largest(window, x)[0]


def mean_pool(x: jax.Array, window: Window) -> jax.Array:
    """`plain_mean`."""
    if math.prod(window.size) > FEW:
        return plain_mean(x, window)
    lengths = x.shape[1:-1]
    mean = lambda _, x: _sum(window.taps(x)) / _counts(x.dtype, lengths, window)  # noqa: E731
    spread = lambda _, dy: given_back(dy / _counts(dy.dtype, lengths, window), None, lengths, window)  # noqa: E731
    like = jax.ShapeDtypeStruct((len(x), *window.places(lengths), x.shape[-1]), x.dtype)
    return linear(mean, spread, (), x, like)


def _largest(window: Window, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The largest value of each window, NaN before all, and the number of the first cell that holds it."""
    return differentiable(_either("max_pool", partial(largest, window=window), window), partial(_change, window), x)


def _change(window: Window, arguments: Any, tangents: Any) -> tuple[tuple, tuple]:
    (x,), (dx,) = arguments, tangents
    y, cell = _largest(window, x)
    gradient = _either("max_pool_gradient", partial(given_back, lengths=x.shape[1:-1], window=window), window)
    back = lambda cell, dy: gradient(dy, cell)  # noqa: E731
    return (y, cell), (linear(partial(held, window=window), back, cell, dx, like=y), None)


def largest(x: jax.Array, window: Window) -> tuple[jax.Array, jax.Array]:
    """The largest value of each window, NaN before all, and the number of the first cell that holds it."""
    value, cell = (_largest_of_taps if math.prod(window.size) <= FEW else _largest_by_axes)(x, window)
    return value, cell.astype(np.min_scalar_type(math.prod(window.size) - 1))


def _largest_of_taps(x: jax.Array, window: Window) -> tuple[jax.Array, jax.Array]:
    """In one piece."""
    inside = list(window.taps(jnp.ones((1, *x.shape[1:-1], 1), bool), fill=False))
    first, *rest = window.taps(x, fill=-np.inf)
    cell = jnp.argmax(jnp.stack(inside), axis=0)  # the first that is not padding
    value, cell = first, jnp.broadcast_to(cell, first.shape)
    for number, seen in enumerate(rest, start=1):
        larger = ~((seen <= value) | jnp.isnan(value))
        value, cell = jnp.where(larger, seen, value), jnp.where(larger, number, cell)
    return value, cell


def _largest_by_axes(x: jax.Array, window: Window) -> tuple[jax.Array, jax.Array]:
    """In a loop over each row of cells, then in one over their largest."""
    value, cell = x, jnp.zeros(x.shape, jnp.int32)
    for axis in reversed(range(len(window.size))):
        value, cell = _largest_along(axis, value, cell, window)
    return value, jnp.maximum(cell, 0)


def _largest_along(axis: int, value: jax.Array, cell: jax.Array, window: Window) -> tuple[jax.Array, jax.Array]:
    """The largest value of a window's cells along an axis, and the number of its cell, from those along the next."""
    size, stride, dilation = window.size[axis], window.stride[axis], window.dilation[axis]
    low, high = window.pads[axis]
    within, axis = math.prod(window.size[axis + 1 :]), axis + 1
    length = value.shape[axis]
    places = (length + low + high - (size - 1) * dilation - 1) // stride + 1
    pads = [(low, high) if own == axis else (0, 0) for own in range(value.ndim)]
    padded = jnp.pad(value, pads, constant_values=-np.inf), jnp.pad(cell, pads)
    first = jnp.arange(places).reshape(-1, *(1,) * (value.ndim - axis - 1)) * stride - low

    def see(number: Any, best: tuple) -> tuple:
        value, cell = best
        start, reach = number * dilation, (places - 1) * stride + 1
        seen, own = (
            lax.slice_in_dim(lax.dynamic_slice_in_dim(of, start, reach, axis), 0, None, stride, axis) for of in padded
        )
        inside = (first + start >= 0) & (first + start < length)
        larger = inside & ((cell < 0) | ~((seen <= value) | jnp.isnan(value)))
        return jnp.where(larger, seen, value), jnp.where(larger, (number * within + own).astype(jnp.int32), cell)

    shape = (*value.shape[:axis], places, *value.shape[axis + 1 :])
    return lax.fori_loop(0, size, see, (jnp.full(shape, -np.inf, value.dtype), jnp.full(shape, -1, jnp.int32)))


def held(cell: jax.Array, x: jax.Array, window: Window) -> jax.Array:
    """What the cell of this number sees, at each place; 0 for a number that no cell has."""
    own = jnp.take_along_axis(_in_line(x), _in_line(_pixels(cell, x.shape[1:-1], window)), axis=1, mode="clip")
    return jnp.where(cell < math.prod(window.size), own.reshape(cell.shape), 0)


def given_back(dy: jax.Array, cell: jax.Array | None, lengths: tuple[int, ...], window: Window) -> jax.Array:
    """The gradient of each place given back to the one cell that it came from, or to all of its cells."""
    if window.side_by_side:
        return _given_back_beside(dy, cell, lengths, window)
    if cell is not None and math.prod(window.size) > FEW:
        batch, channels = len(dy), dy.shape[-1]
        own, pixels = jnp.where(cell < math.prod(window.size), dy, 0), _pixels(cell, lengths, window)
        at = jnp.arange(batch)[:, None, None], _in_line(pixels), jnp.arange(channels)
        zeros = jnp.zeros((batch, math.prod(lengths), channels), dy.dtype)
        return zeros.at[at].add(_in_line(own), mode="drop").reshape(batch, *lengths, channels)
    parts = (dy if cell is None else jnp.where(cell == number, dy, 0) for number in range(math.prod(window.size)))
    return _sum(window.untap(part, at, lengths) for part, at in zip(parts, window.cells(), strict=True))


def _given_back_beside(dy: jax.Array, cell: jax.Array | None, lengths: tuple[int, ...], window: Window) -> jax.Array:
    """The same where the windows tile the input."""
    behind = tuple(range(2, 2 * len(window.size) + 1, 2))  # behind the axis of places one of cells: (n, h, 2, w, 2, c)
    cells = np.arange(math.prod(window.size)).reshape(1, *(n for size in window.size for n in (1, size)), 1)
    own = np.ones_like(cells, bool) if cell is None else jnp.expand_dims(cell, behind) == cells
    blocks = jnp.where(own, jnp.expand_dims(dy, behind), 0)
    covered = [places * size for places, size in zip(dy.shape[1:-1], window.size, strict=True)]
    rest = [(0, length - known) for length, known in zip(lengths, covered, strict=True)]
    return jnp.pad(blocks.reshape(dy.shape[0], *covered, dy.shape[-1]), [(0, 0), *rest, (0, 0)])


def _pixels(cell: jax.Array, lengths: tuple[int, ...], window: Window) -> jax.Array:
    """The number of the pixel that a cell sees, at each place."""
    pixel = jnp.zeros((), jnp.int32)
    for axis, within in enumerate(jnp.unravel_index(cell.astype(jnp.int32), window.size)):
        place = lax.broadcasted_iota(jnp.int32, cell.shape, axis + 1)
        at = place * window.stride[axis] + within * window.dilation[axis] - window.pads[axis][0]
        pixel = pixel * lengths[axis] + at
    return pixel


def _in_line(images: jax.Array) -> jax.Array:
    """All pixels on one axis: (batch, pixels, channels)."""
    return images.reshape(len(images), math.prod(images.shape[1:-1]), images.shape[-1])


def _counts(dtype: Any, lengths: tuple[int, ...], window: Window) -> jax.Array:
    """How many of a window's cells lie on the input rather than on padding, at each place: (*places, 1)."""
    return _sum(window.taps(jnp.ones((1, *lengths, 1), dtype)))[0]


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


def _either(name: str, form: Callable, window: Window) -> Callable:
    """The form, or the native kernel that computes it."""
    if math.prod(window.size) > BYTE:
        return form
    call = lambda *arrays: _call(name, window, jax.eval_shape(form, *arrays), *arrays)  # noqa: E731
    return lambda *arrays: native.either(call, form, *arrays, also=jnp.uint8)


def _call(name: str, window: Window, results: Any, *arrays: jax.Array) -> Any:
    """A native kernel, for images of one row where there is one axis."""
    image = lambda shape: shape if len(shape) == 4 else (shape[0], 1, *shape[1:])  # noqa: E731
    images = jax.tree.map(lambda of: of.update(shape=image(of.shape)), results)
    own = window.of_images
    found = native.call(
        name, images, *(of.reshape(image(of.shape)) for of in arrays), size=own.size, window=own.numbers
    )
    return jax.tree.map(lambda of, result: of.reshape(result.shape), found, results)
