"""Activations of each number. On the CPU native kernels compute them in double, with their derivatives, and round once.

The plain forms serve where those are not built, and for other derivatives than the first one by x.
"""

import operator
from collections.abc import Callable
from functools import partial, reduce
from typing import Any

import jax
import jax.numpy as jnp

from chainrule.arrays import functions
from chainrule.arrays.doubles import rounded_once
from chainrule.kernels import native
from chainrule.kernels.derivatives import differentiable, differentiated_as, with_zeros
from chainrule.kernels.sharding import by_parts

Function = Callable[..., Any]

LARGE = 1 << 23  # numbers, 32 MB: from here on malloc hands out new memory each time, which takes the most time


def elementwise(name: str, plain: Function, *slopes: Function, learned: bool = False) -> Function:
    """A function of each number.

    Args:
        name: the native kernel's; none where there is none.
        plain: the definition, of x and of the formula's numbers.
        slopes: its derivatives, of the same: by x, and then by each number, or by none, where JAX's own will do.
        learned: whether the native kernel takes numbers for each x, and gives the derivatives by them, too.
    """

    def plainly(results: int, x: Any, *numbers: Any) -> list[jax.Array]:
        return [form(x, *numbers) for form in (plain, *slopes)[:results]]

    def natively(results: int, x: jax.Array, *numbers: jax.Array) -> list[jax.Array]:
        rule = f"{','.join(['...'] + ['...' if learned else ''] * len(numbers))}->{','.join(['...'] * results)}"
        return native.call(name, [x.shape] * results, x, *numbers, rule=rule, together=True)

    def function(x: Any, *numbers: Any) -> jax.Array:
        rule = "...,...->..." if learned else "n*,*->n*" if any(map(jnp.ndim, numbers)) else "...,*->..."
        x, *each = jnp.broadcast_arrays(x, *numbers) if learned else map(jnp.asarray, (x, *numbers))
        return by_parts(rule)(of_part)(x, tuple(each))

    def of_part(x: jax.Array, numbers: tuple[jax.Array, ...]) -> jax.Array:
        return differentiable(lambda *arguments: either(1)(*arguments)[0], change, x, *numbers)

    def either(results: int) -> Function:
        forms = partial(natively, results), partial(plainly, results)
        return partial(_either, *forms, learned) if name else forms[1]

    def change(arguments: tuple, tangents: tuple) -> tuple[jax.Array, jax.Array]:
        of_x_alone = all(d is None for d in tangents[1:])
        if of_x_alone or learned:
            results = 2 if of_x_alone else 1 + len(slopes)
            y, *found = differentiated_as(partial(plainly, results), either(results), *arguments)
        else:
            y = function(*arguments)
            if len(slopes) < len(arguments):
                return y, jax.jvp(plain, arguments, with_zeros(tangents, arguments))[1]
            found = (by(*arguments) for by in slopes)
        changes = zip(found, tangents, strict=False)
        return y, reduce(operator.add, (slope * d.astype(y.dtype) for slope, d in changes if d is not None))

    return function


def in_double(plain: Function, *slopes: Function, name: str = "", learned: bool = False) -> Function:
    """A function of each number whose definition and derivatives are computed in double, each rounded once."""
    return elementwise(name, rounded_once(plain), *map(rounded_once, slopes), learned=learned)


def where_large(name: str, plain: Function, slope: Function) -> Function:
    """`elementwise` for large arrays alone, where it is the memory that counts; others XLA computes as fast."""
    function = elementwise(name, plain, slope)
    return lambda x, *numbers: (function if jnp.size(x) >= LARGE else plain)(x, *numbers)


def _either(native_form: Function, plain: Function, learned: bool, x: jax.Array, *numbers: jax.Array) -> Any:
    if x.dtype != jnp.float32 or (any(number.ndim for number in numbers) and not learned):
        return plain(x, *numbers)
    return native.either(native_form, plain, x, *numbers)


def _elu(x: Any, alpha: Any) -> jax.Array:
    return jnp.where(x > 0, x, alpha * functions.expm1(jnp.where(x > 0, 0, x)))


def _elu_slope(x: Any, alpha: Any) -> jax.Array:
    return jnp.where(x > 0, 1, alpha * functions.exp(jnp.where(x > 0, 0, x)))


exp = in_double(jnp.exp, jnp.exp, name="exp")
tanh = elementwise("tanh", functions.tanh, functions.sech2)
sigmoid = elementwise("sigmoid", functions.sigmoid, functions.bell)
softplus = elementwise("softplus", functions.softplus, functions.sigmoid)
elu = elementwise("elu", _elu, _elu_slope)
relu = where_large("relu", functions.relu, lambda x: jnp.where(x > 0, jnp.ones_like(x), 0))
leaky_relu = where_large("leaky_relu", functions.leaky_relu, lambda x, slope: jnp.where(x > 0, 1, slope))
