"""Windows that move over the axes between the batch and the channels."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


class Window(NamedTuple):
    """A window's size, stride, dilation and padding, one entry an axis."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]

    def places(self, lengths: tuple[int, ...]) -> tuple[int, ...]:
        """How many places the window has along each axis of these lengths."""
        return tuple(self.along(axis).places(length) for axis, length in enumerate(lengths))

    @property
    def side_by_side(self) -> bool:
        """Whether the windows tile the input: none overlap, nothing is padded."""
        return self.size == self.stride and not any(map(any, self.pads)) and set(self.dilation) == {1}

    @property
    def of_images(self) -> "Window":
        """The same over two axes, as the native kernels know them: one axis is an image of one row."""
        if len(self.size) == 2:
            return self
        return Window((1, *self.size), (1, *self.stride), (1, *self.dilation), ((0, 0), *self.pads))

    @property
    def numbers(self) -> tuple[int, ...]:
        """What the native kernels are told besides the shapes: strides, dilations, and the padding before the input."""
        return (*self.stride, *self.dilation, *(low for low, _ in self.pads))

    def along(self, axis: int) -> "Along":
        """What it is along one axis."""
        return Along(self.size[axis], self.stride[axis], self.dilation[axis], *self.pads[axis])

    def cells(self) -> Iterator[tuple[int, ...]]:
        """The places within the window, in the order of `taps`."""
        return itertools.product(*map(range, self.size))

    def taps(self, x: jax.Array, fill: Any = 0) -> Iterator[jax.Array]:
        """For each cell of the window, what it sees at every place: (batch, *places, channels)."""
        reach = [self.along(axis).reach(length) for axis, length in enumerate(x.shape[1:-1])]
        padded = jnp.pad(x, [(0, 0), *self.pads, (0, 0)], constant_values=fill)
        for cell in self.cells():
            starts = [at * dilation if far else 0 for at, dilation, far in zip(cell, self.dilation, reach, strict=True)]
            ends = [start + far for start, far in zip(starts, reach, strict=True)]
            yield lax.slice(padded, (0, *starts, 0), (x.shape[0], *ends, x.shape[-1]), (1, *self.stride, 1))

    def untap(self, seen: jax.Array, cell: tuple[int, ...], lengths: tuple[int, ...]) -> jax.Array:
        """The transpose of one of the `taps`: values put back where the cell saw them, zeros elsewhere."""
        if not seen.size:
            return jnp.zeros((seen.shape[0], *lengths, seen.shape[-1]), seen.dtype)
        config = [(0, 0, 0)]
        for axis, (at, length) in enumerate(zip(cell, lengths, strict=True)):
            start = at * self.dilation[axis] - self.pads[axis][0]
            end = start + (seen.shape[axis + 1] - 1) * self.stride[axis] + 1
            config.append((start, length - end, self.stride[axis] - 1))
        return lax.pad(seen, jnp.zeros((), seen.dtype), [*config, (0, 0, 0)])


class Along(NamedTuple):
    """A window along one axis: its size, stride, dilation and padding before and behind."""

    size: int
    stride: int
    dilation: int
    low: int
    high: int

    def places(self, length: int) -> int:
        """How many places it has along an axis of this length."""
        return max((length + self.low + self.high - (self.size - 1) * self.dilation - 1) // self.stride + 1, 0)

    def reach(self, length: int) -> int:
        """From the first place to the last one."""
        return max((self.places(length) - 1) * self.stride + 1, 0)

    def inside(self, length: int) -> np.ndarray:
        """Whether each cell lies on the axis rather than on padding at each place: (cells, places)."""
        cell, place = np.ogrid[: self.size, : self.places(length)]
        at = place * self.stride + cell * self.dilation - self.low
        return (at >= 0) & (at < length)

    def seen_by(self, x: jax.Array, axis: int, fill: Any = 0) -> Callable[[Any], jax.Array]:
        """A function from a cell's number, which a loop may count, to what that cell sees of this axis."""
        pads = [(self.low, self.high) if own == axis else (0, 0) for own in range(x.ndim)]
        padded, reach = jnp.pad(x, pads, constant_values=fill), self.reach(x.shape[axis])

        def seen(cell: Any) -> jax.Array:
            part = lax.dynamic_slice_in_dim(padded, cell * self.dilation, reach, axis)
            return lax.slice_in_dim(part, 0, None, self.stride, axis)

        return seen
