"""What a layer is, and the algebra of layers: `f * g`, `f + g`, `f >> g` and `f | g` are layers again.

Python's operators bind in this order, so that most networks need few brackets. All four are associative: each of them
holds any number of layers side by side, and is flat.
"""

import operator
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import reduce
from itertools import combinations
from typing import Any, ClassVar, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.arrays.dtypes import agree, level, promoted, real
from chainrule.arrays.masked import Masked, Shape, shape_of
from chainrule.errors import ChainruleError
from chainrule.formula.base import Formula, unchecked
from chainrule.formula.context import INFERENCE, Context
from chainrule.formula.displays import displayed
from chainrule.formula.fusion import fused


class Parameter(NamedTuple):
    """An array that a layer declares and `initialize` draws, and that training changes, unless it is not trainable."""

    shape: Shape
    initializer: Callable[[jax.Array, Shape], jax.Array]
    regularized: bool = False
    repeated: int = 0
    """How many of its first axes count repetitions, each of which is a parameter of its own."""
    trainable: bool = True


class Layer(Formula):
    """A formula from arrays to arrays, with parameters that it declares and never draws itself.

    Shapes are those of one example, without the batch axis, except in `forward` and `apply`. A layer that needs to know
    nothing but its input is `forward`; one that does has an `apply`.
    """

    @property
    def learns(self) -> bool:
        """Whether it learns statistics of the training inputs, before the first step."""
        return False

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

    @property
    def decides(self) -> bool:
        """Whether its outputs have a shape of their own, and not that of its inputs."""
        return type(self).output_shape is not Layer.output_shape

    @property
    def listens(self) -> bool:
        """Whether what surrounds a batch, such as noise, may matter: where it is more than `forward`."""
        return type(self).apply is not Layer.apply or type(self).through is not Layer.through

    def output_mask(self, x: Any, mask: Any) -> Any:
        """The mask of the outputs for a batch and its mask: None where no step is padding, or there are no steps.

        Raises `ChainruleError` where the steps of sequences would mix.
        """
        if mask is not None and self.output_shape(x.shape[1:])[:1] != mask.shape[1:]:
            raise self.mixing()
        return mask

    def walk(self, shape: Shape) -> "Iterator[tuple[Layer, Shape]]":
        """Each layer in it that is no composition, with the shape of the examples that reach it."""
        yield self, shape

    def parameters(self, shape: Shape) -> Any:
        """The arrays that training may change, for examples of this shape, declared as `Parameter`s by name."""
        return {}

    def state(self, shape: Shape) -> Any:
        """The arrays that are kept but not trained (running statistics), at their first values."""
        return {}

    def learned(self, p: Any, state: Any, x: Any, mask: Any) -> Any:
        """The state before the first step, learned of the training inputs that reach the layer."""
        return state

    @property
    def prepares(self) -> bool:
        """Whether it computes something with its inputs that training does not change, and that `prepared` gives."""
        return type(self).prepared is not Layer.prepared

    def prepared(self, state: Any, x: Any) -> Any:
        """Inputs, on the host, as far as the layer can compute with them once instead of in each epoch.

        `apply` takes these in their place, with the same state.
        """
        return x

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

    def mixing(self) -> ChainruleError:
        """The error of a layer that would mix the steps of sequences of unequal length."""
        return ChainruleError(
            f"{self!r}: mixes the steps of sequences of unequal length, padding included. "
            f"Put a recurrent layer or a global pooling before it."
        )

    def without_state(self) -> ChainruleError:
        """The error of a layer whose formula needs its statistics, which `forward` is not given."""
        return ChainruleError(
            f"{self!r}: forward knows no statistics. Call apply(p, state, x), with the model's state."
        )

    def __rshift__(self, other: "Layer") -> "Chain":
        return Chain.of(self, other)

    def __add__(self, other: "Layer") -> "Add":
        return Add.of(self, other)

    def __mul__(self, other: "Layer") -> "Multiply":
        return Multiply.of(self, other)

    def __or__(self, other: "Layer") -> "Concatenate":
        return Concatenate.of(self, other)


