"""What a layer is: a shape rule, a table of parameters and a formula; and how layers compose."""

import math
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import jax

from chainrule.errors import ChainruleError
from chainrule.formula import Formula, unchecked
from chainrule.masked import Masked, Shape, shape_of
from chainrule.memory import check_memory
from chainrule.random import split

FLOAT = 4  # bytes of a number in training


class Parameter(NamedTuple):
    """An array that training changes: declared by a layer, drawn by `initialize`."""

    shape: Shape
    initializer: Callable[[jax.Array, Shape], jax.Array]
    regularized: bool = False


class Layer(Formula):
    """A formula from arrays to arrays, with parameters that it declares and never draws itself.

    Shapes are those of one example, without the batch axis, except in `forward` and `apply`.
    """

    reads_masks: ClassVar[bool] = False
    """Whether it takes `Masked` batches itself; other layers see each step's values alone."""

    takes_largest: ClassVar[bool] = False
    """Whether each output is the largest of what its `window` sees, which alone has the gradient."""

    rectifies: ClassVar[bool] = False
    """Whether each output is the input or 0, the larger."""

    convolves: ClassVar[bool] = False
    """Whether `forward_through` knows a better way through a layer that takes the largest and one that rectifies."""

    @property
    def tokens(self) -> int | None:
        """How many tokens there are, for a layer that takes tokens (0, 1, …) rather than numbers."""
        return None

    @property
    def categories(self) -> int:
        """How many of the first inputs are categories by number, for a layer that takes such beside numbers."""
        return 0

    def output_shape(self, shape: Shape) -> Shape:
        """One example's shape after the layer. Raises `ChainruleError` where the layer does not fit."""
        return shape

    def parameters(self, shape: Shape) -> Any:
        """The trained arrays for examples of this shape, declared as `Parameter`s by name."""
        return {}

    def state(self, shape: Shape) -> Any:
        """The arrays that are kept but not trained (running statistics), at their first values."""
        return {}

    @abstractmethod
    def forward(self, p: Any, x: jax.Array) -> jax.Array:
        """The formula: from parameters `p` and a batch `x` to the layer's output, as in inference."""

    def forward_through(self, p: Any, x: Any, behind: Sequence[Any]) -> Any:
        """`forward`, and on through layers without parameters."""
        x = self.forward(p, x)
        for layer in behind:
            x = layer.forward({}, x)
        return x

    def apply(self, p: Any, state: Any, x: Any, key: jax.Array | None = None) -> tuple[Any, Any]:
        """`forward` with state and randomness carried along: a key means training, None inference."""
        return self.forward(p, x), state

    def refuse(self, expected: str, shape: Shape, remedy: str) -> ChainruleError:
        """The error of a layer that does not fit examples of this shape."""
        return ChainruleError(f"{self!r}: expected {expected}, got shape {shape}. {remedy}")

    def __rshift__(self, other: "Layer") -> "Chain":
        if not isinstance(other, Layer):
            return NotImplemented
        return unchecked(Chain, [("layers", (*_links(self), *_links(other)))])  # so that long chains take no longer


class NoisyLayer(Layer):
    """A layer that draws noise in training; `forward` is what it computes afterwards."""

    @abstractmethod
    def noisy(self, p: Any, x: jax.Array, key: jax.Array) -> jax.Array:
        """The formula in training, with its noise drawn from the key."""

    def apply(self, p: Any, state: Any, x: jax.Array, key: jax.Array | None = None) -> tuple[jax.Array, Any]:
        return (self.forward(p, x) if key is None else self.noisy(p, x, key)), state


