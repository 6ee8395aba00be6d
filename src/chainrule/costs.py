"""Costs: how far the network's output a is from the expected one E.

A cost adds up over an example's outputs and is averaged over the examples, by weight where weights are given.
The class axis is the last.
"""

import math
from abc import abstractmethod
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from chainrule.activations import Activation, Sigmoid, Softmax
from chainrule.dtypes import as_array, check_within, real_type, widened
from chainrule.errors import ChainruleError
from chainrule.formula import Formula
from chainrule.kernels.elementwise import softplus
from chainrule.kernels.softmax import surprisal
from chainrule.layer import INFERENCE, Chain, Context, outputs_of
from chainrule.masked import whole


class Cost(Formula):
    """The distance between outputs a and expected outputs E, both of shape (batch, …, outputs).

    `cost(a, E)` is a batch's cost, one number. Integers for E, one axis fewer than a, are class numbers.
    """

    partner: ClassVar[type[Activation] | None] = None
    """The activation that, ending a network, is computed together with the cost (`behind`)."""

    outputs: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    """The least and the most that an expected output can be."""

    def __call__(self, a: jax.Array, E: jax.Array, weights: jax.Array | None = None) -> jax.Array:
        """The (weighted) mean over the batch of the cost of each example, computed in 32 bits at least."""
        a, E = as_array(a, f"{self!r}: a"), as_array(E, f"{self!r}: E")
        each = self.each(widened(a), widened(self.expected(a, E)))
        if weights is None:
            return jnp.mean(each).astype(real_type(a))
        weights = widened(as_array(weights, f"{self!r}: weights"))
        if weights.shape != each.shape:
            raise ChainruleError(
                f"{self!r}: expected weights of shape {each.shape}, one an example, got {weights.shape}."
            )
        return (jnp.sum(weights * each) / jnp.sum(weights)).astype(real_type(a))

    def expected(self, a: jax.Array, E: jax.Array) -> jax.Array:
        """E in the shape of the outputs a, class numbers made one-hot.

        Raises:
            ChainruleError: for another shape, and for outputs or classes that can't be. Within a compiled program,
                where values are not known, the cost of a class that can't be is NaN.
        """
        if a.shape[-1:] == (1,) and E.shape == a.shape[:-1]:
            E = E[..., None]
        if E.shape == a.shape:
            self.check(E, f"{self!r}: E")
            return E
        if E.shape == a.shape[:-1] and jnp.issubdtype(E.dtype, jnp.integer):
            last = a.shape[-1] - 1
            check_within(f"{self!r}: E", E, 0, last, f"a class number from 0 to {last}")
            known = (E >= 0) & (last >= E)
            return jnp.where(known[..., None], jax.nn.one_hot(E, last + 1, dtype=real_type(a)), jnp.nan)
        raise ChainruleError(
            f"{self!r}: expected targets of shape {a.shape} or class numbers of shape {a.shape[:-1]}, "
            f"got {E.dtype} of shape {E.shape}. Reshape the targets."
        )

    def check(self, E: Any, name: str) -> None:
        """Refuse the first expected output that can't be, by the name of the array and its place."""
        least, most = self.outputs
        expected = f"a number from {least:g} to {most:g}" if math.isfinite(most) else f"a number >= {least:g}"
        check_within(name, E, least, most, expected)

    @abstractmethod
    def each(self, a: jax.Array, E: jax.Array) -> jax.Array:
        """The cost of each example, shape (batch,), for E as `expected` gives it."""

    def behind(self, z: jax.Array, E: jax.Array) -> jax.Array:
        """The cost of each example of the partner activation's output, computed from its input z."""
        raise NotImplementedError(f"{self!r} has no partner activation.")

    def through(
        self, network: Chain, p: Any, state: Any, x: Any, E: jax.Array, context: Context = INFERENCE
    ) -> tuple[jax.Array, jax.Array, Any]:
        """A network's outputs for a batch, the cost of each example and the new state, as (a, each, state).

        Where the network ends in the cost's partner, both are computed together from the pre-activation.
        """
        *body, last = network.layers
        if type(last) is not self.partner:
            a, state = outputs_of(network, p, state, x, context)
            a = whole(a)
            return a, self.each(widened(a), widened(self.expected(a, E))), state
        z, kept = outputs_of(Chain(tuple(body)), p[:-1], state[:-1], x, context) if body else (x, ())
        z = whole(z)
        return last.forward(p[-1], z), self.behind(widened(z), widened(self.expected(z, E))), (*kept, state[-1])


class Quadratic(Cost):
    """Half the squared distance. Its derivative by a is a − E.

    Keras' and PyTorch's mean squared error divide by the number of outputs instead of by 2.

    Reference: Rumelhart, Hinton & Williams, 1986, Learning representations by back-propagating errors.

    >>> Quadratic()(jnp.array([[1.0, 3.0]]), jnp.array([[1.0, 1.0]])).item()
    2.0
    """

    textbook = "sum((a - E)**2) / 2"

    def each(self, a, E):
        return _sum((a - E) ** 2) / 2


class CrossEntropy(Cost):
    """Binary cross-entropy of each output, added up. Its derivative by a is (a − E) / ((1 − a) a).

    Behind Sigmoid it is computed from the pre-activation, where the derivative is a − E: exact however sure and
    wrong the network is. 0 ln 0 is 0.

    Reference: Hinton, 1989, Connectionist learning procedures.

    >>> CrossEntropy()(jnp.array([[0.5]]), jnp.array([[1.0]])).item()
    0.6931471824645996
    """

    partner = Sigmoid
    outputs = (0, 1)
    textbook = "-sum(E * ln(a) + (1 - E) * ln(1 - a))"

    def each(self, a, E):
        return -_sum(_times_log(E, a) + _times_log(1 - E, 1 - a))

    def behind(self, z, E):
        return _sum(_times(E, softplus(-z)) + _times(1 - E, softplus(z)))


class CategoricalCrossEntropy(Cost):
    """Cross-entropy of a distribution over classes. Its derivative by a is −E / a.

    Behind Softmax it is computed from the pre-activation, where the derivative is a − E. 0 ln 0 is 0.

    Reference: Bridle, 1990, Probabilistic interpretation of feedforward classification network outputs.

    >>> CategoricalCrossEntropy()(jnp.array([[0.25, 0.75]]), jnp.array([0])).item()
    1.3862943649291992
    """

    partner = Softmax
    outputs = (0, math.inf)
    textbook = "-sum(E * ln(a))"

    def each(self, a, E):
        return -_sum(_times_log(E, a))

    def behind(self, z, E):
        return _sum(_times(E, surprisal(z)))


def _sum(values: jax.Array) -> jax.Array:
    """The sum over everything but the batch axis."""
    return jnp.sum(values, axis=tuple(range(1, values.ndim)))


def _times(E: jax.Array, cost: jax.Array) -> jax.Array:
    """E times a cost, where 0 ∞ is 0."""
    return E * jnp.where((E == 0) & jnp.isinf(cost), 0, cost)


def _times_log(E: jax.Array, a: jax.Array) -> jax.Array:
    """E ln a with 0 where E is 0, in value and in gradient."""
    return jnp.where(E == 0, 0, E * jnp.log(jnp.where(E == 0, 1, a)))
