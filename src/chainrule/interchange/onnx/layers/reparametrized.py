"""Layers whose kernels are computed from their parameters: once and for all, as nothing of it changes any more."""

import jax
import numpy as np

from chainrule.interchange.onnx.forms import form, written
from chainrule.interchange.onnx.graph import Graph
from chainrule.interchange.onnx.values import Array, Own, Value
from chainrule.layers import SpectralNorm, WeightNorm


@form(WeightNorm, SpectralNorm)
def reparametrized(graph: Graph, layer: WeightNorm | SpectralNorm, own: Own, x: Value) -> Value:
    """The layer within, with the kernels that it computes with."""
    named, state = layer.of_layer(*own)
    p, _ = layer.resolved(x.shape, *jax.tree.map(lambda array: array.numbers.astype(np.float32), own))
    computed = {id(kernel) for kernel in layer.kernels(x.shape, named)}

    def now(array: Array, numbers: jax.Array) -> Array:
        return Array("", np.asarray(numbers, np.float32)) if id(array) in computed else array

    return written(graph, layer.layer, Own(jax.tree.map(now, named, p), state), x)
