"""Activations of each number. On the CPU native kernels compute them in double, with their derivatives, and round once.

The plain forms serve where those are not built, and for other derivatives than the first one by x.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero, zero_from_primal

from chainrule import functions
from chainrule.kernels import native

Function = Callable[..., Any]

LARGE = 1 << 23  # numbers, 32 MB: from here on malloc hands out new memory each time, which takes the most time


def elementwise(name: str, plain: Function, slope: Function) -> Function:
    """A function of each number.

    Args:
        name: the native kernel's.
        plain: the definition, of x and of the formula's numbers.
        slope: its derivative by x, of the same.
    """

    def plain_pair(x: Any, *numbers: Any) -> tuple[jax.Array, jax.Array]:
        return plain(x, *numbers), slope(x, *numbers)

    def native_value(x: jax.Array, *numbers: jax.Array) -> jax.Array:
        return native.call(name, x.shape, x, *numbers, vmap_method="broadcast_all")

    def native_pair(x: jax.Array, *numbers: jax.Array) -> tuple[jax.Array, jax.Array]:
        return tuple(native.call(name, (x.shape, x.shape), x, *numbers, vmap_method="broadcast_all"))

    @jax.custom_jvp
    def function(x: Any, *numbers: Any) -> jax.Array:
        return _either(native_value, plain, x, *numbers)

    @jax.custom_jvp
    def pair(x: Any, *numbers: Any) -> tuple[jax.Array, jax.Array]:
        return _either(native_pair, plain_pair, x, *numbers)

    @partial(function.defjvp, symbolic_zeros=True)
    def _(primals, tangents):
        dx, *others = tangents
        if all(isinstance(other, SymbolicZero) for other in others):
            y, d = pair(*primals)
            return y, d * dx
        dense = [
            zero_from_primal(x) if isinstance(dx, SymbolicZero) else dx for x, dx in zip(primals, tangents, strict=True)
        ]
        return function(*primals), jax.jvp(plain, primals, tuple(dense))[1]

    @pair.defjvp
    def _(primals, tangents):
        return pair(*primals), jax.jvp(plain_pair, primals, tangents)[1]

    return function


def where_large(name: str, plain: Function, slope: Function) -> Function:
    """`elementwise` for large arrays alone, where it is the memory that counts; others XLA computes as fast."""
    function = elementwise(name, plain, slope)
    return lambda x, *numbers: (function if jnp.size(x) >= LARGE else plain)(x, *numbers)


def _either(native_form: Function, plain: Function, *args: Any) -> Any:
    x, *numbers = map(jnp.asarray, args)
    if x.dtype != jnp.float32 or any(number.ndim for number in numbers):
        return plain(x, *numbers)
    return native.either(native_form, plain, x, *numbers)


def _elu(x: Any, alpha: Any) -> jax.Array:
    return jnp.where(x > 0, x, alpha * functions.expm1(jnp.where(x > 0, 0, x)))


def _elu_slope(x: Any, alpha: Any) -> jax.Array:
    return jnp.where(x > 0, 1, alpha * functions.exp(jnp.where(x > 0, 0, x)))


tanh = elementwise("tanh", functions.tanh, functions.sech2)
sigmoid = elementwise("sigmoid", functions.sigmoid, functions.bell)
softplus = elementwise("softplus", functions.softplus, functions.sigmoid)
elu = elementwise("elu", _elu, _elu_slope)
relu = where_large("relu", functions.relu, lambda x: jnp.where(x > 0, jnp.ones_like(x), 0))
leaky_relu = where_large("leaky_relu", functions.leaky_relu, lambda x, slope: jnp.where(x > 0, 1, slope))
