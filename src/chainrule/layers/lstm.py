"""Long short-term memory: recurrent layers with a cell beside their output."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.arrays.devices import put
from chainrule.arrays.dtypes import of_axes
from chainrule.arrays.functions import sigmoid, tanh
from chainrule.arrays.masked import Shape
from chainrule.formula.constraints import constrained, number
from chainrule.formula.layer import Parameter
from chainrule.initializers import Constant, Zeros
from chainrule.kernels.recurrence import Carry, Cell, Weights
from chainrule.layers.normalization import LayerNorm
from chainrule.layers.recurrent import Recurrent, summed


class Memory(Recurrent):
    """A cell c that gates write (i), keep (f) and read (o); the sums stand in the order i, f, g, o."""

    forget_bias: float = number(
        0.0, "the forget gate's bias before training; 1 is Jozefowicz, Zaremba & Sutskever, 2015"
    )
    gates = 4
    states = 2

    def parameters(self, shape):
        def bias(key: jax.Array, shape: Shape) -> jax.Array:
            forgets = (np.arange(shape[0]) // self.units == 1).astype(np.float32)
            return put(self.forget_bias * forgets)

        return super().parameters(shape) | {"bias": Parameter((4 * self.units,), bias)}


class LSTM(Memory):
    """Long short-term memory: a cell c that gates write (i), keep (f) and read (o).

    The gates stand in the order i, f, g, o, which is PyTorch's, and Keras' i, f, c, o: their weights carry over by a
    transposition, PyTorch's two biases added.

    Reference: Hochreiter & Schmidhuber, 1997, Long short-term memory; Gers, Schmidhuber & Cummins, 2000, Learning to
    forget.

    >>> LSTM(16, return_sequences=True).output_shape((100, 6))
    (100, 16)
    """

    textbook = """
        i = sigmoid(x[t] @ kernel_i + h[t-1] @ recurrent_kernel_i + bias_i)
        f = sigmoid(x[t] @ kernel_f + h[t-1] @ recurrent_kernel_f + bias_f)
        g = tanh(x[t] @ kernel_g + h[t-1] @ recurrent_kernel_g + bias_g)
        o = sigmoid(x[t] @ kernel_o + h[t-1] @ recurrent_kernel_o + bias_o)
        c[t] = f * c[t-1] + i * g
        h[t] = o * tanh(c[t])"""

    def cell(self, p):
        return _LSTM, None


class PeepholeLSTM(Memory):
    """LSTM whose gates see the cell, through weights of each unit's own: i and f the last one, o the new one.

    So a gate may open at a time that it counts by the cell. The weights of i, f and o are the rows of `peephole`, and
    begin at 0. The equations are those of Graves, 2013, arXiv:1308.0850. Neither PyTorch nor Keras has it.

    Reference: Gers, Schraudolph & Schmidhuber, 2002, Learning precise timing with LSTM recurrent networks.

    >>> PeepholeLSTM(16).output_shape((100, 6))
    (16,)
    """

    textbook = """
        i = sigmoid(x[t] @ kernel_i + h[t-1] @ recurrent_kernel_i + peephole_i * c[t-1] + bias_i)
        f = sigmoid(x[t] @ kernel_f + h[t-1] @ recurrent_kernel_f + peephole_f * c[t-1] + bias_f)
        g = tanh(x[t] @ kernel_g + h[t-1] @ recurrent_kernel_g + bias_g)
        c[t] = f * c[t-1] + i * g
        o = sigmoid(x[t] @ kernel_o + h[t-1] @ recurrent_kernel_o + peephole_o * c[t] + bias_o)
        h[t] = o * tanh(c[t])"""

    def parameters(self, shape):
        return super().parameters(shape) | {"peephole": Parameter((3, self.units), Zeros())}

    def cell(self, p):
        return _PEEPHOLE, p["peephole"]


def _several() -> Any:

    def holds(v: Any) -> bool:
        return type(v) is int and v >= 2

    meaning = "the number of outputs; one has no variance"
    return constrained(dataclasses.MISSING, meaning, "a whole number >= 2", holds, (1, 0, 1.5, True, "1", None))


class LayerNormLSTM(Memory):
    """LSTM in which the gates' parts of the input and of the last output, and the cell that is read, are normalised.

    Each is standardised over all its values, those of the four gates together, and scaled, by `scale_x`, `scale_h` and
    `scale_c`; the gates' offsets add up to the bias, that of the cell is `offset_c`, and ε is 1e-5. Neither PyTorch nor
    Keras has it.

    Reference: Ba, Kiros & Hinton, 2016, Layer normalization, arXiv:1607.06450.

    >>> LayerNormLSTM(16).output_shape((100, 6))
    (16,)
    """

    units: int = _several()
    textbook = """
        z = scale_x * normed(x[t] @ kernel) + scale_h * normed(h[t-1] @ recurrent_kernel) + bias
        i = sigmoid(z_i), z == concat(z_i, z_f, z_g, z_o)
        f = sigmoid(z_f)
        g = tanh(z_g)
        o = sigmoid(z_o)
        c[t] = f * c[t-1] + i * g
        h[t] = o * tanh(scale_c * normed(c[t]) + offset_c)
        normed(u)[j] = (u[j] - mean(u[:])) / sqrt(mean(u[:]**2) - mean(u[:])**2 + epsilon)"""

    def parameters(self, shape):
        wide = {"scale_x": 4 * self.units, "scale_h": 4 * self.units, "scale_c": self.units}
        scales = {name: Parameter((size,), Constant(1.0)) for name, size in wide.items()}
        return super().parameters(shape) | scales | {"offset_c": Parameter((self.units,), Zeros())}

    def bias(self, p):
        return {name: p[name] for name in ("bias", "scale_x", "scale_h")}

    def cell(self, p):
        return _LAYER_NORM, {"scale": p["scale_c"], "offset": p["offset_c"]}


def _lstm_carry(formulas: None, gates: jax.Array, last: Carry, words: Any) -> Carry:
    i, f, g, o = jnp.split(gates, 4, axis=-1)
    c = sigmoid(f) * last[1] + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c), c


def _peephole_carry(peephole: jax.Array, gates: jax.Array, last: Carry, words: Any) -> Carry:
    i, f, g, o = jnp.split(gates, 4, axis=-1)
    of_i, of_f, of_o = (of_axes(weights, g) for weights in peephole)
    c = sigmoid(f + of_f * last[1]) * last[1] + sigmoid(i + of_i * last[1]) * tanh(g)
    return sigmoid(o + of_o * c) * tanh(c), c


def _normed_gates(a: jax.Array, seen: jax.Array, weights: Weights) -> jax.Array:
    own, norm = weights.bias, LayerNorm(offset=False)
    of_x = norm.forward({"scale": own["scale_x"]}, a)
    of_h = norm.forward({"scale": own["scale_h"]}, seen @ weights.recurrent)
    return of_x + of_h + of_axes(own["bias"], a)


def _normed_carry(of_c: Any, gates: jax.Array, last: Carry, words: Any) -> Carry:
    i, f, g, o = jnp.split(gates, 4, axis=-1)
    c = sigmoid(f) * last[1] + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(LayerNorm().forward(of_c, c)), c


_LSTM = Cell(summed, _lstm_carry, "lstm")
_PEEPHOLE = Cell(summed, _peephole_carry)
_LAYER_NORM = Cell(_normed_gates, _normed_carry)
