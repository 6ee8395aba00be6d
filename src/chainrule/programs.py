"""Compiled programs, of which only the last few are kept."""

from collections.abc import Callable
from functools import cache, lru_cache, wraps
from typing import Any

import jax

KEPT = 10  # programs of a function; each has some megabytes


def compiled(**options: Any) -> Callable[[Callable], Callable]:
    """`jax.jit`, but a function keeps the programs only of the last structures and shapes that it was called with.

    JAX would keep them all: a process that fits many networks, each of another structure, would grow without end.

    >>> double = compiled()(lambda x: 2 * x)
    >>> double(jax.numpy.ones(2)).tolist()
    [2.0, 2.0]
    """

    def decorate(function: Callable) -> Callable:
        @lru_cache(KEPT)
        def program(*key: Any) -> Callable:
            @wraps(function)
            def own(*args: Any, **static: Any) -> Any:  # of its own, since JAX's caches go by the function
                return function(*args, **static)

            return jax.jit(own, **options)

        @wraps(function)
        def call(*args: Any, **static: Any) -> Any:
            leaves, structure = jax.tree.flatten(args)
            shapes = tuple(getattr(leaf, "shape", ()) for leaf in leaves)
            return program(structure, shapes, *static.items())(*args, **static)

        return call

    return decorate


@cache
def side_by_side() -> dict[str, Any] | None:
    """The compiler's options for a program that begins while the last one runs; None where it knows none.

    Products by Eigen fill the threads that the last program leaves idle; those by YNNPACK, XLA's choice, do not.
    """
    options = {"xla_cpu_experimental_ynn_fusion_type": ""}
    try:
        jax.jit(lambda: 0, compiler_options=options).lower().compile()
    except jax.errors.JaxRuntimeError:  # of another version, or for another device
        return None
    return options
