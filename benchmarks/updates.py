"""An optimizer's update of ten million parameters, in ten arrays: as fast as memory gives and takes, at best."""

from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

import numpy as np

from benchmarks.workload import Contestants, Workload

ARRAYS, SIDE, UPDATES, TURNS = 10, 1000, 20, 4
OPTIMIZERS = {
    "GradientDescent(0.01)": 3,
    "Momentum(0.01)": 5,
    "Nesterov(0.01)": 5,
    "Adagrad(0.01)": 5,
    "Adadelta()": 7,
    "RMSprop(0.001)": 5,
    "Adam(0.001)": 7,
}
"""How many numbers it must read or write for each parameter: itself, its gradient and its slots."""


def update(notation: str) -> Workload:
    """Updates with the same gradient, in place."""
    random = np.random.default_rng(0)
    first, gradient = (
        [random.normal(size=(SIDE, SIDE)).astype(np.float32) for _ in range(ARRAYS)] for _ in ("parameters", "gradient")
    )
    name = notation.split("(")[0]

    def contestants() -> Contestants:
        return {
            "Chainrule": _on_jax(*_chainrule(notation), first, gradient),
            "PyTorch": _torch(name, first, gradient),
            "torch.compile": _torch(name, first, gradient, compiled=True),
            "Keras": _on_jax(*_keras(name, first), first, gradient),
            "Flax": _on_jax(*_optax(name), first, gradient),
        }

    return Workload(contestants, UPDATES, TURNS, moved=4.0 * ARRAYS * SIDE**2 * OPTIMIZERS[notation])


def _on_jax(init: Callable, apply: Callable, first: list[np.ndarray], gradient: list[np.ndarray]) -> Callable:
    """Updates in a compiled loop, as in Chainrule's training, that may overwrite its arguments."""
    import jax
    import jax.numpy as jnp

    @partial(jax.jit, donate_argnums=(0, 1))
    def loop(parameters: Any, state: Any, gradient: Any) -> tuple[Any, Any]:
        return jax.lax.fori_loop(0, UPDATES, lambda _, kept: apply(*kept, gradient), (parameters, state))

    parameters = [jnp.array(array) for array in first]
    state, gradient = init(parameters), [jnp.array(array) for array in gradient]
    turns = count()

    def work() -> float | None:
        nonlocal parameters, state
        parameters, state = jax.block_until_ready(loop(parameters, state, gradient))
        return None if next(turns) else _moved(np.asarray(parameters[0]), first[0])

    return work


def _chainrule(notation: str) -> tuple[Callable, Callable]:
    from chainrule.notation import parse

    optimizer: Any = parse(notation)
    return optimizer.init, lambda parameters, state, gradient: optimizer.advance(parameters, gradient, state)


def _optax(name: str) -> tuple[Callable, Callable]:
    import optax

    optimizer = {
        "GradientDescent": lambda: optax.sgd(0.01),
        "Momentum": lambda: optax.sgd(0.01, momentum=0.9),
        "Nesterov": lambda: optax.sgd(0.01, momentum=0.9, nesterov=True),
        "Adagrad": lambda: optax.adagrad(0.01, initial_accumulator_value=0.0),
        "Adadelta": lambda: optax.adadelta(1.0, rho=0.95),
        "RMSprop": lambda: optax.rmsprop(0.001, decay=0.9),
        "Adam": lambda: optax.adam(0.001),
    }[name]()

    def apply(parameters: Any, state: Any, gradient: Any) -> tuple[Any, Any]:
        updates, state = optimizer.update(gradient, state, parameters)
        return optax.apply_updates(parameters, updates), state

    return optimizer.init, apply


def _keras(name: str, first: list[np.ndarray]) -> tuple[Callable, Callable]:
    from benchmarks.peers.keras_on_jax import keras

    optimizer = {
        "GradientDescent": lambda: keras.optimizers.SGD(0.01),
        "Momentum": lambda: keras.optimizers.SGD(0.01, momentum=0.9),
        "Nesterov": lambda: keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
        "Adagrad": lambda: keras.optimizers.Adagrad(0.01, initial_accumulator_value=0.0),
        "Adadelta": lambda: keras.optimizers.Adadelta(1.0, epsilon=1e-6),
        "RMSprop": lambda: keras.optimizers.RMSprop(0.001),
        "Adam": lambda: keras.optimizers.Adam(0.001),
    }[name]()
    optimizer.build([keras.Variable(array) for array in first])
    state = lambda parameters: [variable.value for variable in optimizer.variables]  # noqa: E731
    return state, lambda parameters, state, gradient: optimizer.stateless_apply(state, gradient, parameters)


def _torch(name: str, first: list[np.ndarray], gradient: list[np.ndarray], compiled: bool = False) -> Callable:
    from benchmarks.peers.pytorch import compile_afresh, torch

    parameters = [torch.nn.Parameter(torch.from_numpy(array.copy())) for array in first]
    for parameter, array in zip(parameters, gradient, strict=True):
        parameter.grad = torch.from_numpy(array.copy())
    fused = {} if compiled else {"fused": True}  # torch.compile fuses what it is given
    optimizer = {
        "GradientDescent": lambda: torch.optim.SGD(parameters, 0.01, **fused),
        "Momentum": lambda: torch.optim.SGD(parameters, 0.01, momentum=0.9, **fused),
        "Nesterov": lambda: torch.optim.SGD(parameters, 0.01, momentum=0.9, nesterov=True, **fused),
        "Adagrad": lambda: torch.optim.Adagrad(parameters, 0.01, **fused),
        "Adadelta": lambda: torch.optim.Adadelta(parameters, 1.0, rho=0.95),
        "RMSprop": lambda: torch.optim.RMSprop(parameters, 0.001, alpha=0.9),
        "Adam": lambda: torch.optim.Adam(parameters, 0.001, **fused),
    }[name]()
    step = compile_afresh(optimizer.step) if compiled else optimizer.step
    turns = count()

    def work() -> float | None:
        for _ in range(UPDATES):
            step()
        return None if next(turns) else _moved(parameters[0].detach().numpy(), first[0])

    return work


def _moved(now: np.ndarray, first: np.ndarray) -> float:
    """How far the parameters have moved, in the root mean square."""
    return float(np.sqrt(np.mean((now - first) ** 2)))
