"""Functions of each number that are computed in double and rounded once, whatever JAX's switch for 64 bits says."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from chainrule.arrays.dtypes import real_type

Function = Callable[..., jax.Array]


def rounded_once(f: Function) -> Function:
    """A function of numbers, computed in double: half of the digits may be lost, and no square overflows.

    >>> jnp.sqrt(jnp.float32(1e30) ** 2).item(), rounded_once(lambda x: jnp.sqrt(x**2))(jnp.float32(1e30)).item()
    (inf, 1.0000000150474662e+30)
    """

    @wraps(f)
    def function(*numbers: Any) -> jax.Array:
        dtype = real_type(numbers[0])
        with jax.enable_x64(True):
            wide = (lax.convert_element_type(jnp.asarray(number), "float64") for number in numbers)
            return lax.convert_element_type(f(*wide), dtype)

    return function


def held(x: Any) -> jax.Array:
    """x, whose infinities are held to a double beyond all float32 numbers, so that 0 times one is 0."""
    return jnp.clip(x, -1e50, 1e50)
