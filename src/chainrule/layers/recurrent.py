"""Recurrent layers: (time, features) → (units,), or (time, units) with `return_sequences=True`."""

import dataclasses
import re
import textwrap
from abc import abstractmethod
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from chainrule.activations import Activation, Tanh
from chainrule.arrays.dtypes import of_axes, promoted
from chainrule.arrays.functions import sigmoid, tanh
from chainrule.arrays.masked import filled
from chainrule.arrays.random import keyed
from chainrule.errors import ChainruleError
from chainrule.formula.constraints import fraction, one_of, optional, positive_int
from chainrule.formula.layer import INFERENCE, Context, NoisyLayer, Parameter
from chainrule.initializers import GlorotUniform, Initializer, Orthogonal, Zeros
from chainrule.kernels.random import bernoulli
from chainrule.kernels.recurrence import Carry, Cell, Steps, Weights, recurrence
from chainrule.layers.windows import KINDS, abstract


class Recurrent(NoisyLayer):
    """A layer that goes through time step by step, with the same weights at each.

    The kernel is (features, gates · units), the recurrent_kernel (units, gates · units), the bias (gates · units,), the
    gates side by side. The state before the first step is zero, or learned. Of sequences of unequal length, padding
    leaves the state as it is, so it never shows.
    """

    units: int = positive_int(meaning="the number of outputs")
    return_sequences: bool = False
    reverse: bool = False
    learn_start: bool = False
    recurrent_dropout: float | None = optional(
        fraction(meaning="the probability of an output to be unseen by the next step")
    )
    kernel_initializer: Initializer = GlorotUniform()
    recurrent_initializer: Initializer = Orthogonal()

    gates: ClassVar[int] = abstract()
    """How many sums of each unit the layer computes from its input."""

    states: ClassVar[int] = 1
    """How many arrays go from step to step, the output first."""

    @abstractmethod
    def cell(self, p: Any) -> tuple[Cell, Any]:
        """One step, and the formulas in it, with their parameters."""

    def is_noisy(self) -> bool:
        """Whether noise is drawn in training."""
        return self.recurrent_dropout is not None

    def words(self, key: jax.Array, steps: int) -> jax.Array | None:
        """Those of a key for each step, (steps, 2), where the formulas draw noise."""
        return None

    def bias(self, p: Any) -> Any:
        """What is added to the sums of the gates, or else is learned of them."""
        return p["bias"]

    def in_textbook(self):
        lines = textwrap.dedent(self.step()).strip().splitlines()
        if self.recurrent_dropout is not None:
            lines = [re.sub(r"h\[t-1\](?=\)? @)", "d", line) for line in lines]
            lines.insert(0, "d = h[t-1] * B / (1 - recurrent_dropout), B ~ Bernoulli(1 - recurrent_dropout)")
        before, first, last = ("t+1", "T", "1") if self.reverse else ("t-1", "1", "T")
        if self.learn_start:
            states = enumerate("hc"[: self.states])
            lines[:0] = [f"{state}[{before}] = start[{row}], t == {first}" for row, state in states]
        lines.append("y[t] = h[t]" if self.return_sequences else f"y = h[t], t == {last}")
        return "\n".join(lines).replace("t-1", before)

    def step(self) -> str:
        """The textbook form of a step."""
        return self.textbook

    def output_shape(self, shape):
        if len(shape) != 2:
            raise self.refuse(
                KINDS[1], shape, "Put a Reshape before it, or return_sequences=True into the layer before."
            )
        if not shape[0]:
            raise self.refuse("at least one step", shape, "Leave sequences without steps out.")
        return (shape[0], self.units) if self.return_sequences else (self.units,)

    def output_mask(self, x, mask):
        return mask if self.return_sequences else None

    def parameters(self, shape):
        self.output_shape(shape)
        wide = self.gates * self.units
        start = {"start": Parameter((self.states, self.units), Zeros())} if self.learn_start else {}
        return {
            "kernel": Parameter((shape[-1], wide), self.kernel_initializer, regularized=True),
            "recurrent_kernel": Parameter((self.units, wide), self.recurrent_initializer, regularized=True),
            "bias": Parameter((wide,), Zeros()),
        } | start

    def forward(self, p, x):
        return self._run(p, x, INFERENCE)

    def noisy(self, p, x, key):
        return self._run(p, x, Context(key)) if self.is_noisy() else self.forward(p, x)

    def apply(self, p, state, x, context=INFERENCE):
        return super().apply(p, state, x, context) if context.mask is None else (self._run(p, x, context), state)

    def _keep(self, key: jax.Array | None, batch: int) -> jax.Array | None:
        """Factors on the outputs that the next step sees."""
        if key is None or self.recurrent_dropout is None:
            return None
        kept = bernoulli(key, 1 - self.recurrent_dropout, (batch, self.units))
        return jnp.where(kept, 1 / (1 - self.recurrent_dropout), 0)

    def _run(self, p: Any, x: Any, context: Context) -> jax.Array:
        self.output_shape(x.shape[1:])  # which refuses what is no series
        keep, mask = self._keep(context.key, x.shape[0]), context.mask
        values, p, keep = promoted(filled(x, mask), p, keep)
        values, live = jnp.swapaxes(values, 0, 1), None if mask is None else mask.T
        if self.reverse:
            values, live = values[::-1], None if live is None else live[::-1]
        weights = Weights(p["kernel"], p["recurrent_kernel"], self.bias(p), keep)
        start = p["start"] if self.learn_start else jnp.zeros((self.states, self.units), values.dtype)
        start = tuple(jnp.broadcast_to(row, (values.shape[1], self.units)) for row in start)
        words = None if context.key is None else self.words(context.key, len(values))
        cell, formulas = self.cell(p)
        h: Any = recurrence(cell, self.return_sequences, formulas, values, weights, start, Steps(live, words))
        if not self.return_sequences:
            return h
        return jnp.swapaxes(h[::-1] if self.reverse else h, 0, 1)