class NoisyLayer(Layer):
    """A layer that draws noise where there is a key, in training; `forward` is what it computes afterwards."""

    @abstractmethod
    def noisy(self, p: Any, x: jax.Array, key: jax.Array) -> jax.Array:
        """The formula in training, with its noise drawn from the key."""

    def apply(self, p: Any, state: Any, x: Any, context: Context = INFERENCE) -> tuple[Any, Any]:
        return (self.forward(p, x) if context.key is None else self.noisy(p, x, context.key)), state


class Composition(Layer):
    """Layers that are made of layers, whose masks, statistics and noise they pass on."""

    @abstractmethod
    def parts(self, shape: Shape) -> Iterator[tuple[Layer, Shape]]:
        """The layers that it is made of, each with the shape of the examples that reach it."""

    @abstractmethod
    def through(self, p: Any, state: Any, x: Any, context: Context) -> tuple[Any, Any, Any]:
        """As in `Layer`; only with the parts' outputs are the masks between them known."""

    def walk(self, shape):
        for layer, reached in self.parts(shape):
            yield from layer.walk(reached)

    def parameters(self, shape):
        return tuple(layer.parameters(reached) for layer, reached in self.parts(shape))

    def state(self, shape):
        return tuple(layer.state(reached) for layer, reached in self.parts(shape))

    def forward(self, p, x):
        state = self.state(shape_of(x))
        if jax.tree.leaves(state):
            raise self.without_state()
        return outputs_of(self, p, state, x)[0]

    def apply(self, p, state, x, context=INFERENCE):
        return self.through(p, state, x, context)[:2]


class Operation(Composition):
    """Layers with an operator between them; flat, as those of the same operator within it are its own."""

    layers: tuple[Layer, ...]

    sign: ClassVar[str] = ""
    """The operator, of Python's own precedence."""

    def __post_init__(self) -> None:
        super().__post_init__()
        flat = tuple(operand for layer in self.layers for operand in self._operands(layer))
        if not flat:
            raise ChainruleError(
                f"{type(self).__name__}: expected at least one layer, got none. "
                f"For example: Tanh() {self.sign} Sigmoid()."
            )
        object.__setattr__(self, "layers", flat)

    @property
    def learns(self) -> bool:
        return any(layer.learns for layer in self.layers)

    @classmethod
    def of(cls, one: Layer, other: Any) -> Self:
        """What the operator makes of two layers, which need no check, so that long ones take no longer."""
        if not isinstance(other, Layer):
            return NotImplemented
        return unchecked(cls, [("layers", (*cls._operands(one), *cls._operands(other)))])

    @classmethod
    def _operands(cls, layer: Layer) -> tuple[Layer, ...]:
        return layer.layers if isinstance(layer, cls) else (layer,)

    def __repr__(self) -> str:
        if len(self.layers) == 1:
            return super().__repr__()
        return f" {self.sign} ".join(f"({layer!r})" if self._binds(layer) else repr(layer) for layer in self.layers)

    def _binds(self, layer: Layer) -> bool:
        """Whether its operator binds before that of a layer within it, which then is in brackets."""
        return (
            isinstance(layer, Operation)
            and len(layer.layers) > 1
            and PRECEDENCE.index(self.sign) < PRECEDENCE.index(layer.sign)
        )


PRECEDENCE = ("*", "+", ">>", "|")
"""The operators as Python binds them, the closest first."""


