"""How many bits products take of their operands, which GPUs round to 10 and TPUs to 7 where nobody asks for more."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import jax

CHOSEN = "jax_default_matmul_precision"
P = ParamSpec("P")
R = TypeVar("R")


def exactly(function: Callable[P, R]) -> Callable[P, R]:
    """The function, whose products and convolutions take all bits, also in its derivatives.

    Where `jax.default_matmul_precision` is set, in a block or for all of JAX, that decides.

    >>> x = jax.numpy.float32([[1 + 2.0**-20]])
    >>> jax.make_jaxpr(exactly(lambda x: x @ x))(x).eqns[0].params["precision"][0].name
    'HIGHEST'
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if getattr(jax.config, CHOSEN):
            return function(*args, **kwargs)
        with jax.default_matmul_precision("highest"):
            return function(*args, **kwargs)

    return call
