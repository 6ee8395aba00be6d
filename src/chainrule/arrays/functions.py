"""Functions and derivatives within two units in the last place of the truth (`chainrule verify` measures them).

For that, eˣ is carried as the sum of two floats up to the last operation, and derivatives are taken from the input,
never from the rounded output, so that they keep full precision in the tails.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from chainrule.arrays.dtypes import real_type, wide_type

# Two floats for one number.


@dataclass(frozen=True)
class Split:
    """A number as the sum of two floats: its rounding, and about what that lost.

    >>> split_sum(1.0, 1e-20)
    Split(high=1.0, low=1e-20)
    """

    high: Any
    low: Any = 0.0

    def __radd__(self, larger: Any) -> "Split":
        """A float and this; the float is 0 or of larger magnitude."""
        total = split_sum(larger, self.high)
        return split_sum(total.high, total.low + self.low)

    def __add__(self, smaller: "Split") -> "Split":
        total = split_sum(self.high, smaller.high)
        return split_sum(total.high, total.low + self.low + smaller.low)

    def __rmul__(self, factor: Any) -> "Split":
        """Without loss if the factor is a power of 2 or its negative."""
        return Split(factor * self.high, factor * self.low)

    def __mul__(self, other: "Split") -> "Split":
        """But for the rounding of the product of the high parts."""
        return Split(self.high * other.high, self.high * other.low + self.low * other.high)

    def __truediv__(self, other: "Split") -> jax.Array:
        """The quotient as one float."""
        # the last division is used only once: what is used twice, XLA computes in a loop of its own
        return (self.high + (self.low - self.high * (other.low / other.high))) / other.high


def split_sum(a: Any, b: Any) -> Split:
    """a + b without loss, where |a| ≥ |b| or a is 0."""
    high = a + b
    return Split(high, b + (a - high))  # in this order, or XLA takes the low part of 1 + b for 0


def split_exp(x: Split, doublings: int = 0) -> Split:
    """2ᵈ eˣ for x ≤ 0; d doublings keep from 0 what is doubled later."""
    k, m = _reduced(x)
    return _power_of_2(k + doublings, k.dtype) * (1 + m)


def split_expm1(x: Split) -> Split:
    """eˣ − 1 for x ≤ 0."""
    k, m = _reduced(x)
    power = _power_of_2(k, k.dtype)
    return (power - 1) + power * m


def split_log(x: Split) -> jax.Array:
    """ln x as one float."""
    return jnp.log(x.high) + x.low / x.high


LN2 = Split(0.693145751953125, 1.428606820309417e-06)
"""ln 2; the high part has 15 bits, so that its whole multiples are exact."""


def _reduced(x: Split) -> tuple[jax.Array, Split]:
    """k and m with eˣ = 2ᵏ (1 + m) and |m| < 1/2."""
    least = (jnp.finfo(x.high.dtype).minexp - 3) * math.log(2)  # further down, everything is 0
    high = jnp.where(x.high < least, least, x.high)
    k = jnp.round(high / math.log(2))
    r = split_sum(high - k * LN2.high, x.low - k * LN2.low)
    return k, Split(r.high, r.low + r.high**2 * _taylor(r.high))


def _taylor(r: jax.Array) -> jax.Array:
    """(eʳ − 1 − r) / r² for |r| ≤ ln 2 / 2: of Taylor's series, the terms that a float of this width can hold."""
    order, half = 2, math.log(2) / 2
    while half**order / math.factorial(order + 1) > jnp.finfo(r.dtype).eps / 8:
        order += 1
    total = jnp.full_like(r, 1 / math.factorial(order))
    for n in range(order - 1, 1, -1):
        total = total * r + 1 / math.factorial(n)
    return total


def _power_of_2(k: jax.Array, dtype: Any) -> jax.Array:
    """2ᵏ, or 0 where that is below the smallest normal number: the bits of the exponent, in their place."""
    width = jnp.finfo(dtype)
    exponent = jnp.maximum(k.astype(f"int{width.bits}") + (1 - width.minexp), 0)
    return lax.bitcast_convert_type(exponent << width.nmant, dtype)


Function = Callable[[Any], jax.Array]


def wide(f: Function) -> Function:
    """A function compiled as a whole, that computes in 32 bits where it is given fewer."""

    @partial(jax.jit, inline=True)
    def function(x: Any) -> jax.Array:
        return f(jnp.asarray(x, wide_type(x))).astype(real_type(x))

    return function


# Smooth functions of each entry, whose derivatives are such functions again.


def smooth(derivative: Function) -> Callable[[Function], Function]:
    """A function with this derivative."""

    def with_derivative(f: Function) -> Function:
        function = jax.custom_jvp(wide(f))

        @function.defjvp
        def _(primals, tangents):
            return function(*primals), tangents[0] * derivative(*primals)

        return function

    return with_derivative


@smooth(lambda x: exp(x))  # type: ignore[misc]
def exp(x: jax.Array) -> jax.Array:
    """eˣ for x ≤ 0."""
    e = split_exp(Split(x))
    return e.high + e.low


@smooth(lambda x: exp(x))
def expm1(x: jax.Array) -> jax.Array:
    """eˣ − 1 for x ≤ 0."""
    m = split_expm1(Split(x))
    return m.high + m.low


@smooth(lambda x: sech2(x))  # type: ignore[misc]
def tanh(x: jax.Array) -> jax.Array:
    """(1 − e⁻²ˣ) / (1 + e⁻²ˣ)."""
    m = split_expm1(Split(-2 * jnp.abs(x)))
    return (-jnp.sign(x) * m) / (2 + m)


