"""Operators that move over places: what is between the batch and the channels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.formula.layer import Layer
from chainrule.interchange.onnx.reading.axes import View, axis_of
from chainrule.interchange.onnx.reading.flow import Flow
from chainrule.interchange.onnx.reading.node import Node


@dataclass(frozen=True)
class Places:
    """A tensor (batch, channels, *places) there, which is (batch, *places, channels) here."""

    x: Flow
    window: tuple[int, ...] = ()

    @property
    def rank(self) -> int:
        """How many axes of places there are."""
        return len(self.x.view.there) - 2

    @property
    def lengths(self) -> tuple[int, ...]:
        """How many places each of them has."""
        return self.x.view.sizes[2:]

    def through(self, layer: Layer, parameters: Any = None, state: Any = None) -> Flow:
        """What a layer over places makes of it."""
        batch = self.x.view.here[0]
        *lengths, channels = (axis_of(size) for size in layer.output_shape(self.x.view.shape))
        view = View((batch, channels, *lengths), (batch, *lengths, channels))
        return self.x.then(layer, view, parameters, state)

    def strides(self, node: Node) -> list[int]:
        """How far the window moves."""
        return node.get("strides", [1] * self.rank)

    def pads(self, node: Node, strides: Sequence[int], reach: Sequence[int]) -> list[tuple[int, int]]:
        """What is added before and behind each axis."""
        given, how = node.get("pads", [0] * (2 * self.rank)), node.get("auto_pad", "NOTSET")
        if how in ("NOTSET", "VALID"):
            given = given if how == "NOTSET" else [0] * (2 * self.rank)
            return [(given[axis], given[axis + self.rank]) for axis in range(self.rank)]
        found = []
        for length, stride, far in zip(self.lengths, strides, reach, strict=True):
            total = max((math.ceil(length / stride) - 1) * stride + far - length, 0)
            less, more = total // 2, total - total // 2
            found.append((less, more) if how == "SAME_UPPER" else (more, less))
        return found

    def window_options(self, node: Node, size: str, bias: bool) -> dict[str, Any]:
        """The fields of a layer with a window, as one would write them."""
        node.get("kernel_shape")
        strides, dilations = self.strides(node), node.get("dilations", [1] * self.rank)
        reach = [(n - 1) * dilation + 1 for n, dilation in zip(self.window, dilations, strict=True)]
        pads = self.pads(node, strides, reach)
        fields = {size: one_or_each(self.window)}
        fields |= {} if set(strides) == {1} else {"stride": one_or_each(strides)}
        fields |= padding_of(pads)
        fields |= {} if set(dilations) == {1} else {"dilation": one_or_each(dilations)}
        return fields | ({} if bias else {"bias": False})

    def transposed_options(self, node: Node, further: Sequence[int], bias: bool) -> dict[str, Any]:
        """The fields of a transposed convolution."""
        node.get("kernel_shape")
        strides, dilations = self.strides(node), node.get("dilations", [1] * self.rank)
        reach = [(n - 1) * dilation + 1 for n, dilation in zip(self.window, dilations, strict=True)]
        wanted, how = node.get("output_shape"), node.get("auto_pad", "NOTSET")
        if how in ("SAME_UPPER", "SAME_LOWER") and not wanted:
            wanted = [length * stride for length, stride in zip(self.lengths, strides, strict=True)]
        given = node.get("pads", [0] * (2 * self.rank))
        pads = [(given[axis], given[axis + self.rank]) for axis in range(self.rank)]
        further = [*further]
        if wanted:
            whole = [(n - 1) * stride + far for n, stride, far in zip(self.lengths, strides, reach, strict=True)]
            over = [a + more - b for a, more, b in zip(whole, further, wanted, strict=True)]
            further = [more + max(-left, 0) for more, left in zip(further, over, strict=True)]
            halves = [(max(left, 0) // 2, max(left, 0) - max(left, 0) // 2) for left in over]
            pads = [half if how == "SAME_UPPER" else half[::-1] for half in halves]
        fields = {"kernel_size": one_or_each(self.window)}
        fields |= {} if set(strides) == {1} else {"stride": one_or_each(strides)}
        fields |= padding_of(pads)
        fields |= {} if set(dilations) == {1} else {"dilation": one_or_each(dilations)}
        fields |= {} if set(further) == {0} else {"output_padding": one_or_each(further)}
        return fields | ({} if bias else {"bias": False})


def places(node: Node, window: Sequence[int] = ()) -> Places:
    """A node's first input, its channels last."""
    x = node.x
    rank = len(x.view.there) - 2
    if not 0 < rank < 4:
        raise node.refuse(f"no formula computes this over {rank} axes")
    if x.view.batch_axis:
        raise node.refuse("its first axis is not that of the batch")
    batch, channels, *lengths = x.view.there
    return Places(x.arranged(batch, *lengths, channels), tuple(window))


def one_or_each(numbers: Sequence[int]) -> Any:
    """One number where all are equal."""
    return numbers[0] if len(set(numbers)) == 1 else tuple(numbers)


def padding_of(pads: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """The field of a layer that pads so much, as one would write it."""
    if all(low == high for low, high in pads):
        each = one_or_each([low for low, _ in pads])
        return {"padding": each} if each else {}
    return {"padding": tuple(pads) if len(pads) > 1 else tuple(pads[0])}
