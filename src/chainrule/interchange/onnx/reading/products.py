"""Products with constants: dense layers and convolutions."""

from typing import Any

import numpy as np

from chainrule.formula.layer import Layer
from chainrule.interchange.onnx.reading.attention import mixing, product
from chainrule.interchange.onnx.reading.axes import View, axis_of
from chainrule.interchange.onnx.reading.flow import Flow, in_rows
from chainrule.interchange.onnx.reading.node import Node, reads
from chainrule.interchange.onnx.reading.places import places
from chainrule.interchange.onnx.reading.shapes import taking
from chainrule.layers import (
    Conv1D,
    Conv2D,
    Conv3D,
    ConvTranspose1D,
    ConvTranspose2D,
    Dense,
    DepthwiseConv2D,
    Embedding,
)

CONVOLUTIONS: tuple[Any, ...] = (Conv1D, Conv2D, Conv3D)
TRANSPOSED: tuple[Any, ...] = (ConvTranspose1D, ConvTranspose2D)


@reads("Gemm")
def gemm(node: Node) -> Flow:
    """α x W + β b."""
    if node.get("transA", 0):
        raise node.refuse("attribute transA=1: no formula transposes its rows")
    kernel = node.array(1)
    kernel = (kernel.T if node.get("transB", 0) else kernel) * np.float32(node.get("alpha", 1.0))
    beta, bias = np.float32(node.get("beta", 1.0)), node.constant(2)
    if bias is not None and np.ndim(bias) == 2 and len(bias) != 1:
        raise node.refuse("its third input has an entry for each row of the batch")
    return dense(node.x, kernel, None if bias is None else beta * np.asarray(bias, np.float32).reshape(-1))


@reads("MatMul")
def matmul(node: Node) -> Any:
    """x W."""
    if attended := product(node):
        return attended
    kernel = node.constant(1)
    if np.ndim(kernel) not in (1, 2):
        raise node.refuse(f"no formula multiplies by a constant of {np.ndim(kernel)} axes")
    found = dense(node.x, np.asarray(kernel, np.float32).reshape(len(kernel), -1), None)
    return found.reshaped(found.view.sizes[:-1]) if np.ndim(kernel) == 1 else found


def dense(x: Flow, kernel: np.ndarray, bias: np.ndarray | None) -> Flow:
    """A fully connected layer over the last axis there; its rows are put in the order of the array here."""
    x, rows = x.ending(len(x.view.there) - 1)
    moved, units = in_rows(kernel, rows), kernel.shape[1]
    if mixed := mixing(x, moved, bias):
        return mixed
    arrays = {"kernel": moved} | ({} if bias is None else {"bias": np.broadcast_to(bias, (units,))})
    out = axis_of(units)
    view = View((*x.view.there[:-1], out), (*x.view.here[:-1], out))
    return x.then(Dense(units, bias=bias is not None), view, arrays)


@reads("Conv")
def conv(node: Node) -> Flow:
    """A convolution: its kernel is (filters, channels, *window) there, and (*window, channels, filters) here."""
    kernel, bias = node.array(1), node.constant(2)
    at = places(node, kernel.shape[2:])
    rank, groups = at.rank, node.get("group", 1)
    filters, of_group = kernel.shape[:2]
    options = at.window_options(node, "kernel_size", bias is not None)
    layer: Layer
    if groups == of_group * groups and groups > 1 and rank == 2:
        layer = DepthwiseConv2D(**options, multiplier=filters // groups)
    else:
        layer = CONVOLUTIONS[rank - 1](filters, **options, **({"groups": groups} if groups > 1 else {}))
    arrays = {"kernel": np.moveaxis(kernel, (1, 0), (-2, -1))} | (
        {} if bias is None else {"bias": np.asarray(bias, np.float32)}
    )
    return at.through(layer, arrays)


@reads("ConvTranspose")
def conv_transpose(node: Node) -> Flow:
    """A transposed convolution: its kernel is (channels, filters, *window) there."""
    kernel, bias = node.array(1), node.constant(2)
    at = places(node, kernel.shape[2:])
    if at.rank > len(TRANSPOSED):
        raise node.refuse("no formula computes it over three axes")
    groups = node.get("group", 1)
    further = node.get("output_padding", [0] * at.rank)
    options = at.transposed_options(node, further, bias is not None)
    filters = kernel.shape[1] * groups
    layer = TRANSPOSED[at.rank - 1](filters, **options, **({"groups": groups} if groups > 1 else {}))
    each = kernel.reshape(groups, kernel.shape[0] // groups, *kernel.shape[1:])  # (groups, channels, filters, …)
    moved = np.moveaxis(each, (1, 0, 2), (-3, -2, -1)).reshape(*kernel.shape[2:], kernel.shape[0] // groups, filters)
    return at.through(layer, {"kernel": moved} | _bias(bias))


def _bias(bias: Any) -> dict[str, np.ndarray]:
    return {} if bias is None else {"bias": np.asarray(bias, np.float32)}


@reads("Gather")
def gather(node: Node) -> Flow:
    """A row of a table for each token, or one place of an axis."""
    axis = node.get("axis", 0)
    if isinstance(node[0], Flow):
        return taking(node, node.x, axis, node.constant(1))
    table = node.array(0)
    x = _counted(node, len(table))
    if axis or table.ndim != 2 or x.steps:
        raise node.refuse("only rows of a table are taken by the network's input")
    units = axis_of(table.shape[1])
    view = View((*x.view.there, units), (*x.view.here, units))
    return x.then(Embedding(*table.shape), view, {"table": table})


def _counted(node: Node, rows: int) -> Flow:
    """The numbers of rows: those that a function leaves as they are, where it counts negative ones from the end."""
    every = np.arange(rows)
    same = (made for made in node.any(1).functions if not made.axes and np.array_equal(made.function(every), every))
    return next((made.base for made in same), None) or node.flow(1)