@smooth(lambda x: -2 * tanh(x) * sech2(x))  # type: ignore[misc]
def sech2(x: jax.Array) -> jax.Array:
    """sech²x = 4 e⁻²ˣ / (1 + e⁻²ˣ)²."""
    e = split_exp(Split(-2 * jnp.abs(x)))
    return split_exp(Split(-2 * jnp.abs(x)), doublings=2) / (1 + (2 * e + e * e))


@smooth(lambda x: bell(x))
def sigmoid(x: jax.Array) -> jax.Array:
    """1 / (1 + e⁻ˣ), which is eˣ / (1 + eˣ)."""
    e = split_exp(Split(-jnp.abs(x)))
    return Split(jnp.where(x < 0, e.high, 1), jnp.where(x < 0, e.low, 0)) / (1 + e)


@smooth(lambda x: -tanh(x / 2) * bell(x))  # type: ignore[misc]
def bell(x: jax.Array) -> jax.Array:
    """σ(x) σ(−x) = e⁻ˣ / (1 + e⁻ˣ)²."""
    e = split_exp(Split(-jnp.abs(x)))
    return e / (1 + (2 * e + e * e))


@smooth(lambda x: sigmoid(x))
def softplus(x: jax.Array) -> jax.Array:
    """ln(1 + eˣ) = max(x, 0) + ln(1 + e^(−|x|))."""
    return jnp.maximum(x, 0) + split_log(1 + split_exp(Split(-jnp.abs(x))))


@jax.custom_jvp
def relu(x: jax.Array) -> jax.Array:
    """max(0, x) with the derivative 0 at 0."""
    return jnp.where(x <= 0, jnp.zeros_like(x), x)  # XLA's maximum loses a signalling NaN where a vector ends


@relu.defjvp
def _(primals, tangents):
    (x,), (dx,) = primals, tangents
    return relu(x), jnp.where(x > 0, dx, 0)


def leaky_relu(x: jax.Array, slope: Any) -> jax.Array:
    """x, or slope · x up to 0."""
    return jnp.where(x > 0, x, slope * x)


def root(x: Any) -> jax.Array:
    """√x, with the derivative 0 at 0: there a norm has its kink, and JAX's is infinite."""
    zero = x == 0
    return jnp.where(zero, 0, jnp.sqrt(jnp.where(zero, 1, x)))


def norm(x: Any, axis: Any = None) -> jax.Array:
    """√Σx² over all axes, or over some, which then stay with size 1; no square of it overflows, or is lost."""
    largest = jnp.max(jnp.abs(x), axis, keepdims=True, initial=0)
    unit = lax.stop_gradient(jnp.clip(largest, 1e-30, 1e30))
    total = jnp.sum((x / unit) ** 2, axis, keepdims=True)
    length = unit * root(total)
    return length.reshape(()) if axis is None else length


# Functions of the last axis.


def below_top(z: jax.Array) -> Split:
    """z minus the largest of its axis, without loss; infinite ones that are largest are 0 below it, too."""
    top = jnp.max(z, axis=-1, keepdims=True, initial=-jnp.inf)
    z_is_larger = jnp.abs(z) > jnp.abs(top)
    d = split_sum(jnp.where(z_is_larger, z, -top), jnp.where(z_is_larger, -top, z))
    return Split(jnp.where(z == top, 0, d.high), jnp.where(jnp.isfinite(d.high), d.low, 0))


def split_total(e: Split) -> Split:
    """The sum of numbers from 0 to 1: of whole multiples of 2⁻¹², which add up without rounding, then of the rest."""
    whole = jnp.floor(e.high * 2**12) / 2**12
    return split_sum(*(jnp.sum(part, axis=-1, keepdims=True) for part in (whole, e.high - whole + e.low)))


def differences(p: jax.Array, dz: jax.Array) -> jax.Array:
    """Changes of logits as far as they count: what all have in common does not.

    They are taken from the change of the class whose probability p is above 1/2, so that p, which is rounded near 1,
    is a factor of 0 there, and no digits of 1 − p are lost.
    """
    sure = p > 0.5
    return jnp.where(sure, 0, dz - jnp.sum(jnp.where(sure, dz, 0), axis=-1, keepdims=True))


@jax.custom_jvp
@wide
def softmax(z: jax.Array) -> jax.Array:
    """exp z / Σ exp z over the last axis."""
    e = split_exp(below_top(z))
    return e / split_total(e)


@softmax.defjvp
def _(primals, tangents):
    p = softmax(*primals)
    return p, softmax_tangent(p, *tangents)


@jax.custom_jvp
@wide
def surprisal(z: jax.Array) -> jax.Array:
    """−ln softmax z."""
    d = below_top(z)
    return split_log(split_total(split_exp(d))) - d.low - d.high


@surprisal.defjvp
def _(primals, tangents):
    return surprisal(*primals), surprisal_tangent(softmax(*primals), *tangents)


def softmax_tangent(p: jax.Array, dz: jax.Array) -> jax.Array:
    """How p = softmax z changes with z."""
    dz = differences(p, dz)
    return p * (dz - jnp.sum(p * dz, axis=-1, keepdims=True))


def surprisal_tangent(p: jax.Array, dz: jax.Array) -> jax.Array:
    """How −ln softmax z changes with z, given p = softmax z."""
    dz = differences(p, dz)
    return jnp.sum(p * dz, axis=-1, keepdims=True) - dz