class RNN(Recurrent):
    """The simple recurrent network of Elman: the state is an activation of input and last state.

    Any activation will do: what it learns is the layer's parameter "activation", and noise is drawn anew at each step.
    PyTorch's weight_ih_l0 and weight_hh_l0 are the kernels transposed; its two biases add up to one.

    Reference: Elman, 1990, Finding structure in time.

    >>> RNN(16).output_shape((100, 6))
    (16,)
    """

    activation: Activation = Tanh()
    gates = 1
    textbook = "h[t] = activation(x[t] @ kernel + h[t-1] @ recurrent_kernel + bias)"

    def __post_init__(self):
        super().__post_init__()
        if (after := self.activation.output_shape((self.units,))) != (self.units,):
            raise ChainruleError(
                f"RNN: expected an activation that keeps the {self.units} units, got {self.activation!r}, which makes "
                f"{after[0]} of them. Choose another one, or put it behind the layer."
            )

    def parameters(self, shape):
        learned = self.activation.parameters((self.units,))
        return super().parameters(shape) | ({"activation": learned} if learned else {})

    def cell(self, p):
        return _ACTIVATED.get(type(self.activation), _RNN), (self.activation, p.get("activation", {}))

    def is_noisy(self):
        return super().is_noisy() or isinstance(self.activation, NoisyLayer)

    def words(self, key, steps):
        if not isinstance(self.activation, NoisyLayer):
            return None
        return jax.random.bits(jax.random.fold_in(key, 1), (steps, 2), "uint32")  # others than recurrent dropout's


class GRU(Recurrent):
    """Gated recurrent unit: a reset gate r, an update gate z, and a new state n.

    The gates stand in PyTorch's order r, z, n (Keras: z, r, h). As published, r acts on the last state before its
    product; with `reset_after=True` it acts on the product, which is what cuDNN, PyTorch and Keras compute and is
    faster. Then `recurrent_bias` is the bias of that product for n, PyTorch's b_hn.

    Reference: Cho, van Merriënboer, Gulcehre, Bahdanau, Bougares, Schwenk & Bengio, 2014, Learning phrase
    representations using RNN encoder–decoder, arXiv:1406.1078.

    >>> GRU(16).output_shape((100, 6))
    (16,)
    """

    reset_after: bool = False
    gates = 3
    textbook = """
        r = sigmoid(x[t] @ kernel_r + h[t-1] @ recurrent_kernel_r + bias_r)
        z = sigmoid(x[t] @ kernel_z + h[t-1] @ recurrent_kernel_z + bias_z)
        n = tanh(x[t] @ kernel_n + (r * h[t-1]) @ recurrent_kernel_n + bias_n)
        h[t] = (1 - z) * n + z * h[t-1]"""

    def step(self):
        if not self.reset_after:
            return self.textbook
        after = "r * (h[t-1] @ recurrent_kernel_n + recurrent_bias)"
        return self.textbook.replace("(r * h[t-1]) @ recurrent_kernel_n", after)

    def parameters(self, shape):
        own = {"recurrent_bias": Parameter((self.units,), Zeros())} if self.reset_after else {}
        return super().parameters(shape) | own

    def cell(self, p):
        return _GRU if self.reset_after else _PUBLISHED_GRU, None

    def bias(self, p):
        return jnp.concatenate([p["bias"], p["recurrent_bias"]]) if self.reset_after else p["bias"]


