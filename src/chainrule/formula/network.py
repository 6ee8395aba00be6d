"""The parameters of a whole network: drawn, counted, checked and chosen."""

import math
from collections.abc import Callable
from typing import Any

import jax

from chainrule.arrays.masked import Shape
from chainrule.arrays.memory import check_memory
from chainrule.arrays.random import split
from chainrule.errors import ChainruleError
from chainrule.formula.layer import Chain, Layer, Parameter

FLOAT = 4  # bytes of a number in training


def initialize(layer: Layer, shape: Shape, key: jax.Array) -> Any:
    """Draw the parameters that a layer declares for examples of this shape, each from a key of its own."""
    declared, tree = jax.tree.flatten(layer.parameters(shape), is_leaf=is_parameter)
    keys = split(key, len(declared))
    return tree.unflatten([p.initializer(own, p.shape) for p, own in zip(declared, keys, strict=True)])


def numbers(layer: Layer, shape: Shape) -> int:
    """How many numbers the parameters have."""
    return sum(math.prod(p.shape) for p in jax.tree.leaves(layer.parameters(shape), is_leaf=is_parameter))


def count(layer: Layer, shape: Shape) -> int:
    """How many numbers training can change."""
    declared = jax.tree.leaves(layer.parameters(shape), is_leaf=is_parameter)
    return sum(math.prod(p.shape) for p in declared if p.trainable)


def check_trainable(layer: Layer, shape: Shape, who: str) -> None:
    """Refuse a network whose parameters are all frozen."""
    if numbers(layer, shape) and not count(layer, shape):
        raise ChainruleError(
            f"{who}: {layer!r} has nothing to train, since all its parameters are frozen. Leave a layer outside Frozen."
        )


def check_sizes(network: Layer, shape: Shape, examples: int, who: str) -> None:
    """Refuse a layer whose parameters, or outputs for so many examples at once, take more memory than there is."""
    for layer, reached in network.walk(shape):
        parameters, outputs = numbers(layer, reached), examples * math.prod(layer.output_shape(reached))
        check_memory(FLOAT * parameters, f"{who}: {layer!r}: its {parameters:,} parameters", "Use fewer units.")
        check_memory(
            FLOAT * outputs, f"{who}: {layer!r}: its outputs for {examples:,} examples", "Use fewer units or examples."
        )


def regularized(layer: Layer, shape: Shape) -> Any:
    """The tree of parameters with True where a regulariser applies (kernels that are trained), False elsewhere."""
    return jax.tree.map(lambda p: p.regularized and p.trainable, layer.parameters(shape), is_leaf=is_parameter)


def of_each(repeated: int, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of a parameter, for the array of all of its repetitions in so many axes: each is seen by itself."""
    for _ in range(repeated):
        function = jax.vmap(function)
    return function


def trainable(layer: Layer, shape: Shape) -> Any:
    """The tree of parameters with True where training changes them, False elsewhere."""
    return jax.tree.map(lambda p: p.trainable, layer.parameters(shape), is_leaf=is_parameter)


def parted(tree: Any, chosen: Any) -> tuple[Any, Any]:
    """A tree as two, in which None stands for what is in the other one: what is chosen, and what is not.

    >>> parted({"kernel": 1, "bias": 2}, {"kernel": True, "bias": False})
    ({'bias': None, 'kernel': 1}, {'bias': 2, 'kernel': None})
    """
    one = jax.tree.map(lambda its, leaf: leaf if its else None, chosen, tree)
    return one, jax.tree.map(lambda its, leaf: None if its else leaf, chosen, tree)


def united(one: Any, other: Any) -> Any:
    """`parted` undone."""
    return jax.tree.map(lambda a, b: b if a is None else a, one, other, is_leaf=lambda node: node is None)


def deciding(network: Chain) -> Layer:
    """The last layer that decides the shape of the outputs."""
    return next((layer for layer in reversed(network.layers) if layer.decides), network.layers[-1])


def is_parameter(node: Any) -> bool:
    """Whether a node of a declaration is one, and no tree of them."""
    return isinstance(node, Parameter)
