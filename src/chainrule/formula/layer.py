"""What a layer is: a shape rule, a table of parameters and a formula; what it is told; and how layers compose."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import jax

from chainrule.arrays.masked import Masked, Shape, shape_of
from chainrule.errors import ChainruleError
from chainrule.formula.base import Formula, unchecked
from chainrule.formula.displays import displayed
from chainrule.formula.fusion import fused


class Parameter(NamedTuple):
    """An array that training changes: declared by a layer, drawn by `initialize`."""

    shape: Shape
    initializer: Callable[[jax.Array, Shape], jax.Array]
    regularized: bool = False


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Context:
    """What surrounds a batch.

    Attributes:
        key: what noise is drawn from; None: there is none.
        training: whether statistics are gathered, which inference only uses.
        weights: (batch,), how much each row counts: 0 of padding, which enters no statistic. None: all the same.
        mask: (batch, time), False where a step of a sequence is padding. None: no step is.
    """

    key: jax.Array | None = None
    training: bool = field(default=False, metadata={"static": True})
    weights: jax.Array | None = None
    mask: jax.Array | None = None


INFERENCE = Context()


class Layer(Formula):
    """A formula from arrays to arrays, with parameters that it declares and never draws itself.

    Shapes are those of one example, without the batch axis, except in `forward` and `apply`. A layer that needs to know
    nothing but its input is `forward`; one that does has an `apply`.
    """

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

    def output_mask(self, x: Any, mask: Any) -> Any:
        """The mask of the outputs for a batch and its mask: None where no step is padding, or there are no steps.

        Raises `ChainruleError` where the steps of sequences would mix.
        """
        if mask is not None and self.output_shape(x.shape[1:])[:1] != mask.shape[1:]:
            raise ChainruleError(
                f"{self!r}: mixes the steps of sequences of unequal length, padding included. "
                f"Put a recurrent layer or a global pooling before it."
            )
        return mask

    def parameters(self, shape: Shape) -> Any:
        """The trained arrays for examples of this shape, declared as `Parameter`s by name."""
        return {}

    def state(self, shape: Shape) -> Any:
        """The arrays that are kept but not trained (running statistics), at their first values."""
        return {}

    @abstractmethod
    def forward(self, p: Any, x: jax.Array) -> jax.Array:
        """The formula: from parameters `p` and a batch `x` to the layer's output, as in inference."""

    def apply(self, p: Any, state: Any, x: Any, context: Context = INFERENCE) -> tuple[Any, Any]:
        """`forward` with the state carried along, and told what surrounds the batch."""
        return self.forward(p, x), state

    def through(self, p: Any, state: Any, x: Any, context: Context) -> tuple[Any, Any, Any]:
        """`apply`, and the mask of the outputs."""
        mask = self.output_mask(x, context.mask)
        return *self.apply(p, state, x, context), mask

    def refuse(self, expected: str, shape: Shape, remedy: str) -> ChainruleError:
        """The error of a layer that does not fit examples of this shape."""
        return ChainruleError(f"{self!r}: expected {expected}, got shape {shape}. {remedy}")

    def __rshift__(self, other: "Layer") -> "Chain":
        if not isinstance(other, Layer):
            return NotImplemented
        return unchecked(Chain, [("layers", (*_links(self), *_links(other)))])  # so that long chains take no longer


class NoisyLayer(Layer):
    """A layer that draws noise where there is a key, in training; `forward` is what it computes afterwards."""

    @abstractmethod
    def noisy(self, p: Any, x: jax.Array, key: jax.Array) -> jax.Array:
        """The formula in training, with its noise drawn from the key."""

    def apply(self, p: Any, state: Any, x: Any, context: Context = INFERENCE) -> tuple[Any, Any]:
        return (self.forward(p, x) if context.key is None else self.noisy(p, x, context.key)), state


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
        return displayed("network", self)

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
        state = self.state(shape_of(x))
        if jax.tree.leaves(state):
            raise ChainruleError(
                f"{self!r}: forward knows no statistics. Call apply(p, state, x), with the model's state."
            )
        return outputs_of(self, p, state, x)[0]

    def apply(self, p: Any, state: Any, x: Any, context: Context = INFERENCE) -> tuple[Any, Any]:
        return self.through(p, state, x, context)[:2]

    def through(self, p: Any, state: Any, x: Any, context: Context) -> tuple[Any, Any, Any]:
        states, key, mask = list(state), context.key, context.mask
        for first, end, form in fused(self.layers):
            if form:
                x, mask = form(self.layers[first:end], p[first:end], x, mask)
            else:
                own = replace(context, key=None if key is None else jax.random.fold_in(key, first), mask=mask)
                x, states[first], mask = self.layers[first].through(p[first], state[first], x, own)
        return x, tuple(states), mask


def outputs_of(network: Layer, p: Any, state: Any, x: Any, context: Context = INFERENCE) -> tuple[Any, Any]:
    """A network's outputs for a batch, and its new state; both batches are `Masked` where steps of them are padding."""
    x, mask = x.checked() if isinstance(x, Masked) else (x, context.mask)
    y, state, mask = network.through(p, state, x, replace(context, mask=mask))
    return y if mask is None else Masked(y, mask), state


def _links(layer: Layer) -> tuple[Layer, ...]:
    if not isinstance(layer, Layer):
        raise ChainruleError(f"Chain: expected layers, got {layer!r}. For example: Dense(10) >> Softmax().")
    return layer.layers if isinstance(layer, Chain) else (layer,)
