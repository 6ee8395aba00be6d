"""What exact activations cost: values, and values with derivatives, of 16 million float32 numbers."""

from collections.abc import Callable

import numpy as np

from benchmarks.training import Task

NUMBERS = 16_000_000


def activation(name: str, derivative: bool) -> Task:
    """An activation here and in JAX, each compiled, over the same numbers."""
    import jax
    import jax.numpy as jnp

    from chainrule.notation import parse
    from chainrule.textbook.accuracy import value_and_derivative

    theirs = {"Tanh": jnp.tanh, "Sigmoid": jax.nn.sigmoid, "Softplus": jax.nn.softplus, "ELU": jax.nn.elu}
    x = jnp.asarray(np.random.default_rng(0).normal(0, 3, NUMBERS), jnp.float32)

    def work(function: Callable) -> Callable:
        compiled = jax.jit(value_and_derivative(function) if derivative else function)
        return lambda: jax.block_until_ready(compiled(x))

    contestants = {"chainrule": work(parse(name)), "jax": work(theirs[name])}  # type: ignore[arg-type]
    return contestants, dict.fromkeys(contestants, 1)
