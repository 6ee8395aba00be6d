"""Windows that move over the axes between the batch and the channels."""

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax


class Window(NamedTuple):
    """A window's size, stride, dilation and padding, one entry an axis."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]

    def places(self, lengths: tuple[int, ...]) -> tuple[int, ...]:
        """How many places the window has along each axis of these lengths."""
        reach = [(size - 1) * dilation + 1 for size, dilation in zip(self.size, self.dilation, strict=True)]
        return tuple(
            (length + low + high - far) // stride + 1
            for length, far, stride, (low, high) in zip(lengths, reach, self.stride, self.pads, strict=True)
        )

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

    def cells(self) -> Iterator[tuple[int, ...]]:
        """The places within the window, in the order of `taps`."""
        return itertools.product(*map(range, self.size))

    def taps(self, x: jax.Array, fill: Any = 0) -> Iterator[jax.Array]:
        """For each cell of the window, what it sees at every place: (batch, *places, channels)."""
        places = self.places(x.shape[1:-1])
        padded = jnp.pad(x, [(0, 0), *self.pads, (0, 0)], constant_values=fill)
        for cell in self.cells():
            starts = [at * dilation for at, dilation in zip(cell, self.dilation, strict=True)]
            ends = [s + (n - 1) * stride + 1 for s, n, stride in zip(starts, places, self.stride, strict=True)]
            yield lax.slice(padded, (0, *starts, 0), (x.shape[0], *ends, x.shape[-1]), (1, *self.stride, 1))

    def untap(self, seen: jax.Array, cell: tuple[int, ...], lengths: tuple[int, ...]) -> jax.Array:
        """The transpose of one of the `taps`: values put back where the cell saw them, zeros elsewhere."""
        config = [(0, 0, 0)]
        for axis, (at, length) in enumerate(zip(cell, lengths, strict=True)):
            start = at * self.dilation[axis] - self.pads[axis][0]
            end = start + (seen.shape[axis + 1] - 1) * self.stride[axis] + 1
            config.append((start, length - end, self.stride[axis] - 1))
        return lax.pad(seen, jnp.zeros((), seen.dtype), [*config, (0, 0, 0)])
