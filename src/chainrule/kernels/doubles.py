"""Functions of arrays that are computed in double and rounded once, and so are their derivatives of every order.

Between what comes in and what goes out no digit of float32 is lost to a sum, a difference or a logarithm, so that the
mathematics can be written as it is read.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from chainrule.arrays.dtypes import real_type
from chainrule.kernels.derivatives import differentiable, linear

Function = Callable[..., Any]


def through_double(f: Function) -> Function:
    """A function from trees of arrays to one array, computed in double, and differentiated there.

    >>> jax.grad(through_double(lambda x: jnp.log(jnp.cosh(x))))(jnp.float32(1e-3)).item()
    0.0009999996982514858
    """

    @wraps(f)
    def function(*arguments: Any) -> jax.Array:
        return differentiable(_rounded(f), change, *arguments)

    def change(arguments: tuple, tangents: tuple) -> tuple[jax.Array, jax.Array]:
        y = function(*arguments)
        leaves, tree = jax.tree.flatten(arguments)
        moves = [d is not None for d in tree.flatten_up_to(tangents)]

        def of(fixed: list) -> Function:
            """As a function of what moves, so that nothing is derived by what does not."""

            def along(*moved: Any) -> Any:
                each = iter(moved)
                return f(*tree.unflatten(next(each) if moving else at for at, moving in zip(fixed, moves, strict=True)))

            return along

        def moved(leaves: list) -> list:
            return [at for at, moving in zip(leaves, moves, strict=True) if moving]

        def ahead(leaves: list, t: list) -> Any:
            return jax.jvp(of(leaves), (*moved(leaves),), (*t,))[1]

        def back(leaves: list, d_y: jax.Array) -> Any:
            return jax.vjp(of(leaves), *moved(leaves))[1](d_y)

        def transposed(leaves: list, d_y: jax.Array) -> list:
            return [through_double(lambda *of, n=n: back(*of)[n])(leaves, d_y) for n in range(sum(moves))]

        t = [d for d in tree.flatten_up_to(tangents) if d is not None]
        return y, linear(through_double(ahead), transposed, leaves, t, like=y)

    return function


def _rounded(f: Function) -> Function:
    """The function in double, its result in the type that its arrays have together; numbers do not decide of it."""

    def function(*arguments: Any) -> jax.Array:
        leaves, tree = jax.tree.flatten(arguments)
        dtype = real_type(*([leaf for leaf in leaves if jnp.ndim(leaf)] or leaves))
        with jax.enable_x64(True):
            wide = [lax.convert_element_type(leaf, "float64") for leaf in leaves]
            return lax.convert_element_type(f(*tree.unflatten(wide)), dtype)

    return function