class Chain(Operation):
    """Layers one after another: `f >> g` is g(f(x)).

    >>> from chainrule.layers import Dense
    >>> from chainrule.activations import ReLU
    >>> network = Dense(64) >> ReLU() >> Dense(10)
    >>> network.output_shape((784,))
    (10,)
    """

    sign = ">>"
    textbook = "h[i] = layers[i](h[i-1])"

    def _repr_html_(self) -> str | None:
        """A table of its layers with their formulas, for a notebook."""
        return displayed("network", self)

    @property
    def tokens(self) -> int | None:
        return self.layers[0].tokens

    @property
    def categories(self) -> int:
        return self.layers[0].categories

    @property
    def prepares(self) -> bool:
        return self.layers[0].prepares

    def prepared(self, state, x):
        return self.layers[0].prepared(state[0], x)

    def parts(self, shape):
        for layer in self.layers:
            yield layer, shape
            shape = layer.output_shape(shape)

    def output_shape(self, shape):
        for layer in self.layers:
            shape = layer.output_shape(shape)
        return shape

    def through(self, p, state, x, context):
        states, mask = list(state), context.mask
        for first, end, form in fused(self.layers):
            if form:
                x, mask = form(self.layers[first:end], p[first:end], x, mask)
            else:
                layer = self.layers[first]
                own = context.within(first, mask) if layer.listens else Context(mask=mask)
                x, states[first], mask = layer.through(p[first], state[first], x, own)
        return x, tuple(states), mask

    def learned(self, p, state, x, mask):
        found, last = list(state), max(place for place, layer in enumerate(self.layers) if layer.learns)
        for place, layer in enumerate(self.layers[: last + 1]):
            if layer.learns:
                found[place] = layer.learned(p[place], state[place], x, mask)
            if place < last:
                x, _, mask = layer.through(p[place], found[place], x, Context(mask=mask))
        return tuple(found)


class Branches(Operation):
    """Layers that see the same examples, and whose outputs become one; a step is padding where it is in any of them."""

    @abstractmethod
    def joined(self, outputs: Sequence[Any]) -> jax.Array:
        """One array of the branches' outputs, which have as many axes each."""

    def in_textbook(self):
        return f" {self.sign} ".join(f"f{place}(x)" for place in range(1, len(self.layers) + 1))

    def agreeing(self, shape: Shape) -> Shape:
        """The axes of a branch's outputs that must agree with those of others: all of them."""
        return shape

    @property
    def tokens(self) -> int | None:
        return min((layer.tokens for layer in self.layers if layer.tokens), default=None)

    @property
    def categories(self) -> int:
        return max(layer.categories for layer in self.layers)

    def parts(self, shape):
        return ((layer, shape) for layer in self.layers)

    def output_shape(self, shape):
        reached = [layer.output_shape(shape) for layer in self.layers]
        for (f, of_f), (g, of_g) in combinations(zip(self.layers, reached, strict=True), 2):
            if not agree(self.agreeing(of_f), self.agreeing(of_g)):
                raise ChainruleError(
                    f"{type(self).__name__}: expected branches of shapes that agree, got {of_f} from {f!r} and {of_g} "
                    f"from {g!r}. Make their sizes equal, or 1 where one spreads out over the other."
                )
        return np.broadcast_shapes(*map(self.agreeing, reached))

    def through(self, p, state, x, context):
        each = [
            layer.through(p[place], state[place], x, context.within(place, context.mask))
            for place, layer in enumerate(self.layers)
        ]
        outputs, states, masks = zip(*each, strict=True)
        y = self.joined(level(outputs))
        return y, states, self._mask(y, outputs, masks)

    def learned(self, p, state, x, mask):
        each = zip(self.layers, p, state, strict=True)
        return tuple(layer.learned(own, kept, x, mask) if layer.learns else kept for layer, own, kept in each)

    def _mask(self, y: Any, outputs: Sequence[Any], masks: Sequence[Any]) -> Any:
        """The steps that are padding in no branch; one step of a branch stands for all, as it spreads out."""
        found = [(output, mask) for output, mask in zip(outputs, masks, strict=True) if mask is not None]
        if any(output.ndim < y.ndim or mask.shape[1] not in (1, y.shape[1]) for output, mask in found):
            raise self.mixing()
        return reduce(jnp.logical_and, (jnp.broadcast_to(mask, y.shape[:2]) for _, mask in found)) if found else None


