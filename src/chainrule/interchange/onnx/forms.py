"""The ONNX form of each formula, by its exact type, since a subclass may have another formula."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol, TypeVar

import jax
import numpy as np

from chainrule.activations import Activation
from chainrule.errors import ChainruleError
from chainrule.formula.layer import Composition, Layer
from chainrule.interchange.onnx.graph import Graph
from chainrule.interchange.onnx.values import FLOAT, Own, Value


class Form(Protocol):
    """From a graph, a layer, its arrays and a batch to what the layer makes of it, in nodes of the graph."""

    def __call__(self, graph: Graph, layer: Any, own: Own, x: Value, /) -> Value: ...


FORMS: dict[type[Layer], Form] = {}
"""The forms there are; that of `Activation` is for those that have none of their own."""

F = TypeVar("F", bound=Callable[..., Any])


def form(*layers: type[Layer]) -> Callable[[F], F]:
    """Let a function be the form of some layers; also of a layer of your own, before you export it."""

    def known(function: F) -> F:
        FORMS.update(dict.fromkeys(layers, function))
        return function

    return known


def written(graph: Graph, layer: Layer, own: Own, x: Value) -> Value:
    """What a layer makes of a batch, in nodes of a graph.

    Raises:
        ChainruleError: for a layer without a form, and one that would mix the steps of sequences of unequal length.
    """
    function = FORMS.get(type(layer)) or (FORMS[Activation] if isinstance(layer, Activation) else None)
    if function is None:
        raise ChainruleError(
            f"{layer!r}: there is no ONNX form of this layer. Give it one: chainrule.interchange.onnx.forms.form."
        )
    if isinstance(layer, Composition):
        y = function(graph, layer, own, x)
    else:
        graph.about = repr(layer)
        y = function(graph, layer, own, _in_numbers(graph, x) if layer.tokens is None else x)
        if x.mask and not _keeps_steps(layer, x):
            y = replace(y, mask="")
    return replace(y, shape=layer.output_shape(x.shape))


def _in_numbers(graph: Graph, x: Value) -> Value:
    """A batch as real numbers, where it was of tokens."""
    return x.became(graph.add("Cast", x.name, to=FLOAT), tokens=False) if x.tokens else x


def _keeps_steps(layer: Layer, x: Value) -> bool:
    """Whether the outputs have steps, too."""
    values, mask = jax.ShapeDtypeStruct((1, *x.shape), np.float32), jax.ShapeDtypeStruct((1, *x.shape[:1]), bool)
    return jax.eval_shape(layer.output_mask, values, mask) is not None
