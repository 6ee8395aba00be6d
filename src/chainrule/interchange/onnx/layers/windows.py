"""Windows that move over the places: convolution, pooling, and what thins, adds or multiplies places.

ONNX's windows have the channels behind the rows, so that a batch is transposed before the first of them, and back
behind the last one.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.interchange.onnx.forms import form
from chainrule.interchange.onnx.graph import Graph
from chainrule.interchange.onnx.values import (
    FLOAT,
    Own,
    Value,
    channels_first,
    channels_last,
    counted,
    filled,
    lengths_under,
    over,
    real,
    size,
    whole,
)
from chainrule.kernels.window import Window
from chainrule.layers import (
    AveragePool1D,
    AveragePool2D,
    AveragePool3D,
    Conv1D,
    Conv2D,
    Conv3D,
    ConvTranspose1D,
    ConvTranspose2D,
    Crop1D,
    Crop2D,
    DepthwiseConv2D,
    LocallyConnected1D,
    LocallyConnected2D,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    Stride1D,
    Stride2D,
    ZeroPad1D,
    ZeroPad2D,
)
from chainrule.layers.windows import reach_of


@form(Conv1D, Conv2D, Conv3D, DepthwiseConv2D)
def convolution(graph: Graph, layer: Any, own: Own, x: Value) -> Value:
    """Conv; its kernel is (filters, channels / groups, *window)."""
    window, x = layer.window(x.shape), channels_first(graph, _series(graph, x))
    kernel = own.p["kernel"].moved(lambda kernel: np.moveaxis(kernel, (-1, -2), (0, 1)))
    y = graph.add(
        "Conv",
        x.name,
        kernel.into(graph),
        own.p["bias"].into(graph) if layer.bias else "",
        group=x.shape[-1] if isinstance(layer, DepthwiseConv2D) else layer.groups,
        **_around(layer, window),
    )
    return over_time(graph, window, x.became(y))


@form(ConvTranspose1D, ConvTranspose2D)
def transposed(graph: Graph, layer: Any, own: Own, x: Value) -> Value:
    """ConvTranspose; its kernel is (channels, filters / groups, *window).

    What is behind the places that windows reach is padding of the output.
    """
    window, x = layer.window(x.shape), channels_first(graph, _series(graph, x))
    strides, ends = window.stride, zip(reach_of(window.size, window.dilation), window.pads, layer.beyond, strict=True)
    behind = [reach - stride - low - beyond for stride, (reach, (low, _), beyond) in zip(strides, ends, strict=True)]
    y = graph.add(
        "ConvTranspose",
        x.name,
        own.p["kernel"].moved(lambda kernel: _by_channels(kernel, layer.groups)).into(graph),
        own.p["bias"].into(graph) if layer.bias else "",
        group=layer.groups,
        kernel_shape=window.size,
        strides=strides,
        dilations=window.dilation,
        pads=[*(low for low, _ in window.pads), *(max(high, 0) for high in behind)],
        output_padding=[max(-high, 0) for high in behind],
    )
    y = x.became(y)
    if not x.mask or len(x.shape) > 2:
        return y
    lengths = lengths_under(graph, x.mask)
    places = graph.add("Mul", lengths, whole(graph, strides[0]))
    places = graph.add("Add", places, whole(graph, layer.beyond[0]))
    return replace(y, mask=_up_to(graph, places, lengths, y))


def _by_channels(kernel: np.ndarray, groups: int) -> np.ndarray:
    """A kernel (*window, channels / groups, filters) as (channels, filters / groups, *window)."""
    *window, channels, filters = kernel.shape
    apart = kernel.reshape(*window, channels, groups, filters // groups)
    return np.moveaxis(apart, (-2, -3, -1), (0, 1, 2)).reshape(groups * channels, filters // groups, *window)


@form(MaxPool1D, MaxPool2D, MaxPool3D)
def max_pool(graph: Graph, layer: Any, own: Own, x: Value) -> Value:
    """MaxPool."""
    window, x = layer.window(x.shape), channels_first(graph, _series(graph, x, -np.inf))
    y = over_time(graph, window, x.became(graph.add("MaxPool", x.name, **_around(layer, window))))
    return _series(graph, y)


@form(AveragePool1D, AveragePool2D, AveragePool3D)
def average_pool(graph: Graph, layer: Any, own: Own, x: Value) -> Value:
    """AveragePool, in which padding does not count; nor do masked steps, by the share of the others."""
    window, x = layer.window(x.shape), channels_first(graph, _series(graph, x))
    y = over_time(graph, window, x.became(graph.add("AveragePool", x.name, **_around(layer, window))))
    if not x.mask or len(x.shape) > 2:
        return y
    live = graph.add("Cast", over(graph, x), to=FLOAT)
    share = graph.add("AveragePool", live, **_around(layer, window))
    seen = graph.add("Where", graph.add("Greater", share, real(graph, 0)), share, real(graph, 1))
    return filled(graph, y.became(graph.add("Div", y.name, seen)))


def _around(layer: Any, window: Window) -> dict[str, Any]:
    """A window's attributes; "same" over time is left to the runtime, which knows how many steps there are."""
    told: dict[str, Any] = {"kernel_shape": window.size, "strides": window.stride, "dilations": window.dilation}
    if layer.padding == "same" and len(window.size) == 1:
        return told | {"auto_pad": "SAME_UPPER"}
    lows, highs = zip(*window.pads, strict=True)
    return told | {"pads": (*lows, *highs)}