class Chain(Layer):
    """Layers one after another: `a >> b >> c`. A chain is a layer.

    >>> from chainrule.layers import Dense
    >>> from chainrule.activations import ReLU
    >>> network = Dense(64) >> ReLU() >> Dense(10)
    >>> network.output_shape((784,))
    (10,)
    """

    layers: tuple[Layer, ...]
    textbook = "h[i] = layers[i](h[i-1])"

    def __post_init__(self) -> None:
        super().__post_init__()
        links = tuple(link for layer in self.layers for link in _links(layer))
        if not links:
            raise ChainruleError("Chain: expected at least one layer, got none. For example: Dense(10) >> Softmax().")
        object.__setattr__(self, "layers", links)

    def __repr__(self) -> str:
        return " >> ".join(map(repr, self.layers)) if len(self.layers) > 1 else super().__repr__()

    def _repr_html_(self) -> str | None:
        """A table of its layers with their formulas, for a notebook."""
        try:
            return import_module("chainrule.textbook.notebook").network(self)
        except Exception:  # a notebook then shows the notation
            return None

    @property
    def tokens(self) -> int | None:
        return self.layers[0].tokens

    @property
    def categories(self) -> int:
        return self.layers[0].categories

    def walk(self, shape: Shape) -> Iterator[tuple[Layer, Shape]]:
        """Each layer with the shape of the examples that reach it."""
        for layer in self.layers:
            yield layer, shape
            shape = layer.output_shape(shape)

    def output_shape(self, shape: Shape) -> Shape:
        for layer in self.layers:
            shape = layer.output_shape(shape)
        return shape

    def parameters(self, shape: Shape) -> tuple:
        return tuple(layer.parameters(reached) for layer, reached in self.walk(shape))

    def state(self, shape: Shape) -> tuple:
        return tuple(layer.state(reached) for layer, reached in self.walk(shape))

    def forward(self, p: Any, x: Any) -> Any:
        return self.apply(p, self.state(shape_of(x)), x)[0]

    def apply(self, p: Any, state: Any, x: Any, key: jax.Array | None = None) -> tuple[Any, Any]:
        states = list(state)
        x = x.checked() if isinstance(x, Masked) else x
        for group in self._together():
            if len(group) > 1 and not isinstance(x, Masked):
                first, *behind = (self.layers[index] for index in group)
                x = first.forward_through(p[group[0]], x, behind)
                continue
            for index in group:
                layer, own = self.layers[index], None if key is None else jax.random.fold_in(key, index)
                mask = x.mask if isinstance(x, Masked) and not layer.reads_masks else None
                y, states[index] = layer.apply(p[index], state[index], x if mask is None else x.values, own)
                x = y if mask is None else _masked_again(layer, y, mask)
        return x, tuple(states)

    def _computed(self) -> list[int]:
        """The layers' numbers in the order of computation: a rectifier behind the maximum it stands before.

        There it has less to do, and both orders are the same to the bit, in value and gradient: the larger of 0 and the
        largest; and where the largest is not above 0, no gradient passes, whichever input it would reach.
        """
        order = list(range(len(self.layers)))
        for first, second in pairwise(range(len(order))):
            if _has(self.layers[first], "rectifies") and _has(self.layers[second], "takes_largest"):
                order[first], order[second] = second, first
        return order

    def _together(self) -> Iterator[list[int]]:
        """The same, cut into what is computed in one: a convolution, and a maximum and a rectifier behind it."""
        left = deque(self._computed())
        while left:
            group = [left.popleft()]
            for trait in ("takes_largest", "rectifies") if _has(self.layers[group[0]], "convolves") else ():
                if left and _has(self.layers[left[0]], trait):
                    group.append(left.popleft())
            yield group


def _has(layer: Layer, trait: str) -> bool:
    """Whether a layer has a trait; a subclass with a formula of its own does not inherit it."""
    for kind in type(layer).__mro__:
        if trait in vars(kind):
            return vars(kind)[trait]
        if vars(kind).keys() & {"forward", "apply", "__call__"}:
            return False
    return False


def _masked_again(layer: Layer, values: jax.Array, mask: jax.Array) -> Masked:
    if values.shape[:2] != mask.shape:
        raise ChainruleError(
            f"{layer!r}: mixes the steps of sequences of unequal length, padding included. "
            f"Put a recurrent layer or a global pooling before it."
        )
    return Masked(values, mask)


def _links(layer: Layer) -> tuple[Layer, ...]:
    if not isinstance(layer, Layer):
        raise ChainruleError(f"Chain: expected layers, got {layer!r}. For example: Dense(10) >> Softmax().")
    return layer.layers if isinstance(layer, Chain) else (layer,)


def initialize(layer: Layer, shape: Shape, key: jax.Array) -> Any:
    """Draw the parameters that a layer declares for examples of this shape, each from a key of its own."""
    declared, tree = jax.tree.flatten(layer.parameters(shape), is_leaf=_is_parameter)
    keys = split(key, len(declared))
    return tree.unflatten([p.initializer(own, p.shape) for p, own in zip(declared, keys, strict=True)])


def count(layer: Layer, shape: Shape) -> int:
    """How many numbers training can change."""
    return sum(math.prod(p.shape) for p in jax.tree.leaves(layer.parameters(shape), is_leaf=_is_parameter))


def check_sizes(network: Chain, shape: Shape, examples: int, who: str) -> None:
    """Refuse a layer whose parameters, or outputs for so many examples at once, take more memory than there is."""
    for layer, reached in network.walk(shape):
        parameters, outputs = count(layer, reached), examples * math.prod(layer.output_shape(reached))
        check_memory(FLOAT * parameters, f"{who}: {layer!r}: its {parameters:,} parameters", "Use fewer units.")
        check_memory(
            FLOAT * outputs, f"{who}: {layer!r}: its outputs for {examples:,} examples", "Use fewer units or examples."
        )


def regularized(layer: Layer, shape: Shape) -> Any:
    """The tree of parameters with True where a regulariser applies (kernels), False elsewhere."""
    return jax.tree.map(lambda p: p.regularized, layer.parameters(shape), is_leaf=_is_parameter)


def _is_parameter(node: Any) -> bool:
    return isinstance(node, Parameter)