def summed(a: jax.Array, seen: jax.Array, weights: Weights) -> jax.Array:
    """The gates' parts of input and last output, and the bias, added up."""
    return a + seen @ weights.recurrent + of_axes(weights.bias, a)


def _rnn_carry(formulas: tuple[Activation, Any], gates: jax.Array, last: Carry, words: Any) -> Carry:
    activation, p = formulas
    return activation.apply(p, {}, gates, Context(None if words is None else keyed(words)))[:1]


def _gru_gates(a: jax.Array, seen: jax.Array, weights: Weights) -> jax.Array:
    """Those of r and z added up; those of n side by side, since r comes between them."""
    apart, part = 2 * seen.shape[-1], seen @ weights.recurrent
    sums = a[..., :apart] + part[..., :apart], a[..., apart:], part[..., apart:]
    return jnp.concatenate(sums, axis=-1) + of_axes(weights.bias, a)


def _gru_carry(formulas: None, gates: jax.Array, last: Carry, words: Any) -> Carry:
    r, z, n, product = jnp.split(gates, 4, axis=-1)
    z = sigmoid(z)
    return ((1 - z) * tanh(n + sigmoid(r) * product) + z * last[0],)


def _published_gates(a: jax.Array, seen: jax.Array, weights: Weights) -> jax.Array:
    """Those of r and z, and that of n, which sees what r leaves of h."""
    units, a = seen.shape[-1], a + of_axes(weights.bias, a)
    apart = 2 * units
    both = a[..., :apart] + seen @ weights.recurrent[:, :apart]
    n = a[..., apart:] + (sigmoid(both[..., :units]) * seen) @ weights.recurrent[:, apart:]
    return jnp.concatenate([both, n], axis=-1)


def _published_carry(formulas: None, gates: jax.Array, last: Carry, words: Any) -> Carry:
    _, z, n = jnp.split(gates, 3, axis=-1)
    z = sigmoid(z)
    return ((1 - z) * tanh(n) + z * last[0],)


_RNN, _ELMAN = Cell(summed, _rnn_carry), Cell(summed, _rnn_carry, "elman")
_ACTIVATED: dict[type[Activation], Cell] = {Tanh: _ELMAN}  # by the exact type
_GRU = Cell(_gru_gates, _gru_carry, "gru")
_PUBLISHED_GRU = Cell(_published_gates, _published_carry, "published_gru")


class Bidirectional(NoisyLayer):
    """A recurrent layer and its mirror image, which goes through time backwards, side by side.

    Reference: Schuster & Paliwal, 1997, Bidirectional recurrent neural networks.

    >>> Bidirectional(GRU(16)).output_shape((100, 6))
    (32,)
    """

    layer: Recurrent
    merge: str = one_of("concat", "sum", "mean", default="concat", meaning="how the two outputs become one")
    textbook = "concat(layer(x), mirrored(layer)(x))"

    def in_textbook(self):
        added = "layer(x) + mirrored(layer)(x)"
        return {"concat": self.textbook, "sum": added, "mean": f"({added}) / 2"}[self.merge]

    def _mirrored(self) -> Recurrent:
        return dataclasses.replace(self.layer, reverse=not self.layer.reverse)

    def output_shape(self, shape):
        *time, units = self.layer.output_shape(shape)
        return (*time, 2 * units if self.merge == "concat" else units)

    def output_mask(self, x, mask):
        return self.layer.output_mask(x, mask)

    def parameters(self, shape):
        return {"forward": self.layer.parameters(shape), "backward": self.layer.parameters(shape)}

    def forward(self, p, x):
        return self._both(p, x, INFERENCE)

    def noisy(self, p, x, key):
        return self._both(p, x, Context(key))

    def apply(self, p, state, x, context=INFERENCE):
        return super().apply(p, state, x, context) if context.mask is None else (self._both(p, x, context), state)

    def _both(self, p: Any, x: Any, context: Context) -> jax.Array:
        one, other = (None, None) if context.key is None else jax.random.split(context.key)
        forward, _ = self.layer.apply(p["forward"], {}, x, dataclasses.replace(context, key=one))
        backward, _ = self._mirrored().apply(p["backward"], {}, x, dataclasses.replace(context, key=other))
        if self.merge == "concat":
            return jnp.concatenate([forward, backward], axis=-1)
        return (forward + backward) / (2 if self.merge == "mean" else 1)
