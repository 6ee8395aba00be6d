"""What happens inside a network: what each layer makes of its inputs, and the gradient that comes back to it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.arrays.compilation import at_once, compiled
from chainrule.costs import Cost
from chainrule.formula.context import INFERENCE
from chainrule.formula.layer import Chain

BINS = 24
"""Of a distribution."""


class Inside(NamedTuple):
    """A batch forwards and backwards.

    Attributes:
        outputs: of each layer of the chain, (rows, …).
        deltas: the gradient of the mean cost by each of them; of the last one's none where its cost is computed from
            its inputs, as that of a canonical activation is.
        gradients: that of the cost by each parameter, a tree for each layer, without a regulariser's.
        each: the cost of each row.
    """

    outputs: tuple[Any, ...]
    deltas: tuple[Any, ...]
    gradients: Any
    each: Any


@compiled()
def forwards(network: Chain, parameters: Any, state: Any, x: Any) -> tuple[Any, ...]:
    """The outputs of each layer of a chain for a batch, in inference.

    >>> from chainrule.activations import ReLU
    >>> from chainrule.layers import Dense
    >>> kernel = np.array([[1.0, -1.0]], np.float32)
    >>> p = {"kernel": kernel, "bias": np.zeros(2, np.float32)}, {}
    >>> [y.tolist() for y in forwards(Dense(2) >> ReLU(), p, ({}, {}), np.array([[2.0]], np.float32))]
    [[[2.0, -2.0]], [[2.0, 0.0]]]
    """
    return _through(network.layers, parameters, state, x)


def _through(layers: Sequence[Any], parameters: Any, state: Any, x: Any, shifts: Any = None) -> tuple[Any, ...]:
    """The outputs of layers one after another, each moved by a shift, if there are any."""
    outputs = []
    for place, layer in enumerate(layers):
        x, _, _ = layer.through(parameters[place], state[place], x, INFERENCE)
        x = x if shifts is None else x + shifts[place]
        outputs.append(x)
    return tuple(outputs)


@compiled(compiler=at_once)
def inside(network: Chain, cost: Cost, parameters: Any, state: Any, x: Any, E: Any) -> Inside:
    """A batch forwards and backwards, in inference: no noise, and the statistics as they are kept.

    The gradient by a layer's outputs is that by a shift of them, and so the library's own in every layer.

    >>> from chainrule.costs import Quadratic
    >>> from chainrule.layers import Dense
    >>> p, x = ({"kernel": np.array([[2.0]]), "bias": np.array([1.0])},), np.array([[3.0]])
    >>> found = inside(Chain((Dense(1),)), Quadratic(), p, ({},), x, np.array([[5.0]]))
    >>> [found.outputs[0].item(), found.each.item(), found.deltas[0].item(), found.gradients[0]["kernel"].item()]
    [7.0, 2.0, 2.0, 6.0]
    """
    *body, last = network.layers
    whole = type(last) in cost.canonical_activations
    before = body if whole else network.layers
    sizes = jax.eval_shape(lambda: _through(network.layers, parameters, state, x))
    shifts = [jnp.zeros(each.shape, each.dtype) for each in sizes[: len(before)]]

    def mean_cost(parameters: Any, shifts: Any) -> tuple[Any, Any]:
        outputs = _through(before, parameters, state, x, shifts)
        if whole:
            reached = outputs[-1] if outputs else x
            a, each, _ = cost.through(Chain((last,)), parameters[-1:], state[-1:], reached, E)
            outputs = (*outputs, a)
        else:
            each = cost.each(outputs[-1], cost.expected(outputs[-1], E))
        return jnp.mean(each), (outputs, each)

    slope = jax.grad(mean_cost, argnums=(0, 1), has_aux=True)
    (gradients, deltas), (outputs, each) = slope(parameters, shifts)
    return Inside(outputs, (*deltas, *[None] * whole), gradients, each)


class LayerFigures(NamedTuple):
    """A layer in numbers.

    Attributes:
        low, high: between which its outputs lie.
        distribution: how many of them are in each of `BINS` parts from low to high.
        size: the root of their mean square.
        gradient: the same of the gradient of each row's own cost by them; None where none comes to them.
        dead: how many of its units are 0 for every row.
        zeros, weights: how many of its kernels' numbers are exactly 0, and how many there are.
        pull: the length of the gradient by its parameters; None without any.
    """

    low: float
    high: float
    distribution: np.ndarray
    size: float
    gradient: float | None
    dead: int
    zeros: int
    weights: int
    pull: float | None


def figures(network: Chain, found: Inside, parameters: Any) -> list[LayerFigures]:
    """Each layer of a chain in numbers, from what happened inside it."""
    rows, each = len(found.each), []
    for place in range(len(network.layers)):
        a, delta = np.asarray(found.outputs[place], np.float64), found.deltas[place]
        finite = a[np.isfinite(a)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        counts, _ = np.histogram(finite, BINS, (low, high if high > low else low + 1))
        kernels = [np.asarray(array) for array in jax.tree.leaves(parameters[place]) if np.ndim(array) > 1]
        slopes = [np.asarray(array, np.float64) for array in jax.tree.leaves(found.gradients[place])]
        each.append(
            LayerFigures(
                low,
                high,
                counts,
                _size(finite),
                None if delta is None else rows * _size(np.asarray(delta, np.float64)),
                int(np.sum(~np.any(a.reshape(-1, a.shape[-1]) != 0, axis=0))),
                sum(int(np.sum(kernel == 0)) for kernel in kernels),
                sum(kernel.size for kernel in kernels),
                float(np.sqrt(sum(np.sum(slope**2) for slope in slopes))) if slopes else None,
            )
        )
    return each


def _size(array: np.ndarray) -> float:
    return float(np.sqrt(np.mean(array**2))) if array.size else 0.0
