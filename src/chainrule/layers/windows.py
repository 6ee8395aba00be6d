"""What layers with windows share: their fields, their shape rule, and the errors where a window does not fit."""

import dataclasses
import math
import re
from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp

from chainrule.arrays.masked import Shape
from chainrule.errors import ChainruleError
from chainrule.formula.constraints import constrained
from chainrule.formula.layer import Layer
from chainrule.kernels.window import Window

Axes = int | tuple[int, ...]
Padding = str | int | tuple[Any, ...]

KINDS = {
    1: "series (time, features)",
    2: "images (height, width, channels)",
    3: "volumes (depth, height, width, channels)",
}
PLACES = {1: "t", 2: "ij", 3: "hij"}
"""The index of each axis that a window moves over, in textbook forms."""

PADDINGS = ("valid", "same", "causal")


class _Abstract:
    __isabstractmethod__ = True


def abstract() -> Any:
    """A class attribute that each concrete layer gives a value."""
    return _Abstract()


def per_axis(default: Any = dataclasses.MISSING, meaning: str = "") -> Any:
    """A field for a whole number >= 1, or one for each axis."""
    expected = "a whole number >= 1, or one for each axis"
    return constrained(default, meaning, expected, _per_axis, (0, -1, 1.5, True, (0, 1), "1", ()))


def padding(default: Any = "valid", meaning: str = "what is added at the ends") -> Any:
    """A field for padding: "valid", "same", "causal", or how much."""
    expected = '"valid", "same", "causal" (one axis), or whole numbers >= 0: one, one for each axis, or (before, after)'
    return constrained(default, meaning, expected, _padding, ("full", -1, 1.5, True, None, (1, -1), ((1,), (2,))))


def amounts(default: Any = dataclasses.MISSING, meaning: str = "") -> Any:
    """A field for how many places are at the ends of each axis."""
    expected = "whole numbers >= 0: one, one for each axis, or (before, after)"

    def holds(v: Any) -> bool:
        return not isinstance(v, str) and _padding(v)

    return constrained(default, meaning, expected, holds, ("same", -1, 1.5, True, None, (1, -1), ((1,), (2,))))


def window(
    layer: Layer, shape: Shape, rank: int, size: Axes, stride: Axes, padding: Padding = "valid", dilation: Axes = 1
) -> Window:
    """The window of a layer over examples of this shape.

    Raises:
        ChainruleError: for another number of axes, or where the window is larger than the padded input.
    """
    lengths = lengths_of(layer, shape, rank)
    sizes, strides, dilations = (spread(layer, axes, rank) for axes in (size, stride, dilation))
    reach = reach_of(sizes, dilations)
    found = Window(sizes, strides, dilations, pads_of(layer, padding, lengths, reach, strides))
    for length, far, (low, high) in zip(lengths, reach, found.pads, strict=True):
        if far > length + low + high:
            expected = f"at least {' × '.join(map(str, reach))} values for its window"
            raise layer.refuse(expected, shape, 'Make the window smaller, or pad: padding="same".')
    return found


def in_axes(layer: Layer, rank: int, size: Axes, stride: Axes, padding: Padding = "valid", dilation: Axes = 1) -> str:
    """A layer's textbook form with the numbers of each axis.

    Where padding depends on the input's length, it is a letter with the axis' index.

    >>> from chainrule.layers import Stride2D
    >>> in_axes(Stride2D((2, 3)), 2, 1, (2, 3))
    'y[i, j, c] = x[2 * i, 3 * j, c]'
    """
    sizes, strides, dilations = (spread(layer, axes, rank) for axes in (size, stride, dilation))
    reach = reach_of(sizes, dilations)
    pads = [str(before) for before, _ in pads_of(layer, padding, (1,) * rank, reach, (1,) * rank)]
    if padding == "same":
        pads = [pad if s == 1 else f"p_{i}" for pad, s, i in zip(pads, strides, PLACES[rank], strict=True)]
    return numbered(layer.textbook, stride=strides, dilation=dilations, pad=pads)


def numbered(text: str, **numbers: Iterable[Any]) -> str:
    """A textbook form with the numbers of each axis: a word's nth place there is that of the nth axis.

    >>> numbered("y[i, j] = x[stride * i, stride * j]", stride=(2, 3))
    'y[i, j] = x[2 * i, 3 * j]'
    """
    each = {word: iter(its) for word, its in numbers.items()}
    return re.sub(rf"\b({'|'.join(each)})\b", lambda word: str(next(each[word[0]])), text)