class Add(Branches):
    """The sum of layers' outputs: `f + g` is f(x) + g(x); a residual block, where f is the identity.

    Shapes must agree; an axis of size 1, or one that is missing in front, spreads out over those of the others.

    Reference: He, Zhang, Ren & Sun, 2016, Deep residual learning for image recognition, arXiv:1512.03385.

    >>> from chainrule.activations import Identity, ReLU
    >>> from chainrule.layers import Dense
    >>> Identity() + (Dense(64) >> ReLU() >> Dense(8))
    Identity() + (Dense(64) >> ReLU() >> Dense(8))
    >>> Add((Identity(), Identity())).forward(((), ()), jnp.array([[1.0, 2.0]])).tolist()
    [[2.0, 4.0]]
    """

    sign = "+"
    textbook = "f(x) + g(x)"

    def joined(self, outputs):
        return reduce(operator.add, real(outputs))


class Multiply(Branches):
    """The product of layers' outputs: `f * g` is f(x) g(x); a gate, where g ends in a sigmoid.

    Shapes must agree; an axis of size 1, or one that is missing in front, spreads out over those of the others: so
    `Identity() * (GlobalAveragePool2D() >> Dense(4) >> ReLU() >> Dense(64) >> Sigmoid())` weighs 64 channels.

    Reference: Dauphin, Fan, Auli & Grangier, 2017, Language modeling with gated convolutional networks,
    arXiv:1612.08083; Hu, Shen & Sun, 2018, Squeeze-and-excitation networks, arXiv:1709.01507.

    >>> from chainrule.activations import Sigmoid
    >>> from chainrule.layers import Dense
    >>> (Dense(64) * (Dense(64) >> Sigmoid())).output_shape((8,))
    (64,)
    """

    sign = "*"
    textbook = "f(x) * g(x)"

    def joined(self, outputs):
        return reduce(operator.mul, real(outputs))


class Concatenate(Branches):
    """Layers' outputs joined on the last axis: `f | g` is (f(x), g(x)).

    All axes but the last must agree; one of size 1, or one that is missing in front, spreads out over those of the
    others.

    Reference: Szegedy et al., 2015, Going deeper with convolutions, arXiv:1409.4842; Huang, Liu, van der Maaten &
    Weinberger, 2017, Densely connected convolutional networks, arXiv:1608.06993.

    >>> from chainrule.activations import Identity
    >>> from chainrule.layers import Dense
    >>> (Identity() | Dense(64)).output_shape((8,))
    (72,)
    """

    sign = "|"
    textbook = "concat(f(x), g(x))"

    def in_textbook(self):
        return f"concat({super().in_textbook().replace(' |', ',')})"

    def agreeing(self, shape):
        return shape[:-1]

    def output_shape(self, shape):
        reached = [layer.output_shape(shape) for layer in self.layers]
        if () in reached:
            raise self.refuse("examples of at least one axis", shape, "Put Reshape((1,)) before it.")
        return (*super().output_shape(shape), sum(size[-1] for size in reached))

    def joined(self, outputs):
        axes = np.broadcast_shapes(*(output.shape[:-1] for output in outputs))
        spread = [jnp.broadcast_to(output, (*axes, output.shape[-1])) for output in promoted(*outputs)]
        return jnp.concatenate(spread, axis=-1)


def outputs_of(network: Layer, p: Any, state: Any, x: Any, context: Context = INFERENCE) -> tuple[Any, Any]:
    """A network's outputs for a batch, and its new state; both batches are `Masked` where steps of them are padding."""
    x, mask = x.checked() if isinstance(x, Masked) else (x, context.mask)
    y, state, mask = network.through(p, state, x, replace(context, mask=mask))
    return y if mask is None else Masked(y, mask), state
