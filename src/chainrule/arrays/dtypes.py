"""Types and axes of arrays: what several have together, and what sums are computed in.

So a layer takes what an operator takes, in half precision or whole numbers too, and nothing depends on the switches by
which JAX widens, promotes or refuses.
"""

import math
from collections.abc import Callable, Sequence
from functools import cache, wraps
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from chainrule.errors import ChainruleError


def real_type(*arrays: Any) -> Any:
    """The type that arrays of real numbers have together; float32 for whole numbers.

    Raises:
        ChainruleError: for complex numbers, and for what is no array.

    >>> real_type(jnp.ones(2, "bfloat16")).name, real_type(jnp.arange(2)).name
    ('bfloat16', 'float32')
    """
    try:
        dtype = jnp.result_type(*arrays)
    except (TypeError, ValueError):
        kinds = ", ".join(dict.fromkeys(str(getattr(array, "dtype", type(array).__name__)) for array in arrays))
        raise ChainruleError(f"Expected arrays of real numbers, got {kinds}.") from None
    if not is_real(dtype):
        raise ChainruleError(f"Expected real numbers, got {dtype}. Make of a complex number two real ones.")
    return dtype if jnp.issubdtype(dtype, jnp.floating) else jnp.dtype(jnp.float32)


@cache
def is_real(dtype: Any) -> bool:
    """Whether it is a type of floats, whole numbers or truth values."""
    return any(jnp.issubdtype(dtype, kind) for kind in (jnp.floating, jnp.integer, jnp.bool_))


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


def as_array(value: Any, name: str) -> jax.Array:
    """An array of numbers from what can be one. Raises `ChainruleError`, by the value's name, for anything else."""
    try:
        return jnp.asarray(value)
    except (TypeError, ValueError):
        kind = getattr(value, "dtype", type(value).__name__)
        raise ChainruleError(f"{name} must be an array of numbers, got {kind}. Make it one by numpy.asarray.") from None


def widened(array: Any) -> jax.Array:
    """An array in its `wide_type`."""
    return jnp.asarray(array, wide_type(array))


def promoted(*trees: Any) -> tuple[Any, ...]:
    """Trees of arrays in the type that all have together, as operators make it; for functions that ask for one type."""
    dtype = jnp.result_type(*jax.tree.leaves(trees))
    return jax.tree.map(lambda array: jnp.asarray(array, dtype), trees)


def lowest(dtype: Any) -> Any:
    """The smallest value of a type: −∞, the smallest whole number, or False.

    >>> lowest(jnp.dtype("uint8")), lowest(jnp.dtype("bfloat16"))
    (0, -inf)
    """
    if jnp.issubdtype(dtype, jnp.integer):
        return int(jnp.iinfo(dtype).min)
    return False if jnp.issubdtype(dtype, jnp.bool_) else -math.inf


def rounded(values: np.ndarray) -> np.ndarray:
    """Which whole numbers of an array float64 does not hold, as a mask.

    >>> rounded(np.array([2**53, 2**53 + 1]))
    array([False,  True])
    """
    small = values.dtype.kind not in "iu" or values.dtype.itemsize < 8 or values.size == 0
    if small or -(2**53) <= values.min() <= values.max() <= 2**53:
        return np.zeros(values.shape, bool)
    floats = values.astype(np.float64)
    with np.errstate(invalid="ignore"):
        return (floats.astype(values.dtype) != values) | (floats >= float(np.iinfo(values.dtype).max))


def check_within(name: str, array: Any, least: float, most: float, expected: str, whole: bool = False) -> None:
    """Refuse the first number that can't be, but for rounding; tracers, not yet known, pass."""

    def wrong(values: np.ndarray, slack: float) -> Any:
        return (values < least - slack) | (values > most + slack) | (whole and values != np.floor(values))

    check_each(name, array, wrong, expected)


def check_each(name: str, array: Any, wrong: Callable[[np.ndarray, float], Any], expected: str) -> None:
    """Refuse the first number that is wrong, by its place; tracers, not yet known, pass.

    Args:
        name: the array's.
        array: numbers.
        wrong: from them, and from what rounding may have added to each, to those that can't be.
        expected: what each must be, in words.
    """
    if isinstance(array, Tracer):
        return
    values = np.asarray(array)
    if (place := first_wrong(values, wrong)) is not None:
        raise ChainruleError(f"{name}[{', '.join(map(str, place))}] is {values[place]}, expected {expected}.")


def first_wrong(values: np.ndarray, wrong: Callable[[np.ndarray, float], Any]) -> tuple[int, ...] | None:
    """The place of the first number that is wrong, as `check_each` asks for it; None where none is."""
    slack = 8 * max(float(jnp.finfo(values.dtype).eps), 2**-23) if jnp.issubdtype(values.dtype, jnp.floating) else 0
    found = wrong(values, slack)
    return tuple(np.argwhere(found)[0].tolist()) if found.any() else None


def of_axes(array: Any, x: jax.Array) -> Any:
    """An array for the last axes of x, in as many axes as x has; a number as it is."""
    return array.reshape((1,) * (x.ndim - array.ndim) + array.shape) if jnp.ndim(array) else array


def real(arrays: Sequence[Any]) -> list[Any]:
    """Arrays in the `real_type` that they have together, for sums and products that whole numbers might not hold."""
    dtype = real_type(*arrays)
    return [array.astype(dtype) for array in arrays]


def agree(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether shapes have equal sizes from the last axis on, or 1 where one spreads out over the other."""
    return all(a == b or 1 in (a, b) for a, b in zip(reversed(one), reversed(other), strict=False))


def level(batches: Sequence[Any]) -> list[Any]:
    """Batches in as many axes each: what is missing has size 1, behind the rows."""
    most = max(map(jnp.ndim, batches))
    return [batch.reshape(batch.shape[0], *(1,) * (most - batch.ndim), *batch.shape[1:]) for batch in batches]