def over_time(graph: Graph, window: Window, y: Value) -> Value:
    """The outputs of a window with their mask: of each sequence those places that it would have alone."""
    if not y.mask or len(y.shape) > 2:
        return y
    [along] = [window.along(0)]
    lengths = lengths_under(graph, y.mask)
    further = along.low + along.high - (along.size - 1) * along.dilation - 1 + along.stride
    reached = graph.add("Max", graph.add("Add", lengths, whole(graph, further)), whole(graph, 0))  # Div truncates
    return replace(y, mask=_up_to(graph, graph.add("Div", reached, whole(graph, along.stride)), lengths, y))


def _series(graph: Graph, x: Value, fill: float = 0.0) -> Value:
    """A batch with one value in the place of padding, of series: the windows of images know no padding."""
    return filled(graph, x, fill) if len(x.shape) == 2 else x


def _up_to(graph: Graph, places: str, lengths: str, y: Value) -> str:
    """The mask of outputs of which each sequence has so many places, if it has any steps."""
    counts = counted(graph, size(graph, y.name, y.places[0]))
    return graph.add(
        "And", graph.add("Less", counts, places), graph.add("Greater", lengths, graph.constant(np.int64(0)))
    )


@form(Stride1D, Stride2D)
def stride(graph: Graph, layer: Any, own: Own, x: Value) -> Value:
    """Slice, of the mask too."""
    strides = layer.window(x.shape).stride
    y = x.became(_slice(graph, x.name, x.places, [0] * len(strides), [END] * len(strides), strides))
    return replace(y, mask=_slice(graph, x.mask, [1], [0], [END], strides)) if x.mask else y


END = 2**62
"""Behind the last place of any axis."""


def _slice(graph: Graph, name: str, axes: Sequence[int], starts: Any, ends: Any, steps: Any) -> str:
    return graph.add("Slice", name, *(whole(graph, *each) for each in (starts, ends, axes, steps)))


@form(ZeroPad1D, ZeroPad2D)
def zero_pad(graph: Graph, layer: Any, own: Own, x: Value) -> Value:
    """Pad."""
    window, x = layer.window(x.shape), _series(graph, x)
    lows, highs = zip(*window.pads, strict=True)
    y = graph.add("Pad", x.name, whole(graph, *lows, *highs), "", whole(graph, *x.places))
    return over_time(graph, window, x.became(y))


@form(Crop1D, Crop2D)
def crop(graph: Graph, layer: Any, own: Own, x: Value) -> Value:
    """Slice."""
    window, x = layer.window(x.shape), _series(graph, x)
    lows, highs = zip(*window.pads, strict=True)
    starts, ends = [-low for low in lows], [high or END for high in highs]
    return over_time(graph, window, x.became(_slice(graph, x.name, x.places, starts, ends, window.stride)))


@form(LocallyConnected1D, LocallyConnected2D)
def locally_connected(graph: Graph, layer: Any, own: Own, x: Value) -> Value:
    """A Gather of what each window sees, and a MatMul for each of its places."""
    window, x = layer.window(x.shape), channels_last(graph, x)
    *lengths, channels = x.shape
    lows, highs = zip(*window.pads, strict=True)
    name = x.name
    if any(lows) or any(highs):
        name = graph.add("Pad", name, whole(graph, *lows, *highs), "", whole(graph, *x.places))
    name = graph.add("Reshape", name, whole(graph, 0, -1, channels))
    seen = _seen(window, tuple(lengths))  # (places, cells)
    count, cells = seen.shape
    gathered = graph.add("Gather", name, graph.constant(seen), axis=1)
    by_place = graph.transpose(graph.add("Reshape", gathered, whole(graph, 0, count, cells * channels)), (1, 0, 2))
    kernel = own.p["kernel"].moved(lambda kernel: kernel.reshape(count, cells * channels, layer.filters))
    y = graph.transpose(graph.add("MatMul", by_place, kernel.into(graph)), (1, 0, 2))
    if layer.bias:
        y = graph.add("Add", y, own.p["bias"].moved(lambda bias: bias.reshape(count, layer.filters)).into(graph))
    places = window.places(tuple(lengths))
    return x.became(graph.add("Reshape", y, whole(graph, 0, *places, layer.filters)) if len(places) > 1 else y)


def _seen(window: Window, lengths: tuple[int, ...]) -> np.ndarray:
    """Which places of the padded input, counted as one axis, each place of a window sees: (places, cells)."""
    padded = [length + low + high for length, (low, high) in zip(lengths, window.pads, strict=True)]
    found = np.zeros((1, 1), np.int64)
    for axis, (length, far) in enumerate(zip(lengths, padded, strict=True)):
        along = window.along(axis)
        own = np.arange(along.places(length))[:, None] * along.stride + np.arange(along.size) * along.dilation
        both = found[:, None, :, None] * far + own[:, None, :]
        found = both.reshape(len(found) * len(own), -1)
    return found
