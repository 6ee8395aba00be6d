"""Types and axes of arrays: what several have together, and what sums are computed in.

So a layer takes what an operator takes, in half precision or whole numbers too, and nothing depends on the switches by
which JAX widens, promotes or refuses.
"""

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

import jax
import jax.numpy as jnp

from chainrule.errors import ChainruleError


def real_type(*arrays: Any) -> Any:
    """The type that arrays of real numbers have together; float32 for whole numbers.

    Raises:
        ChainruleError: for complex numbers.

    >>> real_type(jnp.ones(2, "bfloat16")).name, real_type(jnp.arange(2)).name
    ('bfloat16', 'float32')
    """
    dtype = jnp.result_type(*arrays)
    if jnp.issubdtype(dtype, jnp.floating):
        return dtype
    if jnp.issubdtype(dtype, jnp.integer) or jnp.issubdtype(dtype, jnp.bool_):
        return jnp.dtype(jnp.float32)
    raise ChainruleError(f"Expected real numbers, got {dtype}. Make of a complex number two real ones.")


def wide_type(*arrays: Any) -> Any:
    """`real_type`, of 32 bits at least: what sums are computed in, so that they don't overflow nor lose small parts."""
    dtype = real_type(*arrays)
    return dtype if jnp.finfo(dtype).bits >= 32 else jnp.dtype(jnp.float32)


def widely(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of arrays that computes in 32 bits at least, and whose result is of the first one's type."""

    @wraps(method)
    def computed(self: Any, *arrays: Any) -> Any:
        wide = wide_type(*arrays)
        return method(self, *(jnp.asarray(array, wide) for array in arrays)).astype(real_type(arrays[0]))

    return computed


def promoted(*arrays: Any) -> tuple[jax.Array, ...]:
    """Arrays in the type that they have together, as operators make it; for functions that ask for one type."""
    dtype = jnp.result_type(*arrays)
    return tuple(jnp.asarray(array).astype(dtype) for array in arrays)


def lowest(dtype: Any) -> Any:
    """The smallest value of a type: −∞, the smallest whole number, or False.

    >>> lowest(jnp.dtype("uint8")), lowest(jnp.dtype("bfloat16"))
    (0, -inf)
    """
    if jnp.issubdtype(dtype, jnp.integer):
        return int(jnp.iinfo(dtype).min)
    return False if jnp.issubdtype(dtype, jnp.bool_) else -math.inf


def of_axes(array: jax.Array, x: jax.Array) -> jax.Array:
    """An array for the last axes of x, in as many axes as x has."""
    return array.reshape((1,) * (x.ndim - array.ndim) + array.shape)
