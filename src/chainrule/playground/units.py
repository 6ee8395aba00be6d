"""One output of a layer over images: the window through which it sees them, with what weights, and what comes back."""

from typing import Any, NamedTuple

import jax
import numpy as np

from chainrule import layers
from chainrule.arrays.compilation import at_once, compiled
from chainrule.formula.context import INFERENCE
from chainrule.formula.layer import Layer
from chainrule.kernels.window import Window
from chainrule.notation.choices import as_whole
from chainrule.playground.frames import finite

SIDE, CHANNELS, TERMS = 5, 3, 6
"""Of a window, of what it sees, and of a sum that are written out at most."""

WIDEST = 128  # places of a map in each direction

MADE: dict[type[Layer], str] = {
    **dict.fromkeys((layers.Conv1D, layers.Conv2D, layers.DepthwiseConv2D), "sum"),
    **dict.fromkeys((layers.MaxPool1D, layers.MaxPool2D, layers.GlobalMaxPool1D, layers.GlobalMaxPool2D), "max"),
    **dict.fromkeys((layers.AveragePool1D, layers.AveragePool2D), "mean"),
    **dict.fromkeys((layers.GlobalAveragePool1D, layers.GlobalAveragePool2D), "mean"),
}
"""What an output is of its window, for each layer that has one."""


class Unit(NamedTuple):
    """One output of a layer.

    Attributes:
        at: its row, column and channel.
        of: the number of the layer where it is chosen, behind which layers go unit by unit.
    """

    at: tuple[int, int, int]
    of: int


def as_image(values: Any) -> np.ndarray:
    """One example's outputs as (rows, columns, channels): steps are one row, and a row of units is one place."""
    one = np.asarray(values)[0]
    return one.reshape(*(1,) * (3 - one.ndim), *one.shape)


def unit_by_unit(layer: Layer, x: Any, y: Any) -> bool:
    """Whether a layer's outputs are images of the same shape as its inputs, and each of them is of its own input."""
    return type(layer) not in MADE and np.ndim(y) == 4 and np.shape(x) == np.shape(y)


def followed(place: int, layer: Layer, x: Any, y: Any, before: Unit | None, chosen: Any) -> Unit | None:
    """The output of a layer that is followed: that of the layer before, or the one chosen, or else the largest.

    None where the outputs are neither an image nor seen through a window. Raises `ChainruleError` for a choice beyond.
    """
    if before is not None and unit_by_unit(layer, x, y):
        return before
    if np.ndim(y) != 4 and type(layer) not in MADE:
        return None
    shape = as_image(y).shape
    asked = chosen.get(str(place)) if isinstance(chosen, dict) else None
    if asked is None:
        largest = np.argmax(np.nan_to_num(as_image(y)))
        return Unit(tuple(map(int, np.unravel_index(largest, shape))), place)  # type: ignore[arg-type]
    parts = asked if isinstance(asked, list) and len(asked) == 3 else [None] * 3
    names = ("The row", "The column", "The channel")
    row, column, channel = (
        as_whole(at, name, 0, length - 1) for at, name, length in zip(parts, names, shape, strict=True)
    )
    return Unit((row, column, channel), place)