def lengths_of(layer: Layer, shape: Shape, rank: int) -> Shape:
    """The lengths of the axes before the channels. Raises `ChainruleError` for another number of axes."""
    if len(shape) != rank + 1:
        raise layer.refuse(KINDS[rank], shape, _reshape_remedy(shape, rank))
    return shape[:-1]


def reach_of(sizes: Shape, dilations: Shape) -> list[int]:
    """How many places a window covers along each axis."""
    return [(size - 1) * dilation + 1 for size, dilation in zip(sizes, dilations, strict=True)]


def _reshape_remedy(shape: Shape, rank: int) -> str:
    if rank == 2 and len(shape) == 1 and math.isqrt(shape[0]) ** 2 == shape[0]:
        side = math.isqrt(shape[0])
        return f"Put Reshape(({side}, {side}, 1)) before it."
    if len(shape) == rank:
        return f"Put Reshape({(*shape, 1)}) before it."
    return "Put a Reshape before it, or choose the layer for these axes."


def spread(layer: Layer, axes: Axes, rank: int) -> tuple[int, ...]:
    """One number for each axis."""
    each = (axes,) * rank if isinstance(axes, int) else axes
    if len(each) != rank:
        example = each[0] if rank == 1 else each[:1] * rank
        raise ChainruleError(
            f"{layer!r}: expected one number, or {rank}, one for each axis, got {axes}. For example: {example}."
        )
    return each


def pads_of(layer: Layer, padding: Padding, lengths: Shape, reach: list[int], strides: Shape) -> tuple:
    """How many places are added before and behind each axis."""
    if padding == "valid":
        return ((0, 0),) * len(reach)
    if padding == "causal":
        if len(reach) != 1:
            raise ChainruleError(f'{layer!r}: padding="causal" is for one axis of time. Choose "same".')
        return ((reach[0] - 1, 0),)
    if padding == "same":  # as many places as the input has strides; an odd one out goes to the end
        totals = [
            max((math.ceil(length / stride) - 1) * stride + far - length, 0)
            for length, far, stride in zip(lengths, reach, strides, strict=True)
        ]
        return tuple((total // 2, total - total // 2) for total in totals)
    each = (padding,) * len(reach) if isinstance(padding, int) else padding
    if len(reach) == 1 and len(each) == 2 and all(isinstance(part, int) for part in each):
        each = (each,)  # (before, after) of the one axis
    if isinstance(each, str) or len(each) != len(reach):
        example = "(1, 1)" if len(reach) == 1 else f"({', '.join(['(1, 1)'] * len(reach))})"
        raise ChainruleError(
            f"{layer!r}: expected padding for {len(reach)} axes, got {padding}. For example: {example}."
        )
    return tuple((part, part) if isinstance(part, int) else part for part in each)


def _per_axis(value: Any) -> bool:
    axes = value if isinstance(value, tuple) else (value,)
    return bool(axes) and all(type(axis) is int and axis >= 1 for axis in axes)


def _padding(value: Any) -> bool:
    def amount(part: Any) -> bool:
        return type(part) is int and part >= 0

    def pair(part: Any) -> bool:
        return isinstance(part, tuple) and len(part) == 2 and all(map(amount, part))

    if isinstance(value, tuple):
        return bool(value) and all(amount(part) or pair(part) for part in value)
    return value in PADDINGS if isinstance(value, str) else amount(value)


def over_time(layer: Any, x: Any, mask: Any) -> Any:
    """The `output_mask` of a layer whose window moves over time."""
    return None if mask is None else live_places(layer, mask, layer.window(x.shape[1:]), layer.padding)


def live_places(layer: Layer, mask: jax.Array, window: Window, padding: Padding) -> jax.Array:
    """Which of a window's places in time belong to each sequence, (batch, places): those that it would have alone."""
    [stride], [(low, high)] = window.stride, window.pads
    if padding == "same" and stride > 1:
        raise ChainruleError(
            f'{layer!r}: padding="same" with a stride begins elsewhere for each length, so sequences of unequal length '
            f'can\'t share it. Choose "causal" or "valid".'
        )
    [places] = window.places(mask.shape[1:])
    reach = (window.size[0] - 1) * window.dilation[0] + 1
    lengths = lengths_under(mask)
    own = (lengths + low + high - reach) // stride + 1
    return (jnp.arange(places)[None] < own) & (lengths > 0)


def lengths_under(mask: jax.Array) -> jax.Array:
    """How many steps each sequence has up to its last one, (batch, 1)."""
    return jnp.where(mask, jnp.arange(1, mask.shape[1] + 1)[None], 0).max(axis=1, keepdims=True)
