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

from chainrule.arrays.dtypes import lowest
from chainrule.kernels import native
from chainrule.kernels.derivatives import differentiable, linear
from chainrule.kernels.sharding import by_parts
from chainrule.kernels.window import Window

FEW = 32  # cells of a window, up to which they are compared in one piece
BYTE = 256  # cells of a window, up to which a byte tells them apart


def plain_max(x: jax.Array, window: Window) -> jax.Array:
    """The definition: the largest value in each window; padding never counts."""
    return _reduce(x, lowest(x.dtype), lax.max, window)


def plain_mean(x: jax.Array, window: Window) -> jax.Array:
    """The definition: the mean of each window's values; padding never counts."""
    return _reduce(x, 0, lax.add, window) / _reduce(jnp.ones((1, *x.shape[1:-1], 1), x.dtype), 0, lax.add, window)


@by_parts("n*->n*")
def max_pool(x: jax.Array, window: Window) -> jax.Array:
    """`plain_max`; of equal values in a window, the first has the gradient."""
    return _largest(window, x)[0]


@by_parts("n*->n*")
def mean_pool(x: jax.Array, window: Window) -> jax.Array:
    """`plain_mean`."""
    lengths = x.shape[1:-1]

    def mean(_, x):
        return _sums(x, window) / _counts(x.dtype, lengths, window)

    def spread(_, dy):
        return given_back(dy / _counts(dy.dtype, lengths, window), None, lengths, window)

    like = jax.ShapeDtypeStruct((len(x), *window.places(lengths), x.shape[-1]), x.dtype)
    return linear(mean, spread, (), x, like)


def _largest(window: Window, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The largest value of each window, NaN before all, and the number of the first cell that holds it."""
    form = partial(largest, window=window)
    return differentiable(_either("max_pool", form, window, jnp.float32), partial(_change, window), x)


def _change(window: Window, arguments: Any, tangents: Any) -> tuple[tuple, tuple]:
    (x,), (dx,) = arguments, tangents
    y, cell = _largest(window, x)
    form = partial(given_back, lengths=x.shape[1:-1], window=window)
    gradient = _either("max_pool_gradient", form, window, also=jnp.uint8)

    def back(cell, dy):
        return gradient(dy, cell)

    return (y, cell), (linear(partial(held, window=window), back, cell, dx, like=y), None)


def largest(x: jax.Array, window: Window) -> tuple[jax.Array, jax.Array]:
    """The largest value of each window, NaN before all, and the number of the first cell that holds it."""
    value, cell = (_largest_of_taps if math.prod(window.size) <= FEW else _largest_by_axes)(x, window)
    return value, cell.astype(np.min_scalar_type(math.prod(window.size) - 1))


def _largest_of_taps(x: jax.Array, window: Window) -> tuple[jax.Array, jax.Array]:
    """In one piece."""
    inside = list(window.taps(jnp.ones((1, *x.shape[1:-1], 1), bool), fill=False))
    first, *rest = window.taps(x, fill=lowest(x.dtype))
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
    along, within = window.along(axis), math.prod(window.size[axis + 1 :])
    inside = along.inside(value.shape[axis + 1])
    values, cells = along.seen_by(value, axis + 1, lowest(value.dtype)), along.seen_by(cell, axis + 1)

    def see(number: Any, best: tuple) -> tuple:
        (value, cell), seen = best, values(number)
        own = jnp.asarray(number * within, cell.dtype) + cells(number)
        counts = jnp.expand_dims(jnp.asarray(inside)[number], [of for of in range(value.ndim) if of != axis + 1])
        larger = counts & ((cell < 0) | ~((seen <= value) | jnp.isnan(value)))
        return jnp.where(larger, seen, value), jnp.where(larger, own, cell)

    like = jax.eval_shape(values, 0)
    least, none = jnp.full_like(like, lowest(like.dtype)), jnp.full_like(like, -1, cell.dtype)
    return lax.fori_loop(0, len(inside), see, (least, none))


def _sums(x: jax.Array, window: Window) -> jax.Array:
    """The sum of each window's values."""
    if math.prod(window.size) <= FEW:
        return _sum(window.taps(x))
    for axis in reversed(range(len(window.size))):
        seen = window.along(axis).seen_by(x, axis + 1)
        x = lax.fori_loop(1, window.size[axis], lambda number, total: total + seen(number), seen(0))  # noqa: B023
    return x


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
        at = jnp.arange(batch)[:, None, None], _in_line(pixels), jnp.arange(channels)[None, None]
        zeros = jnp.zeros((batch, math.prod(lengths), channels), dy.dtype)
        return zeros.at[at].add(_in_line(own), mode="drop").reshape(batch, *lengths, channels)
    if math.prod(window.size) > FEW:
        x = jnp.zeros_like(dy, shape=(len(dy), *lengths, dy.shape[-1]))
        return jax.vjp(partial(_sums, window=window), x)[1](dy)[0]
    parts = (dy if cell is None else jnp.where(cell == number, dy, 0) for number in range(math.prod(window.size)))
    return _sum(window.untap(part, at, lengths) for part, at in zip(parts, window.cells(), strict=True))


def _given_back_beside(dy: jax.Array, cell: jax.Array | None, lengths: tuple[int, ...], window: Window) -> jax.Array:
    """The same where the windows tile the input."""
    behind = tuple(range(2, 2 * len(window.size) + 1, 2))  # behind the axis of places one of cells: (n, h, 2, w, 2, c)
    cells = np.arange(math.prod(window.size), dtype=None if cell is None else cell.dtype)
    cells = cells.reshape(1, *(n for size in window.size for n in (1, size)), 1)
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


def _counts(dtype: Any, lengths: tuple[int, ...], window: Window) -> np.ndarray:
    """How many of a window's cells lie on the input rather than on padding, at each place: (1, *places, 1)."""
    along = [window.along(axis).inside(length).sum(axis=0) for axis, length in enumerate(lengths)]
    return np.expand_dims(reduce(np.multiply.outer, along), (0, -1)).astype(dtype)


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


def _either(name: str, form: Callable, window: Window, also: Any) -> Callable:
    """The form, or the native kernel that computes it, which knows one axis and two."""
    if math.prod(window.size) > BYTE or len(window.size) > 2:
        return form

    def call(*arrays):
        return _call(name, window, jax.eval_shape(form, *arrays), *arrays)

    return lambda *arrays: native.either(call, form, *arrays, also=also)


def _call(name: str, window: Window, results: Any, *arrays: jax.Array) -> Any:
    """A native kernel, for images of one row where there is one axis."""

    def image(shape):
        return shape if len(shape) == 4 else (shape[0], 1, *shape[1:])

    images = jax.tree.map(lambda of: of.update(shape=image(of.shape)), results)
    own = window.of_images
    rule = "->".join(",".join(["n*"] * len(side)) for side in (arrays, jax.tree.leaves(images)))
    numbers: dict[str, Any] = {"size": own.size, "window": own.numbers}
    found = native.call(name, images, *(of.reshape(image(of.shape)) for of in arrays), rule=rule, **numbers)
    return jax.tree.map(lambda of, result: of.reshape(result.shape), found, results)