def channel_map(outputs: Any, channel: int) -> np.ndarray:
    """A channel as (1, rows, columns) of bytes: 0 and 255 stand for minus and plus the largest value."""
    values = np.nan_to_num(as_image(outputs)[..., channel], posinf=0, neginf=0)
    step = -(-max(values.shape) // WIDEST)
    most = np.abs(values).max()
    return np.round(127.5 + 127.5 * values[::step, ::step] / (most if most > 0 else 1)).astype(np.uint8)[None]


class Passage(NamedTuple):
    """A layer, what reaches it from either side, and what it has: of one example, with the batch's axis of 1."""

    layer: Layer
    parameters: Any
    state: Any
    gradients: Any
    x: Any
    y: Any
    above: Any
    below: Any


def seen_through(passage: Passage, at: tuple[int, int, int]) -> dict[str, Any]:
    """What one output sees through its window and makes of it, and the gradients of its weights and inputs.

    An output is the sum of what it sees, each times its slope, which for a convolution is the kernel, for a mean 1 / n,
    and for a maximum 1 at one place; a gradient is the sum over all outputs of their slope times what comes back.
    """
    layer, x, *place, channel = passage.layer, as_image(passage.x), *at
    window = _window(layer, np.shape(passage.x)[1:])
    reached = [
        start * stride + dilation * np.arange(size) - low
        for start, stride, dilation, size, (low, _) in zip(
            place, window.stride, window.dilation, window.size, window.pads, strict=True
        )
    ]
    inside = np.logical_and.outer(
        *(window.along(axis).inside(length)[:, place[axis]] for axis, length in enumerate(x.shape[:2]))
    )
    cut = np.ix_(*(along.clip(0, length - 1) for along, length in zip(reached, x.shape, strict=False)))
    convolves = MADE[type(layer)] == "sum"
    if convolves:
        kernel, of_kernel = (_of_images(tree["kernel"]) for tree in (passage.parameters, passage.gradients))
        width, filters = kernel.shape[2:]  # the channels of a group
        first = channel * x.shape[2] // width // filters * width
        channels, weights, pulls = range(first, first + width), kernel[..., channel], of_kernel[..., channel]
    else:
        one = _one(passage.y, at)
        channels, pulls = [channel], None
        weights = as_image(_row(layer, passage.parameters, passage.state, passage.x, one))[cut][..., channels]
        weights = np.where(inside[..., None], weights, 0)
    patch = np.where(inside[..., None], x[cut][..., channels], 0).astype(float)
    products = patch * weights
    shares = products.sum(axis=(0, 1))
    block = _block(np.abs(products).sum(axis=2))
    strongest = sorted(np.argsort(-np.abs(np.nan_to_num(shares)), kind="stable")[:CHANNELS].tolist())
    below = None if passage.below is None else as_image(passage.below)[cut][..., channels]
    value = float(as_image(passage.y)[at])
    bias = float(passage.parameters["bias"][channel]) if convolves and layer.bias else None  # type: ignore[attr-defined]
    written = sum(float(products[block][..., own].sum()) for own in strongest)
    found: dict[str, Any] = {
        "made": MADE[type(layer)],
        "size": window.size,
        "channels": len(channels),
        "parts": [
            {
                "channel": channels[own],
                "x": _table(patch[..., own], block, inside),
                "weights": _table(weights[..., own], block, inside | convolves),
                "products": _table(products[..., own], block, inside),
                "share": finite(float(products[block][..., own].sum())),
                "gradients": None if pulls is None else _table(pulls[..., own], block, inside | True),
                "below": None if below is None else _table(below[..., own], block, inside),
            }
            for own in strongest
        ],
        "cells": patch[block].shape[:2],
        "rest": finite(value - written - (bias or 0)),
        "bias": finite(bias),
        "value": finite(value),
        "delta": None,
    }
    if passage.above is None:
        return found
    above = as_image(passage.above)
    found["delta"] = finite(float(above[at]))
    among = np.zeros(patch.shape, bool)
    among[(*block, slice(None))] = np.isin(np.arange(len(channels)), strongest)
    if pulls is not None:
        found["of_bias"] = None if bias is None else finite(float(passage.gradients["bias"][channel]))
        cell = _largest(pulls, among)
        tangent = {name: np.zeros_like(array) for name, array in passage.parameters.items()}
        _of_images(tangent["kernel"])[(*cell, channel)] = 1
        slopes = _column(layer, passage.parameters, passage.state, passage.x, tangent, np.zeros_like(passage.x))
        named = (*cell[:2], channels[cell[2]], channel)
        found["of_weight"] = _sum(named, slopes, above, float(pulls[cell]))
    if below is not None:
        cell = _largest(below, among & inside[..., None])
        source = int(reached[0][cell[0]]), int(reached[1][cell[1]]), channels[cell[2]]
        still = jax.tree.map(np.zeros_like, passage.parameters)
        slopes = _column(layer, passage.parameters, passage.state, passage.x, still, _one(passage.x, source))
        found["of_input"] = _sum(source, slopes, above, float(below[cell]))
    return found


def _window(layer: Any, shape: tuple[int, ...]) -> Window:
    """Through which an output sees examples of this shape, as images; that of a global pooling is all of it."""
    if hasattr(layer, "window"):
        return layer.window(shape).of_images
    lengths = shape[:-1]
    none = (1,) * len(lengths)
    return Window(lengths, none, none, ((0, 0),) * len(lengths)).of_images


def _of_images(kernel: Any) -> np.ndarray:
    """A kernel over images, (rows, columns, channels, filters); one over time has one row."""
    array = np.asarray(kernel)
    return array.reshape(*(1,) * (4 - array.ndim), *array.shape)


def _one(like: Any, at: tuple[int, ...]) -> np.ndarray:
    """1 at a place of an image, zeros elsewhere."""
    array = np.zeros(np.shape(like), np.result_type(np.asarray(like)))
    as_image(array)[at] = 1
    return array


@compiled(compiler=at_once)
def _row(layer: Layer, parameters: Any, state: Any, x: Any, one: Any) -> Any:
    """The slopes of one output by each input."""
    return jax.vjp(lambda x: layer.through(parameters, state, x, INFERENCE)[0], x)[1](one)[0]


@compiled(compiler=at_once)
def _column(layer: Layer, parameters: Any, state: Any, x: Any, of_parameters: Any, of_x: Any) -> Any:
    """The slopes of each output by one weight, or one input."""
    return jax.jvp(lambda p, x: layer.through(p, state, x, INFERENCE)[0], (parameters, x), (of_parameters, of_x))[1]


def _block(sizes: np.ndarray) -> tuple[slice, slice]:
    """The part of a window that is written out: around the largest."""
    middle = np.unravel_index(np.argmax(np.nan_to_num(sizes)), sizes.shape)
    starts = [
        min(max(int(at) - SIDE // 2, 0), max(length - SIDE, 0)) for at, length in zip(middle, sizes.shape, strict=True)
    ]
    first, second = (slice(start, start + SIDE) for start in starts)
    return first, second


def _largest(values: np.ndarray, among: np.ndarray) -> tuple[int, ...]:
    sizes = np.where(among, np.abs(np.nan_to_num(values)), -1)
    return tuple(map(int, np.unravel_index(np.argmax(sizes), sizes.shape)))


def _table(values: np.ndarray, block: tuple[slice, slice], live: np.ndarray) -> list[list[float | None]]:
    """The part of a window that is written out; null where it lies on padding."""
    return [
        [finite(float(value)) if is_live else None for value, is_live in zip(row, lives, strict=True)]
        for row, lives in zip(values[block], live[block], strict=True)
    ]


def _sum(at: tuple[int, ...], slopes: Any, above: np.ndarray, total: float) -> dict[str, Any]:
    """A gradient as the sum over all outputs of their slope times what comes back: the largest terms, and the rest."""
    by_output = as_image(slopes).astype(float)
    terms = np.nan_to_num(by_output * above)
    count = int(np.count_nonzero(terms))
    largest = np.argsort(-np.abs(terms), axis=None, kind="stable")[: min(count, TERMS)]
    places = [tuple(map(int, np.unravel_index(each, terms.shape))) for each in largest]
    return {
        "at": at,
        "terms": [[place, finite(float(by_output[place])), finite(float(above[place]))] for place in places],
        "more": count - len(places),
        "rest": finite(total - sum(float(terms[place]) for place in places)),
        "total": finite(total),
    }
