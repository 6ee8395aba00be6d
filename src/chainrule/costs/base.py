"""What a cost is: how far the network's output a is from the expected one E."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.activations import Activation
from chainrule.arrays.dtypes import as_array, check_within, real_type, widened
from chainrule.arrays.masked import Masked, Shape, filled, parts, step_weights
from chainrule.costs.targets import VALUES, Targets
from chainrule.errors import ChainruleError
from chainrule.formula.base import Formula
from chainrule.formula.layer import INFERENCE, Chain, Context, outputs_of
from chainrule.kernels.doubles import through_double
from chainrule.kernels.sharding import by_parts


class Cost(Formula):
    """The distance between outputs a and expected outputs E, both of shape (batch, …, outputs).

    `cost(a, E)` is a batch's cost, one number. Integers for E, one axis fewer than a, are class numbers. Outputs for
    each step of a sequence, (batch, time, outputs), cost the mean over all steps of the batch; where a is a `Masked`,
    over those that are no padding. So they do in Keras, and in PyTorch with ignore_index.
    """

    canonical_activations: ClassVar[tuple[type[Activation], ...]] = ()
    """Those that, ending a network, are computed together with the cost (`behind`); the first completes an open end."""

    is_default: ClassVar[bool] = False
    """Whether a network that ends in a canonical activation is trained with it, unless another cost is said."""

    targets: ClassVar[Targets] = VALUES
    """What it takes as expected outputs."""

    takes_steps: ClassVar[bool] = True
    """Whether each step of a sequence has a cost of its own; else a row has one, and none of its steps is padding."""

    @property
    def outputs_per_target(self) -> int:
        """How many of the network's outputs tell of one expected output: 2 where they are its mean and its variance.

        The first outputs are the first ones of all targets, then come the second ones.
        """
        return 1

    def __call__(self, a: jax.Array, E: jax.Array, weights: jax.Array | None = None) -> jax.Array:
        """The mean cost of the examples, computed in 32 bits at least, by the weights of rows or of their steps."""
        a, mask = parts(a)
        a, E = as_array(a, f"{self!r}: a"), as_array(E, f"{self!r}: E")
        each = self.each(*self._compared(a, E, mask))
        if weights is None and mask is None:
            return jnp.mean(each).astype(real_type(a))
        if weights is not None:
            weights = widened(as_array(weights, f"{self!r}: weights"))
            if weights.ndim == 0 or weights.shape != each.shape[: weights.ndim]:
                raise ChainruleError(
                    f"{self!r}: expected weights of shape {each.shape}, one an example, got {weights.shape}."
                )
        weights = widened(step_weights(each.shape, weights, mask))
        return (jnp.sum(weights * each) / jnp.sum(weights)).astype(real_type(a))

    def expected(self, a: jax.Array, E: jax.Array) -> jax.Array:
        """E in the shape of the outputs a, class numbers made one-hot.

        Raises:
            ChainruleError: for another shape, and for outputs or classes that can't be. Within a compiled program,
                where values are not known, the cost of a class that can't be is NaN.
        """
        shape, no, yes = self.target_shape(a.shape), self.targets.no, self.targets.yes
        numbers = E.shape == shape[:-1] and jnp.issubdtype(E.dtype, jnp.integer) and self.targets.have_classes
        if shape[-1:] == (1,) and E.shape == shape[:-1]:
            E = E[..., None]
        if E.shape == shape:
            E = jnp.where(E == 0, no, E) if numbers and no else E
            self.targets.check(E, f"{self!r}: E")
            return E
        if numbers:
            last = shape[-1] - 1
            check_within(f"{self!r}: E", E, 0, last, f"a class number from 0 to {last}")
            known = (E >= 0) & (last >= E)
            own = jax.nn.one_hot(E, last + 1, dtype=real_type(a))
            return jnp.where(known[..., None], no + (yes - no) * own, jnp.nan)
        classes = f" or class numbers of shape {shape[:-1]}" if self.targets.have_classes else ""
        raise ChainruleError(
            f"{self!r}: expected targets of shape {shape}{classes}, got {E.dtype} of shape {E.shape}. "
            f"Reshape the targets."
        )

    def target_shape(self, outputs: Shape) -> Shape:
        """The shape of what is expected of a network with outputs of this shape."""
        k = self.outputs_per_target
        if outputs and outputs[-1] % k:
            raise ChainruleError(
                f"{self!r}: expected {k} outputs for each target, got {outputs[-1]} in all. End the network with "
                f"Dense({k})."
            )
        return (*outputs[:-1], outputs[-1] // k) if outputs else outputs

    def estimate(self, a: Any) -> Any:
        """One number for each target, as metrics and predictions take it: of a class how far it is, from 0 to 1.

        Of several outputs for each target that is the first, unless the cost knows better.
        """
        no, yes, k = self.targets.no, self.targets.yes, self.outputs_per_target
        if k > 1:
            return a[..., : a.shape[-1] // k]
        return a if (no, yes) == (0, 1) else (a - no) / (yes - no)

    def details(self, a: Any) -> dict[str, Any]:
        """What outputs tell of each target beside its estimate, in the shape of the targets, by a word for it."""
        return {}

    def rescaled(self, a: np.ndarray, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
        """Outputs that say of targets scale · E + shift what a says of E; both have a number for each target."""
        k = self.outputs_per_target
        return a * np.tile(scale, k) + np.tile(shift, k)

    @abstractmethod
    def each(self, a: jax.Array, E: jax.Array) -> jax.Array:
        """The cost of each example, shape (batch, …), for E as `expected` gives it; (batch,) if it takes no steps."""

    def behind(self, z: jax.Array, E: jax.Array, end: type[Activation] | None = None) -> jax.Array:
        """The cost of each example of a canonical activation's output, computed from its input z.

        Args:
            z: what the activation is given.
            E: as `expected` gives it.
            end: which of the canonical activations; the first where none is said.
        """
        raise NotImplementedError(f"{self!r} has no canonical activation.")

    def through(
        self, network: Chain, p: Any, state: Any, x: Any, E: jax.Array, context: Context = INFERENCE
    ) -> tuple[Any, jax.Array, Any]:
        """A network's outputs for a batch, the cost of each example and the new state, as (a, each, state).

        The outputs are a `Masked` where steps of them are padding; what these cost is finite and means nothing.
        Where the network ends in a canonical activation, both are computed together from the pre-activation.
        Gradients are those of the cost: none passes through the outputs.
        """
        *body, last = network.layers
        if type(last) not in self.canonical_activations:
            a, state = outputs_of(network, p, state, x, context)
            values, mask = parts(a)
            return jax.lax.stop_gradient(a), self.each(*self._compared(values, E, mask)), state
        z, kept = outputs_of(Chain(tuple(body)), p[:-1], state[:-1], x, context) if body else (x, ())
        z, mask = parts(z)
        a = last.forward(p[-1], jax.lax.stop_gradient(z))
        each = self.behind(*self._compared(z, E, mask), type(last))  # type: ignore[arg-type]
        return a if mask is None else Masked(a, mask), each, (*kept, state[-1])

    def _compared(self, a: jax.Array, E: jax.Array, mask: Any) -> tuple[jax.Array, jax.Array]:
        """Outputs and what is expected of them, as they are compared; at padding, what no cost is infinite of."""
        if mask is not None and not self.takes_steps:
            raise ChainruleError(
                f"{self!r}: is the cost of a whole row, and takes no steps of sequences of unequal length. "
                f"Give sequences of one length."
            )
        if mask is not None and E.shape[:2] == mask.shape:
            E = filled(E, mask, self.targets.yes if E.ndim == a.ndim or a.shape[-1] == 1 else 0)  # 0: a class number
        return widened(filled(a, mask, HARMLESS)), widened(filled(self.expected(a, E), mask, HARMLESS))


HARMLESS = 0.5  # a probability, a positive value, a logit


def summed(values: jax.Array) -> jax.Array:
    """The sum over the outputs, the last axis."""
    return jnp.sum(values, axis=-1)


def in_rows(f: Callable[..., jax.Array], a: jax.Array, E: jax.Array, *numbers: Any) -> jax.Array:
    """A cost of each row, `f(a, E, *numbers)`, computed in double and rounded once.

    Args:
        f: from arrays in double to the cost of each row.
        a: the outputs, or what they are made of.
        E: what is expected of them.
        numbers: those that f takes too, such as a formula's.
    """
    form = by_parts("..._,..._,*->...")(lambda a, E, numbers: through_double(f)(a, E, *numbers))
    return form(a, E, numbers)
